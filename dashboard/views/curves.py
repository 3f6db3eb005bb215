"""Curves: what the model still says as a map's patches go, with the perturbed pictures beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import streamlit as st

from dashboard import faults, fields, gateway, links, progress, state
from dashboard.components.curves import VIEW, curves
from dashboard.components.curves.bump import bump
from dashboard.text import plain, shortened
from dashboard.views import curves_parts, curves_take
from dashboard.views.curves_parts import Parts
from engine.types import SidelightError

PRESETS = {
    "default": "Sidelight",
    "grad-eclip-imagenet": "Grad-ECLIP",
    "rise": "RISE",
}
# Leaving a preset for another forgets what was changed of it.
UNCHANGED = {"fill": "preset", "unit": "preset", "steps": 0.0, "score": "preset", "among": "preset"}
FILLS = {
    "mean": "Mean colour",
    "blur": "Blur",
    "black": "Black",
    "noise": "Noise",
    "neighbours": "Neighbours",
}
UNITS = {"patch": "Patches", "pixel": "Pixels"}
SCORES = {
    "cosine": "Cosine",
    "probability": "Probability",
    "top-1": "Top-1",
    "top-5": "Top-5",
    "top-10": "Top-10",
}
AMONG = {
    "set": "The set",
    "prompts": "These prompts",
    "list": "A list",
    "imagenet": "ImageNet",
}
STEPS = (10, 20, 50, 100)
PRESET_HELP = (
    "Grad-ECLIP: pixels of the image at its own size, half of them deleted to random colours, inserted on "
    "black, top-1 among ImageNet's classes. RISE: 224 steps of pixels, deleted to the mean colour, inserted "
    "on a blurred picture, probability among ImageNet's classes."
)
FILL_HELP = "What stands in for what is hidden. Where there are two, the first is deletion's."
AMONG_HELP = "The classes that the score chooses among; the prompt is one of them."
CRITICISM = (
    "A picture with holes is none that the model was trained on, so a score may fall because the picture "
    "looks strange and not because evidence is gone. How strange it looks depends on the fill, and so may "
    "the ranking of the methods: compare the fills before you trust an order."
)


def page() -> None:
    shown = state.current()
    with st.container(horizontal=True, vertical_alignment="bottom", key="curves_head"):
        _choices(shown)
        st.space("stretch")
        download = st.container(width="content")
    _class_list(shown)
    try:
        of = curves_parts.parts(shown)
    except SidelightError as error:
        st.warning(plain(str(error)), icon=":material/info:")
        return
    with download:
        curves_take.draw(of)
    progress.panel(of.job, "steps")
    _drawing(shown, of)
    st.caption(CRITICISM)
    _across(shown, of)
    for note in gateway.prompts.photo_note(shown):
        st.caption(f":material/info: {plain(note)}")


def _choices(shown: state.State) -> None:
    prompt = curves_parts.prompt_of(shown)
    protocol = gateway.curves.protocol(shown, prompt)
    prompts = list(gateway.prompts.prompts(shown))
    _choice("Prompt", "target", prompts, prompt, lambda text: shortened(text, 80))
    _choice("Protocol", "preset", list(PRESETS), shown.preset, PRESETS.get, PRESET_HELP, **UNCHANGED)
    fills, fill = list(FILLS), protocol.hide
    if protocol.hide != protocol.reveal:
        fills, fill = ["preset", *fills], "preset"
    both = f"{FILLS[protocol.hide]}, {FILLS[protocol.reveal].lower()}"
    _choice("Fill", "fill", fills, fill, lambda name: FILLS.get(name, both), FILL_HELP)
    _choice("Unit", "unit", list(UNITS), protocol.unit, UNITS.get)
    steps = len(protocol.deletion) - 1
    _choice("Steps", "steps", sorted({*STEPS, steps}), steps, str)
    _choice("Score", "score", list(SCORES), protocol.score, SCORES.get)
    if protocol.score != "cosine":
        among = [name for name in AMONG if name != "set" or not shown.upload]
        _choice("Among", "among", among, gateway.curves.among(shown), AMONG.get, help=AMONG_HELP)


def _choice(
    label: str,
    field: str,
    options: list,
    chosen: object,
    named: Callable[[object], str],
    help: str | None = None,
    **also: object,
) -> None:
    key = fields.key(f"curves {field}", chosen)
    st.selectbox(
        label,
        options,
        index=options.index(chosen),
        format_func=named,
        key=key,
        help=help,
        on_change=fields.then(key, lambda value: state.update(**also, **{field: value})),
    )


def _class_list(shown: state.State) -> None:
    """Where the classes are a list of the person's own."""
    prompt = curves_parts.prompt_of(shown)
    if gateway.curves.among(shown) != "list" or gateway.curves.protocol(shown, prompt).score == "cosine":
        return
    text = "\n".join(shown.classes)
    key = fields.key("curves classes", text)
    st.text_area(
        "Classes, one a line; the prompt must be one of them",
        value=text,
        height=120,
        key=key,
        on_change=fields.then(key, lambda typed: state.update(classes=links.lines(typed))),
    )


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
    key = fields.key("curves fills", shown.fills)
    st.toggle(
        "Compare all fills",
        value=shown.fills,
        key=key,
        on_change=fields.then(key, lambda on: state.update(fills=on)),
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
