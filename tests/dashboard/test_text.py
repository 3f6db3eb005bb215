"""Texts as labels of options."""

from __future__ import annotations

from dashboard.text import labels
from tests.dashboard.conftest import ALIKE


def test_labels_are_short_and_no_two_are_equal():
    assert labels(["a dog", "a dog", "a cat"], 10) == {"a dog": "a dog", "a cat": "a cat"}
    assert list(labels([*ALIKE, "a"], 10).values()) == ["a dog a d…", "a dog a d… (2)", "a"]
    names = {"": "Nothing", "Nothing": "Nothing", "two": "Nothing (2)"}
    assert list(labels(names, 80, names.get).values()) == ["Nothing", "Nothing (2)", "Nothing (2) (2)"]
