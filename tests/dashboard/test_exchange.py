"""What a component tells, and what it is sent."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from dashboard.components import exchange as module
from dashboard.components.exchange import exchange


@pytest.fixture
def session(monkeypatch) -> dict:
    state: dict = {}
    monkeypatch.setattr(module.st, "session_state", state)
    return state


def tells(session: dict, opacity: float, revision: int) -> None:
    session["grid"] = SimpleNamespace(display={"opacity": opacity, "revision": revision})


def test_what_the_browser_told_is_heard_once_and_not_sent_back(session):
    heard: list[dict] = []
    first = exchange("grid", "display", {"opacity": 0.5}, heard.append)
    tells(session, 0.7, first.revision)
    first.changed()
    again = exchange("grid", "display", {"opacity": 0.7}, heard.append)
    again.changed()
    assert heard == [{"opacity": 0.7}]
    assert (again.values, again.revision) == ({"opacity": 0.5}, first.revision)


def test_what_was_told_before_does_not_undo_what_was_sent_since_and_may_be_told_again(session):
    heard: list[dict] = []
    first = exchange("grid", "display", {"opacity": 0.5}, heard.append)
    tells(session, 0.7, first.revision)
    exchange("grid", "display", {"opacity": 0.5}, heard.append).changed()
    newer = exchange("grid", "display", {"opacity": 0.2}, heard.append)
    newer.changed()
    assert heard == [{"opacity": 0.7}]
    assert (newer.values, newer.revision) == ({"opacity": 0.2}, first.revision + 1)
    tells(session, 0.7, newer.revision)
    newer.changed()
    assert heard[1:] == [{"opacity": 0.7}]
