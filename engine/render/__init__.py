"""From raw maps to something to look at: scales, colours, overlays, figures. NumPy, Pillow and matplotlib.

The browser draws the same from the same definitions (dashboard/components/grid: values.js, paint.js).
"""

from engine.render.cloud import cloud_png, cloud_svg, undrawable
from engine.render.figure import figure_png
from engine.render.outline import Outline
from engine.render.paint import COLORMAPS, DIVERGING, DRAWS, colormap, colours, overlay
from engine.render.scales import SCALES, Scaled, enlarge, kept_from, scale

__all__ = [
    "COLORMAPS",
    "DIVERGING",
    "DRAWS",
    "SCALES",
    "Outline",
    "Scaled",
    "cloud_png",
    "cloud_svg",
    "colormap",
    "colours",
    "enlarge",
    "figure_png",
    "kept_from",
    "overlay",
    "scale",
    "undrawable",
]
