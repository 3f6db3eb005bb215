"""A callback is not given up for a later click."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import callbacks
from tests.patience import PATIENCE


def page(kept):
    import streamlit as st
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    from dashboard.callbacks import unbroken

    def clicked():
        get_script_run_ctx().script_requests.request_stop()  # as the next click does
        st.session_state["heard"] = True

    st.button("Next", on_click=unbroken(clicked) if kept else clicked)


@pytest.mark.parametrize("kept", [True, False])
def test_a_click_that_comes_within_a_callback_does_not_end_it(kept):
    app = AppTest.from_function(page, kwargs={"kept": kept}, default_timeout=PATIENCE).run()
    app.button[0].click().run()
    assert ("heard" in app.session_state) == kept  # without, it is lost: what this is for


def test_a_run_waits_for_the_callback_of_the_run_before(monkeypatch):
    monkeypatch.setattr(callbacks.st, "session_state", {})
    begun, go_on, order = threading.Event(), threading.Event(), []

    def callback():
        begun.set()
        assert go_on.wait(PATIENCE)
        order.append("callback")

    def run():
        with callbacks.alone():
            order.append("run")

    with callbacks.alone():
        pass  # the session's first run
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(callbacks.unbroken(callback))
        assert begun.wait(PATIENCE)
        second = threads.submit(run)
        go_on.set()
        first.result(PATIENCE), second.result(PATIENCE)
    assert order == ["callback", "run"]
