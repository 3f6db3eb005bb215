"""Curves: what the model still says as a map's patches go, with the perturbed pictures beside them."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import faults, fields, gateway, links, progress, state
from dashboard.components.curves import VIEW, curves
from dashboard.components.curves.bump import bump
from dashboard.text import labels, plain
from dashboard.views import curves_parts, curves_protocol, curves_take
from dashboard.views.curves_parts import Parts
from engine.types import SidelightError

CRITICISM = (
    "A picture with holes is none that the model was trained on, so a score may fall because the picture "
    "looks strange and not because evidence is gone. How strange it looks depends on the fill, and so may "
    "the ranking of the methods: compare the fills before you trust an order."
)


def page() -> None:
    shown = state.current()
    take = _head(shown)
    curves_protocol.draw(
        shown,
        gateway.curves.protocol(shown, curves_parts.prompt_of(shown)),
        gateway.curves.among(shown),
        [name for name in curves_protocol.AMONG if name != "set" or not shown.upload],
    )
    try:
        of = curves_parts.parts(shown)
    except SidelightError as error:
        st.warning(plain(str(error)), icon=":material/info:")
        return
    with take:
        curves_take.draw(shown, of)
    progress.panel(of.job, "steps")
    _drawing(shown, of)
    st.caption(CRITICISM)
    _across(shown, of)
    for note in gateway.prompts.photo_note(shown):
        st.caption(f":material/info: {plain(note)}")


def _head(shown: state.State) -> DeltaGenerator:
    """The prompt, and beside it a place for what can be taken away."""
    prompts = gateway.prompts.prompts(shown)
    with st.container(horizontal=True, vertical_alignment="bottom", key="curves_head"):
        curves_protocol.choice(
            "Prompt",
            "target",
            list(prompts),
            curves_parts.prompt_of(shown),
            labels(prompts, 120).get,
        )
        return st.container(horizontal=True, width="content")


@st.fragment
@faults.told()
def _drawing(then: state.State, of: Parts) -> None:
    """The curves. A point or an order that is marked comes back here, not to the whole page."""
    shown = state.current()
    if _without_view(shown) != _without_view(then):
        of = curves_parts.parts(shown)
    curves(
        of.found,
        of.lines,
        of.changed,
        {name: getattr(shown, name) for name in VIEW},
        key="curves",
        on_view=_told,
        drawn=curves_parts.drawn(shown, of),
    )


def _without_view(shown: state.State) -> state.State:
    return replace(shown, **{name: getattr(state.State, name) for name in VIEW})


def _told(view: dict) -> None:
    known = {name: view[name] for name in VIEW if name in view}
    checked, _ = links.checked(known, gateway.session.vocabulary())
    state.update(**{name: getattr(checked, name) for name in VIEW})


def _across(shown: state.State, of: Parts) -> None:
    """The ranking for every fill, where it is asked for."""
    st.toggle(
        "Compare all fills",
        value=shown.fills,
        **fields.bound("curves fills", shown.fills, lambda on: state.update(fills=on)),
        help="Computes the same curves for every fill; those that were computed before are in the store.",
    )
    if not shown.fills or of.job is not None:
        return
    by_fill, job = gateway.curves.across(shown, of.prompt)
    progress.panel(job, "steps")
    if len(by_fill) > 1:
        protocol = of.found.protocol
        current = protocol.hide if protocol.hide == protocol.reveal else ""
        bump(list(by_fill), current, curves_parts.ranked(by_fill, of.prompt), key="curves_bump")
