"""The one state of a session: what is looked at, and how it is drawn. It lives in the URL.

For views: `current()` is the state of this run, `update(field=value, ...)` changes it and the URL with it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from dashboard import gateway, links
from dashboard.choices import State

# The state is held beside the query, for two reasons: Streamlit drops the query when the page changes, and a
# click that comes while the last change is still on its way to the browser carries the query from before it.
# Any other query that differs from the one written last comes from the person, who pasted a link or went
# back, and wins. Streamlit says when it was Back or Forward.

_HELD, _SEEN, _PROBLEMS = "sidelight_state", "sidelight_seen", "sidelight_problems"
ON_ITS_WAY = 5.0  # seconds that a new query may take to reach a busy browser
Query = dict[str, list[str]]


@dataclass
class Held:
    """Where a session keeps its state. It may be read where Streamlit knows of no session, too, as in the
    thread that makes a download."""

    state: State


@dataclass(frozen=True)
class _Seen:
    """The queries of a session, the last one written last, and when that was (seconds, monotonic)."""

    queries: tuple[Query, ...] = ()
    written: float = 0.0

    def then(self, query: Query, now: float) -> _Seen:
        if self.queries and self.queries[-1] == query:
            return self
        return _Seen((*self.queries[-9:], query), now)

    def stale(self, query: Query, now: float) -> bool:
        """Whether a query is one from before the last change, which the browser had not heard of yet."""
        return query in self.queries[:-1] and now - self.written < ON_ITS_WAY


def current() -> State:
    """The state of this session, from its link on the first run."""
    query = _query()
    kept: Held | None = st.session_state.get(_HELD)
    seen: _Seen = st.session_state.get(_SEEN, _Seen())
    if kept is not None and query == seen.queries[-1]:
        return kept.state
    lost = not query or seen.stale(query, time.monotonic())
    if kept is not None and lost and not _went_back():
        return _hold(kept.state)
    state, st.session_state[_PROBLEMS] = links.from_query(query, gateway.session.vocabulary())
    st.session_state[_SEEN] = seen.then(query, time.monotonic())
    return _hold(state)


def update(**changes: Any) -> State:
    """Change fields of the state, and the URL with them; the values are trusted."""
    st.session_state[_PROBLEMS] = ()
    return _hold(replace(current(), **changes))


def open_json(text: str | bytes) -> State:
    """Take over a saved state; SidelightError where the file is none."""
    state, st.session_state[_PROBLEMS] = links.from_json(text, gateway.session.vocabulary())
    return _hold(state)


def show() -> None:
    """Make the address that of the state, from which the first run reads it."""
    wanted = query()
    # A run that was given up may have written the query for all that come, and told no browser.
    if parse_qs(get_script_run_ctx().query_string, keep_blank_values=True) != wanted:
        st.query_params.from_dict(wanted)


def query() -> Query:
    """The URL's query of the state."""
    return links.to_query(current())


def held() -> Held:
    """The one place of this session's state, which every change reaches."""
    current()  # there is none before the first
    return st.session_state[_HELD]


def problems() -> tuple[str, ...]:
    """What could not be used of the link or file that was opened last, a sentence each."""
    return st.session_state.get(_PROBLEMS, ())


def _query() -> Query:
    return {key: st.query_params.get_all(key) for key in st.query_params}


def _went_back() -> bool:
    """Whether Back or Forward of the browser asked for this run."""
    return getattr(get_script_run_ctx(), "is_history_navigation", False)


def _hold(state: State) -> State:
    query = links.to_query(state)
    seen = st.session_state.get(_SEEN, _Seen())
    st.session_state.setdefault(_HELD, Held(state)).state = state
    st.session_state[_SEEN] = seen.then(query, time.monotonic())
    if _query() != query:
        st.query_params.from_dict(query)
    return state
