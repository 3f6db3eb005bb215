"""Twins of engine.methods.controls."""

from __future__ import annotations

import zlib

import numpy as np
import torch
from torch import Tensor

from tests.engine.twins import Case, twin

PATCH = 16


def _after_class_token(grid: np.ndarray) -> Tensor:
    return torch.as_tensor(np.concatenate([[0.0], grid.ravel()]))


def _grid(case: Case) -> tuple[int, int]:
    return case.pixels.shape[1] // PATCH, case.pixels.shape[2] // PATCH


@twin("random", "random(seed=5)")
def random(case: Case) -> Tensor:
    crc = zlib.crc32(case.pixels.float().numpy().tobytes())
    return _after_class_token(np.random.default_rng([case.params["seed"], crc]).random(_grid(case)))


@twin("center", "center(sigma=0.1)")
def center(case: Case) -> Tensor:
    rows, columns = _grid(case)
    grid = np.zeros((rows, columns))
    for r in range(rows):
        for c in range(columns):
            distance = ((r + 0.5) / rows - 0.5) ** 2 + ((c + 0.5) / columns - 0.5) ** 2
            grid[r, c] = np.exp(-distance / (2 * case.params["sigma"] ** 2))
    return _after_class_token(grid)


@twin()
def edges(case: Case) -> Tensor:
    luma = np.tensordot([0.299, 0.587, 0.114], case.pixels.numpy(), 1)
    padded = np.pad(luma, 1, mode="symmetric")
    height, width = luma.shape
    across, down = np.zeros_like(luma), np.zeros_like(luma)
    for r in range(3):
        for c in range(3):
            window = padded[r : r + height, c : c + width]
            across += (c - 1) * (2 if r == 1 else 1) * window
            down += (r - 1) * (2 if c == 1 else 1) * window
    size = np.sqrt(across**2 + down**2)
    rows, columns = _grid(case)
    grid = np.zeros((rows, columns))
    for r in range(rows):
        for c in range(columns):
            grid[r, c] = size[r * PATCH : (r + 1) * PATCH, c * PATCH : (c + 1) * PATCH].mean()
    return _after_class_token(grid)
