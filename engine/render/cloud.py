"""Word clouds: the larger a word, the more it weighs. PNG or SVG, drawn by the library `wordcloud`."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import matplotlib
from matplotlib.ft2font import FT2Font

from engine.types import SidelightError

if TYPE_CHECKING:
    from wordcloud import WordCloud

SIZE = (1200, 700)  # pixels
FONT = f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans.ttf"
RAISES, LOWERS = "#0b7285", "#b45309"  # legible on white
Weights = Sequence[tuple[str, float]]


@cache
def _drawable() -> frozenset[int]:
    return frozenset(FT2Font(FONT).get_charmap())


def undrawable(weights: Weights) -> tuple[str, ...]:
    """The words that the cloud's font has no letters for; they are left out."""
    return tuple(dict.fromkeys(word for word, _ in weights if not _has_letters(word)))


def _has_letters(word: str) -> bool:
    return all(ord(character) in _drawable() for character in word)


def cloud_png(weights: Weights) -> bytes:
    """A PNG of SIZE on white. weights: (word, weight); weights of equal words are added up, area goes by
    magnitude, and words that lower the score are brown. SidelightError where there is nothing to draw."""
    out = io.BytesIO()
    _cloud(weights).to_image().save(out, "PNG")
    return out.getvalue()


def cloud_svg(weights: Weights) -> bytes:
    """The same as SVG, with the letters that it uses embedded."""
    return _cloud(weights).to_svg(embed_font=True).encode("utf-8")


def _cloud(weights: Weights) -> WordCloud:
    from wordcloud import WordCloud  # here because few sessions draw one

    total: dict[str, float] = {}
    for word, weight in weights:
        if _has_letters(word):
            total[word] = total.get(word, 0.0) + weight
    sizes = {word: abs(weight) for word, weight in total.items() if weight}
    if not sizes:
        raise SidelightError("No word has a weight that could be drawn; choose another measure or prompt.")
    made = WordCloud(
        width=SIZE[0],
        height=SIZE[1],
        font_path=FONT,
        background_color="white",
        prefer_horizontal=1.0,
        relative_scaling=1.0,
        min_font_size=8,
        random_state=0,
        color_func=lambda word, **_: RAISES if total[word] > 0 else LOWERS,
    )
    return made.generate_from_frequencies(sizes)
