"""How alike two maps are as pictures, how spread one is, and what a map says of the text and of the model.

Wang et al., Image Quality Assessment: From Error Visibility to Structural Similarity, 2004 (SSIM); Bhatt et
al., 2020 (complexity); Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018 (randomisation).
Text-specificity and score fidelity are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from scipy import ndimage, stats

from engine.metrics.agreement import spearman
from engine.metrics.confidence import unit_range

WINDOW = 7  # side of the square that SSIM compares, as scikit-image has it
STABLE = (0.01**2, 0.03**2)  # of the original article, for a range of 1


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Mean structural similarity of two maps (height, width), each scaled to [0, 1]; at most 1.

    Windows of 7 x 7, or the largest odd side that fits; sample covariance; windows that lie inside only.
    """
    a, b = (unit_range(np.asarray(m, np.float64)) for m in (a, b))
    side = min(WINDOW, min(a.shape) - 1 + min(a.shape) % 2)
    correction = side**2 / max(side**2 - 1, 1)

    def mean(values: np.ndarray) -> np.ndarray:
        return ndimage.uniform_filter(values, side)

    mean_a, mean_b = mean(a), mean(b)
    var_a, var_b = (correction * (mean(m * m) - u * u) for m, u in ((a, mean_a), (b, mean_b)))
    both = correction * (mean(a * b) - mean_a * mean_b)
    top = (2 * mean_a * mean_b + STABLE[0]) * (2 * both + STABLE[1])
    table = top / ((mean_a**2 + mean_b**2 + STABLE[0]) * (var_a + var_b + STABLE[1]))
    edge = side // 2
    return float(table[edge : a.shape[0] - edge, edge : a.shape[1] - edge].mean())


def entropy(values: np.ndarray) -> float:
    """Entropy in nats of |values| divided by their sum: 0 where one unit holds all, ln n where all hold the
    same. NaN for zeros."""
    sizes = np.abs(np.asarray(values, np.float64)).ravel()
    return float(stats.entropy(sizes)) if sizes.any() else float("nan")


def text_specificity(values: np.ndarray, unrelated: np.ndarray) -> float:
    """1 - Spearman correlation of a prompt's map with an unrelated prompt's, in [0, 2]: 0 where the text
    does not matter. NaN where a map has no differences."""
    return float(1 - spearman(np.stack([np.ravel(values), np.ravel(unrelated)]))[0, 1])


def score_fidelity(score: float, explained: float) -> float:
    """|explained - score|: 0 where the method explains the model that is deployed."""
    return abs(explained - score)


def randomisation(
    values: np.ndarray, maps: Callable[[int], np.ndarray], depths: Iterable[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Spearman correlation and SSIM, float64 (depths,) each, of a map (height, width) with those of the
    model whose `depth` topmost blocks have random weights; near 0 where a map depends on what the model has
    learned.

    maps: depth -> map of that model.
    """
    found = [maps(depth) for depth in depths]
    ranked = [spearman(np.stack([values.ravel(), other.ravel()]))[0, 1] for other in found]
    return np.array(ranked), np.array([ssim(values, other) for other in found])
