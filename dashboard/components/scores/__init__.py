"""The table of a benchmark: methods by metrics, whose heads and cells choose what is looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import streamlit as st

from dashboard.callbacks import unbroken

HERE = Path(__file__).parent

_component = st.components.v2.component(
    "sidelight_scores",
    html=(HERE / "scores.html").read_text("utf-8"),
    css=(HERE / "scores.css").read_text("utf-8"),
    js=(HERE / "scores.js").read_text("utf-8"),
)


@dataclass(frozen=True)
class Head:
    """A metric's column. arrow: towards its better end, '' where it has none; hint: what it means."""

    name: str
    title: str
    arrow: str
    hint: str


@dataclass(frozen=True)
class Cell:
    """One value. below: in small print; before: its rank or p; mark: after it; tint: -1 worst .. 1 best, the
    depth of the background; strong: whether it stands out; said: for those who do not see it."""

    value: str = ""
    below: str = ""
    before: str = ""
    mark: str = ""
    tint: float = 0.0
    strong: bool = False
    said: str = ""


@dataclass(frozen=True)
class Line:
    """A method's row. detail: its parameters; quiet: whether it is a control."""

    name: str
    title: str
    detail: str
    quiet: bool
    cells: tuple[Cell, ...]


def scores(
    heads: Sequence[Head],
    lines: Sequence[Line],
    *,
    key: str,
    label: str,
    metric: str,
    method: str,
    on_choose: Callable[[str, str], None],
) -> None:
    """Draw the table with a metric and a method chosen. on_choose: called with both names, '' for the one
    that was not clicked, before the run."""
    data = {
        "label": label,
        "heads": [asdict(head) for head in heads],
        "lines": [asdict(line) for line in lines],
        "metric": metric,
        "method": method,
    }

    def chosen() -> None:
        told = st.session_state[key].chosen
        if told is not None:
            on_choose(str(told["metric"]), str(told["method"]))

    _component(key=key, data=data, on_chosen_change=unbroken(chosen))
