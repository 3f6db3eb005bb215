"""Deletion and insertion: the score as units of a picture (patches or pixels) are hidden or revealed in
order.

Petsiuk, Das and Saenko, RISE, BMVC 2018. A scorer takes bool masks (b, units), True where the picture is kept
and False where a fill stands in its place, and returns scores (b, k), one column for each thing scored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

MaskScorer = Callable[[np.ndarray], np.ndarray]
MASK_BYTES = 1 << 24  # of masks handed to a scorer at once, however many maps and steps there are


def ranks(values: np.ndarray) -> np.ndarray:
    """Rank of every unit, int32 of the same shape: 0 where the map is highest; ties in reading order."""
    flat = np.asarray(values).ravel()
    found = np.empty(flat.size, np.int32)
    found[np.argsort(-flat, kind="stable")] = np.arange(flat.size, dtype=np.int32)
    return found.reshape(np.shape(values))


def counts(shares: Sequence[float], units: int, steps: int = 0) -> np.ndarray:
    """How many of `units` units are changed at each share, int (s,).

    steps: if not 0, units are changed in steps of units // steps, as authors' loops do, and only the share 1
    changes the rest.
    """
    wanted = np.asarray(shares, np.float64)
    if not steps:
        return np.rint(wanted * units).astype(int)
    whole = np.rint(wanted * steps).astype(int) * (units // steps)
    return np.where(wanted == 1, units, whole)


def curves(
    order: np.ndarray,
    changed: np.ndarray,
    scorer: MaskScorer,
    *,
    insert: bool = False,
    least: bool = False,
) -> np.ndarray:
    """Scores (m, s, k) of m maps, after `changed` (s,) units each are hidden, or revealed on the fill.

    order: ranks (m, units). least: the least relevant units first. Masks are made as they are needed, so that
    memory does not grow with maps or steps.
    """
    maps, units = order.shape
    points = len(changed)
    step = max(1, MASK_BYTES // units)
    parts = []
    for start in range(0, maps * points, step):
        row, column = np.divmod(np.arange(start, min(start + step, maps * points)), points)
        parts.append(scorer(kept(order[row], changed[column, None], insert=insert, least=least)))
    found = np.concatenate(parts)
    return found.reshape(maps, points, *found.shape[1:])


def kept(order: np.ndarray, changed: np.ndarray | int, *, insert: bool, least: bool) -> np.ndarray:
    """Where the picture is kept after `changed` units, bool of the shape of `order` (ranks, units last)."""
    first = order.shape[-1] - 1 - order if least else order
    return first < changed if insert else first >= changed


def area(curve: np.ndarray) -> np.ndarray:
    """Area under curves (..., s) by the trapezoid rule over the point's index, divided by s - 1, as RISE's
    code has it: for evenly spaced shares the mean height."""
    curve = np.asarray(curve, np.float64)
    return (curve.sum(-1) - (curve[..., 0] + curve[..., -1]) / 2) / (curve.shape[-1] - 1)


def aid(most: np.ndarray, least: np.ndarray, full: float, empty: float) -> float:
    """Mean over the steps of deletion's least-relevant-first less its most-relevant-first curve (s,), both
    scaled to (f - empty) / (full - empty). Higher is better; NaN where full equals empty."""
    if full == empty:
        return float("nan")
    return float(np.mean(np.subtract(least, most, dtype=np.float64)) / (full - empty))


def share_reaching(shares: Sequence[float], insertion: np.ndarray, full: float, part: float = 0.9) -> float:
    """The smallest share revealed at which insertion (s,) reaches `part` of the score `full`. Lower is
    better; NaN where it never does, or the score is not positive."""
    reached = np.asarray(insertion) >= part * full
    return float(np.asarray(shares)[reached.argmax()]) if full > 0 and reached.any() else float("nan")


def slope(shares: Sequence[float], deletion: np.ndarray, upto: float = 0.3) -> float:
    """Mean drop of deletion (s,) per 10 % of the units, over the first `upto` of them. Higher is better."""
    start, end = np.interp([0, upto], shares, deletion)
    return float((start - end) * 0.1 / upto)
