"""The charts of one metric of a run: its forest plot, and cost against quality."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from dashboard import gateway
from dashboard.views import benchmark_text as text
from dashboard.views.benchmark_look import CONTROL, GRID, LOOKED, METHOD, ROW, Drawn, colour_of, look

if TYPE_CHECKING:
    from dashboard.views.benchmark_view import View
    from engine.runs import Estimate

WRAP, LINE = 30, 18  # characters in a line of an axis's title, and its height in pixels
COSTS = ("milliseconds", "milliseconds_alone", "forward_passes")


def forest(looked: View) -> Drawn:
    """Mean and interval of each method by the chosen metric, or its difference to the reference."""
    metric = gateway.benchmark.metrics()[looked.metric]
    found = [e for spec in looked.specs if (e := _there(looked, spec, looked.metric)) is not None]
    figure = go.Figure()
    for colour, some in _kinds(looked, found):
        ends = [_ends(e, bool(looked.against)) for e in some]
        figure.add_scatter(
            x=[middle for middle, _, _ in ends],
            y=[found.index(e) for e in some],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [_zero(high - middle) for middle, _, high in ends],
                "arrayminus": [_zero(middle - low) for middle, low, _ in ends],
                "thickness": 2,
                "width": 0,
            },
            customdata=[[text.name(e.spec), _said(e, bool(looked.against))] for e in some],
            hovertemplate="%{customdata[0]}<br>%{customdata[1]}<extra></extra>",
            mode="markers",
            marker={"color": colour, "size": 9},
        )
    if looked.against:
        figure.add_vline(0, line={"color": CONTROL, "width": 1, "dash": "dot"})
    elif metric.higher is not None and (best := _best_control(found)) is not None:
        figure.add_vline(best.mean, line={"color": CONTROL, "width": 1, "dash": "dot"})
    title = f"Difference in {metric.title} ({metric.unit})" if looked.against else text.axis(metric)
    wrapped = textwrap.wrap(title, WRAP)
    look(figure, ROW * len(found) + 50 + LINE * len(wrapped))
    figure.update_xaxes(title="<br>".join(wrapped), gridcolor=GRID, zeroline=False)
    figure.update_yaxes(
        tickvals=list(range(len(found))),
        ticktext=[text.name(e.spec) for e in found],
        range=[len(found) - 0.4, -0.6],
        showgrid=False,
        zeroline=False,
    )
    listed = "; ".join(f"{text.name(e.spec)} {_said(e, bool(looked.against))}" for e in found)
    return Drawn(figure, f"{title}, with 95 % intervals, the best first: {listed}.")


def cost(looked: View) -> Drawn | None:
    """The chosen metric against what a map costs; None where the run measured no cost."""
    known = gateway.benchmark.metrics()
    costs = [name for name in COSTS if name in looked.metrics]
    qualities = [name for name in looked.metrics if known[name].group != "time"]
    if not costs or not qualities:
        return None
    price = known[costs[0]]
    quality = known[looked.metric if looked.metric in qualities else qualities[0]]
    means = {(e.spec, e.metric): e for e in looked.found.summary if e.images}
    pairs = {
        spec: (means[spec, price.name], means[spec, quality.name])
        for spec in looked.specs
        if (spec, price.name) in means and (spec, quality.name) in means
    }
    floor = min((p.mean for p, _ in pairs.values() if p.mean > 0), default=1.0) / 2
    named = {*unbeaten({s: (p.mean, q.mean) for s, (p, q) in pairs.items()}, quality.higher), looked.method}
    figure = go.Figure()
    for colour, some in _kinds(looked, [q for _, q in pairs.values()]):
        figure.add_scatter(
            x=[max(pairs[q.spec][0].mean, floor) for q in some],
            y=[q.mean for q in some],
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [_zero(q.high - q.mean) for q in some],
                "arrayminus": [_zero(q.mean - q.low) for q in some],
                "thickness": 1,
                "width": 0,
                "color": colour,
            },
            text=[text.name(q.spec) if q.spec in named else "" for q in some],
            textposition=[_side(pairs, q.spec) for q in some],
            textfont={"size": 12},
            cliponaxis=False,
            customdata=[
                [text.name(q.spec), _said(q, False), f"{text.number(pairs[q.spec][0].mean)} {price.unit}"]
                for q in some
            ],
            hovertemplate="%{customdata[0]}<br>%{customdata[1]}<br>%{customdata[2]}<extra></extra>",
            mode="markers+text",
            marker={"color": colour, "size": 9},
        )
    look(figure, max(ROW * len(pairs) + 70, 320))
    ticks = _ticks([max(p.mean, floor) for p, _ in pairs.values()])
    figure.update_xaxes(
        title=f"{price.title} ({price.unit})",
        type="log",
        gridcolor=GRID,
        tickvals=ticks,
        ticktext=[f"{tick:g}" for tick in ticks],
    )
    figure.update_yaxes(
        title=f"{quality.title} {text.ARROWS[quality.higher]}", gridcolor=GRID, zeroline=False
    )
    listed = "; ".join(
        f"{text.name(spec)} {text.number(p.mean)}, {text.number(q.mean)}" for spec, (p, q) in pairs.items()
    )
    return Drawn(figure, f"{price.title} ({price.unit}) and {quality.title} of each method: {listed}.")


def _ticks(values: Sequence[float]) -> list[float]:
    """Powers of ten, with 2 and 5 times them where the values span little."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    steps = (1, 2, 5) if high - low < 4 else (1,)
    return [float(f"{step}e{power}") for power in range(low, high + 1) for step in steps]


def _side(pairs: dict[str, tuple[Estimate, Estimate]], spec: str) -> str:
    """Where a name has room: towards the middle of the costs."""
    costs = sorted(price.mean for price, _ in pairs.values())
    return "middle right" if pairs[spec][0].mean <= costs[len(costs) // 2] else "middle left"


def unbeaten(pairs: dict[str, tuple[float, float]], higher: bool | None) -> set[str]:
    """The methods of (cost, quality) that no other beats in both."""
    sign = -1 if higher is False else 1
    return {
        spec
        for spec, (price, quality) in pairs.items()
        if not any(
            p <= price and sign * q >= sign * quality and (p, q) != (price, quality)
            for p, q in pairs.values()
        )
    }


def _there(looked: View, spec: str, metric: str) -> Estimate | None:
    """The estimate, where there is something to draw of it."""
    e = looked.estimates.get((spec, metric))
    if e is None or not e.images:
        return None
    return None if looked.against and e.difference is None else e


def _kinds(looked: View, found: Sequence[Estimate]) -> list[tuple[str, list[Estimate]]]:
    """The estimates by colour."""
    return [
        (colour, some)
        for colour in (CONTROL, METHOD, LOOKED)
        if (some := [e for e in found if colour_of(looked, e.spec) == colour])
    ]


def _ends(e: Estimate, difference: bool) -> tuple[float, float, float]:
    """Middle, low and high."""
    if difference:
        return e.difference, e.difference_low, e.difference_high
    return e.mean, e.low, e.high


def _zero(length: float) -> float:
    """No bar where there is no interval."""
    return 0.0 if math.isnan(length) else length


def _said(e: Estimate, difference: bool) -> str:
    middle, low, high = _ends(e, difference)
    said = text.number(middle, signed=difference)
    return f"{said} ({text.interval(low, high, signed=difference)})" if not math.isnan(low) else said


def _best_control(found: Sequence[Estimate]) -> Estimate | None:
    there = [e for e in found if gateway.benchmark.is_control(e.spec) and not math.isnan(e.rank)]
    return min(there, key=lambda e: e.rank, default=None)
