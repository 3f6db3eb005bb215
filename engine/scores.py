"""Scores alone: what the model says of an image and each target, without a map.

A request is `engine.types.Request` without methods, of branch 'both'. Loads torch only where something has
to be computed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from engine import images
from engine.catalog import describe
from engine.store import Store, default_store
from engine.tiles import checked_targets, origin_of
from engine.types import Cancelled, ModelInfo, Progress, Request, SidelightError, Target

if TYPE_CHECKING:
    from engine.models import Model


@dataclass(frozen=True)
class Scores:
    """values: float by target label; see engine.questions for what a target's score is. failures: none, see
    engine.jobs."""

    values: Mapping[str, float]
    failures: tuple[()] = ()


def stored(request: Request, store: Store | None = None, info: ModelInfo | None = None) -> Scores:
    """The scores that the store holds; SidelightError for bad requests."""
    store, info = store or default_store(), info or describe(request.model, request.pretrained)
    found = {}
    for target in checked_targets(request):
        entry = store.get(_key(request, info, target)) if info.digest else None
        if entry is not None:
            found[target.label] = float(entry.arrays["score"][0])
    return Scores(found)


def compute(
    request: Request,
    store: Store | None = None,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    loaded: Model | None = None,
) -> Scores:
    """All scores of a request, from the store where they are; the others in one batch, and stored.

    progress, cancelled, loaded: as in engine.explain.explain; progress counts targets.
    """
    from engine.compute import plain_scores
    from engine.models import load
    from engine.precision import exact_float32
    from engine.questions import image_question

    store = store or default_store()
    targets = checked_targets(request)

    def say(stage: str) -> None:
        if cancelled is not None and cancelled():
            raise Cancelled("The computation was cancelled; what was finished is kept.")
        if progress is not None:
            progress(Progress(0, len(targets), stage))

    model = loaded or load(request.model, request.pretrained, request.device, say)
    held = dict(stored(request, store, model.info).values)
    lacking = [target for target in targets if target.label not in held]
    if not lacking:
        return Scores(held)
    say("comparing image and words")
    prepared = images.prepare(request.image, model.info.preprocess, request.resize)
    with model.lock, exact_float32():
        if texts := _texts(lacking):
            model.embed_texts(texts, say)  # all at once; the question then finds them embedded
        scores = plain_scores(image_question(model, prepared, lacking, request.resize))[0]
    if not scores.isfinite().all():
        raise SidelightError(f"{model.info.id} gave scores that are not numbers on this image.")
    for target, score in zip(lacking, scores.tolist(), strict=True):
        store.put(_key(request, model.info, target), {"score": np.float32(score).reshape(1)}, {})
        held[target.label] = score
    return Scores(held)


def _texts(targets: list[Target]) -> list[str]:
    """What the targets embed as it stands, outside templates."""
    each = {
        "text": lambda t: (t.text,),
        "difference": lambda t: (t.text, t.minus),
        "class": lambda t: t.classes,
    }
    return [text for t in targets if t.kind in each for text in each[t.kind](t)]


def _key(request: Request, info: ModelInfo, target: Target) -> dict[str, Any]:
    return {**origin_of(request, info, "image"), "kind": "score", "target": target.as_json()}
