"""The prompts in effect, without a page."""

from __future__ import annotations

from pathlib import Path

from dashboard.choices import State
from dashboard.gateway import collection, prompts
from engine.datasets import Item


def test_a_prompt_that_an_image_names_twice_is_one_choice(monkeypatch):
    item = Item("one", Path("one.png"), ("a dog", "a cat", "a dog"))
    monkeypatch.setattr(collection, "sets", lambda: ())
    monkeypatch.setattr(collection, "chosen", lambda state, items: item)
    assert prompts.class_list(State(), "prompts") == ("a dog", "a cat")


def test_words_and_emoji_that_the_model_never_saw_are_told_and_punctuation_is_not():
    used = ("a dog, please!", "🦄", "<b>", "日本 ...")
    assert prompts.unknown_words(State(), used) == ("please", "🦄", "b", "日本")
