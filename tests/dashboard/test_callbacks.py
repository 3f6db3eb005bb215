"""A callback is not given up for a later click."""

from __future__ import annotations

import ast
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import callbacks
from tests.patience import PATIENCE

CALLBACK = re.compile(r"on_(click|change|\w+_change)")


def broken(source: str) -> list[int]:
    """Lines that give Streamlit a callback that may be given up."""
    given = [
        k.value
        for call in ast.walk(ast.parse(source))
        if isinstance(call, ast.Call)
        for k in call.keywords
        if k.arg and CALLBACK.fullmatch(k.arg)
    ]
    lawful = [
        v
        for v in given
        if (isinstance(v, ast.Constant) and v.value == "ignore")
        or (isinstance(v, ast.Call) and isinstance(v.func, ast.Name) and v.func.id == "unbroken")
    ]
    return [v.lineno for v in given if v not in lawful]


def test_every_callback_of_the_dashboard_is_unbroken():
    assert broken("st.button('Next', on_click=go)") == [1]
    files = Path(callbacks.__file__).parent.rglob("*.py")
    assert {file.name: lines for file in files if (lines := broken(file.read_text(encoding="utf-8")))} == {}


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
