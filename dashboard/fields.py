"""Widgets that show a part of the state.

The browser sends the values of all widgets with every message. One that is sent just before it hears of a new
value would set the old one again, so a value is never written into a widget that is already drawn: where the
state says something else than the widget does, another widget takes its place.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

_TURNS = "sidelight_fields"


def key(name: str, value: Any) -> str:
    """The key for the widget `name` when it shall show `value`; its callbacks find their value under it."""
    turns = st.session_state.setdefault(_TURNS, {})
    drawn = f"{name} {turns.get(name, 0)}"
    if drawn in st.session_state and st.session_state[drawn] == value:
        return drawn
    turns[name] = turns.get(name, 0) + 1
    fresh = f"{name} {turns[name]}"
    st.session_state[fresh] = value
    return fresh
