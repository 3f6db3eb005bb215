"""From values of images to statements with their uncertainty: intervals, paired tests, ranks."""

from __future__ import annotations

import warnings

import numpy as np
from scipy import stats

RESAMPLES = 2000
CONFIDENCE = 0.95


def bootstrap(values: np.ndarray, seed: int = 0, resamples: int = RESAMPLES) -> tuple[np.ndarray, np.ndarray]:
    """Ends (rows,) of the 95 % percentile interval of each row's mean, values (rows, images), NaN left out.

    Each resample draws the same images for all rows, so that differences of rows are paired. NaN for fewer
    than two images.
    """
    images = values.shape[1]
    if images < 2:
        return np.full(len(values), np.nan), np.full(len(values), np.nan)
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)

    def means(drawn: np.ndarray, axis: int) -> np.ndarray:
        """Means (rows, resamples) of the images drawn (resamples, images), as two products of matrices."""
        place = np.arange(len(drawn))[:, None] * images + drawn
        often = np.bincount(place.ravel(), minlength=drawn.size).reshape(drawn.shape).T.astype(float)
        count = known @ often
        return np.divide(filled @ often, count, out=np.full(count.shape, np.nan), where=count > 0)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a row, or a resample of it, may hold NaN only
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        drawn = stats.bootstrap(
            (np.arange(images),),
            means,
            vectorized=True,
            n_resamples=resamples,
            batch=max(1, 2**24 // images),
            method="percentile",
            rng=np.random.default_rng(seed),
        ).bootstrap_distribution
        edge = (1 - CONFIDENCE) / 2
        low, high = np.nanquantile(drawn, (edge, 1 - edge), axis=-1)
    return low, high


def wilcoxon(a: np.ndarray, b: np.ndarray) -> float:
    """Two-sided p of the Wilcoxon signed-rank test of paired values (images,); pairs with NaN are left out.
    Pairs that differ by rounding only are equal. 1 where no pair differs, NaN where there is none."""
    difference = np.where(np.isclose(a, b, rtol=1e-9, atol=1e-12), 0, a - b)
    difference = difference[np.isfinite(difference)]
    if not len(difference):
        return float("nan")
    return float(stats.wilcoxon(difference).pvalue) if difference.any() else 1.0


def holm(p: np.ndarray) -> np.ndarray:
    """p values (m,) corrected for m tests (Holm, 1979), at most 1, in the same order; NaN stay and do not
    count."""
    p = np.asarray(p, np.float64)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    corrected = np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1))
    found = np.full(p.shape, np.nan)
    found[order] = np.minimum(corrected, 1)
    return found


def places(means: np.ndarray, higher_is_better: bool) -> np.ndarray:
    """Rank (m,) of each mean: 1 is best, ties share their mean rank, NaN has none."""
    signed = -means if higher_is_better else means
    return stats.rankdata(signed, nan_policy="omit")
