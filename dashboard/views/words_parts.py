"""From the state to the words of a prompt, their weights, and what their maps explain. Nothing here draws."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from dashboard import gateway, progress
from dashboard.choices import State
from dashboard.components.words import Measure
from engine.types import Explanation, Failure, Map, SidelightError, Target

if TYPE_CHECKING:
    from engine.jobs import Job
    from engine.phrases import Word

MOST_WORDS = 24  # that get maps; selected words always do
LEFT_OUT = "Cosine of image and prompt, less the cosine without the word; its tokens are removed by position."
ALONE = "Cosine of the image and the word as a prompt of its own."

Span = tuple[int, int]  # first and last of neighbouring words, from 0


@dataclass(frozen=True)
class Parts:
    """All that the page shows of one prompt.

    words: of the whole prompt; read: how many of them the model reads. chosen: the selected words. measures:
    the three rows. explanation, targets: the maps; targets by words, the whole prompt under None.
    jobs: of what is not there yet.
    """

    prompt: str
    words: tuple[Word, ...]
    read: int
    chosen: Span | None
    measures: tuple[Measure, ...]
    explanation: Explanation | None
    targets: Mapping[Span | None, Target]
    jobs: tuple[Job, ...]

    def text(self, span: Span | None) -> str:
        """Neighbouring words as typed, or the whole prompt."""
        return (
            self.prompt
            if span is None
            else gateway.words.phrase(self.prompt, self.words[span[0] : span[1] + 1])
        )

    def map(self, spec: str, span: Span | None) -> Map | Failure | None:
        return self._answers.get((spec, self.targets[span].label)) if span in self.targets else None

    def signed(self, spec: str) -> bool:
        """Whether a method's maps have something below zero."""
        return any(
            m.values.min() < 0 for m in self._answers.values() if isinstance(m, Map) and m.spec == spec
        )

    @cached_property
    def _answers(self) -> dict[tuple[str, str], Map | Failure]:
        found = self.explanation
        return {(m.spec, m.target): m for m in (*found.maps, *found.failures)} if found else {}


def prompt_of(shown: State) -> str:
    """The prompt that is taken apart: the state's, or the first one."""
    prompts = gateway.prompts.prompts(shown)
    return shown.target if shown.target in prompts else prompts[0]


def parts(shown: State) -> Parts:
    """Everything of the state's prompt; asking starts the computation of what is missing."""
    prompt = prompt_of(shown)
    words = gateway.words.words_in(prompt)
    try:
        tokens, weighing = gateway.words.token_weights(shown, prompt)
    except SidelightError as error:
        tokens, weighing = Failure(shown.text_method, "text", prompt, str(error)), None
    seen = gateway.words.read_part(shown, prompt, tokens)
    if seen is None and isinstance(tokens, Failure):
        seen = prompt
    read = tuple(gateway.words.words_in(seen)) if seen is not None else ()
    chosen = selected(shown.words, len(read))
    scores: Mapping[str, float] = {}
    counting = drawing = explanation = None
    targets: dict[Span | None, Target] = {}
    if read:
        spans = _spans(len(read), chosen)
        scores, counting = gateway.maps.scores(shown, _scored(seen, read, spans))
        targets = _targets(shown, seen, read, spans)
        explanation, drawing = gateway.maps.maps(shown, list(dict.fromkeys(targets.values())))
    return Parts(
        prompt=prompt,
        words=words,
        read=len(read),
        chosen=chosen,
        measures=(
            _by_tokens(shown, words, tokens, chosen, weighing),
            _by_scores("difference", seen or "", words, read, chosen, scores, counting),
            _by_scores("alone", seen or "", words, read, chosen, scores, counting),
        ),
        explanation=explanation,
        targets=targets,
        jobs=tuple(job for job in (weighing, counting, drawing) if job is not None),
    )


def selected(text: str, count: int) -> Span | None:
    """'2' or '2-4', from 1, as first and last from 0; None where it names no words of the prompt."""
    found = re.fullmatch(r"(\d{1,6})(?:-(\d{1,6}))?", text)
    if found is None:
        return None
    first = int(found[1])
    last = int(found[2] or first)
    return (first - 1, last - 1) if 1 <= first <= last <= count else None


def named(span: Span | None) -> str:
    """Words as the state names them."""
    if span is None:
        return ""
    return f"{span[0] + 1}" if span[0] == span[1] else f"{span[0] + 1}-{span[1] + 1}"


def _spans(count: int, chosen: Span | None) -> list[Span]:
    """Every word by itself, and the selected ones."""
    spans = [(place, place) for place in range(count)]
    return spans if chosen is None or chosen[0] == chosen[1] else [*spans, chosen]


def _scored(prompt: str, words: Sequence[Word], spans: Sequence[Span]) -> list[Target]:
    some = [words[a : b + 1] for a, b in spans]
    made = [
        gateway.words.word_target(prompt, part, kind) for part in some for kind in ("difference", "alone")
    ]
    return list(dict.fromkeys([Target(prompt), *made]))


def _targets(
    shown: State, prompt: str, words: Sequence[Word], spans: Sequence[Span]
) -> dict[Span | None, Target]:
    wanted = [s for s in spans if s[1] < MOST_WORDS or s[0] != s[1]]
    chosen = selected(shown.words, len(words))
    if chosen is not None and chosen not in wanted:
        wanted.append(chosen)
    made = {(a, b): gateway.words.word_target(prompt, words[a : b + 1], shown.word_map) for a, b in wanted}
    return {None: Target(prompt), **made}


def _by_tokens(
    shown: State,
    words: Sequence[Word],
    tokens: Map | Failure | None,
    chosen: Span | None,
    job: Job | None,
) -> Measure:
    name, _, parameters = shown.text_method.partition("(")
    method = gateway.models.methods()[name]
    title = f"Tokens by {method.title} {parameters.removesuffix(')')}".strip()
    about = f"{method.title} in the text tower; the values of a word's tokens are summed."
    row = Measure("tokens", title, about, method.unit.replace("patch", "token"), (None,) * len(words))
    if isinstance(tokens, Failure):
        return _with(row, reason=tokens.reason)
    if tokens is None:
        return _with(row, **lacking(job))
    weights = gateway.words.merged(words, tokens)
    values = tuple(weight.value for weight in weights)
    return _with(
        row,
        values=values,
        parts=tuple(weight.parts for weight in weights),
        phrase=None if chosen is None else sum(v or 0.0 for v in values[chosen[0] : chosen[1] + 1]),
        outside=gateway.words.outside_share(tokens),
        note=tokens.note,
    )


def _by_scores(
    kind: str,
    prompt: str,
    words: Sequence[Word],
    read: Sequence[Word],
    chosen: Span | None,
    scores: Mapping[str, float],
    job: Job | None,
) -> Measure:
    title, about = ("Left out", LEFT_OUT) if kind == "difference" else ("Alone", ALONE)
    row = Measure(kind, title, about, "cosine", (None,) * len(words))

    def score(span: Span) -> float | None:
        return scores.get(gateway.words.word_target(prompt, read[span[0] : span[1] + 1], kind).label)

    values = [score((place, place)) for place in range(len(read))]
    if not read or None in values:
        return _with(row, **lacking(job))
    return _with(
        row,
        values=(*values, *(None,) * (len(words) - len(read))),
        phrase=None if chosen is None else score(chosen),
        whole=scores.get(Target(prompt).label),
    )


def _with(row: Measure, **more: object) -> Measure:
    return Measure(**{**vars(row), **more})


def lacking(job: Job | None) -> dict[str, str]:
    if job is not None and job.state == "failed":
        return {"reason": job.error}
    if job is not None and job.state == "cancelled":
        return {"reason": "Not computed."}
    return {"waiting": progress.stage(job) if job is not None and job.state != "done" else "Waiting"}
