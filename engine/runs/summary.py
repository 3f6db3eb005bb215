"""From the tidy table to one line a method and metric, with intervals and paired tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.metrics.statistics import bootstrap, holm, places, wilcoxon
from engine.runs.catalog import METRICS
from engine.runs.types import Estimate, Row


def summarise(
    rows: Sequence[Row], specs: Sequence[str], metrics: Sequence[str], reference: str, seed: int = 0
) -> tuple[Estimate, ...]:
    """One Estimate for every metric and method, in the order given.

    The targets of an image are averaged first: the image is what is drawn. reference: the spec that the
    others are compared with, over the images where both have a value.
    """
    names = list(dict.fromkeys(row.image for row in rows))
    found: list[Estimate] = []
    for metric in metrics:
        table = _table(rows, specs, metric, names)
        table = table[:, np.isfinite(table).any(0)]
        if table.shape[1]:
            found += _estimates(table, specs, metric, specs.index(reference), seed)
    return tuple(found)


def _table(rows: Sequence[Row], specs: Sequence[str], metric: str, names: Sequence[str]) -> np.ndarray:
    """Means over targets (specs, images), NaN where there is no value."""
    place = {spec: n for n, spec in enumerate(specs)}, {name: n for n, name in enumerate(names)}
    total, count = np.zeros((2, len(specs), len(names)))
    for row in rows:
        if row.metric == metric and row.spec in place[0]:
            at = place[0][row.spec], place[1][row.image]
            total[at] += row.value
            count[at] += 1
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def _estimates(
    table: np.ndarray, specs: Sequence[str], metric: str, reference: int, seed: int
) -> list[Estimate]:
    images = np.isfinite(table).sum(1)
    means = np.array(
        [row[np.isfinite(row)].mean() if n else np.nan for row, n in zip(table, images, strict=True)]
    )
    low, high = bootstrap(table, seed)
    apart = table - table[reference]
    differences = np.array(
        [row[np.isfinite(row)].mean() if np.isfinite(row).any() else np.nan for row in apart]
    )
    apart_low, apart_high = bootstrap(apart, seed)
    p = np.array([wilcoxon(row, table[reference]) for row in table])
    p[reference] = np.nan
    corrected = holm(p)
    higher = METRICS[metric].higher
    ranks = np.full(len(specs), np.nan) if higher is None else places(means, higher)
    return [
        Estimate(
            spec=spec,
            metric=metric,
            mean=float(means[n]),
            low=float(low[n]),
            high=float(high[n]),
            images=int(images[n]),
            rank=float(ranks[n]),
            **(
                {}
                if n == reference
                else {
                    "difference": float(differences[n]),
                    "difference_low": float(apart_low[n]),
                    "difference_high": float(apart_high[n]),
                    "p": float(p[n]),
                    "p_holm": float(corrected[n]),
                }
            ),
        )
        for n, spec in enumerate(specs)
    ]
