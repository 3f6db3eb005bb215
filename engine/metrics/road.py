"""ROAD: hidden pixels are drawn from their neighbours, so that the shape of the hole says little.

Rong et al., A Consistent and Efficient Evaluation Strategy for Attribution Methods, ICML 2022.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from engine.metrics.curve import counts, kept

DIRECT, DIAGONAL = 1 / 6, 1 / 12  # weights of the eight neighbours, as in the paper
NEIGHBOURS = [
    (dy, dx, DIAGONAL if dy and dx else DIRECT) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx
]
SHARES = tuple(i / 10 for i in range(1, 10))


def impute(picture: np.ndarray, keep: np.ndarray, noise: float = 0.01, seed: int = 0) -> np.ndarray:
    """The picture (channels, height, width) with each pixel outside `keep` (height, width) set to the
    weighted mean of its neighbours, all at once, plus Gaussian noise of standard deviation `noise`.

    At the border the weights of the neighbours there are divided by their sum. Hidden pixels that no kept one
    bounds keep nothing to be drawn from and get the mean of each channel. Returns an array of the same type.
    """
    hidden = ~keep
    if not keep.any():
        solved = np.broadcast_to(
            picture.reshape(len(picture), -1).mean(1)[:, None], (len(picture), keep.size)
        ).T
    elif hidden.any():
        solved = _solve(picture.astype(np.float64), hidden)
    else:
        return picture.copy()
    random = np.random.default_rng(seed)
    noisy = solved + noise * random.standard_normal(solved.shape)
    filled = picture.copy()
    filled[:, hidden] = noisy.T
    return filled


def _solve(picture: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Values (hidden pixels, channels) that each are the weighted mean of their neighbours."""
    # Not above: stored curves are looked up without it, and it takes a good part of a page's first second.
    from scipy import sparse
    from scipy.sparse.linalg import splu

    height, width = hidden.shape
    number = np.full(hidden.shape, -1)
    number[hidden] = np.arange(hidden.sum())
    rows, columns = np.nonzero(hidden)
    own = number[hidden]
    total, right = np.zeros(len(own)), np.zeros((len(own), len(picture)))
    entries = []
    for dy, dx, weight in NEIGHBOURS:
        y, x = rows + dy, columns + dx
        inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
        total += weight * inside
        y, x, place = y[inside], x[inside], own[inside]
        unknown = hidden[y, x]
        entries.append((place[unknown], number[y, x][unknown], np.full(unknown.sum(), -weight)))
        np.add.at(right, place[~unknown], weight * picture[:, y[~unknown], x[~unknown]].T)
    entries.append((own, own, total))
    i, j, values = (np.concatenate(part) for part in zip(*entries, strict=True))
    matrix = sparse.csc_array((values, (i, j)), shape=(len(own), len(own)))
    return splu(matrix, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).solve(right)


def road(
    order: np.ndarray,
    picture: np.ndarray,
    scorer: Callable[[np.ndarray], np.ndarray],
    shares: Sequence[float] = SHARES,
    *,
    noise: float = 0.01,
    seed: int = 0,
) -> float:
    """(Least relevant first - most relevant first) / 2 of the scores after imputation, averaged over
    `shares`.

    order: ranks (rows, columns) of patches or pixels; picture: (channels, height, width), sides multiples of
    them. scorer: pictures (b, channels, height, width) -> scores (b,). Higher is better.
    """
    changed = counts(shares, order.size)
    values = []
    for least in (True, False):
        masks = kept(order.ravel(), changed[:, None], insert=False, least=least)
        large = enlarge(masks.reshape(-1, *order.shape), picture.shape[-2:])
        values.append(scorer(np.stack([impute(picture, keep, noise, seed) for keep in large])))
    return float((values[0] - values[1]).mean() / 2)


def enlarge(masks: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Masks (b, rows, columns) over patches as masks over pixels (b, height, width)."""
    down, across = (side // cells for side, cells in zip(size, masks.shape[-2:], strict=True))
    return masks.repeat(down, axis=-2).repeat(across, axis=-1)
