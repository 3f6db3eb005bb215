"""The grid of maps: drawn in the browser from raw values, so that looking differently costs no trip.

`grid()` sends each picture once as JPEG and every map as float32; opacity, colours, scale, cut, contours,
zoom and pointing happen in the browser (values.js: numbers, paint.js: pixels, tiles.js: cards, toolbar.js,
pointer.js, main.js: mounting). Display options come back through the component's state, after a moment of
rest.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from dashboard.callbacks import unbroken
from dashboard.components.exchange import exchange
from engine import render
from engine.render import Outline

HERE = Path(__file__).parent
SCRIPTS = ("values.js", "paint.js", "tiles.js", "toolbar.js", "pointer.js", "main.js")
DISPLAY = (
    "draw", "opacity", "top", "above", "colormap", "scale", "smooth", "contour", "outlines", "transpose"
)  # fmt: skip

_component = st.components.v2.component(
    "sidelight_grid",
    html=(HERE / "grid.html").read_text("utf-8"),
    css=(HERE / "grid.css").read_text("utf-8"),
    js="\n".join((HERE / script).read_text("utf-8") for script in SCRIPTS),
)


@dataclass(frozen=True)
class Picture:
    """One base image. jpeg: its file bytes, any size. size: (width, height) of the original in pixels; seen:
    (left, top, right, bottom) of what the model saw, in the same pixels. alt: what it shows, in words."""

    jpeg: bytes
    size: tuple[int, int]
    seen: tuple[float, float, float, float]
    alt: str
    outlines: tuple[Outline, ...] = ()


@dataclass(frozen=True)
class Column:
    """A method. label: its title; detail: its parameters; unit: of its raw values; evidence: what its maps
    hold of what speaks for and against, and a sentence on what that means."""

    label: str
    unit: str
    detail: str = ""
    evidence: str = ""
    meaning: str = ""


@dataclass(frozen=True)
class Row:
    """What a row shows. picture: place in the list of pictures. score: of picture and target, in the unit
    `measure`. marked: whether it is selected. name: what a click on its label tells, '' for nothing.
    thumbnail: address of a small picture of the target, where that is an image."""

    label: str
    picture: int
    detail: str = ""
    score: float | None = None
    marked: bool = False
    measure: str = "cosine"
    name: str = ""
    thumbnail: str = ""


@dataclass(frozen=True)
class Tile:
    """One map with its card, or the sentence that stands in its place.

    values: float32 (rows, columns), or None. signed: whether zero is the middle of the colours. waiting: what
    is done while the map is computed; progress: the share that is done. reason: why there is none. score,
    explained: cosines of the model and of the pass that the method read. gini: sparsity. specificity:
    1 - Spearman against the map of the prompt `versus`. deletion, insertion: areas under the curves.
    """

    values: np.ndarray | None = None
    signed: bool = False
    waiting: str = ""
    progress: float = 0.0
    reason: str = ""
    score: float | None = None
    explained: float | None = None
    seconds: float | None = None
    gini: float | None = None
    specificity: float | None = None
    versus: str = ""
    deletion: float | None = None
    insertion: float | None = None
    note: str = ""


def grid(
    pictures: Sequence[Picture],
    columns: Sequence[Column],
    rows: Sequence[Row],
    tiles: Sequence[Sequence[Tile]],
    display: Mapping[str, Any],
    key: str,
    on_display: Callable[[dict[str, Any]], None] | None = None,
    on_choose: Callable[[str], None] | None = None,
) -> None:
    """Draw `tiles[row][column]` with the options named in DISPLAY.

    on_display is called with all options when the person changed some; they come from the browser, so check
    them. Options that come back unchanged in the next `display` are not sent again: nothing is redrawn.
    Without on_display there is no toolbar: the grid follows another's options. on_choose is called with the
    name of the row whose label was clicked.
    """
    sent = exchange(key, "display", {name: display[name] for name in DISPLAY}, on_display)
    options = {"display": sent.values, "revision": sent.revision, "toolbar": on_display is not None}
    data = payload(pictures, columns, rows, tiles) | options
    names = {row.name for row in rows if row.name}

    def chosen() -> None:
        told = st.session_state[key].chosen
        if on_choose is not None and isinstance(told, str) and told in names:
            on_choose(told)

    _component(
        data=data, key=key, on_display_change=unbroken(sent.changed), on_chosen_change=unbroken(chosen)
    )


def payload(
    pictures: Sequence[Picture],
    columns: Sequence[Column],
    rows: Sequence[Row],
    tiles: Sequence[Sequence[Tile]],
) -> dict[str, Any]:
    """What is sent to the browser, ready for JSON; raw bytes in base64."""
    raw: list[np.ndarray] = []
    length = 0
    cells = []
    for line in tiles:
        cells.append([])
        for tile in line:
            cells[-1].append(_cell(tile, length))
            if tile.values is not None:
                raw.append(np.ascontiguousarray(tile.values, "<f4").ravel())
                length += raw[-1].size
    return {
        "pictures": [_picture(picture) for picture in pictures],
        "columns": [_known(column) for column in columns],
        "rows": [_known(row) for row in rows],
        "tiles": cells,
        "values": _base64(np.concatenate(raw).tobytes() if raw else b""),
        "tables": _tables(),
    }


def _cell(tile: Tile, offset: int) -> dict[str, Any]:
    facts = _known(tile, leave=("values",))
    if tile.values is not None:
        return facts | {"state": "map", "shape": list(tile.values.shape), "offset": offset}
    return facts | {"state": "pending" if tile.waiting else "quiet"}


def _known(value: Any, leave: tuple[str, ...] = ()) -> dict[str, Any]:
    """The fields of a dataclass that say something."""
    return {k: v for k, v in vars(value).items() if k not in leave and v is not None and v != ""}


def _picture(picture: Picture) -> dict[str, Any]:
    width, height = picture.size
    return {
        "source": "data:image/jpeg;base64," + _base64(picture.jpeg),
        "width": width,
        "height": height,
        "seen": list(picture.seen),
        "alt": picture.alt,
        "outlines": [
            {"name": o.name, "paths": [np.round(path).astype(int).ravel().tolist() for path in o.paths]}
            for o in picture.outlines
        ],
    }


@cache
def _tables() -> list[dict[str, Any]]:
    return [
        {"name": n, "diverging": n in render.DIVERGING, "bytes": _base64(render.colormap(n).tobytes())}
        for n in render.COLORMAPS
    ]


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
