"""The words behind a prompt's tokens: texts and character offsets, for CLIP's byte-pair tokenizer, and the
way back from tokens to words by these offsets alone."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

ENTITY = re.compile(r"&#?\w+;")  # HTML's way to write a character; cleaning makes it that character
CONTRACTION = re.compile(r"['\u2019]\w+")  # 's, 't, 're: the tokenizer splits them off


@dataclass(frozen=True)
class Token:
    """One token between start and end of text. span: (start, end) characters of the prompt; parts of one word
    have neighbouring spans and `word` in common, the word's index in the prompt."""

    text: str
    span: tuple[int, int]
    word: int


def tokens_of(tokenizer: Any, prompt: str, context: int) -> tuple[Token, ...]:
    """The tokens that a prompt becomes, start and end left out, cut at the context length (2 places are
    theirs)."""
    cleaned = tokenizer.clean_fn(prompt)
    place = _places(cleaned, prompt)
    found = []
    for word, match in enumerate(tokenizer.pat.finditer(cleaned)):
        letters = "".join(tokenizer.byte_encoder[b] for b in match.group().encode("utf-8"))
        used = 0
        for part in tokenizer.bpe(letters).split(" "):
            raw = bytes(tokenizer.byte_decoder[c] for c in part.removesuffix("</w>"))
            start, end = (_character(match.group(), n) + match.start() for n in (used, used + len(raw)))
            end = max(end, start + 1)  # a part may hold some bytes of a character only
            span = (place[start], _end(prompt, place[end - 1]) if cleaned != prompt else place[end - 1] + 1)
            found.append(Token(raw.decode("utf-8", "replace"), span, word))
            used += len(raw)
    return tuple(found[: context - 2])


def _end(prompt: str, place: int) -> int:
    """Where the character at `place` of the prompt ends: behind the semicolon where it is an HTML entity."""
    entity = ENTITY.match(prompt, place)
    return entity.end() if entity else place + 1


def _character(text: str, byte: int) -> int:
    """Index of the character that byte `byte` of the UTF-8 form belongs to."""
    return len(text.encode("utf-8")[:byte].decode("utf-8", "ignore"))


def _places(cleaned: str, prompt: str) -> list[int]:
    """For each character of the cleaned prompt, where it stands in the prompt as typed. Cleaning mends
    encodings, unescapes HTML, folds white space and lowers case, so lengths may differ."""
    if len(cleaned) == len(prompt):
        return list(range(len(prompt)))
    lowered = "".join(c.lower() if len(c.lower()) == 1 else c for c in prompt)
    places, last = [0] * len(cleaned), 0
    matcher = difflib.SequenceMatcher(None, cleaned, lowered, autojunk=False)
    for _tag, i1, i2, j1, j2 in matcher.get_opcodes():
        for offset in range(i2 - i1):
            last = max(last, min(j1 + offset, max(j1, j2 - 1), len(prompt) - 1))
            places[i1 + offset] = last
    return places


@dataclass(frozen=True)
class Word:
    """One word of a prompt as it was typed. span: (start, end) characters of the prompt; value: the sum over
    its tokens; parts: their indices among those given."""

    text: str
    span: tuple[int, int]
    value: float
    parts: tuple[int, ...]


def words_of(prompt: str, spans: Sequence[tuple[int, int]], values: Sequence[float]) -> tuple[Word, ...]:
    """Tokens merged into words by where they stand in the prompt.

    spans, values: of the tokens that are words, in order (engine.types.Map at its `content`). Neighbours with
    nothing between them are one word if both are letters, digits and marks, or both are other signs; so
    sub-words, numbers, contractions and the bytes of an emoji come together, and punctuation stays alone.
    """
    groups: list[list[int]] = []
    for index, span in enumerate(spans):
        if groups and _continues(prompt, spans[groups[-1][-1]], span):
            groups[-1].append(index)
        else:
            groups.append([index])
    found = []
    for parts in groups:
        start, end = spans[parts[0]][0], max(spans[i][1] for i in parts)
        value = float(sum(values[i] for i in parts))
        found.append(Word(prompt[start:end], (start, end), value, tuple(parts)))
    return tuple(found)


def without(prompt: str, span: tuple[int, int]) -> str:
    """The prompt without the characters of `span`, where a word or a token stands; equal words elsewhere
    stay."""
    return f"{prompt[: span[0]].rstrip()} {prompt[span[1] :].lstrip()}".strip()


def _continues(prompt: str, before: tuple[int, int], after: tuple[int, int]) -> bool:
    if after[0] != before[1]:
        return after[0] < before[1]  # bytes of one character
    if CONTRACTION.fullmatch(prompt[slice(*after)]):
        return _in_word(prompt[before[1] - 1])
    return _in_word(prompt[before[1] - 1]) == _in_word(prompt[after[0]])


def _in_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNM"  # letters, numbers, combining marks
