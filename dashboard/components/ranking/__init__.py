"""Choices by their probability: bars for one image, a column of shares for each of several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import streamlit as st

from dashboard.callbacks import unbroken
from dashboard.components.thumbnails import data_url

HERE = Path(__file__).parent

_component = st.components.v2.component(
    "sidelight_ranking",
    html=(HERE / "ranking.html").read_text("utf-8"),
    css=(HERE / "ranking.css").read_text("utf-8"),
    js=(HERE / "ranking.js").read_text("utf-8"),
)


@dataclass(frozen=True)
class Choice:
    """A choice. share: its probability, or the mean of them, 0 to 1; shares: by image, where there are
    several. drawn: whether it has a row of maps; picked: whether it was clicked for it; fixed: whether it has
    one whatever is chosen."""

    name: str
    share: float
    shares: tuple[float, ...] = ()
    drawn: bool = False
    picked: bool = False
    fixed: bool = False


@dataclass(frozen=True)
class Pictured:
    """An image at the head of a column. jpeg: its file bytes."""

    name: str
    jpeg: bytes


def ranking(
    choices: Sequence[Choice],
    images: Sequence[Pictured],
    *,
    key: str,
    label: str,
    rest: str,
    on_choose: Callable[[str], None],
) -> None:
    """Draw the choices in their order. rest: a sentence on those that are left out. on_choose: called with
    the name of a choice that was clicked, before the run."""
    names = [choice.name for choice in choices]
    data = {
        "label": label,
        "rest": rest,
        "choices": [asdict(choice) for choice in choices],
        "images": [{"name": image.name, "source": data_url(image.jpeg)} for image in images],
    }

    def chosen() -> None:
        told = st.session_state[key].chosen
        if isinstance(told, str) and told in names:
            on_choose(told)

    _component(key=key, data=data, on_chosen_change=unbroken(chosen))
