"""The maps of the Words page: of the prompt, its words and a phrase; and which of them hold a region.

Nothing here draws.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from dashboard import gateway
from dashboard.choices import State
from dashboard.components.grid import Column, Picture, Row, Tile
from dashboard.views import compare_rows
from dashboard.views.words_parts import Parts, Span, lacking, named
from engine.types import Failure, Map

PICTURE_SIDE = 640  # pixels of the longer side, as sent to the browser
NOTHING = "nothing"


def picture(shown: State) -> Picture:
    image = gateway.collection.image(shown)
    jpeg = gateway.pictures.picture(image, PICTURE_SIDE)
    return Picture(
        jpeg, image.size, gateway.collection.seen(shown), image.name, gateway.pictures.outlines(shown)
    )


def specs(shown: State) -> tuple[str, ...]:
    """The methods that draw, in their order."""
    return tuple(dict.fromkeys(_signed(shown, method) for method in shown.methods))


def large_method(shown: State, found: Parts) -> str:
    """The method of the large map: the chosen one, or else the first that can do it with this model."""
    if shown.word_method in shown.methods:
        return shown.word_method
    can = (m for m in shown.methods if not isinstance(found.map(_signed(shown, m), None), Failure))
    return next(can, shown.methods[0])


def large_spec(shown: State, found: Parts) -> str:
    return _signed(shown, large_method(shown, found))


def _signed(shown: State, method: str) -> str:
    return gateway.models.signed(method, shown.sign)


def tiles(found: Parts, specs: Sequence[str], spans: Sequence[Span | None]) -> list[list[Tile]]:
    """The cards, rows by methods."""
    signed = {s for s in specs if gateway.models.methods()[s.partition("(")[0]].signed and found.signed(s)}
    return [[_tile(found, spec, span, spec in signed) for spec in specs] for span in spans]


def _tile(found: Parts, spec: str, span: Span | None, signed: bool) -> Tile:
    result = found.map(spec, span)
    if isinstance(result, Failure):
        return Tile(reason=result.reason)
    if result is None:
        return Tile(**lacking(found.jobs[-1] if found.jobs else None))
    return Tile(
        values=result.values,
        signed=signed,
        score=result.score,
        explained=result.explained_score,
        seconds=result.seconds,
        gini=gateway.maps.gini(result.values),
        note=result.note,
    )


def rows(shown: State, found: Parts) -> list[Span | None]:
    """The rows of the grid: the prompt, a phrase, and the words; the prompt alone where they have no maps."""
    if shown.word_map == "whole":
        return [None]
    phrases = [s for s in found.targets if s is not None and s[0] != s[1]]
    words = [s for s in found.targets if s is not None and s[0] == s[1]]
    return [None, *phrases, *words]


def row(shown: State, found: Parts, span: Span | None) -> Row:
    result = next((m for s in specs(shown) if isinstance(m := found.map(s, span), Map)), None)
    if span is None:
        return Row(found.prompt, 0, "the whole prompt", result.score if result else None)
    target = found.targets[span]
    detail = f"less \N{LEFT DOUBLE QUOTATION MARK}{target.minus or NOTHING}\N{RIGHT DOUBLE QUOTATION MARK}"
    return Row(
        found.text(span),
        0,
        detail if target.kind == "difference" else "alone",
        result.score if result else None,
        name=named(span),
        marked=found.chosen is not None and found.chosen[0] <= span[0] and span[1] <= found.chosen[1],
    )


def columns(shown: State) -> tuple[Column, ...]:
    return tuple(Column(*compare_rows.parts(spec)) for spec in specs(shown))


# Direction image to text


def patches(text: str, grid: tuple[int, int]) -> np.ndarray:
    """'row,from-to;...', from 1, as bool (rows, columns); what lies outside of the grid is left out."""
    inside = np.zeros(grid, bool)
    for row, first, last in re.findall(r"(\d{1,4}),(\d{1,4})-(\d{1,4})", text):
        if 1 <= int(row) <= grid[0] and int(first) >= 1:
            inside[int(row) - 1, int(first) - 1 : int(last)] = True
    return inside


def ranking(shown: State, found: Parts) -> tuple[tuple[Span | None, float | None], ...]:
    """Words and phrase with the share of their map's positive mass inside the region, largest first; with
    them the whole prompt. () without a region."""
    if found.explanation is None:
        return ()
    region = patches(shown.region, found.explanation.grid)
    if not region.any():
        return ()
    spec = large_spec(shown, found)
    shares = []
    for span in rows(shown, found):
        result = found.map(spec, span)
        fits = isinstance(result, Map) and result.values.shape == region.shape
        shares.append((span, gateway.maps.share_inside(result.values, region) if fits else None))
    return tuple(sorted(shares, key=lambda pair: -1 if pair[1] is None else pair[1], reverse=True))
