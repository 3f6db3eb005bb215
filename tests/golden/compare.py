"""The verdict on one key: the relative error of our array, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tests.golden import curves, first_methods, iterating, single_pass  # noqa: F401  enter their recipes
from tests.golden.folder import Key
from tests.golden.recipes import find

EXACT = 0.0


@dataclass(frozen=True)
class Verdict:
    """error: max|a - b| / max|b| of our a and the recorded b, None where nothing was computed; limit: of the
    error; problem: '' or why the key does not pass."""

    name: str
    error: float | None
    limit: float | None
    problem: str


def relative_error(ours: np.ndarray, recorded: np.ndarray) -> float:
    """max|a - b| / max|b|, infinite where shapes differ or one has NaN where the other has none; of integers,
    0 or infinity. Against zeros the error is absolute."""
    if ours.shape != recorded.shape:
        return np.inf
    if recorded.dtype.kind in "iu":
        return EXACT if np.array_equal(ours, recorded) else np.inf
    absent = np.isnan(recorded)
    if not np.array_equal(np.isnan(ours), absent):
        return np.inf
    if absent.all():
        return EXACT
    a, b = ours[~absent].astype(np.float64), recorded[~absent].astype(np.float64)
    return float(np.abs(a - b).max() / (np.abs(b).max() or 1.0))


def judge(key: Key) -> Verdict:
    """Compute a key with the engine and compare."""
    found = find(key.key)
    if found is None:
        return Verdict(key.name, None, None, "not covered")
    recipe, match = found
    try:
        ours, recorded = recipe.compute(key.case, **match), recipe.recorded(key.recorded)
    except Exception as error:  # one key that cannot be computed or read must not hide the others' verdicts
        return Verdict(key.name, None, recipe.limit, f"failed: {type(error).__name__}: {error}")
    lacks_axis = key.case.single and ours.ndim == recorded.ndim + 1  # what no image has a part in has none
    error = relative_error(ours[0] if lacks_axis else ours, recorded)
    shapes = "" if np.isfinite(error) else f" (shapes {ours.shape} and {recorded.shape}, or NaN elsewhere)"
    return Verdict(
        key.name, error, recipe.limit, "" if error <= recipe.limit else f"out of tolerance{shapes}"
    )
