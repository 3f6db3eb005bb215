"""What a method says of a model that has learned nothing, and what it costs by itself. Loads torch."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from engine.explain import explain
from engine.metrics.likeness import randomisation
from engine.models import Model
from engine.randomised import randomised
from engine.runs.subject import Subject
from engine.types import Map, Request

DEPTHS = 4  # of the cascade, evenly spread from the top block to all of them


class Forgetful:
    """A store that keeps nothing, so that every map is computed."""

    def get(self, key: Any) -> None:
        return None

    def put(self, key: Any, arrays: Any, meta: Any) -> None:
        return None


def of_randomisation(subject: Subject) -> Iterator[tuple[Map, str, float]]:
    """Map, metric and value: the mean over the cascade (Adebayo et al.), a method's maps of one model at
    once."""
    found = subject.explanation
    blocks = len(subject.model.image.blocks)
    depths = sorted({round(blocks * n / DEPTHS) for n in range(1, DEPTHS + 1)} - {0})
    others = {}
    for depth in depths:
        model = randomised(subject.model, depth, subject.request.seed)
        others[depth] = explain(_asked(subject, found.specs), Forgetful(), loaded=model)
    for item in found.maps:
        pairs = {depth: e.get(item.spec, item.target) for depth, e in others.items()}
        if all(isinstance(other, Map) for other in pairs.values()):
            ranked, alike = randomisation(item.values, lambda depth, p=pairs: p[depth].values, depths)
            yield item, "randomisation", float(ranked.mean())
            yield item, "randomisation_ssim", float(alike.mean())


def of_time(subject: Subject) -> Iterator[tuple[Map, str, float]]:
    """Map, metric and value: each method asked for by itself, the recording included, divided by the
    targets."""
    for spec in subject.explanation.specs:
        model, passes = _counting(subject.model)
        started = time.perf_counter()
        alone = explain(_asked(subject, (spec,)), Forgetful(), loaded=model)
        seconds = time.perf_counter() - started
        for item in alone.maps:
            yield item, "milliseconds_alone", 1000 * seconds / len(alone.maps)
            yield item, "forward_passes", float(sum(passes))


def _asked(subject: Subject, specs: tuple[str, ...]) -> Request:
    found, request = subject.explanation, subject.request
    return Request(found.image, found.targets, specs, request.model, request.pretrained, found.resize)


def _counting(model: Model) -> tuple[Model, list[int]]:
    """The model with an image tower that notes how many inputs each pass has."""
    passes: list[int] = []

    def embed(inputs: Any) -> Any:
        passes.append(len(inputs))
        return model.image.embed(inputs)

    return replace(model, image=replace(model.image, embed=embed)), passes
