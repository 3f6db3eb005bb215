"""Rows of values in a byte each, fine enough for the eye at both ends of the scale. NumPy only.

A value is kept as the square root of its share of the row's largest value among patches or words: near the
top it is right to 0.4 %, and small values stay apart: a few tokens often attract most of the attention.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

POSITIVE, SIGNED = 255, 127  # the largest code of each kind


@dataclass(frozen=True)
class Rows:
    """One quantity of one block, for every source. h is 1 where heads do not matter.

    codes: (h, sources, tokens), uint8 where nothing is below zero, else int8. scale: float32 (h, sources),
    the value of the largest code. outside: float32 (h, sources, s), exact, at the s tokens that are neither
    patch nor word: class token; or start and end of text. Their codes are cut at the largest.
    """

    codes: np.ndarray
    scale: np.ndarray
    outside: np.ndarray


def encode(values: np.ndarray, content: np.ndarray, signed: bool) -> Rows:
    """values: float (h, sources, tokens), finite; content: bool (tokens,), which tokens set the scale."""
    top = SIGNED if signed else POSITIVE
    inside = np.abs(values[:, :, content])
    scale = inside.max(-1, initial=0.0).astype(np.float32)
    top_value = scale[..., None]
    cut = np.clip(values, -top_value, top_value)
    share = np.divide(cut, top_value, out=np.zeros_like(cut), where=top_value > 0)
    codes = np.rint(np.sign(share) * top * np.sqrt(np.abs(share)))
    return Rows(
        codes=codes.astype(np.int8 if signed else np.uint8),
        scale=scale,
        outside=np.ascontiguousarray(values[:, :, ~content], np.float32),
    )


def decode(rows: Rows, content: np.ndarray) -> np.ndarray:
    """The values again, float32 (h, sources, tokens)."""
    top = SIGNED if rows.codes.dtype == np.int8 else POSITIVE
    root = rows.codes.astype(np.float32) / top
    values = np.sign(root) * root**2 * rows.scale[..., None]
    values[:, :, ~content] = rows.outside
    return values
