"""Tokens stand where they were typed, whatever the script."""

from __future__ import annotations

from itertools import groupby

import pytest
from open_clip.tokenizer import SimpleTokenizer

from engine.words import tokens_of

CONTEXT = 77
TOKENIZER = SimpleTokenizer(context_length=CONTEXT)
DOTTED_I = "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}"
PETS = "\N{DOG FACE}\N{CAT FACE}"
# Prompts and what the tokenizer takes for words in them, as they were typed.
PROMPTS = {
    "a photo of an astronaut": ["a", "photo", "of", "an", "astronaut"],
    "An UNBELIEVABLE Xylophonist!": ["An", "UNBELIEVABLE", "Xylophonist", "!"],
    "don't  stop": ["don", "'t", "stop"],
    "a 19 book, (used)": ["a", "1", "9", "book", ",", "(", "used", ")"],
    f"two {PETS} pals": ["two", PETS, "pals"],
    "een gïraffe": ["een", "gïraffe"],
    "一只猫 und ein Hund": ["一只猫", "und", "ein", "Hund"],
    "cats &amp; dogs": ["cats", "&amp;", "dogs"],
    "1 &lt; 2": ["1", "&lt;", "2"],
    "R &D; no entity": ["R", "&", "D", ";", "no", "entity"],
    f"{DOTTED_I}stanbul by night": [DOTTED_I, DOTTED_I, "stanbul", "by", "night"],
    "   ": [],
}


@pytest.mark.parametrize("prompt", PROMPTS)
def test_tokens_are_as_many_as_the_tokenizer_makes(prompt):
    ids = TOKENIZER([prompt])[0].tolist()
    assert len(tokens_of(TOKENIZER, prompt, CONTEXT)) == ids.index(max(ids)) - 1


@pytest.mark.parametrize(("prompt", "expected"), PROMPTS.items())
def test_spans_of_a_words_tokens_cover_the_word_as_typed(prompt, expected):
    found = []
    for _, parts in groupby(tokens_of(TOKENIZER, prompt, CONTEXT), key=lambda token: token.word):
        spans = [part.span for part in parts]
        assert spans == sorted(spans)
        found.append(prompt[spans[0][0] : spans[-1][1]])
    assert found == expected


def test_sub_words_have_neighbouring_spans():
    tokens = tokens_of(TOKENIZER, "Sidelight", CONTEXT)
    assert [token.span for token in tokens] == [(0, 2), (2, 9)]
    assert [token.text for token in tokens] == ["si", "delight"]


def test_a_prompt_beyond_the_context_is_cut_like_the_model_cuts_it():
    tokens = tokens_of(TOKENIZER, "cat " * 100, CONTEXT)
    assert len(tokens) == CONTEXT - 2
    assert tokens[-1].span == (4 * 74, 4 * 74 + 3)
