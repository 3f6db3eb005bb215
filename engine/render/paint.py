"""Colours, and a map over its picture."""

from __future__ import annotations

from functools import cache

import numpy as np

from engine.render.scales import Scaled, enlarge, kept_from
from engine.types import SidelightError

COLORMAPS = ("inferno", "viridis", "magma", "cividis", "gray", "RdBu_r", "PuOr_r", "turbo", "jet")
DIVERGING = ("RdBu_r", "PuOr_r")  # the first one serves signed maps for which none was chosen
DRAWS = ("overlay", "map", "masked")
SHADE = (10, 14, 16), 0.62  # colour and opacity of what lies over the part that the model did not see


@cache
def colormap(name: str) -> np.ndarray:
    """matplotlib's table of a colormap: uint8 (256, 3), read-only. SidelightError names those offered."""
    import matplotlib

    if name not in COLORMAPS:
        raise SidelightError(f"There is no colormap {name!r}; the colormaps are {', '.join(COLORMAPS)}.")
    table = matplotlib.colormaps[name](np.arange(256), bytes=True)[:, :3].copy()
    table.flags.writeable = False
    return table


def colours(field: np.ndarray, signed: bool, name: str) -> np.ndarray:
    """uint8 (..., 3) for a field (...). A signed field takes a diverging table, its middle for zero; a field
    that is not signed takes a diverging table's upper half."""
    table = name if name in DIVERGING or not signed else DIVERGING[0]
    place = 127.5 + 127.5 * field if table in DIVERGING else 255 * field
    return colormap(table)[_rounded(place)]


def overlay(
    pixels: np.ndarray,
    scaled: Scaled,
    seen: tuple[float, float, float, float] | None = None,
    *,
    draw: str = "overlay",
    colormap: str = "inferno",
    opacity: float = 0.6,
    smooth: bool = True,
    top: float = 100,
    above: float = 0,
) -> np.ndarray:
    """A map over its picture, uint8 (height, width, 3).

    pixels: uint8 (height, width, 3). seen: (left, top, right, bottom) in those pixels, where the map lies;
    default all of them; what is outside is darkened. draw: 'overlay', 'map' (the map alone, on white) or
    'masked' (the picture, dark where the map is weak). opacity: 0 to 1. top, above: see `kept_from`.
    """
    if draw not in DRAWS:
        raise SidelightError(f"There is no way to draw {draw!r}; the ways are {', '.join(DRAWS)}.")
    height, width = pixels.shape[:2]
    left, upper, right, lower = _region(seen or (0, 0, width, height), width, height)
    field = enlarge(scaled.field, (right - left, lower - upper), smooth)
    least = kept_from(scaled.field, top, above)
    kept = np.abs(field) >= least
    if draw == "masked":
        paint = np.zeros((*field.shape, 3))
        cover = opacity * (~kept if least > -np.inf else 1 - np.abs(field))
    else:
        paint = colours(field, scaled.signed, colormap)
        cover = (1.0 if draw == "map" else opacity) * kept
    canvas = np.full(pixels.shape, 255.0) if draw == "map" else pixels.astype(np.float64)
    inside = canvas[upper:lower, left:right].copy()
    if draw != "map":
        colour, shade = SHADE
        canvas += shade * (np.array(colour) - canvas)
    canvas[upper:lower, left:right] = inside + cover[..., None] * (paint - inside)
    return _rounded(canvas)


def _region(seen: tuple[float, float, float, float], width: int, height: int) -> tuple[int, int, int, int]:
    """Whole pixels, one at least, within the picture."""
    left, upper = min(round(seen[0]), width - 1), min(round(seen[1]), height - 1)
    return left, upper, max(min(round(seen[2]), width), left + 1), max(min(round(seen[3]), height), upper + 1)


def _rounded(values: np.ndarray) -> np.ndarray:
    """Nearest whole number in 0..255, halves up, as JavaScript rounds."""
    return np.clip(np.floor(values + 0.5), 0, 255).astype(np.uint8)
