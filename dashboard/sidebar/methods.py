"""The methods: chosen from the registry, typed as specs, or put together from a method's parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import fields, gateway, notes, state
from dashboard.callbacks import unbroken
from dashboard.text import plain
from engine.types import SidelightError

if TYPE_CHECKING:
    from engine.registry import Method, Parameter

SIGNS = {
    "default": "Own sign",
    "positive": "Evidence for",
    "negative": "Evidence against",
    "signed": "Both signs",
}


def draw() -> None:
    shown = state.current()
    choose()
    row = st.container(horizontal=True, gap="xsmall", vertical_alignment="bottom")
    with row.popover("Parameters", icon=":material/tune:"):
        _parameters(gateway.models.methods())
    row.selectbox(
        "Evidence",
        list(SIGNS),
        index=list(SIGNS).index(shown.sign),
        format_func=SIGNS.get,
        label_visibility="collapsed",
        **fields.bound("sign", shown.sign, lambda chosen: state.update(sign=chosen)),
        help="For: what raises the score. Against: what lowers it. Both: in one map, where the method has "
        "one. Own: as each method is defined; the head of its column says which. A method without a sign "
        "stays as it is.",
    )


def choose() -> None:
    """The list of methods alone."""
    shown = state.current()
    known = gateway.models.methods()
    st.multiselect(
        "Methods",
        list(dict.fromkeys((*known, *shown.methods))),
        default=list(shown.methods),
        format_func=lambda spec: known[spec].title if spec in known else spec,
        accept_new_options=True,
        placeholder="Choose, or type grad_eclip(layers=2)",
        **fields.bound("methods", list(shown.methods), _choose),
    )
    notes.show("methods")


def _choose(typed: list[str]) -> None:
    """Take over the list; a spec that is not valid is left out and named."""
    specs, problem = [], ""
    for text in typed:
        try:
            specs.append(gateway.models.canonical(text))
        except SidelightError as error:
            problem = str(error)
    if not specs:
        problem = problem or "At least one method is needed; the last one stays."
        specs = state.current().methods
    state.update(methods=tuple(dict.fromkeys(specs)))
    if problem:
        notes.say("methods", problem)


def _parameters(known: Any) -> None:
    """A method's parameters as widgets, and a button that adds the method with them."""
    choices = [name for name, method in known.items() if method.parameters]
    name = st.selectbox("Method", choices, format_func=lambda n: known[n].title, key="parameters_of")
    if name is None:
        return
    given = {p.name: _widget(known[name], p) for p in known[name].parameters}
    spec = f"{name}({', '.join(f'{k}={v!r}' for k, v in given.items())})"
    try:
        spec = gateway.models.canonical(spec)
    except SidelightError as error:
        st.warning(plain(str(error)))
        return
    st.code(spec, language="python", wrap_lines=True)
    st.button("Add to the grid", on_click=unbroken(_add), args=(spec,))


def _widget(method: Method, parameter: Parameter) -> Any:
    """The widget of one parameter, named, explained and limited by the registry."""
    key, label = f"parameter {method.name} {parameter.name}", parameter.name.replace("_", " ")
    default, about = parameter.default, plain(parameter.help)
    if parameter.kind == "choice":
        return st.selectbox(
            label, parameter.choices, parameter.choices.index(default), format_func=str, key=key, help=about
        )
    if parameter.kind == "bool":
        return st.toggle(label, default, key=key, help=about)
    kind = int if parameter.kind == "int" else float
    low, high = (kind(edge) if edge is not None else None for edge in (parameter.low, parameter.high))
    return st.number_input(
        label,
        min_value=low,
        max_value=high,
        value=default,
        step=kind(1) if kind is int else None,
        key=key,
        placeholder="none" if parameter.optional else None,
        help=about,
    )


def _add(spec: str) -> None:
    state.update(methods=tuple(dict.fromkeys((*state.current().methods, spec))))
