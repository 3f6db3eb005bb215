"""One sentence for the person, beside the widget that it is about, until the state changes."""

from __future__ import annotations

import streamlit as st

from dashboard import state
from dashboard.text import plain

_KEY = "sidelight_notes"


def say(place: str, sentence: str) -> None:
    """Keep a sentence for a place; callbacks use it, since what they draw would be lost."""
    st.session_state.setdefault(_KEY, {})[place] = (sentence, state.current())


def show(place: str) -> None:
    """Draw what was last said for a place, if the state is still the one that it was said of."""
    sentence, when = st.session_state.get(_KEY, {}).get(place, ("", None))
    if sentence and when == state.current():
        st.warning(plain(sentence))
