"""The ranking of choices beside the grid, or above it where the rows are images."""

from __future__ import annotations

import streamlit as st

from dashboard import gateway, state
from dashboard.components.ranking import Choice, Pictured, ranking
from dashboard.text import plain
from dashboard.views import compare_ranking
from dashboard.views.compare_ranking import FIRST, Ranking

MOST_DRAWN = 40  # choices; the file has all
THUMBNAIL = 112  # pixels of the longer side


def draw(found: Ranking) -> None:
    """The choices with their probabilities; a click gives one a row or takes it away."""
    several = len(found.images) > 1
    st.caption(plain(_about(found)))
    mean = found.mean
    fixed = () if found.shown.rows == "images" else found.always(0)
    drawn = {target.text for place in range(len(found.images)) for target in found.targets(place)}
    names = [name for at, name in enumerate(mean) if at < MOST_DRAWN or name in drawn]
    ranking(
        [
            Choice(
                name,
                mean[name],
                tuple(one[name] for one in found.found) if several else (),
                drawn=name in drawn,
                picked=name in found.picked,
                fixed=name in fixed,
            )
            for name in names
        ],
        [_pictured(one) for one in found.images] if several else [],
        key="ranking",
        label=f"Probability among {len(mean)} choices",
        rest=_rest(mean, names),
        on_choose=_toggle,
    )
    st.download_button(
        "Probabilities (CSV)",
        data=lambda: compare_ranking.table(found),
        file_name=f"{gateway.collection.image(found.shown).name} choices.csv",
        mime="text/csv",
        on_click="ignore",
        icon=":material/download:",
    )


def _about(found: Ranking) -> str:
    among = f"Softmax probability among {len(found.classes)} choices, at the model's own temperature."
    if found.shown.rows == "images":
        return f"{among} Each image has maps of its first; choose others to see them on every image instead."
    said = f"{among} The first {min(FIRST, len(found.classes))} have maps; choose others to add theirs."
    return f"{said} Ranked by {found.shown.model}." if found.shown.rows == "models" else said


def _rest(mean: dict[str, float], names: list[str]) -> str:
    share = sum(value for name, value in mean.items() if name not in names)
    count = len(mean) - len(names)
    return f"and {count} less likely ones, {100 * share:.2g} % together; the file has all." if count else ""


def _pictured(one: state.State) -> Pictured:
    image = gateway.collection.image(one)
    return Pictured(image.name, gateway.pictures.picture(image, THUMBNAIL))


def _toggle(name: str) -> None:
    picked = state.current().picked
    state.update(picked=tuple(p for p in picked if p != name) if name in picked else (*picked, name))
