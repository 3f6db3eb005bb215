"""Widgets that show a part of the state: which of the values that the browser sends are heard."""

from __future__ import annotations

import pytest

from dashboard import fields


@pytest.fixture
def session(monkeypatch) -> dict:
    state: dict = {}
    monkeypatch.setattr(fields.st, "session_state", state)
    return state


def test_only_a_value_that_the_user_changed_is_heard(session):
    """The server forgets a widget that a page does not draw; its value, sent again, is new to it."""
    heard: list[str] = []
    widget = fields.bound("prompts", "a dog", heard.append)
    session[widget["key"]] = "a dog"
    widget["on_change"]()
    assert heard == []
    for typed in ("a cat", "a cat", "a dog"):  # the last before it was drawn anew
        session[widget["key"]] = typed
        widget["on_change"]()
    assert heard == ["a cat", "a dog"]


def test_a_widget_that_shows_the_state_stays_and_another_is_replaced_and_not_heard(session):
    heard: list[str] = []
    widget = fields.bound("prompts", "a dog", heard.append)
    session[widget["key"]] = "a dog"
    assert fields.bound("prompts", "a dog", heard.append)["key"] == widget["key"]
    newer = fields.bound("prompts", "a tree", heard.append)
    assert newer["key"] != widget["key"]
    session[widget["key"]] = "a cat"
    widget["on_change"]()
    assert heard == []
