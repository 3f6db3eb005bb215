"""From the state to what the Words page shows. Nothing here draws."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dashboard import gateway
from dashboard.choices import State
from dashboard.components.grid import Column, Picture, Row, Tile
from dashboard.components.words import Measure
from dashboard.views import compare_rows
from engine.types import Explanation, Failure, Map, SidelightError, Target

if TYPE_CHECKING:
    from engine.jobs import Job
    from engine.phrases import Word

PICTURE_SIDE = 640  # pixels of the longer side, as sent to the browser
MOST_WORDS = 24  # that get maps; selected words always do
NOTHING = "nothing"
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
        return self.prompt if span is None else gateway.phrase(self.prompt, self.words[span[0] : span[1] + 1])

    def map(self, spec: str, span: Span | None) -> Map | Failure | None:
        if self.explanation is None or span not in self.targets:
            return None
        return self.explanation.get(spec, self.targets[span].label)


def prompt_of(shown: State) -> str:
    """The prompt that is taken apart: the state's, or the first one."""
    prompts = gateway.prompts(shown)
    return shown.target if shown.target in prompts else prompts[0]


def parts(shown: State) -> Parts:
    """Everything of the state's prompt; asking starts the computation of what is missing."""
    prompt = prompt_of(shown)
    words = gateway.words_in(prompt)
    try:
        tokens, weighing = gateway.token_weights(shown, prompt)
    except SidelightError as error:
        tokens, weighing = Failure(shown.text_method, "text", prompt, str(error)), None
    seen = gateway.read_part(shown, prompt, tokens)
    if seen is None and isinstance(tokens, Failure):
        seen = prompt
    read = tuple(gateway.words_in(seen)) if seen is not None else ()
    chosen = selected(shown.words, len(read))
    scores: Mapping[str, float] = {}
    counting = drawing = explanation = None
    targets: dict[Span | None, Target] = {}
    if read:
        spans = _spans(len(read), chosen)
        scores, counting = gateway.scores(shown, _scored(seen, read, spans))
        targets = _targets(shown, seen, read, spans)
        explanation, drawing = gateway.maps(shown, list(dict.fromkeys(targets.values())))
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


def patches(text: str, grid: tuple[int, int]) -> np.ndarray:
    """'row,from-to;...', from 1, as bool (rows, columns); what lies outside of the grid is left out."""
    inside = np.zeros(grid, bool)
    for row, first, last in re.findall(r"(\d{1,4}),(\d{1,4})-(\d{1,4})", text):
        if 1 <= int(row) <= grid[0] and int(first) >= 1:
            inside[int(row) - 1, int(first) - 1 : int(last)] = True
    return inside


def _spans(count: int, chosen: Span | None) -> list[Span]:
    """Every word by itself, and the selected ones."""
    spans = [(place, place) for place in range(count)]
    return spans if chosen is None or chosen[0] == chosen[1] else [*spans, chosen]


def _scored(prompt: str, words: Sequence[Word], spans: Sequence[Span]) -> list[Target]:
    some = [words[a : b + 1] for a, b in spans]
    made = [gateway.word_target(prompt, part, kind) for part in some for kind in ("difference", "alone")]
    return list(dict.fromkeys([Target(prompt), *made]))


def _targets(
    shown: State, prompt: str, words: Sequence[Word], spans: Sequence[Span]
) -> dict[Span | None, Target]:
    wanted = [s for s in spans if s[1] < MOST_WORDS or s[0] != s[1]]
    chosen = selected(shown.words, len(words))
    if chosen is not None and chosen not in wanted:
        wanted.append(chosen)
    made = {(a, b): gateway.word_target(prompt, words[a : b + 1], shown.word_map) for a, b in wanted}
    return {None: Target(prompt), **made}


def _by_tokens(
    shown: State,
    words: Sequence[Word],
    tokens: Map | Failure | None,
    chosen: Span | None,
    job: Job | None,
) -> Measure:
    name, _, parameters = shown.text_method.partition("(")
    method = gateway.methods()[name]
    title = f"Tokens by {method.title} {parameters.removesuffix(')')}".strip()
    about = f"{method.title} in the text tower; the values of a word's tokens are summed."
    row = Measure("tokens", title, about, method.unit.replace("patch", "token"), (None,) * len(words))
    if isinstance(tokens, Failure):
        return _with(row, reason=tokens.reason)
    if tokens is None:
        return _with(row, **_lacking(job))
    weights = gateway.merged(words, tokens)
    values = tuple(weight.value for weight in weights)
    return _with(
        row,
        values=values,
        parts=tuple(weight.parts for weight in weights),
        phrase=None if chosen is None else sum(v or 0.0 for v in values[chosen[0] : chosen[1] + 1]),
        outside=gateway.outside_share(tokens),
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
        return scores.get(gateway.word_target(prompt, read[span[0] : span[1] + 1], kind).label)

    values = [score((place, place)) for place in range(len(read))]
    if not read or None in values:
        return _with(row, **_lacking(job))
    return _with(
        row,
        values=(*values, *(None,) * (len(words) - len(read))),
        phrase=None if chosen is None else score(chosen),
        whole=scores.get(Target(prompt).label),
    )


def _with(row: Measure, **more: object) -> Measure:
    return Measure(**{**vars(row), **more})


def _lacking(job: Job | None) -> dict[str, str]:
    if job is not None and job.state == "failed":
        return {"reason": job.error}
    if job is not None and job.state == "cancelled":
        return {"reason": "Not computed."}
    running = job is not None and job.state == "running"
    return {"waiting": (job.progress.stage if running else "") or "Waiting"}


# Maps


def picture(shown: State) -> Picture:
    image = gateway.image(shown)
    jpeg = gateway.picture(image, PICTURE_SIDE)
    return Picture(jpeg, image.size, gateway.seen(shown), image.name, gateway.outlines(shown))


def specs(shown: State) -> tuple[str, ...]:
    """The methods that draw, in their order."""
    return tuple(dict.fromkeys(gateway.signed(spec, shown.sign) for spec in shown.methods))


def large_spec(shown: State) -> str:
    """The method of the large map."""
    wanted = gateway.signed(shown.word_method, shown.sign) if shown.word_method in shown.methods else ""
    return wanted or specs(shown)[0]


def tile(found: Parts, spec: str, span: Span | None) -> Tile:
    """One map as a card."""
    result = found.map(spec, span)
    if isinstance(result, Failure):
        return Tile(reason=result.reason)
    if result is None:
        if span is not None and span not in found.targets and found.targets:
            return Tile(reason=f"Only the first {MOST_WORDS} words have maps at once; select this one.")
        job = found.jobs[-1] if found.jobs else None
        return Tile(**_lacking(job))
    below = any(
        isinstance(m, Map) and m.values.min() < 0 for m in (found.map(spec, s) for s in found.targets)
    )
    return Tile(
        values=result.values,
        signed=gateway.methods()[spec.partition("(")[0]].signed and below,
        score=result.score,
        explained=result.explained_score,
        seconds=result.seconds,
        gini=gateway.gini(result.values),
        note=result.note,
    )


def rows(shown: State, found: Parts) -> list[Span | None]:
    """The rows of the grid: the prompt, a phrase, and the words; the prompt alone where they have no maps."""
    if shown.word_map == "whole":
        return [None]
    phrases = [s for s in found.targets if s is not None and s[0] != s[1]]
    words = [s for s in found.targets if s is not None and s[0] == s[1]]
    return [None, *phrases, *words]


def row(shown: State, found: Parts, span: Span | None) -> Row:
    result = next((m for s in specs(shown) if isinstance(m := found.map(s, span), Map)), None)
    if span is None:
        return Row(found.prompt, 0, "the whole prompt", result.score if result else None)
    target = found.targets[span]
    detail = f"less \N{LEFT DOUBLE QUOTATION MARK}{target.minus or NOTHING}\N{RIGHT DOUBLE QUOTATION MARK}"
    return Row(
        found.text(span),
        0,
        detail if target.kind == "difference" else "alone",
        result.score if result else None,
        marked=found.chosen is not None and found.chosen[0] <= span[0] and span[1] <= found.chosen[1],
    )


def columns(shown: State) -> tuple[Column, ...]:
    return tuple(Column(*compare_rows.parts(spec)) for spec in specs(shown))


# Direction image to text


def ranking(shown: State, found: Parts) -> tuple[tuple[Span | None, float | None], ...]:
    """Words and phrase with the share of their map's positive mass inside the region, largest first; with
    them the whole prompt. () without a region."""
    if found.explanation is None:
        return ()
    region = patches(shown.region, found.explanation.grid)
    if not region.any():
        return ()
    spec = large_spec(shown)
    shares = []
    for span in rows(shown, found):
        result = found.map(spec, span)
        fits = isinstance(result, Map) and result.values.shape == region.shape
        shares.append((span, gateway.share_inside(result.values, region) if fits else None))
    return tuple(sorted(shares, key=lambda pair: -1 if pair[1] is None else pair[1], reverse=True))
