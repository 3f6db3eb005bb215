"""How the charts of a run look.

The colours stand out on light and dark paper alike: grey for the controls, orange for the method that is
looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from dashboard import gateway

if TYPE_CHECKING:
    from dashboard.views.benchmark_view import View

METHOD, CONTROL, LOOKED = "#1f8fa0", "#8b979d", "#dd7f14"
ROW = 25  # pixels a method
GRID = "rgba(128, 140, 146, 0.22)"


@dataclass(frozen=True)
class Drawn:
    """A chart and what it shows, for those who do not see it."""

    figure: go.Figure
    alt: str


def colour_of(looked: View, spec: str) -> str:
    """The colour of a method."""
    if spec == looked.method:
        return LOOKED
    return CONTROL if gateway.benchmark.is_control(spec) else METHOD


def look(figure: go.Figure, height: int) -> None:
    """Quiet, without a legend; names and titles take the room that they need."""
    figure.update_layout(
        height=height,
        showlegend=False,
        dragmode=False,
        hovermode="closest",
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )
    figure.update_xaxes(automargin=True, fixedrange=True, title_font_size=13, tickfont_size=12)
    figure.update_yaxes(automargin=True, fixedrange=True, title_font_size=13, tickfont_size=12)
