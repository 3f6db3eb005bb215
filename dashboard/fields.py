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

from dashboard.callbacks import unbroken

_DRAWN = "sidelight_fields"  # by name of the widget: how many there were, and what the last is known to hold


def key(name: str, value: Any) -> str:
    """The key for the widget `name` when it shall show `value`, which is to be its default, too."""
    every = st.session_state.setdefault(_DRAWN, {})
    count, _ = every.get(name, (0, None))
    drawn = f"{name} {count}"
    if drawn not in st.session_state or st.session_state[drawn] != value:
        count += 1
    every[name] = count, value
    return f"{name} {count}"


def bound(name: str, value: Any, take: Callable[[Any], None]) -> dict[str, Any]:
    """The `key` and `on_change` of the widget `name` that shows `value`, its default.

    take: what is done with the value that the user gives it, as long as that widget is the one drawn.
    """
    drawn = key(name, value)
    count, _ = st.session_state[_DRAWN][name]

    def changed() -> None:
        # Streamlit calls it also for a value that is as it was, where it has forgotten that it was: a click
        # on a page that just came brings the values of the page before, which the server has let go.
        given = st.session_state[drawn]
        newest, known = st.session_state[_DRAWN][name]
        if count == newest and given != known:
            st.session_state[_DRAWN][name] = count, given
            take(given)

    return {"key": drawn, "on_change": unbroken(changed)}
