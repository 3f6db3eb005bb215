"""The words behind a prompt's tokens: texts and character offsets, for CLIP's byte-pair tokenizer."""

from __future__ import annotations

import difflib
import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

ENTITY = re.compile(r"&#?\w+;")  # as HTML writes a character; cleaning makes it that character


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
            span = place[start], _end(prompt, place[end - 1])
            found.append(Token(raw.decode("utf-8", "replace"), span, word))
            used += len(raw)
    return tuple(found[: context - 2])


def _end(prompt: str, place: int) -> int:
    """Where the character at `place` of the prompt ends: behind the semicolon where it is an HTML entity."""
    entity = ENTITY.match(prompt, place)
    return entity.end() if entity and html.unescape(entity.group()) != entity.group() else place + 1


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


def unread(tokenizer: Any, texts: Iterable[str], context: int) -> str:
    """A sentence where a text has more tokens than the context holds; '' where all are read."""
    most = context - 2  # start and end of text take two places
    if any(len(tokenizer.encode(text)) > most for text in texts):
        return f"The model reads {most} tokens; what comes after them in the text does not count."
    return ""
