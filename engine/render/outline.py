"""Lines around the true regions of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engine.types import Explanation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOUR = "#8ff0d0"  # as on the page


@dataclass(frozen=True)
class Outline:
    """A true region of a picture. paths: closed lines around it, each (points, 2) of x and y in pixels of the
    original."""

    name: str
    paths: tuple[np.ndarray, ...]

    def is_named(self, prompt: str) -> bool:
        """Whether a prompt speaks of it; the dashboard's tiles ask the same (paint.js)."""
        return f" {self.name.lower()} " in f" {prompt.lower()} "


def draw_outlines(axes: Axes, one: Explanation, regions: Sequence[Outline], prompt: str = "") -> None:
    """Lines around the true regions of the picture in `axes`, faint where the prompt does not name them."""
    from matplotlib.patheffects import withStroke

    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    scale = (right - left) / one.image.size[0], (bottom - top) / one.image.size[1]
    for region in regions:
        alpha = 1 if region.is_named(prompt) else 0.3
        halo = withStroke(linewidth=1.7, foreground="black", alpha=0.55 * alpha)
        look = {"color": COLOUR, "linewidth": 0.7, "alpha": alpha, "path_effects": [halo]}
        for path in region.paths:
            axes.plot(*(path * scale + (left, top)).T, scalex=False, scaley=False, **look)
