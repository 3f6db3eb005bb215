"""The ranks of a run across its metrics, a line a method."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from dashboard import gateway
from dashboard.views import benchmark_text as text
from dashboard.views.benchmark_look import GRID, ROW, Drawn, colour_of, look

if TYPE_CHECKING:
    from dashboard.views.benchmark_view import View
    from engine.runs import Estimate

FEW = 12  # methods, whose lines can be told apart
WRAP = 13  # characters of a metric's title in a line


def ranks(looked: View) -> Drawn:
    """Each method's place by each metric that has a better end; ties in the order of the table."""
    known = gateway.benchmark.metrics()
    metrics = [name for name in looked.metrics if known[name].higher is not None]
    means = {(e.spec, e.metric): e for e in looked.found.summary if e.images}
    places = {metric: _places(looked.specs, metric, means) for metric in metrics}
    quiet = 0.7 if len(looked.specs) <= FEW else 0.4
    figure = go.Figure()
    order = sorted(looked.specs, key=lambda s: (s == looked.method, not gateway.benchmark.is_control(s)))
    for spec in order:
        colour = colour_of(looked, spec)
        figure.add_scatter(
            x=list(range(len(metrics))),
            y=[places[metric].get(spec) for metric in metrics],
            customdata=[
                [
                    text.name(spec),
                    known[m].title,
                    f"rank {means[spec, m].rank:g}" if spec in places[m] else "",
                ]
                for m in metrics
            ],
            hovertemplate="%{customdata[0]}<br>%{customdata[1]}: %{customdata[2]}<extra></extra>",
            mode="lines+markers",
            line={
                "color": colour,
                "width": 3.5 if spec == looked.method else 1.8,
                "shape": "spline",
                "smoothing": 0.35,
                "dash": "dot" if gateway.benchmark.is_control(spec) else "solid",
            },
            marker={"size": 8, "color": colour},
            opacity=1.0 if spec == looked.method else quiet,
            cliponaxis=False,
        )
    # An empty trace, for plotly draws no axis that nothing uses.
    figure.add_scatter(x=[None], y=[None], yaxis="y2", hoverinfo="skip")
    look(figure, ROW * len(looked.specs) + 90)
    figure.update_xaxes(
        tickvals=list(range(len(metrics))),
        ticktext=["<br>".join(textwrap.wrap(known[m].title, WRAP)) for m in metrics],
        range=[-0.12, len(metrics) - 0.88],
        side="top",
        autotickangles=[0, -90],
        gridcolor=GRID,
        zeroline=False,
    )
    height = [len(looked.specs) + 0.6, 0.4]
    figure.update_layout(
        yaxis=_names(places[metrics[0]]) | {"range": height},
        yaxis2=_names(places[metrics[-1]]) | {"range": height, "side": "right", "overlaying": "y"},
    )
    listed = "; ".join(
        f"{known[m].title}: {', '.join(text.name(s) for s in sorted(places[m], key=places[m].get))}"
        for m in metrics
    )
    return Drawn(figure, f"Methods in order, the best first, by metric. {listed}.")


def _names(places: dict[str, int]) -> dict:
    return {
        "tickvals": list(places.values()),
        "ticktext": [text.name(spec) for spec in places],
        "showgrid": False,
        "zeroline": False,
    }


def _places(specs: Sequence[str], metric: str, means: dict[tuple[str, str], Estimate]) -> dict[str, int]:
    known = [s for s in specs if (s, metric) in means and not math.isnan(means[s, metric].rank)]
    return {spec: place for place, spec in enumerate(sorted(known, key=lambda s: means[s, metric].rank), 1)}
