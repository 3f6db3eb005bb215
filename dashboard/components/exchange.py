"""What goes to a component and comes back from it: what the person changed there is not sent to it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st


@dataclass(frozen=True)
class Sent:
    """What a component is told to show. values: that, as it was last sent; revision: how often it was sent,
    so that the browser knows new values from those that it has; changed: the callback for what comes back."""

    values: Mapping[str, Any]
    revision: int
    changed: Callable[[], None]


def exchange(
    key: str, name: str, given: dict[str, Any], on_change: Callable[[dict[str, Any]], None] | None
) -> Sent:
    """What to send the component `key`, whose state `name` comes back, where the page wants `given`.

    Sends anew what differs from what the browser shows. on_change is called with what came back, which is
    not checked; None where nothing may come back.
    """
    memory = f"{key} {name}"  # what the browser shows, what it was sent, and how often it was sent
    shown, sent, revision = st.session_state.get(memory, (None, None, 0))
    if key not in st.session_state or shown != given:
        shown, sent, revision = given, given, revision + 1
    st.session_state[memory] = (shown, sent, revision)

    def changed() -> None:
        # What the browser tells of an earlier revision is about to be replaced there; and what it told last
        # comes again where Streamlit has forgotten it (see fields.bound).
        told = getattr(st.session_state[key], name)
        if on_change is None or not isinstance(told, dict) or told.get("revision") != revision:
            return
        told = {name: value for name, value in told.items() if name != "revision"}
        if told != st.session_state[memory][0]:
            st.session_state[memory] = (told, sent, revision)
            on_change(told)

    return Sent(sent, revision, changed)
