"""Metrics that run the model on changed inputs: curves, perturbations, and how steady a map is. Loads
torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from engine import images
from engine.compute import Question, Relevance, relevances
from engine.curves import CurveRequest, Protocol, compute
from engine.curves.passes import readout_of
from engine.curves.pictures import ground, over_patches
from engine.curves.scorer import HiddenScorer
from engine.metrics.confidence import confidence_drop, confidence_increase, unit_range
from engine.metrics.curve import ranks
from engine.metrics.fidelity import infidelity, max_sensitivity, mu_fidelity
from engine.metrics.road import road
from engine.metrics.saco import saco
from engine.models import Model
from engine.precision import exact_float32
from engine.questions import image_question
from engine.render.scales import enlarge
from engine.runs.subject import Subject
from engine.specs import parse
from engine.types import Map, Request

PATCHES = Protocol()  # of every metric here but the curves: patches, mean colour, cosine


def of_curves(
    subject: Subject, cancelled: Callable[[], bool] | None = None
) -> Iterator[tuple[Map, str, float]]:
    """Map, metric and value for all maps of the image, by the run's protocol."""
    found, request = subject.explanation, subject.request
    maps = Request(
        found.image, found.targets, found.specs, request.model, request.pretrained, request.resize,
        device=request.device,
    )  # fmt: skip
    wanted = CurveRequest(maps, request.protocol, controls=False)
    for curve in compute(wanted, subject.store, cancelled=cancelled, loaded=subject.model).curves:
        item = found.get(curve.spec, curve.target)
        yield item, "deletion", curve.auc[0]
        yield item, "insertion", curve.auc[1]
        yield item, "aid", curve.aid
        yield item, "slope", curve.slope
        yield item, "share90", curve.share90


def of_perturbations(subject: Subject, wanted: Sequence[str]) -> Iterator[tuple[Map, str, float]]:
    """Map, metric and value of `wanted` for all maps of the image."""
    model, found, seed = subject.model, subject.explanation, subject.request.seed
    with model.lock, exact_float32():
        place = ground(found.image, model.info.preprocess, found.resize, PATCHES)
        readout = readout_of(model, found, PATCHES, subject.store)
        hidden = HiddenScorer(model, place, PATCHES, PATCHES.hide, readout)
        prepared = images.prepare(found.image, model.info.preprocess, found.resize)
        question = image_question(model, prepared, found.targets, found.resize)
        steady = _Steady(question)
        labels = [target.label for target in found.targets]
        size = prepared.pixels.shape[-2:]
        for item in found.maps:
            t = labels.index(item.target)
            masks = partial(_column, hidden, t)
            score = partial(_scores, question, hidden.batch, t)
            units = over_patches(item.values, found.grid)
            large = enlarge(item.values, size[::-1])
            measures: dict[str, Callable[[], float]] = {
                "saco": lambda u=units, s=masks: saco(u, s),
                "mu_fidelity": lambda u=units, s=masks: mu_fidelity(u, s, seed=seed),
                "road": lambda u=units, s=score: road(
                    ranks(u), place.base, lambda pictures: s(_normalised(pictures, model)), seed=seed
                ),
                "infidelity": lambda v=large, s=score: infidelity(
                    v[None], prepared.pixels, s, scaled=True, batch=hidden.batch, seed=seed
                ),
                "max_sensitivity": lambda i=item, t=t: max_sensitivity(
                    prepared.pixels, lambda pictures: steady(i.spec, t, pictures), seed=seed
                ),
            }
            for name, measure in measures.items():
                if name in wanted:
                    yield item, name, measure()
            if {"confidence_drop", "confidence_increase"} & set(wanted):
                weighted = float(score((prepared.pixels * unit_range(large))[None])[0])
                yield item, "confidence_drop", confidence_drop(item.score, weighted)
                yield item, "confidence_increase", confidence_increase(item.score, weighted)


def _column(scorer: HiddenScorer, target: int, keep: np.ndarray) -> np.ndarray:
    return scorer(keep)[:, target, 0]


def _scores(question: Question, batch: int, target: int, pictures: np.ndarray) -> np.ndarray:
    """Scores (b,) of normalised pictures (b, 3, height, width)."""
    inputs = torch.as_tensor(pictures, dtype=torch.float32, device=question.inputs.device)
    with torch.no_grad():
        parts = [
            question.readout(question.encoder.encode(part), slice(0, len(question.queries)))[:, target]
            for part in inputs.split(batch)
        ]
    return torch.cat(parts).double().cpu().numpy()


def _normalised(pictures: np.ndarray, model: Model) -> np.ndarray:
    """Pictures (b, 3, height, width) of 0..1 as the model wants them."""
    wanted = model.info.preprocess
    mean, std = (np.asarray(v, np.float32)[:, None, None] for v in (wanted.mean, wanted.std))
    return (pictures - mean) / std


class _Steady:
    """Maps of changed pictures, every method and target of one picture set in one go."""

    def __init__(self, question: Question) -> None:
        self._question, self._found = question, {}

    def __call__(self, spec: str, target: int, pictures: np.ndarray) -> np.ndarray:
        """(b, ...) for pictures (b, 3, height, width), which are the same at every call."""
        if spec not in self._found:
            inputs = torch.as_tensor(pictures, dtype=torch.float32, device=self._question.inputs.device)
            asked = replace(self._question, inputs=inputs)
            parts = [r for r in relevances(asked, [parse(spec)]) if isinstance(r, Relevance)]
            self._found[spec] = torch.cat([r.values for r in parts]).numpy() if parts else None
        values = self._found[spec]
        if values is None:
            return np.zeros((len(pictures), 1))
        return values[target] if values.ndim == 4 else values[target][:, -_patch_count(self._question) :]


def _patch_count(question: Question) -> int:
    rows, columns = question.encoder.grid(question.inputs)
    return rows * columns
