"""Deletion and insertion curves of any maps of one image, kept in the store.

    stored(request: CurveRequest, store=None) -> Curves            what the store holds; loads no torch
    compute(request, store=None, progress=None, cancelled=None, loaded=None) -> Curves
    perturbed(curves, spec, target, share, kind) -> uint8 (height, width, 3), the picture at a share
    question(request) -> str                                       equal for requests that ask the same

kind is 'deletion', 'insertion', 'deletion_least' or 'insertion_least'.
"""

from engine.curves.presets import PRESETS, preset
from engine.curves.types import (
    CONTROLS,
    FILLS,
    IMAGENET,
    SCORES,
    UNITS,
    Curve,
    CurveRequest,
    Curves,
    Protocol,
)

__all__ = [
    "CONTROLS",
    "FILLS",
    "IMAGENET",
    "PRESETS",
    "SCORES",
    "UNITS",
    "Curve",
    "CurveRequest",
    "Curves",
    "Protocol",
    "preset",
]
