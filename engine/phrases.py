"""The words of a prompt as a person reads them: where they are, the prompt without them, tokens merged.

Loads no torch and no tokenizer: a prompt has the same words for every model.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.types import Map

APOSTROPHES = "'\N{RIGHT SINGLE QUOTATION MARK}"


@dataclass(frozen=True)
class Word:
    """A word, number, or run of punctuation or symbols. span: (start, end) characters of the prompt."""

    text: str
    span: tuple[int, int]


@dataclass(frozen=True)
class Weight:
    """What a measure says of one word. value: the sum of its parts, or None where the model read none of it.
    parts: (text, value) of each of its tokens."""

    value: float | None
    parts: tuple[tuple[str, float], ...] = ()


def words_in(prompt: str) -> tuple[Word, ...]:
    """The words of a prompt in their order. Letters and digits stay together, with apostrophes between them;
    other visible characters form words of their own; combining characters belong to what they follow."""
    runs: list[list[int | str]] = []  # [kind, start, end]
    for place, character in enumerate(prompt):
        kind = _kind(character)
        if kind == "joins":
            kind = runs[-1][0] if runs and runs[-1][2] == place else "letters"
        if kind == "space":
            continue
        if runs and runs[-1][0] == kind and runs[-1][2] == place:
            runs[-1][2] = place + 1
        else:
            runs.append([kind, place, place + 1])
    spans: list[tuple[int, int]] = []
    for at, (kind, start, end) in enumerate(runs):
        contracted = at > 1 and kind == "letters" and _is_apostrophe(prompt, runs, at - 1)
        if contracted:
            spans[-2:] = [(spans[-2][0], end)]
        else:
            spans.append((start, end))
    return tuple(Word(prompt[start:end], (start, end)) for start, end in spans)


def _kind(character: str) -> str:
    category = unicodedata.category(character)
    if character.isspace() or category == "Cc":
        return "space"
    if category[0] == "M" or category == "Cf":
        return "joins"
    return "letters" if category[0] in "LN" or character == "_" else "symbols"


def _is_apostrophe(prompt: str, runs: list, at: int) -> bool:
    """Whether a run is one apostrophe between letters that touch it."""
    kind, start, end = runs[at]
    touching = runs[at - 1][0] == "letters" and runs[at - 1][2] == start and runs[at + 1][1] == end
    return kind == "symbols" and prompt[start:end] in APOSTROPHES and touching


def phrase(prompt: str, words: Sequence[Word]) -> str:
    """Neighbouring words as they stand in the prompt."""
    return prompt[words[0].span[0] : words[-1].span[1]]


def without(prompt: str, words: Sequence[Word]) -> str:
    """The prompt without neighbouring words; what stood on either side stays apart, so that its tokens are
    the prompt's own without those of the words."""
    start, end = words[0].span[0], words[-1].span[1]
    return " ".join(f"{prompt[:start]} {prompt[end:]}".split())


def surely_read(prompt: str, context: int) -> bool:
    """Whether a prompt fits into a context for certain, without counting its tokens: no token is less than a
    byte, and start and end take two places."""
    # The tokenizer unescapes HTML and may mend encodings; both make ASCII text no longer.
    return len(html.unescape(prompt).lower().encode("utf-8")) <= context - 2


def read_part(prompt: str, tokens: Map) -> str:
    """What of a prompt the model read, to its last token; all of it where the context has room left."""
    ends = [end for (_, end), content in zip(tokens.spans, tokens.content, strict=True) if content]
    if len(ends) < len(tokens.content) - 2 or not ends:
        return prompt
    return prompt[: ends[-1]]


def merged(words: Sequence[Word], tokens: Map) -> tuple[Weight, ...]:
    """A text map's token values summed within words, by where each token starts in the prompt."""
    parts: list[list[tuple[str, float]]] = [[] for _ in words]
    starts = [word.span[0] for word in words]
    for text, (start, _), value, content in zip(
        tokens.tokens, tokens.spans, tokens.values, tokens.content, strict=True
    ):
        at = int(np.searchsorted(starts, start, side="right")) - 1
        if content and at >= 0 and start < words[at].span[1]:
            parts[at].append((text, float(value)))
    return tuple(Weight(sum(v for _, v in some) if some else None, tuple(some)) for some in parts)


def outside(tokens: Map) -> tuple[float, float]:
    """Shares of the start and the end token in the sum of magnitudes over start, words and end."""
    end = int(tokens.content.sum()) + 1
    magnitudes = np.abs(tokens.values[: end + 1].astype(np.float64))
    total = magnitudes.sum()
    return (float(magnitudes[0] / total), float(magnitudes[end] / total)) if total > 0 else (0.0, 0.0)
