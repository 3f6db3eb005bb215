"""How alike maps are, and how concentrated one is: pure functions of raw maps.

Methods have different units, so two methods are compared by rank or by share of the total only.
Krishna et al., The Disagreement Problem in Explainable Machine Learning, 2022; Chalasani et al., 2020 (Gini).
"""

from __future__ import annotations

import numpy as np


def gini(values: np.ndarray) -> float:
    """Sparsity of |values| (any shape): 0 where all are equal (or 0), 1 - 1/n where one holds everything."""
    sizes = np.sort(np.abs(np.asarray(values, np.float64)).ravel())
    total = sizes.sum()
    if total == 0:
        return 0.0
    n = sizes.size
    return float((2 * np.arange(1, n + 1) - n - 1) @ sizes / (n * total))


def spearman(maps: np.ndarray) -> np.ndarray:
    """Spearman rank correlation of every two rows of `maps` (n, patches), float64 (n, n) in [-1, 1].

    Ties get their mean rank. A row without any variation has no ranking: its entries are NaN.
    """
    ranks = np.stack([_ranks(row) for row in maps])
    ranks -= ranks.mean(axis=1, keepdims=True)
    length = np.sqrt((ranks**2).sum(axis=1))
    size = np.outer(length, length)
    return np.divide(ranks @ ranks.T, size, out=np.full(size.shape, np.nan), where=size > 0).clip(-1, 1)


def top_overlap(maps: np.ndarray, share: float = 0.1) -> np.ndarray:
    """Share of the strongest patches that every two rows of `maps` (n, patches) have in common: (n, n), 0..1.

    share: of the patches that count as strongest, at least one patch. Ties are broken by a stable sort; two
    independent maps overlap by about `share`.
    """
    maps = np.asarray(maps, np.float64)
    count = max(1, round(share * maps.shape[1]))
    strongest = np.argsort(-maps, axis=1, kind="stable")[:, :count]
    chosen = np.zeros(maps.shape)
    np.put_along_axis(chosen, strongest, 1.0, axis=1)
    return chosen @ chosen.T / count


def rank_difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Rank of each patch in `a` less its rank in `b`, as a share of the patches: same shape, in (-1, 1).

    Positive where `a` ranks a patch higher than `b` does.
    """
    return ((_ranks(a) - _ranks(b)) / a.size).reshape(a.shape)


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks 1 to n of the flat values, ties with their mean. scipy.stats has the same, but importing it would
    take half of the first second of a page."""
    flat = np.asarray(values).ravel()
    ordered = np.sort(flat)
    return (np.searchsorted(ordered, flat, "left") + np.searchsorted(ordered, flat, "right") + 1) / 2
