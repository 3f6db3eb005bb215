"""Does a map lie on the object? Maps and masks of one shape, (height, width) in pixels.

Zhang et al., Top-down Neural Attention by Excitation Backprop, 2018 (pointing game); Wang et al.,
Score-CAM, 2020 (energy); Chefer et al., 2021, and Bousselham et al., LeGrad, 2024 (segmentation).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage


@dataclass(frozen=True)
class Segmentation:
    """A map as a segmentation of the object. foreground, background: intersection over union; accuracy:
    share of the pixels on the right side. All in 0..1."""

    foreground: float
    background: float
    accuracy: float

    @property
    def miou(self) -> float:
        """Mean of the two intersections over union."""
        return (self.foreground + self.background) / 2


def pointing_game(values: np.ndarray, mask: np.ndarray, tolerance: float = 0.0) -> bool:
    """Whether the maximum (the first one in reading order) lies in the mask or within `tolerance` pixels of
    it."""
    place = np.unravel_index(np.argmax(values), values.shape)
    if mask[place] or not mask.any():
        return bool(mask[place])
    return bool(ndimage.distance_transform_edt(~mask)[place] <= tolerance)


def energy(values: np.ndarray, mask: np.ndarray) -> float:
    """Positive relevance inside the mask over all positive relevance; NaN where there is none."""
    positive = np.clip(values, 0, None).astype(np.float64)
    total = positive.sum()
    return float(positive[mask].sum() / total) if total > 0 else float("nan")


def segmentation(values: np.ndarray, mask: np.ndarray, threshold: float | None = None) -> Segmentation:
    """The map binarised above `threshold`, or above its own mean where none is given, against the mask.

    The rule decides much: state it with every number. A class that neither has counts as found.
    """
    found = values > (values.mean(dtype=np.float64) if threshold is None else threshold)
    return Segmentation(_iou(found, mask), _iou(~found, ~mask), float((found == mask).mean()))


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    union = (a | b).sum()
    return float((a & b).sum() / union) if union else 1.0


def average_precision(values: np.ndarray, mask: np.ndarray) -> float:
    """Area under precision over recall of the pixels ranked by the map, without a threshold: the sum of
    precision times the gain of recall, equal values taken together. NaN for an empty mask."""
    flat, wanted = values.ravel(), mask.ravel()
    if not wanted.any():
        return float("nan")
    order = np.argsort(-flat, kind="stable")
    ordered = flat[order]
    ends = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), flat.size - 1)
    hits = np.cumsum(wanted[order])[ends]
    precision = hits / (ends + 1)
    gain = np.diff(hits, prepend=0) / hits[-1]
    return float(precision @ gain)
