"""A prompt as words, coloured by each measure, beside the image map of the selected words.

`words()` sends weights and maps once; pointing and selecting act in the browser (measures.js: rows of words;
region.js: patches of the large map and the ranking; main.js: mounting; numbers, colours and cards are the
grid's). What was selected comes back through the component's state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard.callbacks import unbroken
from dashboard.components.exchange import exchange
from dashboard.components.grid import DISPLAY, Column, Picture, Row, Tile, payload

HERE = Path(__file__).parent
GRID = HERE.parent / "grid"
SCRIPTS = (
    *(GRID / name for name in ("values.js", "paint.js", "tiles.js", "toolbar.js", "pointer.js")),
    *(HERE / name for name in ("measures.js", "region.js", "main.js")),
)
CHOICE = ("words", "region")

_component = st.components.v2.component(
    "sidelight_words",
    html=(HERE / "words.html").read_text("utf-8"),
    css=(GRID / "grid.css").read_text("utf-8") + (HERE / "words.css").read_text("utf-8"),
    js="\n".join(script.read_text("utf-8") for script in SCRIPTS),
)


@dataclass(frozen=True)
class Measure:
    """One labelled row of weights.

    values: of each word of the prompt, None where there is none. parts: (text, value) of each word's tokens.
    phrase: the weight of the selected words as one. outside: shares of the start and the end token in all
    weight. whole: of the whole prompt. waiting: how far the computation is; reason: why there are no weights.
    """

    name: str
    title: str
    about: str
    unit: str
    values: tuple[float | None, ...]
    parts: tuple[tuple[tuple[str, float], ...], ...] = ()
    phrase: float | None = None
    outside: tuple[float, float] | None = None
    whole: float | None = None
    note: str = ""
    waiting: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Rank:
    """A row of the ranking. words: as in the choice, '' for the whole prompt. share: of the map's positive
    mass inside the region, 0..1, None where there is no map."""

    label: str
    words: str
    share: float | None


def words(
    prompt: Sequence[str],
    measures: Sequence[Measure],
    picture: Picture,
    method: Column,
    maps: Mapping[str, tuple[str, Tile]],
    ranking: Sequence[Rank],
    area: float,
    choice: Mapping[str, str],
    display: Mapping[str, Any],
    key: str,
    on_choice: Callable[[dict[str, Any]], None],
) -> None:
    """Draw the rows, and the map of what is selected.

    prompt: its words. maps: title and map by what is selected, as in the choice ('' the whole prompt, '2',
    '2-4'). area: share of the patches in the region. choice: the fields of CHOICE, see dashboard.choices.
    on_choice is called with them when the person selected something else; they come from the browser, so
    check them. A choice that comes back unchanged is not sent again.
    """
    given = {name: choice[name] for name in CHOICE}
    sent = exchange(key, "choice", given, on_choice)
    rows = [Row(title, 0) for title, _ in maps.values()]
    data = payload([picture], [method], rows, [[tile] for _, tile in maps.values()]) | {
        "words": list(prompt),
        "measures": [asdict(measure) for measure in measures],
        "places": list(maps),
        "ranking": [asdict(rank) for rank in ranking],
        "area": area,
        "choice": sent.values,
        "answers": given,  # the choice that phrase and ranking belong to
        "revision": sent.revision,
        "display": {name: display[name] for name in DISPLAY},
    }
    _component(data=data, key=key, on_choice_change=unbroken(sent.changed))
