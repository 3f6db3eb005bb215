"""The numbers behind a drawn map: full strength, what is cut off, what lies between patches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image as Pillow

from engine.types import SidelightError

SCALES = ("map", "shared", "clip", "rank")
CLIP = 0.02  # share of the patches that the clipped scale leaves out at each end


@dataclass(frozen=True)
class Scaled:
    """A map as it is drawn.

    field: float32, the map's shape, 0 (nothing) to 1 (strongest); if signed -1 to 1, and 0 is a raw zero.
    low, high: the raw values at the two ends of the colours; for 'rank' the last and the first rank.
    """

    field: np.ndarray
    low: float
    high: float
    signed: bool


def scale(maps: Sequence[np.ndarray], mode: str = "map", signed: bool = False) -> tuple[Scaled, ...]:
    """The maps of one method, each as a field.

    maps: finite, any shapes. mode 'map': each from its smallest to its largest value. 'shared': all from the
    smallest to the largest of them all. 'clip': each between its 2nd and 98th percentile (linear between
    values), or as 'map' where these are equal. 'rank': the share of the other patches that are weaker, which
    alone compares across methods, and never signed. signed: the ends are the largest absolute value (or its
    98th percentile) and its negative. A constant map is 0 everywhere. SidelightError for an unknown mode.
    """
    if mode not in SCALES:
        raise SidelightError(f"There is no scale {mode!r}; the scales are {', '.join(SCALES)}.")
    if mode == "rank":
        return tuple(Scaled(_weaker(values), values.size, 1, False) for values in maps)
    if mode == "shared" and maps:
        ends = [_ends(np.concatenate([values.ravel() for values in maps]), signed)] * len(maps)
    else:
        ends = [_ends(values.ravel(), signed, CLIP if mode == "clip" else 0) for values in maps]
    return tuple(
        Scaled(_between(values, low, high, signed), low, high, signed)
        for values, (low, high) in zip(maps, ends, strict=True)
    )


def _ends(values: np.ndarray, signed: bool, left_out: float = 0) -> tuple[float, float]:
    numbers = np.abs(values) if signed else values
    low, high = np.quantile(numbers.astype(np.float64), (left_out, 1 - left_out))
    if left_out and (high == 0 if signed else low == high):
        return _ends(values, signed)
    return (-float(high) if signed else float(low)), float(high)


def _between(values: np.ndarray, low: float, high: float, signed: bool) -> np.ndarray:
    if low == high:
        return np.zeros(values.shape, np.float32)
    share = np.clip((values.astype(np.float64) - low) / (high - low), 0, 1)
    return (2 * share - 1 if signed else share).astype(np.float32)


def _weaker(values: np.ndarray) -> np.ndarray:
    flat = values.ravel()
    below = np.searchsorted(np.sort(flat), flat, side="left")
    return (below / max(flat.size - 1, 1)).astype(np.float32).reshape(values.shape)


def kept_from(field: np.ndarray, top: float = 100, above: float = 0) -> float:
    """The strength (absolute value) from which patches are drawn, -inf for all of them.

    above: per cent of the scale; where it is 0, `top` per cent of the patches are kept, the strongest first,
    one at least, and with the last one all of its strength.
    """
    if above > 0:
        return above / 100
    if top >= 100:
        return -np.inf
    strengths = np.sort(np.abs(field).ravel())
    return float(strengths[-max(1, int(top / 100 * strengths.size + 0.5))])


def enlarge(field: np.ndarray, size: tuple[int, int], smooth: bool = True) -> np.ndarray:
    """A field (rows, columns) on `size` (width, height) pixels: bilinear between patch centres with the
    outermost values held to the edge, or one block per patch. float32 (height, width)."""
    kernel = Pillow.Resampling.BILINEAR if smooth else Pillow.Resampling.NEAREST
    return np.asarray(Pillow.fromarray(field.astype(np.float32)).resize(size, kernel))
