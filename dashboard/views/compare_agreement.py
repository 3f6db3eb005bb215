"""How far the methods of the Compare page agree, row by row. Nothing here draws."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dashboard import gateway
from dashboard.components.grid import Tile
from dashboard.views.compare_rows import Line
from engine.types import Map


def comparable(found: Sequence[Line]) -> list[tuple[Line, list[str]]]:
    """The person's rows with the methods that have a map on the row's patches there, two at least."""
    rows = [(line, [s for s in line.explanation.specs if _on_patches(line, s)]) for line in found]
    return [(line, specs) for line, specs in rows if line.own and len(specs) > 1]


def _on_patches(line: Line, spec: str) -> bool:
    result = line.get(spec)
    return isinstance(result, Map) and result.values.shape == line.explanation.grid


def agreement(found: Sequence[Line]) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Methods that have a map in every row of one's own, their mean rank correlation and overlap (n, n)."""
    rows = comparable(found)
    if not rows:
        return (), np.zeros((0, 0)), np.zeros((0, 0))
    specs = tuple(s for s in rows[0][1] if all(s in there for _, there in rows))
    tables = [gateway.maps.agreement([line.get(s).values for s in specs]) for line, _ in rows]
    rank, overlap = (np.stack(kind) for kind in zip(*tables, strict=True))
    defined = np.isfinite(rank)  # a map that is the same everywhere has no ranking
    mean = np.full(rank.shape[1:], np.nan)
    np.divide(np.where(defined, rank, 0).sum(0), defined.sum(0), where=defined.any(0), out=mean)
    return specs, mean, overlap.mean(0)


def differences(found: Sequence[Line], a: str, b: str) -> list[tuple[Line, Tile]]:
    """For each row of one's own: where method `a` ranks a patch higher than `b` does, and lower."""
    return [
        (line, Tile(gateway.maps.rank_difference(line.get(a).values, line.get(b).values), signed=True))
        for line, specs in comparable(found)
        if a in specs and b in specs
    ]
