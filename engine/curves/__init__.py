"""Deletion and insertion curves of any maps of one image, kept in the store."""

from engine.curves.ask import areas, compute, missing, question, stored
from engine.curves.classes import check_classes
from engine.curves.export import COLOURS, FORMATS, arrays, figure, table
from engine.curves.pictures import KINDS, changed_units, perturbed
from engine.curves.presets import PRESETS, altered, preset, recipe
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
    "COLOURS",
    "CONTROLS",
    "FILLS",
    "FORMATS",
    "IMAGENET",
    "KINDS",
    "PRESETS",
    "SCORES",
    "UNITS",
    "Curve",
    "CurveRequest",
    "Curves",
    "Protocol",
    "altered",
    "areas",
    "arrays",
    "changed_units",
    "check_classes",
    "compute",
    "figure",
    "missing",
    "perturbed",
    "preset",
    "question",
    "recipe",
    "stored",
    "table",
]
