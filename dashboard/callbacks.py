"""Callbacks that end once they have begun.

Streamlit gives up a run when the next click comes, also within a callback, and what was clicked first would
be lost. So a callback is not given up here, and the run of the next click waits for it.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

_LOCK = "sidelight_callback"
P = ParamSpec("P")


def unbroken(callback: Callable[P, object]) -> Callable[P, None]:
    """The callback, which is not given up for a later click."""

    @functools.wraps(callback)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with _not_given_up(), alone():
            callback(*args, **kwargs)

    return run


@contextmanager
def alone() -> Iterator[None]:
    """While no callback of this session runs."""
    with st.session_state.setdefault(_LOCK, threading.RLock()):
        yield


@contextmanager
def _not_given_up() -> Iterator[None]:
    # Streamlit has no public way. It gives up a run only while its runner is marked as executing; where there
    # is no such mark, callbacks are given up as ever.
    context = get_script_run_ctx()
    runner = getattr(getattr(context, "session_state", None), "_yield_callback", None)
    runner = getattr(runner, "__self__", None)
    if not getattr(runner, "_execing", False):
        yield
        return
    runner._execing = False
    try:
        yield
    finally:
        runner._execing = True
