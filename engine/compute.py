"""From tensors to raw maps: group the asked methods by the recording they share, record once, run each.

Here and below everything is torch; files, keys and pages are the business of engine.explain.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.encoder import Encoder
from engine.registry import Spec
from engine.trace import Trace, no_text_tower, record
from engine.types import Cancelled, SidelightError, Unsupported

log = logging.getLogger(__name__)
GRAPH_BYTES = 1 << 30  # gradients of one backward pass are kept under this; more targets go in several


@dataclass(frozen=True)
class Relevance:
    """What one method computed. values: [t b n] over tokens or [t b height width], on the CPU, finite.
    score: [b t], of the model as it is; explained: [b t], in the recording that the method read.
    seconds: the method alone."""

    spec: Spec
    targets: slice
    values: Tensor
    score: Tensor
    explained: Tensor
    seconds: float


@dataclass(frozen=True)
class Refused:
    """A method that gave no map for these targets, and why."""

    spec: Spec
    targets: slice
    reason: str
    unsupported: bool


@dataclass(frozen=True)
class Question:
    """What is asked of one branch. inputs: [b ...]; queries: [t e]; readout: unit embeddings [b e] and a
    slice of the targets -> scores [b t]. embed, reword, requery: see engine.trace.Trace."""

    encoder: Encoder
    inputs: Tensor
    queries: Tensor
    logit_scale: float
    readout: Callable[[Tensor, slice], Tensor]
    embed: Callable[[Sequence[str]], Tensor] = no_text_tower
    reword: Callable[[Sequence[str], slice], Tensor] = lambda templates, part: no_text_tower(templates)
    requery: Callable[[Callable, slice], Tensor] = lambda embed, part: no_text_tower(embed)


def relevances(
    question: Question, specs: Sequence[Spec], check: Callable[[str], None] = lambda stage: None
) -> Iterator[Relevance | Refused]:
    """Every spec's relevance, as it is computed; single-pass methods of one kind of forward share a
    recording.

    check: called with the stage before each step; it may raise Cancelled. SidelightError inside
    torch.inference_mode(), which no gradient can be taken in.
    """
    if torch.is_inference_mode_enabled():
        raise SidelightError("Maps need gradients; ask for them outside torch.inference_mode().")
    able = []
    for spec in specs:
        if reason := spec.method.refusal(question.encoder.offers):
            yield Refused(spec, slice(0, len(question.queries)), reason, unsupported=True)
        else:
            able.append(spec)
    whole = slice(0, len(question.queries))
    score = question.queries.new_full((len(question.inputs), whole.stop), torch.nan).float().cpu()
    for single, group, part in _recordings(question, able):
        needs = [spec.needs() for spec in group]
        names = sorted({name for n in needs for name in n.wrt})
        grads = {name: max(n.grads for n in needs if name in n.wrt) for name in names}
        check("recording")
        trace = record(
            question.encoder,
            question.inputs,
            question.queries[part],
            blocks=max(n.blocks for n in needs),
            grads=grads,
            single=single,
            logit_scale=question.logit_scale,
            readout=lambda embedding, part=part: question.readout(embedding, part),
            check=check,
            embed=question.embed,
            reword=lambda templates, part=part: question.reword(templates, part),
            requery=lambda embed, part=part: question.requery(embed, part),
        )
        explained = trace.scores.detach().float().cpu()
        # A recording of the model as it is gives the model's own score; another forward would only repeat it.
        if not single:
            score[:, part] = explained
        elif score[:, part].isnan().any():
            score = plain_scores(question)
        if grads:
            check("gradients")
            _ = trace.gradients
        for spec in group:
            check(str(spec))
            yield _run(spec, trace, part, score[:, part], explained)


def _recordings(question: Question, specs: Sequence[Spec]) -> Iterator[tuple[int, list[Spec], slice]]:
    """What is recorded: with how many single-head blocks, for which specs and targets. The model as it is
    comes first."""
    groups: dict[int, list[Spec]] = {}
    for spec in specs:
        groups.setdefault(spec.needs().single, []).append(spec)
    for single, group in sorted(groups.items()):
        parts = _parts(question, max(spec.needs().grads for spec in group))
        if len(parts) > 1:  # without gradients, all prompts at once: they may be mixed, or share passes
            whole = [spec for spec in group if not spec.needs().grads]
            if whole:
                yield single, whole, slice(0, len(question.queries))
            group = [spec for spec in group if spec.needs().grads]
        for part in parts if group else ():
            yield single, group, part


def _parts(question: Question, grads: int) -> list[slice]:
    """Slices of the targets whose gradients fit in memory."""
    targets = len(question.queries)
    if not grads:
        return [slice(0, targets)]
    tokens = question.encoder.content(question.inputs[:1]).shape[1]
    blocks = question.encoder.blocks[-grads:]
    one = 4 * len(question.inputs) * sum(b.heads for b in blocks) * tokens**2
    step = max(1, int(GRAPH_BYTES // max(one, 1)))
    return [slice(i, min(i + step, targets)) for i in range(0, targets, step)]


def _run(spec: Spec, trace: Trace, part: slice, score: Tensor, explained: Tensor) -> Relevance | Refused:
    started = time.perf_counter()
    try:
        with torch.no_grad():  # methods that differentiate switch it on where they do
            values = spec.method.run(trace, **dict(spec.params)).detach()
        if not all(numbers.isfinite().all() for numbers in (values, score, explained)):
            raise SidelightError(f"{spec} gave values that are not numbers on this image and model.")
        values = values.float().cpu()
    except Cancelled:
        raise
    except SidelightError as error:
        return Refused(spec, part, str(error), isinstance(error, Unsupported))
    except Exception as error:  # a method's fault must not cost the other tiles; the log keeps the traceback
        log.exception("%s failed", spec)
        return Refused(spec, part, f"{spec} failed: {type(error).__name__}: {error}"[:300], False)
    return Relevance(spec, part, values, score, explained, time.perf_counter() - started)


def plain_scores(question: Question) -> Tensor:
    """Scores of the model as it is, [b t], on the CPU."""
    with torch.no_grad():
        embedding = question.encoder.encode(question.inputs)
        return question.readout(embedding, slice(0, len(question.queries))).float().cpu()
