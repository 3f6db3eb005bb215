"""RISE's random masks: drawn at once as small grids of cells, made large only as many as one pass needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True)
class Draw:
    """Random masks before they are enlarged. cells: bool (n, s, s), which are shown; shifts: (n, 2), where
    the crop starts, in rows and columns of the enlarged grid; size: (height, width) of a mask."""

    cells: np.ndarray
    shifts: np.ndarray
    size: tuple[int, int]


def draw(count: int, cells: int, probability: float, size: tuple[int, int], seed: int) -> Draw:
    """`count` grids of `cells` x `cells`, each cell shown with `probability`, shifted by less than a cell."""
    generator = np.random.default_rng(seed)
    shown = generator.random((count, cells, cells)) < probability
    shifts = generator.integers(0, [_cell(side, cells) for side in size], (count, 2))
    return Draw(shown, shifts, size)


def render(drawn: Draw, part: slice, device: torch.device | str = "cpu") -> Tensor:
    """The masks of `part`, float32 [m height width] in 0..1.

    Each axis is enlarged linearly to one cell more than the mask has, and cropped where the shift says; both
    axes together are two small matrix products.
    """
    import torch

    axes = []
    for axis, side in enumerate(drawn.size):
        start = drawn.shifts[part, axis, None] + np.arange(side)  # (m, side)
        axes.append(torch.as_tensor(_enlarge(drawn.cells.shape[1], side)[start], device=device))  # [m side s]
    rows, columns = axes
    return rows @ torch.as_tensor(drawn.cells[part], dtype=torch.float32, device=device) @ columns.mT


def _cell(side: int, cells: int) -> int:
    return -(-side // cells)


def _enlarge(cells: int, side: int) -> np.ndarray:
    """Linear interpolation from `cells` values to (cells + 1) * cell size, mirrored at the ends, a matrix."""
    long = (cells + 1) * _cell(side, cells)
    place = np.abs((np.arange(long) + 0.5) * cells / long - 0.5)
    place = np.minimum(place, 2 * (cells - 1) - place) if cells > 1 else np.zeros(long)
    low = np.minimum(place.astype(int), cells - 1)
    high = np.minimum(low + 1, cells - 1)
    matrix = np.zeros((long, cells), np.float32)
    np.add.at(matrix, (np.arange(long), low), 1 - (place - low))
    np.add.at(matrix, (np.arange(long), high), place - low)
    return matrix
