"""What is asked of curves and what comes back: frozen values, NumPy and plain Python. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import numpy as np

from engine.tiles import check_distinct
from engine.types import Failure, Image, ModelInfo, Request, SidelightError, Target

UNITS = ("patch", "pixel")
SPACES = ("input", "image")
# mean: the colour of the preprocessing's mean, zero in the model's input. blur: RISE's Gaussian. noise: a
# uniform random colour for each pixel. neighbours: ROAD's noisy linear imputation, which depends on what is
# hidden.
FILLS = ("mean", "blur", "black", "noise", "neighbours")
SCORES = ("cosine", "probability", "top-1", "top-5", "top-10")
CONTROLS = ("random", "center", "edges")
IMAGENET = "imagenet"  # the 1000 class names of ImageNet in CLIP's 80 templates
EVEN = tuple(i / 20 for i in range(21))


@dataclass(frozen=True)
class Protocol:
    """How curves are made.

    unit: what is ranked and changed. space: 'input', the picture that the model sees, or 'image', the
    picture at its own size before it is resized and cropped (pixels only). hide: fill of what deletion
    takes away; reveal: fill that insertion starts from. deletion, insertion: the shares of units changed,
    increasing, 0..1. score: of SCORES; all of them come from the same passes, so another score needs no
    computation. classes: what probability and top-k choose among; empty means the request's prompts. seed:
    of the noise. steps: if not 0, units are changed in steps of units // steps, as authors' loops do.
    """

    unit: Literal["patch", "pixel"] = "patch"
    space: Literal["input", "image"] = "input"
    hide: str = "mean"
    reveal: str = "mean"
    deletion: tuple[float, ...] = EVEN
    insertion: tuple[float, ...] = EVEN
    score: str = "cosine"
    classes: tuple[str, ...] | Literal["imagenet"] = ()
    seed: int = 0
    steps: int = 0

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("unit", self.unit, UNITS),
            ("space", self.space, SPACES),
            ("fill", self.hide, FILLS),
            ("fill", self.reveal, FILLS),
            ("score", self.score, SCORES),
        ):
            if value not in allowed:
                raise SidelightError(f"There is no {name} {value!r}; use {', '.join(allowed)}.")
        if self.space == "image" and "neighbours" in (self.hide, self.reveal):
            raise SidelightError(
                "The fill 'neighbours' is drawn in the model's input, and this protocol changes the image at "
                "its own size; use another fill, or another protocol."
            )
        if self.space == "image" and self.unit == "patch":
            raise SidelightError("Patches are of the model's input; use pixels for the image's own size.")
        if self.seed < 0:
            raise SidelightError(f"The seed must be a whole number of at least 0, not {self.seed}.")
        if self.classes != IMAGENET:
            check_distinct(self.classes)
        for shares in (self.deletion, self.insertion):
            rising = all(a < b for a, b in pairwise(shares))
            if len(shares) < 2 or not rising or not 0 <= shares[0] <= shares[-1] <= 1:
                raise SidelightError("The shares of a curve must rise, from 0 at least to 1 at most.")


@dataclass(frozen=True)
class CurveRequest:
    """Curves of the maps that `maps` asks for (its branch must be 'image'). controls: whether random,
    center and edges are added where they are not asked for. only: label of the one target whose curves are
    wanted, '' for all; the others count for methods that mix prompts."""

    maps: Request
    protocol: Protocol = field(default_factory=Protocol)
    controls: bool = True
    only: str = ""

    @property
    def targets(self) -> tuple[Target, ...]:
        """Those whose curves are wanted."""
        return tuple(target for target in self.maps.targets if self.only in ("", target.label))

    @property
    def device(self) -> str:
        """Where it is computed."""
        return self.maps.device


@dataclass(frozen=True)
class Curve:
    """The curves of one method's map for one target.

    ranks: int32, by patch (rows, columns) or pixel (height, width): 0 where the map is highest; ties in
    reading order. A unit is changed at a share, most relevant first, where its rank is below the number that
    engine.metrics.curve.counts gives; least relevant first, where units - 1 - rank is. deletion, insertion:
    float64, the score at each of the protocol's shares, most relevant first; *_least: least relevant first.
    score: of the untouched picture; empty: of the fill that insertion starts from. auc: areas under deletion
    and insertion by the trapezoid rule over the points, evenly spaced or not; least: of the other order.
    slope: mean drop per 10 % over the first 30 % of deletion. share90: the smallest share revealed at which
    insertion reaches 90 % of the score, NaN where none does. aid: mean over steps of least-first minus
    most-first deletion, both scaled to (f - empty) / (score - empty); NaN where a protocol does not go from 0
    to 1.
    """

    spec: str
    target: str
    ranks: np.ndarray
    deletion: np.ndarray
    insertion: np.ndarray
    deletion_least: np.ndarray
    insertion_least: np.ndarray
    score: float
    empty: float
    auc: tuple[float, float]
    least: tuple[float, float]
    slope: float
    share90: float
    aid: float


@dataclass(frozen=True)
class Curves:
    """All that was asked of one image; absent curves are not computed yet.

    specs: canonical, controls last. base, hidden, revealed: uint8 (height, width, 3), the picture in the
    protocol's space, and the fills of deletion and of insertion as pictures; where a fill is 'neighbours'
    its picture is the mean colour, and engine.curves.perturbed makes each step's. units: (rows, columns) of
    ranks. passes: forward passes that were computed for it, identical inputs once.
    """

    image: Image
    model: ModelInfo
    resize: str
    protocol: Protocol
    targets: tuple[Target, ...]
    specs: tuple[str, ...]
    curves: tuple[Curve, ...]
    failures: tuple[Failure, ...]
    base: np.ndarray
    hidden: np.ndarray
    revealed: np.ndarray
    units: tuple[int, int]
    passes: int = 0

    def get(self, spec: str, target: str) -> Curve | None:
        """The curve of a method and a target's label, or None if it is absent."""
        return next((c for c in self.curves if (c.spec, c.target) == (spec, target)), None)
