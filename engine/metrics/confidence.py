"""What is left of the score when the picture is weighted by its map, as M2IB's authors evaluate.

Wang, Rudner and Wilson, NeurIPS 2023; after Chattopadhay et al., Grad-CAM++, 2018. The drop is absolute
there, not relative to the score.
"""

from __future__ import annotations

import numpy as np


def unit_range(values: np.ndarray) -> np.ndarray:
    """A map scaled to [0, 1]; one without differences becomes 0, which shows nothing."""
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.zeros_like(values)


def confidence_drop(score: float, weighted: float) -> float:
    """100 max(0, f(x) - f(x * a)), in points of the score; lower is better."""
    return 100 * max(0.0, score - weighted)


def confidence_increase(score: float, weighted: float) -> float:
    """100 where the weighted picture scores higher than the picture itself, else 0; higher is better."""
    return 100.0 * (weighted > score)
