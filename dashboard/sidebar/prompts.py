"""The prompts: typed one a line, or chosen from the image's own and from the bundled model's concepts."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from dashboard import fields, gateway, links, state
from dashboard.text import labels, plain, shortened

CHIPS = 12  # of the image's own prompts
MOST_WORDS = 8  # named in a caution


def draw() -> None:
    shown = state.current()
    used, own = gateway.prompts.prompts(shown), gateway.prompts.own_prompts(shown)
    text = "\n".join(used)
    st.text_area(
        "Prompts, one a line",
        value=text,
        height="content",
        **fields.bound("prompts", text, lambda text: _write(links.lines(text))),
    )
    if own:
        chips = list(dict.fromkeys(own))[:CHIPS]
        on = [prompt for prompt in used if prompt in chips]
        named = labels(chips, 40)
        st.pills(
            "Prompts of this image",
            chips,
            default=on,
            selection_mode="multi",
            format_func=lambda chip: plain(named[chip]),
            label_visibility="collapsed",
            **fields.bound("chips", on, lambda chosen: _toggle(chosen, chips)),
        )
    concepts = gateway.prompts.concepts() if shown.model == state.State.model else ()
    if concepts:
        st.selectbox(
            "Add a concept",
            concepts,
            index=None,
            placeholder="Add a known concept",
            label_visibility="collapsed",
            **fields.bound("concept", None, _add),
        )
    for sentence in _cautions(shown, used):
        st.caption(f":material/info: {plain(sentence)}")


def unknown(shown: state.State, used: tuple[str, ...]) -> list[str]:
    """A sentence where texts have words that the model was never trained on."""
    words = gateway.prompts.unknown_words(shown, used)
    if not words:
        return []
    some = ", ".join(shortened(word, 30) for word in words[:MOST_WORDS])
    more = f" and {len(words) - MOST_WORDS} more" if len(words) > MOST_WORDS else ""
    return [f"This model never saw {some}{more}: what it says of such words means nothing."]


def _cautions(shown: state.State, used: tuple[str, ...]) -> list[str]:
    said = unknown(shown, used)
    if not links.linkable(shown):
        said.append("What is typed is too long for a link; save the session as a file to share it.")
    return said


def _write(prompts: tuple[str, ...]) -> None:
    """The person's prompts; where they equal what the image brings, they follow the image again."""
    shown = state.current()
    if prompts == gateway.prompts.prompts(replace(shown, prompts=())):
        prompts = ()
    state.update(prompts=prompts)


def _toggle(chosen: list[str], chips: list[str]) -> None:
    used = gateway.prompts.prompts(state.current())
    kept = tuple(p for p in used if p not in chips or p in chosen)
    _write((*kept, *(chip for chip in chosen if chip not in kept)))


def _add(concept: str) -> None:
    used = gateway.prompts.prompts(state.current())
    _write(used if concept in used else (*used, concept))
