"""What a run over a set is, how far it is, and what it found: frozen values. Loads no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.curves.types import Protocol


@dataclass(frozen=True)
class RunRequest:
    """A benchmark of methods over a set.

    set: name of a curated set, or a folder (see engine.sources). specs: methods as typed; controls: whether
    random, center and edges are added. metrics: names of engine.runs.METRICS, empty for the default ones.
    first: the first N images only. targets: at most so many prompts an image. reference: the spec that the
    others are compared with, default the first. protocol: of the curves; other metrics perturb patches with
    the mean colour and read the cosine. seed: of every metric that draws.
    """

    set: str
    specs: tuple[str, ...]
    metrics: tuple[str, ...] = ()
    model: str = "bundled"
    pretrained: str | None = None
    resize: str = "crop"
    device: str = "auto"
    first: int | None = None
    targets: int | None = None
    reference: str | None = None
    controls: bool = True
    protocol: Protocol = field(default_factory=Protocol)
    seed: int = 0


@dataclass(frozen=True)
class RunStatus:
    """How far a run is. total: images; done, failed: images finished and images that gave a problem; rate:
    images a second of this process; left: seconds to go, None while unknown. problems: a sentence each."""

    total: int
    done: int
    failed: int
    rate: float
    left: float | None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Estimate:
    """One method and metric over the images. mean with its 95 % interval from paired image-level bootstrap
    resamples; difference to the reference with its interval, the Wilcoxon signed-rank p and p_holm, corrected
    over the methods (None for the reference itself). rank: 1 is best. images: how many had a value."""

    spec: str
    metric: str
    mean: float
    low: float
    high: float
    images: int
    rank: float
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None
    p: float | None = None
    p_holm: float | None = None


@dataclass(frozen=True)
class Row:
    """One value of the tidy table: image x target x method x metric."""

    image: str
    target: str
    spec: str
    metric: str
    value: float


@dataclass(frozen=True)
class Measured:
    """What the unit of work finds of one image. failures: why a method gave no map or a metric no value, by
    spec or metric."""

    rows: tuple[Row, ...]
    failures: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RunResult:
    """A run as it stands. rows: the tidy table; summary: of what is there; unmeasured: a sentence for each
    method that gave no map and each metric asked for that has no value; failures: none, see engine.jobs."""

    request: RunRequest
    status: RunStatus
    rows: tuple[Row, ...]
    summary: tuple[Estimate, ...]
    manifest: dict[str, Any]
    unmeasured: tuple[str, ...] = ()
    failures: tuple[()] = ()
