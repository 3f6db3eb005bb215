"""A figure for a paper: methods across, prompts down, with colour bars and scores."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.render.outline import Outline, draw_outlines
from engine.render.page import TILE, Page, fonts, printable
from engine.render.paint import colours, overlay
from engine.render.scales import Scaled, enlarge, kept_from, scale
from engine.types import Branch, Explanation, Failure, Map, SidelightError, Target

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DPI = 300
LEVELS = (0.25, 0.5, 0.75)  # of contours where nothing is cut off
MOST_WORDS = 20
NUMERAL = 0.46  # inches beside a colour bar, for the widest of numbers
SCALE_NAMES = {
    "map": "each map from its smallest to its largest value",
    "shared": "one scale for each method",
    "clip": "each map between its 2nd and 98th percentile",
    "rank": "rank within each map",
}
Column = tuple[str, Branch]  # spec and branch
Row = tuple[Explanation, Target]


def figure_png(
    explanations: Explanation | Sequence[Explanation],
    *,
    titles: Mapping[str, str] | None = None,
    signed: Collection[str] | None = None,
    scale_mode: str = "map",
    contour: bool = False,
    outlines: Mapping[str, Sequence[Outline]] | None = None,
    transpose: bool = False,
    dpi: int = DPI,
    **look: Any,
) -> bytes:
    """A PNG file with a column for each method and a row for each target of each explanation; with transpose
    the other way round.

    titles: what to write above a spec; default the spec. signed: specs whose zero is the middle of the
    colours; default those with a value below zero. scale_mode: see `scale`. contour: lines of equal strength.
    outlines: true regions, by the image's digest; those that a target does not name are drawn faintly.
    look: draw, colormap, opacity, smooth, top, above as in `overlay`. SidelightError where there is nothing
    to draw or a choice is unknown.
    """
    given = (explanations,) if isinstance(explanations, Explanation) else tuple(explanations)
    rows = [(one, target) for one in given for target in one.targets]
    columns = _columns(given)
    if not columns:
        raise SidelightError("There is no map to draw; ask for a method first.")
    fields = {column: _fields(rows, column, scale_mode, signed) for column in columns}
    page = Page(given, len(columns), len(rows), dpi, transpose)
    several = len({one.model.id for one in given}) > 1
    for x, (spec, branch) in enumerate(columns, start=1):
        title = (titles or {}).get(spec, spec) + (" (words)" if branch == "text" else "")
        page.title(title, 7.5, method=x)
    for y, (one, target) in enumerate(rows):
        page.title(target.label, 8, target=y)
        regions = (outlines or {}).get(one.image.digest, ())
        axes = _picture(page, y, one, target, f"{one.model.id}: " if several else "")
        draw_outlines(axes, one, regions)
        for x, (spec, branch) in enumerate(columns, start=1):
            found = one.get(spec, target.label, branch)
            if not isinstance(found, Map):
                reason = found.reason if isinstance(found, Failure) else "not computed"
                page.axes(x, y).set_facecolor("0.95")
                page.write(reason, *page.middle(x, y), 6, wrap=28)
            elif branch == "text":
                _words(page, x, y, found, fields[spec, branch][y], look)
            else:
                axes = _tile(page, x, y, one, found, fields[spec, branch][y], contour, look)
                draw_outlines(axes, one, regions, target.label)
    models = ", ".join(dict.fromkeys(f"{one.model.id}, {one.resize}" for one in given))
    footer = f"Model and resize: {models}. Colours: {SCALE_NAMES[scale_mode]}. Made with Sidelight."
    page.write(footer, page.width / 2, page.height - 0.12, 6, wrap=int(page.width * 24))
    return page.png()


def _columns(given: Sequence[Explanation]) -> list[Column]:
    """Specs in the order they were asked for, image before text, where any row has something to show."""
    return [
        (spec, branch)
        for branch in ("image", "text")
        for spec in dict.fromkeys(spec for one in given for spec in one.specs)
        if any((spec, branch) == (i.spec, i.branch) for one in given for i in (*one.maps, *one.failures))
    ]


def _fields(
    rows: Sequence[Row], column: Column, mode: str, signed: Collection[str] | None
) -> dict[int, Scaled]:
    """The scaled maps of one column by row; of text the words alone."""
    spec, branch = column
    found = {y: one.get(spec, target.label, branch) for y, (one, target) in enumerate(rows)}
    values = {y: _content(m) for y, m in found.items() if isinstance(m, Map)}
    below = any(v.min(initial=0) < 0 for v in values.values())
    scaled = scale(list(values.values()), mode, below if signed is None else spec in signed)
    return dict(zip(values, scaled, strict=True))


def _content(found: Map) -> np.ndarray:
    return found.values if found.content is None else found.values[found.content]


def _picture(page: Page, y: int, one: Explanation, target: Target, whose: str) -> Axes:
    """The plain picture with a frame around what the model saw, and the model's score below. whose: said of
    the score."""
    pixels, seen = page.shrunk(one)
    axes = page.axes(0, y)
    axes.imshow(pixels)
    left, top, right, bottom = seen
    if (round(left), round(top), round(right), round(bottom)) != (0, 0, pixels.shape[1], pixels.shape[0]):
        corners = [left, right, right, left, left], [top, top, bottom, bottom, top]
        axes.plot(*(np.array(line) - 0.5 for line in corners), color="white", linewidth=0.8)
    scores = {m.score for m in one.maps if m.target == target.label}
    if scores:
        page.write(f"{whose}score {min(scores):.3f}", *page.below(0, y, 0.08), 6)
    return axes


def _tile(
    page: Page, x: int, y: int, one: Explanation, found: Map, scaled: Scaled, contour: bool, look: dict
) -> Axes:
    pixels, seen = page.shrunk(one)
    axes = page.axes(x, y)
    axes.imshow(overlay(pixels, scaled, seen, **look))
    if contour:
        _contour(axes, scaled, seen, look)
    _bar(page, x, y, scaled, look)
    if abs(found.score - found.explained_score) > 5e-4:
        page.write(f"explains a score of {found.explained_score:.3f}", *page.below(x, y, 0.28), 5.5)
    return axes


def _contour(axes: Axes, scaled: Scaled, seen: tuple[float, float, float, float], look: dict) -> None:
    width, height = (max(2, round(seen[i + 2] - seen[i])) for i in (0, 1))
    strength = np.abs(enlarge(scaled.field, (width, height), look.get("smooth", True)))
    least = kept_from(scaled.field, look.get("top", 100), look.get("above", 0))
    levels = [least] if least > -np.inf else [0.5] if scaled.signed else list(LEVELS)
    levels = [level for level in levels if strength.min() < level <= strength.max()]
    if levels:  # matplotlib warns of lines that are nowhere
        place = np.arange(width) + round(seen[0]), np.arange(height) + round(seen[1])
        axes.contour(*place, strength, levels, colors="white", linewidths=0.6)


def _bar(page: Page, x: int, y: int, scaled: Scaled, look: dict) -> None:
    """The colours from end to end, and the raw values there."""
    share = np.linspace(-1 if scaled.signed else 0, 1, 256)[None]
    left, top = page.corner(x, y)
    level = top + page.tall + 0.085
    axes = page.inches(left + NUMERAL, level - 0.035, TILE - 2 * NUMERAL, 0.07)
    axes.imshow(colours(share, scaled.signed, look.get("colormap", "inferno")), aspect="auto")
    page.write(_numeral(scaled.low), left + NUMERAL / 2, level, 5.5)
    page.write(_numeral(scaled.high), left + TILE - NUMERAL / 2, level, 5.5)


def _words(page: Page, x: int, y: int, found: Map, scaled: Scaled, look: dict) -> None:
    """A bar for each word, in the colours of its strength."""
    texts = found.tokens if found.content is None else np.array(found.tokens, object)[found.content]
    texts = [printable(text) for text in texts[:MOST_WORDS]]
    values = _content(found)[: len(texts)].astype(np.float64)
    shades = colours(scaled.field[: len(texts)], scaled.signed, look.get("colormap", "inferno"))
    axes = page.axes(x, y)
    axes.barh(np.arange(len(texts)), values, color=shades / 255, edgecolor="0.6", linewidth=0.3)
    axes.set_ylim(max(len(texts), 6) - 0.5, -0.5)
    for at, text in enumerate(texts):
        axes.text(0.02, at, text, fontsize=5.5, va="center", family=fonts(), parse_math=False,
                  transform=axes.get_yaxis_transform(), color="black",
                  bbox={"facecolor": "white", "alpha": 0.7, "pad": 0.4, "linewidth": 0})  # fmt: skip
    _bar(page, x, y, scaled, look)


def _numeral(value: float) -> str:
    """Three significant digits, as the page writes them."""
    value += 0.0  # minus zero is zero
    size = abs(value)
    if float(value).is_integer() and size < 1e4:
        text = f"{value:.0f}"
    elif size >= 1e4 or size < 1e-3:
        text = f"{value:.1e}".replace("e-0", "e-").replace("e+0", "e")
    else:
        text = f"{value:.3g}"
    return text.replace("-", "\N{MINUS SIGN}")
