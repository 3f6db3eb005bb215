"""Widgets that show a part of the state.

The browser sends the values of all widgets with every message. One that is sent just before it hears of a new
value would set the old one again, so a value is never written into a widget that is already drawn: where the
state says something else than the widget does, another widget takes its place, and the former is not heard.
Its value is given as its default, which is sent with every run; one written into the session state would be
sent once, and be lost with a run that is interrupted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

_DRAWN = "sidelight_fields"  # by name of the widget: how many there were, and so the key of the last


def key(name: str, value: Any) -> str:
    """The key for the widget `name` when it shall show `value`, which is to be its default, too."""
    count = st.session_state.setdefault(_DRAWN, {}).get(name, 0)
    drawn = f"{name} {count}"
    if drawn in st.session_state and st.session_state[drawn] == value:
        return drawn
    st.session_state[_DRAWN][name] = count + 1
    return f"{name} {count + 1}"


def bound(name: str, value: Any, take: Callable[[Any], None]) -> dict[str, Any]:
    """The `key` and `on_change` of the widget `name` that shows `value`, its default.

    take: what is done with the value that the user gives it, as long as that widget is the one drawn.
    """
    drawn = key(name, value)
    count = st.session_state[_DRAWN][name]

    def changed() -> None:
        if st.session_state[_DRAWN][name] == count:
            take(st.session_state[drawn])

    return {"key": drawn, "on_change": changed}
