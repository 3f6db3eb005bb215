"""Curves that the store lacks: masks of all maps, through one scorer a fill. Loads torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch

from engine import images
from engine.curves.classes import class_index, class_names
from engine.curves.pictures import ground, unit_ranks
from engine.curves.scorer import HiddenScorer, Readout
from engine.curves.types import IMAGENET, CurveRequest, Protocol
from engine.metrics.curve import counts, curves, kept
from engine.models import Model
from engine.precision import exact_float32
from engine.questions import image_question
from engine.store import Store
from engine.tiles import Tile
from engine.types import Cancelled, Explanation, Map, Progress, Target
from engine.zeroshot import imagenet_weights

BATCHES = 8  # of inputs are planned together, so that batches that are not full are few
PLANNED = 1 << 26  # bytes of their masks at most; more come in the parts that engine.metrics.curve makes


def computed(
    request: CurveRequest,
    explanation: Explanation,
    tiles: Sequence[tuple[Tile, Map]],
    model: Model,
    store: Store,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Iterator[tuple[Tile, Mapping[str, np.ndarray], int]]:
    """Every map's tile with the arrays that engine.curves.read reads, and the passes made by then, as they
    are computed. progress, cancelled: as in engine.curves.ask.compute."""
    protocol, points = request.protocol, _points(request.protocol)
    answered, total = 0, len(tiles) * points

    def check(stage: str) -> None:
        if cancelled is not None and cancelled():
            raise Cancelled("The computation was cancelled; what was finished is kept.")
        if progress is not None:
            progress(Progress(answered, total, stage))

    targets = explanation.targets
    with model.lock, exact_float32():
        place = ground(explanation.image, model.info.preprocess, explanation.resize, protocol)
        readout = readout_of(model, explanation, protocol, store, check)
        scorers = {
            fill: HiddenScorer(model, place, protocol, fill, readout, lambda: check("curves"))
            for fill in (protocol.hide, protocol.reveal)
        }
        labels = [target.label for target in targets]
        step = max(
            1, min(BATCHES * scorers[protocol.hide].batch, PLANNED // math.prod(place.units)) // points
        )
        for start in range(0, len(tiles), step):
            part = tiles[start : start + step]
            order = np.stack([unit_ranks(item.values, place, protocol).ravel() for _, item in part])
            found, ends = _values(order, protocol, scorers)
            answered += points * len(part)
            passes = sum(scorer.passes for scorer in set(scorers.values()))
            for row, (tile, item) in enumerate(part):
                column = labels.index(item.target)
                arrays = {kind: values[row, :, column] for kind, values in found.items()}
                yield tile, {**arrays, "ends": ends[:, column]}, passes


def _points(protocol: Protocol) -> int:
    """Points of all curves of one map."""
    return 2 * (len(protocol.deletion) + len(protocol.insertion))


def _values(
    order: np.ndarray, protocol: Protocol, scorers: Mapping[str, HiddenScorer]
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """By kind (m, s, t, 3) for ranks (m, units); and (3, t, 3) of the picture and of the two fills alone."""
    hide, reveal = scorers[protocol.hide], scorers[protocol.reveal]
    units = order.shape[1]
    hidden = counts(protocol.deletion, units, protocol.steps)
    revealed = counts(protocol.insertion, units, protocol.steps)
    kinds = {
        "deletion": (hide, hidden, {"insert": False, "least": False}),
        "deletion_least": (hide, hidden, {"insert": False, "least": True}),
        "insertion": (reveal, revealed, {"insert": True, "least": False}),
        "insertion_least": (reveal, revealed, {"insert": True, "least": True}),
    }
    # All inputs at once first, so that batches are full; then they are known.
    for scorer in {hide, reveal} if order.size * _points(protocol) <= PLANNED else ():
        masks = [
            kept(order[:, None], changed[:, None], **how).reshape(-1, units)
            for wanted, changed, how in kinds.values()
            if wanted is scorer
        ]
        scorer(np.concatenate(masks))
    found = {kind: curves(order, changed, scorer, **how) for kind, (scorer, changed, how) in kinds.items()}
    nothing = np.zeros((1, units), bool)
    return found, np.concatenate([hide(~nothing), hide(nothing), reveal(nothing)])


def readout_of(
    model: Model,
    explanation: Explanation,
    protocol: Protocol,
    store: Store,
    check: Callable[[str], None] = lambda stage: None,
) -> Readout:
    """What is read of each embedding: the scores of the targets, and their place among the classes."""
    targets: Sequence[Target] = explanation.targets
    prepared = images.prepare(explanation.image, model.info.preprocess, explanation.resize)
    question = image_question(model, prepared, targets, explanation.resize, check)
    names = class_names(protocol, targets)
    classes: torch.Tensor | None = None
    if protocol.classes == IMAGENET:
        classes = imagenet_weights(model, store, check)
    elif names:
        classes = model.embed_texts(names, check)
    return Readout(
        score=lambda e: question.readout(e, slice(0, len(targets))),
        classes=classes,
        index=tuple(class_index(target, names) for target in targets),
        logit_scale=model.logit_scale,
    )
