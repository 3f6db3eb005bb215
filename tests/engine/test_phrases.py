"""The words of a prompt, and token weights merged into them."""

from __future__ import annotations

import numpy as np
import pytest

from engine import Request, Target, phrases
from engine import explain as ask
from engine.store import Store
from engine.types import Map
from tests.engine.tiny import PROMPTS, picture, tiny_model


def texts(prompt: str) -> list[str]:
    return [word.text for word in phrases.words_in(prompt)]


@pytest.mark.parametrize(
    ("prompt", "found"),
    [
        ("a dog", ["a", "dog"]),
        ("  A\tDog\n", ["A", "Dog"]),
        ("a cat, two dogs!!", ["a", "cat", ",", "two", "dogs", "!!"]),
        ("don't stop the dog\u2019s 'walk'", ["don't", "stop", "the", "dog\u2019s", "'", "walk", "'"]),
        ("left-hand side", ["left", "-", "hand", "side"]),
        ("in 2024 a 3D_model", ["in", "2024", "a", "3D_model"]),
        ("кошка, 猫 😀 हिन्दी", ["кошка", ",", "猫", "😀", "हिन्दी"]),
        ("I ❤️ 👩‍🚀s", ["I", "❤️", "👩‍🚀", "s"]),
        ("e\u0301te\u0301", ["e\u0301te\u0301"]),
        ("", []),
        ("\u0301", ["\u0301"]),
    ],
)
def test_words_are_what_a_person_reads(prompt, found):
    assert texts(prompt) == found
    assert [prompt[slice(*word.span)] for word in phrases.words_in(prompt)] == found


def test_a_phrase_and_the_prompt_without_it():
    prompt = "a red ball, on grass"
    words = phrases.words_in(prompt)
    assert phrases.phrase(prompt, words[1:3]) == "red ball"
    assert phrases.without(prompt, words[1:3]) == "a , on grass"
    assert phrases.without("dog", phrases.words_in("dog")) == ""
    assert phrases.without("a,b", phrases.words_in("a,b")[1:2]) == "a b"


@pytest.mark.parametrize(
    "prompt",
    ["a red dog's ball, on the 3D grass!", "two dogs, two cats", "unbelievable dog 😀 猫", "Don't Run-Away"],
)
def test_a_word_goes_by_its_tokens(prompt):
    """Tokens of the prompt without a word are the prompt's own, less the word's."""
    model = tiny_model()
    words = phrases.words_in(prompt)
    whole = tokens_of(prompt)
    ids = model.token_ids([prompt])[0].tolist()
    for word, weight in zip(words, phrases.merged(words, whole), strict=True):
        inside = [
            n
            for n, (start, _) in enumerate(whole.spans)
            if whole.content[n] and word.span[0] <= start < word.span[1]
        ]
        assert len(inside) == len(weight.parts) > 0
        rest = [token for n, token in enumerate(ids) if n not in inside]
        assert model.token_ids([phrases.without(prompt, [word])])[0].tolist() == rest + [0] * len(inside)


def tokens_of(prompt: str, values: list[float] | None = None) -> Map:
    """A text map of the tiny model's tokens with given values, or 1, 2, 3 ..."""
    from engine.words import tokens_of as parts_of

    model = tiny_model()
    parts = parts_of(model.tokenizer, prompt, model.info.context)
    pad = model.info.context - len(parts) - 2
    content = np.zeros(model.info.context, bool)
    content[1 : 1 + len(parts)] = True
    return Map(
        "game",
        "text",
        prompt,
        np.array(values or range(model.info.context), np.float32),
        0.1,
        0.1,
        content=content,
        tokens=("<start>", *(p.text for p in parts), "<end>", *[""] * pad),
        spans=((0, 0), *(p.span for p in parts), (0, 0), *[(0, 0)] * pad),
    )


def test_tokens_are_summed_within_words():
    prompt = "an unbelievable dog's ball"
    found = phrases.merged(phrases.words_in(prompt), tokens_of(prompt))
    assert [len(w.parts) for w in found] == [1, len(found[1].parts), 2, 1]
    values = [value for weight in found for _, value in weight.parts]
    assert values == list(range(1, 1 + len(values)))
    assert [w.value for w in found] == [sum(v for _, v in w.parts) for w in found]
    assert [text for text, _ in found[2].parts] == ["dog", "'s"]


def test_words_beyond_the_context_have_no_weight():
    prompt = " ".join(["dog"] * 20)
    whole = tokens_of(prompt)
    words = phrases.words_in(prompt)
    found = phrases.merged(words, whole)
    assert [w.value is None for w in found] == [False] * 14 + [True] * 6
    assert phrases.read_part(prompt, whole) == " ".join(["dog"] * 14)
    assert phrases.read_part("a dog", tokens_of("a dog")) == "a dog"
    assert phrases.surely_read("a dog", 16) and not phrases.surely_read(prompt, 16)


def test_the_mass_outside_is_a_share_of_start_words_and_end():
    tokens = tokens_of("a dog", [2, 1, -1, 4] + [100] * 12)
    assert phrases.outside(tokens) == (2 / 8, 4 / 8)
    assert phrases.outside(tokens_of("a dog", [0] * 3 + [0] + [1] * 12)) == (0, 0)


def test_a_text_map_of_the_engine_fits(tmp_path):
    request = Request(picture(1), (Target(PROMPTS[1]),), ("game",), branch="text")
    (made,) = ask(request, Store(tmp_path, shipped=None), loaded=tiny_model()).maps
    found = phrases.merged(phrases.words_in(PROMPTS[1]), made)
    assert sum(w.value for w in found) == pytest.approx(float(made.values[made.content].sum()), rel=1e-6)
