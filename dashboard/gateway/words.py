"""The words of a prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dashboard.choices import State
from dashboard.gateway import maps, models
from engine.types import Failure, Map, Target

if TYPE_CHECKING:
    from engine.jobs import Job
    from engine.phrases import Weight, Word
    from engine.registry import Method


def words_in(prompt: str) -> tuple[Word, ...]:
    """The words of a prompt, punctuation as words of its own."""
    from engine import phrases

    return phrases.words_in(prompt)


def phrase(prompt: str, words: Sequence[Word]) -> str:
    """Neighbouring words as they stand in the prompt."""
    from engine import phrases

    return phrases.phrase(prompt, words)


def word_target(prompt: str, words: Sequence[Word], kind: str) -> Target:
    """What a map of neighbouring words explains: 'difference', 'alone' or 'whole', see the state."""
    from engine import phrases

    if kind == "difference":
        return Target(prompt, kind="difference", minus=phrases.without(prompt, words))
    return Target(prompt if kind == "whole" else phrases.phrase(prompt, words))


def weighing_methods() -> Mapping[str, Method]:
    """The methods that weigh the tokens of a prompt; leaving one out is a measure of its own."""
    return {n: m for n, m in models.methods().items() if "text" in m.branches and n != "leave_one_out"}


def token_weights(state: State, prompt: str) -> tuple[Map | Failure | None, Job | None]:
    """The prompt's tokens by the state's method for text, or the job that weighs them."""
    spec = models.signed(state.text_method, state.sign)
    asked = replace(maps.request(state), targets=(Target(prompt),), specs=(spec,), branch="text")
    found, job = maps.explained(asked)
    return found.get(spec, prompt, "text"), job


def read_part(state: State, prompt: str, tokens: Map | Failure | None) -> str | None:
    """What of a prompt the model reads; None where that is not known before its tokens are."""
    from engine import phrases

    if phrases.surely_read(prompt, models.described(state).context):
        return prompt
    return phrases.read_part(prompt, tokens) if isinstance(tokens, Map) else None


def merged(words: Sequence[Word], tokens: Map) -> tuple[Weight, ...]:
    """Token weights summed within words."""
    from engine import phrases

    return phrases.merged(words, tokens)


def outside_share(tokens: Map) -> tuple[float, float]:
    """Shares of the start and the end token in all weight."""
    from engine import phrases

    return phrases.outside(tokens)
