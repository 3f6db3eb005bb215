"""From pixels to patches to tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from engine.trace import Trace


def patch_means(x: Tensor, grid: tuple[int, int]) -> Tensor:
    """Pixel values [... height width] averaged over each patch: [... rows columns]."""
    return _tiles(x, grid).mean((-3, -1))


def patch_sums(x: Tensor, grid: tuple[int, int]) -> Tensor:
    """Pixel values [... height width] summed over each patch: [... rows columns]."""
    return _tiles(x, grid).sum((-3, -1))


def _tiles(x: Tensor, grid: tuple[int, int]) -> Tensor:
    """[... height width] -> [... rows, height of a patch, columns, width of a patch]"""
    rows, columns = grid
    return x.unflatten(-1, (columns, -1)).unflatten(-3, (rows, -1))


def as_tokens(trace: Trace, x: Tensor) -> Tensor:
    """Patch values [t b patches] as relevance over all tokens [t b n], zero at those that are no patches."""
    relevance = x.new_zeros(len(x), *trace.content.shape)
    relevance[:, trace.content] = x.flatten(1)
    return relevance
