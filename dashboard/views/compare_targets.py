"""How the Compare page reads the prompts, and what it explains besides."""

from __future__ import annotations

import streamlit as st

from dashboard import fields, gateway, links, state
from dashboard.sidebar import prompts
from dashboard.text import labels, shortened

READINGS = {"texts": "As texts", "templates": "In templates", "choices": "As choices"}
READING_HELP = (
    "As texts: a map explains the cosine of the image and a prompt. In templates: the cosine with the mean "
    "of the prompt in CLIP's 80 ImageNet templates, such as “a photo of a dog.”; write bare names. As "
    "choices: a map explains the softmax probability of one of a list, and the list is ranked for the image."
)
CHOICES = {
    "prompts": "These prompts",
    "emotions": "Emotions",
    "set": "Prompts of the set",
    "list": "A list",
}
ARTICLES = ("a ", "an ", "the ")


def draw(shown: state.State) -> None:
    """The choices of one row of widgets, where the caller is."""
    st.segmented_control(
        "Prompts are read",
        list(READINGS),
        default=shown.reading,
        required=True,
        format_func=READINGS.get,
        help=READING_HELP,
        **fields.bound("reading", shown.reading, lambda chosen: state.update(reading=chosen)),
    )
    if shown.reading == "choices":
        _among(shown)
    elif shown.reading == "texts":
        _minus(shown)
    if shown.rows != "images":
        _like(shown)


def own_list(shown: state.State) -> None:
    """The person's own list, where the choices are one."""
    if shown.reading != "choices" or shown.choices != "list":
        return
    text = "\n".join(shown.classes)
    st.text_area(
        "Choices, one a line",
        value=text,
        height=120,
        **fields.bound("compare classes", text, lambda typed: state.update(classes=links.lines(typed))),
    )


def notes(shown: state.State) -> list[str]:
    """What the reader should keep in mind of how the prompts are read."""
    said, used = [], gateway.prompts.prompts(shown)
    if shown.reading == "templates":
        if gateway.models.described(shown).known_words is not None:
            said.append("This model was not trained on such templates; they suit CLIP's own models.")
        if doubled := next((p for p in used if p.lower().startswith(ARTICLES)), None):
            said.append(
                f"The templates bring an article of their own: write {doubled.partition(' ')[2]!r} rather "
                f"than {doubled!r}."
            )
    if shown.reading == "texts" and shown.minus.strip():
        said += prompts.unknown(shown, (shown.minus,))
        if shown.minus in used:
            said.append(f"“{shortened(shown.minus)}” less itself is nothing: its maps are zero.")
    if shown.reading == "choices" and shown.choices != "prompts":
        said += prompts.unknown(shown, gateway.targets.classes(shown))
    return said


def _among(shown: state.State) -> None:
    st.selectbox(
        "Among",
        list(CHOICES),
        index=list(CHOICES).index(shown.choices),
        format_func=CHOICES.get,
        width=190,
        **fields.bound("choices", shown.choices, lambda chosen: state.update(choices=chosen, picked=())),
    )


def _minus(shown: state.State) -> None:
    st.text_input(
        "Less the text",
        value=shown.minus,
        width=160,
        placeholder="such as: a face",
        help="A map then explains the cosine with a prompt, less the cosine with this text: what speaks for "
        "the one rather than the other.",
        **fields.bound("minus", shown.minus, lambda typed: state.update(minus=" ".join(links.lines(typed)))),
    )


def _like(shown: state.State) -> None:
    there = gateway.collection.other_images(shown)
    if not there:
        return
    chosen = [name for name in shown.like if name in there]
    st.multiselect(
        "Like an image",
        there,
        default=chosen,
        format_func=labels(there, 40).get,
        width=180,
        placeholder="Of the set",
        help="Adds a row that explains the cosine of the image with another image of the set: what the two "
        "have in common for the model.",
        **fields.bound("like", chosen, lambda names: state.update(like=tuple(names))),
    )
