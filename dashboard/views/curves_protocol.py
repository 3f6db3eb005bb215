"""How curves are made: the choices of the Curves page, and of the Benchmark page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import fields, links, state

if TYPE_CHECKING:
    from engine.curves import Protocol

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


def draw(shown: state.State, protocol: Protocol, among: str, classes: Sequence[str]) -> None:
    """The choices in a row. protocol: what they make; among: which classes a score chooses among, of
    `classes`, which are some of AMONG."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="curves_protocol"):
        choice("Protocol", "preset", list(PRESETS), shown.preset, PRESETS.get, PRESET_HELP, **UNCHANGED)
        fills, fill = list(FILLS), protocol.hide
        if protocol.hide != protocol.reveal:
            fills, fill = ["preset", *fills], "preset"
        choice("Fill", "fill", fills, fill, lambda name: FILLS.get(name, fill_text(protocol)), FILL_HELP)
        choice("Unit", "unit", list(UNITS), protocol.unit, UNITS.get)
        steps = len(protocol.deletion) - 1
        choice("Steps", "steps", sorted({*STEPS, steps}), steps, str)
        choice("Score", "score", list(SCORES), protocol.score, SCORES.get)
        if protocol.score != "cosine":
            choice("Among", "among", list(classes), among, AMONG.get, AMONG_HELP)
    if among == "list" and protocol.score != "cosine":
        _class_list(shown)


def fill_text(protocol: Protocol) -> str:
    """The fill, or both where deletion and insertion have their own."""
    if protocol.hide == protocol.reveal:
        return FILLS[protocol.hide]
    return f"{FILLS[protocol.hide]}, {FILLS[protocol.reveal].lower()}"


def described(protocol: Protocol) -> str:
    """A protocol in a line."""
    parts = (
        fill_text(protocol).lower(),
        UNITS[protocol.unit].lower(),
        f"{len(protocol.deletion) - 1} steps",
        SCORES[protocol.score].lower(),
    )
    return ", ".join(parts)


def choice(
    label: str,
    field: str,
    options: list,
    chosen: object,
    named: Callable[[object], str],
    help: str | None = None,
    **also: object,
) -> None:
    """A field of the state as a list to choose from. also: fields that are set with it."""
    st.selectbox(
        label,
        options,
        index=options.index(chosen),
        format_func=named,
        help=help,
        **fields.bound(f"curves {field}", chosen, lambda value: state.update(**also, **{field: value})),
    )


def _class_list(shown: state.State) -> None:
    """Classes of the person's own."""
    text = "\n".join(shown.classes)
    st.text_area(
        "Classes, one a line; the prompt must be one of them",
        value=text,
        height=120,
        **fields.bound("curves classes", text, lambda typed: state.update(classes=links.lines(typed))),
    )
