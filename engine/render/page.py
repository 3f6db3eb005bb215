"""A sheet of matplotlib that is laid out in inches and takes text of any kind."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image as Pillow

from engine.types import Explanation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PIXEL_LIMIT = 40_000_000  # a larger figure gets fewer dots per inch
TILE, LABEL, GAP, HEAD, FOOT = 1.7, 1.3, 0.12, 0.55, 0.36  # inches
# matplotlib's own font lacks the scripts of the others, of which those that the machine has are used.
FONTS = (
    "DejaVu Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "PingFang SC", "Hiragino Sans", "Microsoft YaHei",
    "Noto Sans Devanagari", "Noto Sans Thai", "Noto Emoji", "Segoe UI Symbol", "Arial Unicode MS", "Unifont",
)  # fmt: skip


class Page:
    """A matplotlib figure that is laid out in inches from its upper left corner.

    Its tiles are numbered by method, from 1 on behind the plain pictures, and by target, from 0 on: methods
    across and targets down, or the other way round.
    """

    def __init__(
        self, given: Sequence[Explanation], methods: int, targets: int, dpi: int, transpose: bool = False
    ) -> None:
        from matplotlib.figure import Figure

        shape = max(one.image.size[1] / one.image.size[0] for one in given)
        self.tall = TILE * min(max(shape, 0.4), 1.8)
        self.transpose = transpose
        across, down = (targets, methods + 1) if transpose else (methods + 1, targets)
        self.width = LABEL + 2 * GAP + across * (TILE + GAP)
        self.height = HEAD + down * (self.tall + FOOT + GAP) + 0.2
        self.dpi = min(dpi, math.sqrt(PIXEL_LIMIT / (self.width * self.height)))
        self.figure: Figure = Figure(figsize=(self.width, self.height), dpi=self.dpi)
        self._shrunk: dict[int, tuple[np.ndarray, tuple[float, float, float, float]]] = {}

    def corner(self, method: int, target: int) -> tuple[float, float]:
        """The upper left of a tile."""
        x, y = (target, method) if self.transpose else (method, target)
        return LABEL + 2 * GAP + x * (TILE + GAP), HEAD + y * (self.tall + FOOT + GAP)

    def middle(self, method: int, target: int) -> tuple[float, float]:
        left, top = self.corner(method, target)
        return left + TILE / 2, top + self.tall / 2

    def below(self, method: int, target: int, by: float) -> tuple[float, float]:
        left, top = self.corner(method, target)
        return left + TILE / 2, top + self.tall + by

    def title(self, text: str, size: float, *, method: int | None = None, target: int = 0) -> None:
        """Head the row or the column of a method, or else of a target."""
        x, y = self.middle(method or 0, target)
        if (method is None) == self.transpose:
            self.write(text, x, HEAD / 2, size, wrap=28)
        else:
            self.write(text, GAP + LABEL / 2, y, size, wrap=19)

    def inches(self, left: float, top: float, width: float, height: float) -> Axes:
        below = self.height - top - height
        place = (left / self.width, below / self.height, width / self.width, height / self.height)
        axes = self.figure.add_axes(place)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_linewidth(0.3)
        return axes

    def axes(self, method: int, target: int) -> Axes:
        return self.inches(*self.corner(method, target), TILE, self.tall)

    def write(self, text: str, x: float, y: float, size: float, wrap: int = 60) -> None:
        """Text of any kind, centred, in four lines at most; never read as a formula."""
        lines = textwrap.wrap(printable(text), wrap, max_lines=4, placeholder=" …")
        self.figure.text(
            x / self.width, 1 - y / self.height, "\n".join(lines), fontsize=size, family=fonts(),
            ha="center", va="center", parse_math=False,
        )  # fmt: skip

    def shrunk(self, one: Explanation) -> tuple[np.ndarray, tuple[float, float, float, float]]:
        """The picture at the size it is printed, and what the model saw in those pixels."""
        if id(one) not in self._shrunk:
            picture = Pillow.fromarray(one.image.pixels)
            picture.thumbnail((round(TILE * self.dpi), round(self.tall * self.dpi)), reducing_gap=3)
            across, down = picture.width / one.image.size[0], picture.height / one.image.size[1]
            left, top, right, bottom = one.seen
            seen = (left * across, top * down, right * across, bottom * down)
            self._shrunk[id(one)] = np.asarray(picture), seen
        return self._shrunk[id(one)]

    def png(self) -> bytes:
        file = io.BytesIO()
        self.figure.savefig(file, format="png", facecolor="white")
        return file.getvalue()


@cache
def fonts() -> list[str]:
    """Those of FONTS that are here."""
    from matplotlib.font_manager import get_font_names

    here = set(get_font_names())
    return [font for font in FONTS if font in here]


@cache
def _glyphs() -> frozenset[int]:
    """The code points that the fonts can draw."""
    from matplotlib.font_manager import findfont
    from matplotlib.ft2font import FT2Font

    return frozenset().union(*(FT2Font(findfont(font)).get_charmap() for font in fonts()))


def printable(text: str) -> str:
    """Control characters become spaces, what no font here can draw becomes a box."""
    shown = (c if c.isprintable() else " " for c in text)
    return "".join(c if ord(c) in _glyphs() else "\N{WHITE SQUARE}" for c in shown)
