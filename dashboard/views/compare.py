"""Compare: methods by prompts, images or models on one grid, how far they agree, and what to take away."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard import faults, fields, gateway, links, progress, state
from dashboard.components.grid import DISPLAY, Column, grid
from dashboard.components.matrix import matrix
from dashboard.text import plain
from dashboard.views import (
    compare_agreement,
    compare_choices,
    compare_ranking,
    compare_rows,
    compare_take,
    compare_targets,
)
from dashboard.views.compare_ranking import Ranking
from dashboard.views.compare_rows import Line

RANKING = 290  # pixels
ROWS = {"prompts": "Prompts", "images": "Images", "models": "Models"}
COMPARABLE = (
    "Each method has a unit of its own. Within a method, values compare across prompts (scale “same "
    "method”); across methods, only ranks or shares of the total do. A card is marked where the pass that "
    "its method reads scores differently from the model."
)


def page() -> None:
    shown = state.current()
    with st.container(horizontal=True, vertical_alignment="bottom", key="compare_head"):
        _choices(shown)
        compare_targets.draw(shown)
    compare_targets.own_list(shown)
    ranked = compare_ranking.ranking(shown)
    _said(shown)
    if ranked is None:
        _drawn(compare_rows.lines(shown))
    elif not ranked.whole:
        progress.panel(ranked.job, "choices")
        st.caption("The choices are ranked first; their maps follow.")
    else:
        _ranked(shown, ranked)


def _ranked(shown: state.State, ranked: Ranking) -> None:
    """The ranking beside the grid; above it where it has a column for each image."""
    beside = len(ranked.images) == 1
    both = st.container(horizontal=beside, key="compare_ranked")
    with both.container(width=RANKING if beside else "stretch", key="compare_ranking"):
        compare_choices.draw(ranked)
    with both.container(width="stretch", key="compare_beside"):
        _drawn(compare_rows.lines(shown, ranked))


def _drawn(found: Sequence[Line]) -> None:
    progress.panel(next((line.job for line in reversed(found) if line.job is not None), None))
    _maps(found)


def _choices(shown: state.State) -> None:
    st.segmented_control(
        "Rows",
        list(ROWS),
        default=shown.rows,
        required=True,
        format_func=ROWS.get,
        **fields.bound("rows", shown.rows, lambda chosen: state.update(rows=chosen)),
    )
    if shown.rows != "images" and shown.reading != "choices":
        st.toggle(
            "Contrast",
            value=shown.contrast,
            help="Adds a prompt for something that is not in the image and one that means nothing. A method "
            "whose maps stay the same does not explain the prompt.",
            **fields.bound("contrast", shown.contrast, lambda chosen: state.update(contrast=chosen)),
        )


def _said(shown: state.State) -> None:
    """What the image, the model and the reading ask the reader to keep in mind."""
    notes = [*gateway.collection.image(shown).notes, *gateway.prompts.photo_note(shown)]
    notes += compare_targets.notes(shown)
    if shown.rows == "models" and not shown.second_model:
        notes.append("Choose a second model in the sidebar to see it beside this one.")
    for note in notes:
        st.caption(f":material/info: {plain(note)}")


@st.fragment
@faults.told()
def _maps(found: Sequence[Line]) -> None:
    """The grid, and the agreement, whose map of a difference is drawn as the grid is. What is changed in the
    grid's toolbar comes back here, not to the whole page."""
    shown = state.current()
    pictures, rows = compare_rows.pictures(found)
    grid(
        pictures,
        compare_rows.columns(found),
        rows,
        compare_rows.tiles(found),
        {name: getattr(shown, name) for name in DISPLAY},
        key="grid",
        on_display=_display,
    )
    with st.container(horizontal=True, key="compare_foot"):
        st.caption(plain(COMPARABLE), width="stretch")
        compare_take.draw(shown, found)
    _agreement(found)


def _display(told: dict) -> None:
    known = {name: told[name] for name in DISPLAY if name in told}
    checked, _ = links.checked(known, gateway.session.vocabulary())
    state.update(**{name: getattr(checked, name) for name in DISPLAY})


@st.fragment
@faults.told()
def _agreement(found: Sequence[Line]) -> None:
    """How far the methods agree. A pair that is chosen comes back here, and leaves the grid alone."""
    specs, rank, overlap = compare_agreement.agreement(found)
    if len(specs) < 2:
        return
    rows = len(compare_agreement.comparable(found))
    st.markdown("#### Agreement of the methods")
    st.caption(
        "Below the diagonal: Spearman rank correlation of two methods' maps. Above it: share of the "
        f"strongest 10 % of the patches that both name. Mean over {rows} row{'s' if rows > 1 else ''}. "
        "Choose a cell to see where the two differ."
    )
    names = [compare_rows.name(spec) for spec in specs]
    pair = matrix(names, rank, overlap, key="agreement")
    if pair is not None:
        _difference(found, specs[pair[0]], specs[pair[1]])


def _difference(found: Sequence[Line], a: str, b: str) -> None:
    some = compare_agreement.differences(found, a, b)
    pictures, rows = compare_rows.pictures([line for line, _ in some])
    first, second = compare_rows.name(a), compare_rows.name(b)
    st.caption(plain(f"Red: {first} ranks the patch higher. Blue: {second} does. In shares of the patches."))
    display = {name: getattr(state.current(), name) for name in DISPLAY}
    grid(
        pictures,
        [Column("Difference of ranks", "share of the patches", f"{first} less {second}")],
        rows,
        [[tile] for _, tile in some],
        display | {"scale": "shared", "transpose": True, "draw": "overlay", "top": 100, "above": 0},
        key="difference",
    )
