"""The layers of a model: a strip of all blocks, the heads of one, and any token's row under the pointer.

`layers()` sends the exact rows of the pooled token for every quantity, and the rows of all sources for the
chosen one in a byte a value, so that layer, head, source and display change in the browser (unpack.js: bytes
to arrays; rows.js: numbers; film.js: pictures; words.js: tokens; charts.js; pointing.js; controls.js;
main.js: mounting; scales and colours are the grid's). The view comes back through the component's state,
after a moment of rest.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from dashboard.callbacks import unbroken
from dashboard.components.exchange import exchange
from dashboard.components.grid import Picture
from dashboard.components.packing import Packing
from engine import render

if TYPE_CHECKING:
    from engine.layers import Quantity, Rows, Share, Summary

HERE = Path(__file__).parent
GRID = HERE.parent / "grid"
SCRIPTS = (
    *(GRID / name for name in ("values.js", "paint.js", "toolbar.js")),
    *(HERE.parent / name for name in ("packing.js", "svg.js")),
    *(HERE / name for name in ("unpack.js", "rows.js", "film.js", "words.js", "charts.js", "pointing.js")),
    *(HERE / name for name in ("controls.js", "main.js")),
)
VIEW = ("quantity", "layer", "head", "source", "sign", "colormap", "scale", "opacity", "smooth")
FACTS = ("key", "title", "detail", "waiting", "reason", "rows_of", "unit")

_component = st.components.v2.component(
    "sidelight_layers",
    html=(HERE / "layers.html").read_text("utf-8"),
    css=(GRID / "grid.css").read_text("utf-8") + (HERE / "layers.css").read_text("utf-8"),
    js="\n".join(script.read_text("utf-8") for script in SCRIPTS),
)


@dataclass(frozen=True)
class Panel:
    """One image and target through one tower.

    key: the same for the same content. title: the target; detail: the model. picture: of an image tower.
    summary: None while it is computed (`waiting` says how far that is) or where there is none (`reason`).
    rows: of the quantity named `rows_of`, by block from 0, as far as they are sent. unit: of distances.
    """

    key: str
    title: str
    detail: str = ""
    picture: Picture | None = None
    summary: Summary | None = None
    rows_of: str = ""
    rows: Mapping[int, Rows] = field(default_factory=dict)
    unit: str = "px"
    waiting: str = ""
    reason: str = ""


def layers(
    panels: Sequence[Panel],
    quantities: Sequence[Quantity],
    shares: Mapping[str, Share],
    view: Mapping[str, Any],
    key: str,
    on_view: Callable[[dict[str, Any]], None],
) -> None:
    """Draw the panels beside each other with the view that VIEW names.

    on_view is called with the whole view when the person changed it; it comes from the browser, so check it.
    A view that comes back unchanged is not sent again: nothing is redrawn.
    """
    sent = exchange(key, "view", {name: view[name] for name in VIEW}, on_view)
    data = payload(panels, quantities, shares, sent.values, sent.revision)
    _component(data=data, key=key, on_view_change=unbroken(sent.changed))


def payload(
    panels: Sequence[Panel],
    quantities: Sequence[Quantity],
    shares: Mapping[str, Share],
    view: Mapping[str, Any],
    revision: int,
) -> bytes:
    """What is sent, packed."""
    packing = Packing()
    head = {
        "panels": [_panel(panel, packing.put) for panel in panels],
        "quantities": [vars(q) for q in quantities],
        "shares": {name: {"title": s.title, "about": s.about} for name, s in shares.items()},
        "tables": [
            {"name": n, "diverging": n in render.DIVERGING, "bytes": packing.put(_table(n))}
            for n in render.COLORMAPS
        ],
        "view": dict(view),
        "revision": revision,
    }
    return packing.sealed(head)


def _panel(panel: Panel, put: Callable[[np.ndarray], dict[str, Any]]) -> dict[str, Any]:
    known = {name: getattr(panel, name) for name in FACTS}
    summary = panel.summary
    if summary is None:
        return known | {"state": "waiting" if panel.waiting else "quiet"}
    return known | {
        "state": "ready",
        "picture": _picture(panel.picture) if panel.picture else None,
        "grid": summary.grid,
        "tokens": summary.tokens,
        "row": summary.row,
        "content": np.flatnonzero(summary.content).tolist(),
        "score": summary.score,
        "note": summary.note,
        "pooled": {name: put(values) for name, values in summary.pooled.items()},
        "shares": {name: put(values) for name, values in summary.shares.items()},
        "entropy": put(summary.entropy),
        "distance": put(summary.distance),
        "rows": {
            block: {"codes": put(r.codes), "scale": put(r.scale), "outside": put(r.outside)}
            for block, r in panel.rows.items()
        },
    }


def _picture(picture: Picture) -> dict[str, Any]:
    width, height = picture.size
    source = "data:image/jpeg;base64," + base64.b64encode(picture.jpeg).decode("ascii")
    seen = list(picture.seen)
    return {"source": source, "width": width, "height": height, "seen": seen, "alt": picture.alt}


@cache
def _table(name: str) -> np.ndarray:
    return render.colormap(name)
