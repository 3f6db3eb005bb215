"""A stored entry as a curve of the wanted score, with the numbers that are read from it. Loads no torch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from engine.curves.pictures import Ground, unit_ranks
from engine.curves.types import Curve, Protocol
from engine.metrics.curve import aid, area, share_reaching, slope
from engine.types import Map

NAN = float("nan")


def curve_of(item: Map, arrays: Mapping[str, np.ndarray], place: Ground, protocol: Protocol) -> Curve:
    """The curve of a map. arrays: by kind (s, 3), the channels of engine.curves.scorer at each share; ends
    (3, 3), the same of the untouched picture, of deletion's fill alone and of insertion's."""
    read = {name: _score(values, protocol.score) for name, values in arrays.items()}
    full, hidden, empty = read["ends"]
    whole = protocol.deletion[0] == 0 and protocol.deletion[-1] == 1
    return Curve(
        spec=item.spec,
        target=item.target,
        ranks=unit_ranks(item.values, place, protocol),
        deletion=read["deletion"],
        insertion=read["insertion"],
        deletion_least=read["deletion_least"],
        insertion_least=read["insertion_least"],
        score=float(full),
        empty=float(empty),
        auc=areas_of(arrays, protocol),
        least=(float(area(read["deletion_least"])), float(area(read["insertion_least"]))),
        slope=slope(protocol.deletion, read["deletion"]),
        share90=share_reaching(protocol.insertion, read["insertion"], full),
        aid=aid(read["deletion"], read["deletion_least"], full, hidden) if whole else NAN,
    )


def areas_of(arrays: Mapping[str, np.ndarray], protocol: Protocol) -> tuple[float, float]:
    """The areas under deletion and insertion, most relevant units first; arrays as in `curve_of`."""
    deletion, insertion = (_score(arrays[kind], protocol.score) for kind in ("deletion", "insertion"))
    return float(area(deletion)), float(area(insertion))


def _score(values: np.ndarray, name: str) -> np.ndarray:
    """One of SCORES from the channels cosine, probability and rank (..., 3)."""
    cosine, probability, rank = np.moveaxis(values, -1, 0)
    if name == "cosine":
        return cosine
    if name == "probability":
        return probability
    hit = (rank < int(name.removeprefix("top-"))).astype(np.float64)
    return np.where(np.isnan(rank), np.nan, hit)
