"""Does a map foretell what a change of the input does to the score?

Bhatt et al., Evaluating and Aggregating Feature-based Model Explanations, IJCAI 2020 (mu-fidelity); Yeh et
al., On the (In)fidelity and Sensitivity of Explanations, NeurIPS 2019.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.metrics.curve import MaskScorer

ImageScorer = Callable[[np.ndarray], np.ndarray]


def mu_fidelity(
    values: np.ndarray, scorer: MaskScorer, *, subsets: int = 200, share: float = 0.2, seed: int = 0
) -> float:
    """Pearson correlation, over random subsets of the units, of their summed relevance with the score lost
    when they are hidden; in [-1, 1], higher is better. NaN where either does not vary.

    values: raw map of n units, any shape; scorer: masks (b, n) -> scores (b,).
    """
    flat = np.asarray(values, np.float64).ravel()
    size = max(1, round(share * flat.size))
    draws = np.random.default_rng(seed).random((subsets, flat.size))
    hidden = np.zeros((subsets + 1, flat.size), bool)
    np.put_along_axis(hidden[1:], np.argpartition(draws, size - 1, axis=1)[:, :size], True, axis=1)
    scores = np.asarray(scorer(~hidden), np.float64)
    return _pearson(hidden[1:] @ flat, scores[0] - scores[1:])


def _pearson(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    length = np.sqrt((a @ a) * (b @ b))
    # A constant series leaves nothing but rounding, whose correlation means nothing.
    return float(a @ b / length) if min(np.ptp(a), np.ptp(b)) > 1e-12 and length > 0 else float("nan")


def infidelity(
    values: np.ndarray,
    picture: np.ndarray,
    scorer: ImageScorer,
    *,
    draws: int = 200,
    sigma: float = 0.2,
    scaled: bool = False,
    batch: int = 32,
    seed: int = 0,
) -> float:
    """E[(<d, a> - (f(x) - f(x - d)))^2] over Gaussian d of standard deviation `sigma`; lower is better.

    values: a, of the shape of the picture x (channels, height, width) or one that broadcasts to it; scorer:
    pictures (b, ...) -> scores (b,). scaled: a is first multiplied by the number that makes the error
    least, so that maps of different units can be compared (Yeh et al., section 2).
    """
    random = np.random.default_rng(seed)
    whole = float(scorer(picture[None])[0])
    said, found = [], []
    for start in range(0, draws, batch):
        shape = (min(batch, draws - start), *picture.shape)
        noise = (sigma * random.standard_normal(shape)).astype(picture.dtype)
        said.append((noise * values).reshape(len(noise), -1).sum(1, dtype=np.float64))
        found.append(whole - np.asarray(scorer(picture - noise), np.float64))
    a, b = np.concatenate(said), np.concatenate(found)
    if scaled:
        a = a * (a @ b / (a @ a) if a.any() else 0.0)
    return float(np.mean((a - b) ** 2))


def max_sensitivity(
    picture: np.ndarray,
    maps: Callable[[np.ndarray], np.ndarray],
    *,
    draws: int = 10,
    radius: float = 0.02,
    seed: int = 0,
) -> float:
    """The largest change of the map, relative to its Euclidean length, over `draws` uniform perturbations
    of the picture by at most `radius` a value; lower is better. NaN for a map of zeros.

    maps: pictures (b, channels, height, width) -> maps (b, ...).
    """
    random = np.random.default_rng(seed)
    noise = random.uniform(-radius, radius, (draws, *picture.shape)).astype(picture.dtype)
    found = np.asarray(maps(np.concatenate([picture[None], picture + noise])), np.float64).reshape(
        draws + 1, -1
    )
    length = np.linalg.norm(found[0])
    return float(np.linalg.norm(found[1:] - found[0], axis=1).max() / length) if length > 0 else float("nan")
