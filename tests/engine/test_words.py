"""Tokens and words stand where they were typed, whatever the script, and merge without losing relevance."""

from __future__ import annotations

import pytest
from open_clip.tokenizer import SimpleTokenizer

from engine.words import tokens_of, without, words_of

CONTEXT = 77
TOKENIZER = SimpleTokenizer(context_length=CONTEXT)
PROMPTS = {
    "a photo of an astronaut": ["a", "photo", "of", "an", "astronaut"],
    "An UNBELIEVABLE Xylophonist!": ["An", "UNBELIEVABLE", "Xylophonist", "!"],
    "don't  stop": ["don't", "stop"],
    "a 1984 book, (used)": ["a", "1984", "book", ",", "(", "used", ")"],
    "two \N{DOG FACE}\N{CAT FACE} pals": ["two", "\N{DOG FACE}\N{CAT FACE}", "pals"],
    "een gïraffe": ["een", "gïraffe"],
    "一只猫 und ein Hund": ["一只猫", "und", "ein", "Hund"],
    "हिन्दी text": ["हिन्दी", "text"],
    "cats &amp; dogs": ["cats", "&amp;", "dogs"],
    "1 &lt; 2": ["1", "&lt;", "2"],
    "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}stanbul by night": [
        "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}stanbul",
        "by",
        "night",
    ],
    "naïve-looking rock'n'roll": ["naïve", "-", "looking", "rock", "'", "n", "'", "roll"],
}


def _spans(prompt):
    return [token.span for token in tokens_of(TOKENIZER, prompt, CONTEXT)]


@pytest.mark.parametrize("prompt", PROMPTS)
def test_tokens_are_those_of_the_tokenizer(prompt):
    ids = TOKENIZER([prompt])[0].tolist()
    assert len(tokens_of(TOKENIZER, prompt, CONTEXT)) == ids.index(max(ids)) - 1


@pytest.mark.parametrize(("prompt", "expected"), PROMPTS.items())
def test_tokens_merge_into_the_words_as_typed(prompt, expected):
    spans = _spans(prompt)
    values = [2.0**i for i in range(len(spans))]
    words = words_of(prompt, spans, values)
    assert [word.text for word in words] == expected
    assert [i for word in words for i in word.parts] == list(range(len(spans)))
    assert all(word.value == sum(values[i] for i in word.parts) for word in words)


def test_parts_of_a_word_are_kept():
    assert _spans("sidelight") == [(0, 2), (2, 9)]
    (word,) = words_of("sidelight", [(0, 2), (2, 9)], [1.5, -0.5])
    assert word.value == 1.0 and word.parts == (0, 1) and word.span == (0, 9)


def test_no_tokens_are_no_words():
    assert words_of("   ", _spans("   "), []) == ()


def test_a_prompt_beyond_the_context_is_cut_like_the_model_cuts_it():
    prompt = "cat " * 100
    assert len(tokens_of(TOKENIZER, prompt, CONTEXT)) == CONTEXT - 2
    assert _spans(prompt)[-1] == (4 * 74, 4 * 74 + 3)


def test_a_word_is_removed_by_its_place_not_by_its_letters():
    prompt = "the cat and the catalogue"
    words = words_of(prompt, _spans(prompt), [0.0] * len(_spans(prompt)))
    assert without(prompt, words[1].span) == "the and the catalogue"
    assert without(prompt, words[3].span) == "the cat and catalogue"
    assert without(prompt, words[4].span) == "the cat and the"
    assert without("cat", (0, 3)) == ""


@pytest.mark.parametrize("prompt", PROMPTS)
def test_removing_a_word_removes_its_tokens_and_no_others(prompt):
    tokens = tokens_of(TOKENIZER, prompt, CONTEXT)
    for word in words_of(prompt, _spans(prompt), [0.0] * len(tokens)):
        left = tokens_of(TOKENIZER, without(prompt, word.span), CONTEXT)
        assert [t.text for t in left] == [t.text for i, t in enumerate(tokens) if i not in word.parts]
