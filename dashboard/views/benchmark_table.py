"""Estimates as the cells of the table. Nothing here draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dashboard import gateway
from dashboard.components.scores import Cell, Head, Line
from dashboard.views import benchmark_text as text
from dashboard.views import compare_rows

if TYPE_CHECKING:
    from dashboard.views.benchmark_view import View
    from engine.runs import Estimate, Metric

LEVEL = 0.05
DAGGER = "\N{DAGGER}"


def heads(metrics: Sequence[str]) -> list[Head]:
    """The columns."""
    known = gateway.benchmark.metrics()
    return [
        Head(m.name, m.title, text.ARROWS[m.higher], f"{m.meaning} In {m.unit}; {text.BETTER[m.higher]}.")
        for m in (known[name] for name in metrics)
    ]


def lines(looked: View) -> list[Line]:
    """The rows, the best by the chosen metric first."""
    known = gateway.benchmark.metrics()
    made = []
    for spec in looked.specs:
        title, _, detail = compare_rows.parts(spec)
        quiet = gateway.benchmark.is_control(spec)
        cells = tuple(_cell(looked, spec, known[metric], quiet) for metric in looked.metrics)
        made.append(Line(spec, title, detail, quiet, cells))
    return made


def _cell(looked: View, spec: str, metric: Metric, quiet: bool) -> Cell:
    e = looked.estimates.get((spec, metric.name))
    if e is None or not e.images:
        return Cell()
    return _difference(e, metric) if looked.against else _mean(e, metric, looked, quiet)


def _mean(e: Estimate, metric: Metric, looked: View, quiet: bool) -> Cell:
    judged = metric.judges and not quiet
    unproven = judged and (e.spec, e.metric) not in looked.beaten
    rank = "" if math.isnan(e.rank) else f"{e.rank:g}"
    said = f"{text.number(e.mean)} {metric.unit}"
    if not math.isnan(e.low):
        said += f", 95 % interval {text.interval(e.low, e.high)}"
    said += f", {text.count(e.images, 'image')}"
    said += f", rank {rank}" if rank else ""
    said += ", does not beat the best control" if unproven else ""
    ranks = [
        o.rank
        for o in looked.estimates.values()
        if o.metric == e.metric and not gateway.benchmark.is_control(o.spec) and not math.isnan(o.rank)
    ]
    return Cell(
        value=text.number(e.mean),
        below=text.interval(e.low, e.high),
        before=rank,
        mark=DAGGER if unproven else "",
        tint=0.0 if quiet or not rank else _depth(e.rank, ranks),
        strong=e.rank == 1,
        said=f"{said}.",
    )


def _depth(rank: float, ranks: Sequence[float]) -> float:
    """1 for the best of the methods, 0 for the last."""
    low, high = min(ranks), max(ranks)
    return 1.0 if low == high else (high - rank) / (high - low)


def _difference(e: Estimate, metric: Metric) -> Cell:
    if e.difference is None or e.p_holm is None:
        return Cell(value=text.number(e.mean), below="the reference", said="the reference.")
    if math.isnan(e.difference):
        return Cell()
    sure = e.p_holm < LEVEL and metric.higher is not None
    better = (e.difference > 0) == metric.higher
    said = f"difference {text.number(e.difference, signed=True)}, {text.p_value(e.p_holm)}"
    if sure:
        said += ", better" if better else ", worse"
    return Cell(
        value=text.number(e.difference, signed=True),
        below=text.interval(e.difference_low, e.difference_high, signed=True),
        before=text.p_value(e.p_holm),
        tint=(1.0 if better else -1.0) if sure else 0.0,
        strong=sure and better,
        said=f"{said}.",
    )


def legend(looked: View) -> str:
    """What the cells show."""
    if looked.against:
        return (
            "Mean difference to the reference over the images that both have, its 95 % interval from 2,000 "
            "paired bootstrap resamples, and the Wilcoxon p corrected for the methods (Holm). Shaded where p "
            "is below .05: better, or worse in orange."
        )
    return (
        "Mean over the images, its 95 % interval from 2,000 paired bootstrap resamples, and the rank before "
        f"it; the deeper the shade, the better. {DAGGER} does not beat the best of the controls (random, "
        "centre, edges; in italics) by a paired test at 5 %. A click on a value shows its images."
    )
