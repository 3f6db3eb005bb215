"""Deletion and insertion curves, the perturbed picture of every method at the marked point, and the numbers.

`curves()` sends the picture, the fills and the order of the units once, so that a point is drawn where the
pointer is, without the server (pictures.js: bytes to pixels; plot.js: the curves; tiles.js; table.js;
main.js: mounting and keys). The marked point, the order and the sorting come back through the component's
state, after a moment of rest. Only where a fill depends on what is hidden are pictures sent, for the marked
point.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from dashboard.callbacks import unbroken
from dashboard.components.exchange import exchange
from dashboard.components.packing import Packing

if TYPE_CHECKING:
    from engine.curves import Curve, Curves

HERE = Path(__file__).parent
GRID = HERE.parent / "grid"
SCRIPTS = (
    *(GRID / name for name in ("values.js", "toolbar.js")),
    *(HERE.parent / name for name in ("packing.js", "svg.js")),
    *(HERE / name for name in ("pictures.js", "plot.js", "tiles.js", "table.js", "main.js")),
)
VIEW = ("order", "curve", "mark", "sort")
KINDS = ("deletion", "insertion", "deletion_least", "insertion_least")
NUMBERS = ("score", "empty", "auc", "least", "slope", "share90", "aid")
SENT_SIDE = 384  # pixels of the longer side; of a larger picture every second, third ... pixel is sent
CSS = (GRID / "grid.css").read_text("utf-8") + (HERE / "style.css").read_text("utf-8")

_component = st.components.v2.component(
    "sidelight_curves",
    html=(HERE / "curves.html").read_text("utf-8"),
    css=CSS,
    js="\n".join(script.read_text("utf-8") for script in SCRIPTS),
)


@dataclass(frozen=True)
class Line:
    """A method: what is written of it, its colour ('' of a control), and its curve; or why there is none, or
    what is done meanwhile."""

    label: str
    detail: str = ""
    colour: str = ""
    curve: Curve | None = None
    reason: str = ""
    waiting: str = ""


@dataclass(frozen=True)
class Drawn:
    """Pictures of one point, for a fill that depends on what is hidden. curve, order: as in the view; index:
    of the point; pictures: by place of the line, uint8 (height, width, 3)."""

    curve: str
    order: str
    index: int
    pictures: Mapping[int, np.ndarray]


def curves(
    found: Curves,
    lines: Sequence[Line],
    changed: Mapping[str, np.ndarray],
    view: Mapping[str, Any],
    key: str,
    on_view: Callable[[dict[str, Any]], None],
    drawn: Drawn | None = None,
) -> None:
    """Draw the lines with the view that VIEW names.

    changed: how many units are changed at each point of 'deletion' and 'insertion'. on_view is called with
    the whole view when the person changed it; it comes from the browser, so check it. A view that comes back
    unchanged is not sent again: nothing is redrawn.
    """
    sent = exchange(key, "view", {name: view[name] for name in VIEW}, on_view)
    data = payload(found, lines, changed, sent.values, sent.revision, drawn)
    _component(data=data, key=key, on_view_change=unbroken(sent.changed))


def payload(
    found: Curves,
    lines: Sequence[Line],
    changed: Mapping[str, np.ndarray],
    view: Mapping[str, Any],
    revision: int,
    drawn: Drawn | None = None,
) -> bytes:
    """What is sent, packed."""
    packing, protocol = Packing(), found.protocol
    height, width = found.base.shape[:2]
    every = math.ceil(max(height, width) / SENT_SIDE)

    def picture(pixels: np.ndarray) -> dict[str, Any]:
        return packing.put(pixels[::every, ::every])

    def ranks(of: np.ndarray) -> dict[str, Any]:
        part = of if protocol.unit == "patch" else of[::every, ::every]
        return packing.put(part.astype(np.uint16 if of.size <= 1 << 16 else np.uint32))

    return packing.sealed(
        {
            "unit": protocol.unit,
            "units": list(found.units),
            "score": protocol.score,
            "fills": {"deletion": protocol.hide, "insertion": protocol.reveal},
            "shares": {"deletion": protocol.deletion, "insertion": protocol.insertion},
            "changed": {kind: changed[kind].tolist() for kind in ("deletion", "insertion")},
            "size": [width, height],
            "every": every,
            "alt": found.image.name,
            "base": picture(found.base),
            "instead": {"deletion": picture(found.hidden), "insertion": picture(found.revealed)},
            "lines": [_line(line, ranks) for line in lines],
            "drawn": drawn
            and {
                "curve": drawn.curve,
                "order": drawn.order,
                "index": drawn.index,
                "pictures": {place: picture(pixels) for place, pixels in drawn.pictures.items()},
            },
            "view": dict(view),
            "revision": revision,
        }
    )


def _line(line: Line, ranks: Callable[[np.ndarray], dict[str, Any]]) -> dict[str, Any]:
    said = {name: getattr(line, name) for name in ("label", "detail", "colour", "reason", "waiting")}
    if line.curve is None:
        return said | {"curve": None}
    numbers = {name: numeric(getattr(line.curve, name)) for name in (*KINDS, *NUMBERS)}
    return said | {"curve": numbers | {"ranks": ranks(line.curve.ranks)}}


def numeric(value: Any) -> Any:
    """Numbers as JSON has them: NaN becomes None."""
    if isinstance(value, (tuple, np.ndarray)):
        return [numeric(one) for one in value]
    return None if math.isnan(value) else float(value)
