"""Forest plots of a run for print: a panel a metric, a row a method."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from engine.runs.catalog import METRICS
from engine.runs.controls import is_control
from engine.runs.types import RunResult

FORMATS = ("png", "svg", "pdf")
ACROSS = 4  # panels in a row
PANEL, LINE, NAMES = 2.1, 0.19, 1.7  # inches: width of a panel, height of a row, width of the names
METHOD, CONTROL = "#0b7285", "#8b979d"


def forest(found: RunResult, titles: Mapping[str, str], kind: str) -> bytes:
    """Mean and 95 % interval of every method by every metric, the controls in grey, as a file.

    titles: of the specs, any text. kind: of FORMATS; png at 300 dpi, texts stay texts in svg and pdf.
    """
    specs = found.manifest["specs"]
    metrics = list(dict.fromkeys(e.metric for e in found.summary))
    cells = {(e.spec, e.metric): e for e in found.summary if e.images}
    across = min(ACROSS, len(metrics))
    down = math.ceil(len(metrics) / across)
    size = (NAMES + PANEL * across, down * (LINE * len(specs) + 0.75))
    with rc_context({"svg.fonttype": "none", "pdf.fonttype": 42, "font.size": 8, "text.parse_math": False}):
        figure = Figure(size, layout="constrained")
        panels = figure.subplots(down, across, squeeze=False, sharey=True).ravel()
        for panel, metric in zip(panels, metrics, strict=False):
            for row, spec in enumerate(specs):
                e = cells.get((spec, metric))
                if e is None:
                    continue
                colour = CONTROL if is_control(spec) else METHOD
                if not math.isnan(e.low):
                    panel.plot([e.low, e.high], [row, row], color=colour, linewidth=1.4)
                panel.plot([e.mean], [row], "o", color=colour, markersize=3.5)
            better = {True: " (higher is better)", False: " (lower is better)", None: ""}[
                METRICS[metric].higher
            ]
            panel.set_title(METRICS[metric].title + better, fontsize=7, loc="left")
            panel.grid(axis="x", color="0.9", linewidth=0.6)
            panel.set_axisbelow(True)
            panel.spines[["top", "right", "left"]].set_visible(False)
            panel.tick_params(length=0)
        for panel in panels[len(metrics) :]:
            panel.set_axis_off()
        panels[0].set_yticks(range(len(specs)), [titles.get(spec, spec) for spec in specs])
        panels[0].set_ylim(len(specs) - 0.5, -0.5)
        FigureCanvasAgg(figure)
        out = io.BytesIO()
        figure.savefig(out, format=kind, dpi=300)
    return out.getvalue()
