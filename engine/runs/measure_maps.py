"""Metrics that need the map alone, the true region, or other maps: no pass of the model."""

from __future__ import annotations

from collections.abc import Iterator

from engine.metrics.agreement import gini
from engine.metrics.likeness import entropy, score_fidelity, text_specificity
from engine.metrics.localisation import average_precision, energy, pointing_game, segmentation
from engine.render.scales import enlarge
from engine.runs.subject import Subject
from engine.types import Map

NAN = float("nan")


def of_map(subject: Subject, item: Map) -> Iterator[tuple[str, float]]:
    """Name and value of each metric of the map of one method and target."""
    yield "gini", gini(item.values)
    yield "entropy", entropy(item.values)
    yield "score_fidelity", score_fidelity(item.score, item.explained_score)
    yield "milliseconds", 1000 * item.seconds
    for name, others in (
        ("text_specificity", subject.unrelated),
        ("meaningless_text", subject.meaningless),
    ):
        if item.spec in others:
            yield name, text_specificity(item.values, others[item.spec].values)


def of_region(subject: Subject, item: Map) -> Iterator[tuple[str, float]]:
    """Localisation over the seen part of the image at its own size; nothing where no region is known."""
    region = subject.regions.get(item.target)
    if region is None:
        return
    large = enlarge(item.values, region.shape[::-1])
    yield "pointing", float(pointing_game(large, region))
    yield "pointing_15", float(pointing_game(large, region, tolerance=15))
    yield "energy", energy(large, region)
    found = segmentation(large, region)
    yield "miou", found.miou
    yield "accuracy", found.accuracy
    yield "map", average_precision(large, region)
