"""Layers: where in the network a map arises, block by block and head by head, in both towers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard import faults, fields, gateway, links, progress, state
from dashboard.components.layers import VIEW, Panel, layers
from dashboard.text import labels, plain
from dashboard.views import layers_panels
from dashboard.views.layers_panels import SECOND_MODEL

TOWERS = {"image": "Image tower", "text": "Text tower"}


def page() -> None:
    shown = state.current()
    with st.container(horizontal=True, vertical_alignment="bottom", key="layers_head"):
        _choices(shown)
    panels, job = layers_panels.panels(shown)
    with st.container():  # holds the place, so that what follows stays the same when the panel goes
        progress.panel(job)
    _drawing(shown, panels)


def _choices(shown: state.State) -> None:
    st.segmented_control(
        "Tower",
        list(TOWERS),
        default=shown.tower,
        required=True,
        format_func=TOWERS.get,
        label_visibility="collapsed",
        **fields.bound("tower", shown.tower, lambda tower: state.update(tower=tower, source="", layer=0)),
    )
    targets, chosen = layers_panels.targets(shown), layers_panels.explained(shown)
    named = labels(("", SECOND_MODEL, *targets), 80, _named)  # of both lists, so that no label changes
    _choice("Explained", "target", targets, chosen, named)
    others = ["", *(name for name in targets if name != chosen)]
    if shown.second_model:
        others.insert(1, SECOND_MODEL)
    _choice("Beside it", "beside", others, layers_panels.beside(shown), named)


def _choice(label: str, field: str, options: Sequence[str], chosen: str, named: Mapping[str, str]) -> None:
    st.selectbox(
        label,
        options,
        index=options.index(chosen),
        format_func=named.get,
        **fields.bound(field, chosen, lambda name: state.update(**{field: name})),
    )


def _named(name: str) -> str:
    if name == SECOND_MODEL:
        return f"Second model: {state.current().second_model}"
    if name.startswith("image:") and name not in gateway.prompts.prompts(state.current()):
        return f"Image {name.removeprefix('image:')}"
    return name or "Nothing"


@st.fragment
@faults.told()
def _drawing(then: state.State, panels: tuple[Panel, ...]) -> None:
    """The panels. What is changed in them comes back here, not to the whole page."""
    shown = state.current()
    if shown != then:  # another quantity has other rows
        panels, _ = layers_panels.panels(shown)
    view = {name: getattr(shown, name) for name in VIEW}
    layers(
        panels,
        gateway.layers.quantities(shown.tower),
        gateway.layers.shares(),
        view | {"quantity": layers_panels.quantity(shown).name},
        key="layers",
        on_view=_told,
    )
    for note in gateway.prompts.photo_note(shown):
        st.caption(f":material/info: {plain(note)}")


def _told(view: dict) -> None:
    known = {name: view[name] for name in VIEW if name in view}
    checked, _ = links.checked(known, gateway.session.vocabulary())
    state.update(**{name: getattr(checked, name) for name in VIEW})
