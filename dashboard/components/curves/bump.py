"""How the ranking of the methods changes with the fill: a bump chart, one line a method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from dashboard.components.curves import CSS, GRID, HERE

SCRIPTS = (
    *(GRID / name for name in ("values.js", "toolbar.js")),
    HERE.parent / "svg.js",
    HERE / "bump.js",
)

_component = st.components.v2.component(
    "sidelight_curves_bump",
    html=(HERE / "bump.html").read_text("utf-8"),
    css=CSS,
    js="\n".join(script.read_text("utf-8") for script in SCRIPTS),
)


@dataclass(frozen=True)
class Ranked:
    """A method's numbers, one for each fill: areas under deletion and insertion, and AID; None where there
    is none. colour: '' of a control."""

    label: str
    detail: str
    colour: str
    deletion: tuple[float | None, ...]
    insertion: tuple[float | None, ...]
    aid: tuple[float | None, ...]


def bump(fills: Sequence[str], current: str, ranked: Sequence[Ranked], key: str) -> None:
    """Draw the ranks of the methods by fill. current: the fill that the curves have, '' for none of them."""
    _component(data=payload(fills, current, ranked), key=key)


def payload(fills: Sequence[str], current: str, ranked: Sequence[Ranked]) -> dict[str, Any]:
    """What is sent to the browser, ready for JSON."""
    return {"fills": list(fills), "current": current, "lines": [vars(line) for line in ranked]}
