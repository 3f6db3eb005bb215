"""The model whose predictions are explained, and a second one beside it."""

from __future__ import annotations

import streamlit as st

from dashboard import fields, gateway, notes, state
from dashboard.callbacks import unbroken
from dashboard.text import plain
from engine.types import SidelightError

BUNDLED = state.State.model
NONE = ""


def draw() -> None:
    """The model that is explained first."""
    shown = state.current()
    _choice("Model", "model", "pretrained", shown.model, shown.pretrained, gateway.models.models())


def second() -> None:
    """The model beside it."""
    shown = state.current()
    with st.expander("Second model", expanded=bool(shown.second_model)):
        _choice(
            "Compare with",
            "second_model",
            "second_pretrained",
            shown.second_model,
            shown.second_pretrained,
            (NONE, *gateway.models.models()),
        )


def _choice(label: str, model: str, weights: str, name: str, pretrained: str, names: tuple[str, ...]) -> None:
    """Two widgets for one model. The state takes a pair only once it can be described."""
    asked = st.session_state.get(f"asked {model}", name)
    if st.session_state.get(f"of {model}") != (name, pretrained):  # the state changed elsewhere
        asked = name
        st.session_state[f"of {model}"] = (name, pretrained)
    options = list(dict.fromkeys((*names, asked)))
    st.selectbox(
        label,
        options,
        index=options.index(asked),
        format_func=lambda n: n or "None",
        accept_new_options=True,
        help="The bundled model, one of open_clip's names, or an open_clip config (.json) in data/models.",
        **fields.bound(model, asked, lambda asked: _asked(asked or NONE, model, weights)),
    )
    if asked not in (BUNDLED, NONE):
        tags = (*gateway.models.weights_files(), *gateway.models.tags(asked))
        field = fields.key(weights, pretrained) if asked == name else f"{weights} of {asked}"
        st.text_input(
            "Weights",
            value=pretrained if asked == name else "",
            key=field,
            placeholder="A tag such as openai, or a file in data/models",
            help=f"Known here: {', '.join(tags)}."
            if tags
            else "A tag of open_clip, or a file in data/models.",
            on_change=unbroken(lambda: _weighed(st.session_state[field].strip(), model, weights, asked)),
        )
    if asked != name:
        meanwhile = f"{name} is still used" if name else "there is no second model yet"
        st.caption(f":material/info: {plain(f'{asked} needs weights, a tag or a file; {meanwhile}.')}")
    notes.show(model)


def _asked(asked: str, model: str, weights: str) -> None:
    st.session_state[f"asked {model}"] = asked
    if asked in (BUNDLED, NONE):
        state.update(**{model: asked, weights: ""})


def _weighed(chosen: str, model: str, weights: str, asked: str) -> None:
    try:
        gateway.models.describe(asked, chosen)
    except SidelightError as error:
        notes.say(model, str(error))
    else:
        state.update(**{model: asked, weights: chosen})
