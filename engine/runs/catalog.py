"""The metrics that a run can ask for, as data. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass

from engine.runs.meanings import MEANINGS
from engine.types import SidelightError


@dataclass(frozen=True)
class Metric:
    """higher: whether more is better, None where neither is. group: what it is measured with. masks:
    whether it needs the object's true region. default: whether a run that names no metrics has it."""

    name: str
    title: str
    group: str
    higher: bool | None
    unit: str
    masks: bool = False
    default: bool = False

    @property
    def meaning(self) -> str:
        """What it says, in a sentence."""
        return MEANINGS[self.name]

    @property
    def judges(self) -> bool:
        """Whether methods ought to beat the controls by it: it has a better end, and is no cost."""
        return self.higher is not None and self.group != "time"


_ALL = (
    Metric("deletion", "Deletion", "curves", False, "area under the curve", default=True),
    Metric("insertion", "Insertion", "curves", True, "area under the curve", default=True),
    Metric("aid", "AID", "curves", True, "share of the score", default=True),
    Metric("slope", "Slope", "curves", True, "score lost per 10 %"),
    Metric("share90", "Share for 90 %", "curves", False, "share of the units"),
    Metric("road", "ROAD", "perturbation", True, "score"),
    Metric("saco", "SaCo", "perturbation", True, "-1 to 1", default=True),
    Metric("mu_fidelity", "mu-fidelity", "perturbation", True, "correlation"),
    Metric("infidelity", "Infidelity, scaled", "perturbation", False, "squared score"),
    Metric("max_sensitivity", "Max-sensitivity", "perturbation", False, "relative change"),
    Metric("confidence_drop", "Confidence drop", "perturbation", False, "points", default=True),
    Metric("confidence_increase", "Confidence increase", "perturbation", True, "% of images"),
    Metric("pointing", "Pointing game", "localisation", True, "share of hits", masks=True, default=True),
    Metric("pointing_15", "Pointing game, 15 px", "localisation", True, "share of hits", masks=True),
    Metric("energy", "Energy in mask", "localisation", True, "share", masks=True, default=True),
    Metric("miou", "mIoU, above the mean", "localisation", True, "0 to 1", masks=True, default=True),
    Metric("accuracy", "Pixel accuracy, above the mean", "localisation", True, "0 to 1", masks=True),
    Metric("map", "mAP", "localisation", True, "0 to 1", masks=True, default=True),
    Metric("gini", "Gini", "map", None, "0 to 1"),
    Metric("entropy", "Entropy", "map", None, "nats"),
    Metric("text_specificity", "Text-specificity", "map", True, "0 to 2", default=True),
    Metric("meaningless_text", "Text-specificity, meaningless prompt", "map", True, "0 to 2"),
    Metric("score_fidelity", "Score fidelity", "map", False, "difference of scores"),
    Metric("randomisation", "Randomisation, Spearman", "map", False, "correlation"),
    Metric("randomisation_ssim", "Randomisation, SSIM", "map", False, "SSIM"),
    Metric("milliseconds", "Time in a shared grid", "time", False, "ms a map"),
    Metric("milliseconds_alone", "Time alone", "time", False, "ms a map"),
    Metric("forward_passes", "Forward passes alone", "time", False, "inputs of the image tower"),
)
METRICS = {metric.name: metric for metric in _ALL}
DEFAULT = tuple(metric.name for metric in _ALL if metric.default)


def checked(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names, each once; SidelightError names those there are."""
    for name in names:
        if name not in METRICS:
            raise SidelightError(f"There is no metric {name[:80]!r}; the metrics are {', '.join(METRICS)}.")
    return tuple(dict.fromkeys(names))
