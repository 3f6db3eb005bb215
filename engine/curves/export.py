"""Curves as files: arrays for npz, a table as CSV, a figure as PNG, SVG or PDF."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from itertools import cycle

import numpy as np

from engine.curves.pictures import KINDS
from engine.curves.types import CONTROLS, Curve, Curves
from engine.specs import parse

FORMATS = ("png", "svg", "pdf")
DPI = 300  # of a figure that is not too large
PIXEL_LIMIT, SIDE_LIMIT = 40_000_000, 60_000  # of the whole figure, and of its longer side
# Of the methods: matplotlib's ten, but for its grey, which belongs to the controls.
COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#bcbd22", "#17becf")
GREY = ("0.35", "0.55", "0.7")  # of the controls
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def shares_of(curves: Curves, kind: str) -> tuple[float, ...]:
    """The abscissa of a kind of curve."""
    return curves.protocol.insertion if kind.startswith("insertion") else curves.protocol.deletion


def arrays(curves: Curves) -> dict[str, np.ndarray]:
    """prompts (P) str; score (P); share (S), and share/insertion where insertion has its own; for every spec
    <spec>/deletion, /insertion, /deletion_least, /insertion_least (P, S) and <spec>/auc (P, 2), deletion
    first. float64; NaN where a prompt has no curve."""
    labels = [target.label for target in curves.targets]
    found = {"prompts": np.array(labels, dtype=str), "score": np.full(len(labels), np.nan)}
    found["share"] = np.array(curves.protocol.deletion)
    if curves.protocol.insertion != curves.protocol.deletion:
        found["share/insertion"] = np.array(curves.protocol.insertion)
    for curve in curves.curves:
        row = labels.index(curve.target)
        found["score"][row] = curve.score
        for name, values in (*((kind, getattr(curve, kind)) for kind in KINDS), ("auc", np.array(curve.auc))):
            key = f"{curve.spec}/{name}"
            found.setdefault(key, np.full((len(labels), len(values)), np.nan))[row] = values
    return found


def table(curves: Curves) -> bytes:
    """CSV, one row a point: prompt, method, curve, share, score. A text that a spreadsheet would take for a
    formula gets an apostrophe in front."""
    file = io.StringIO()
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(("prompt", "method", "curve", "share", "score"))
    for curve in curves.curves:
        prompt = "'" + curve.target if curve.target.startswith(FORMULA) else curve.target
        for kind in KINDS:
            for share, value in zip(shares_of(curves, kind), getattr(curve, kind), strict=True):
                rows.writerow((prompt, curve.spec, kind, repr(share), repr(float(value))))
    return file.getvalue().encode()


def figure(curves: Curves, form: str = "png") -> bytes:
    """Deletion and insertion side by side, one row a prompt, controls in grey; PNG at up to 300 dpi, SVG
    or PDF."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    targets = [t for t in curves.targets if any(c.target == t.label for c in curves.curves)]
    height = max(1, len(targets))
    drawn = Figure(figsize=(9, 3.2 * height), layout="constrained")
    FigureCanvasAgg(drawn)
    axes = drawn.subplots(height, 2, squeeze=False, sharex=True)
    for row, target in zip(axes, targets, strict=False):
        for axis, kind in zip(row, ("deletion", "insertion"), strict=True):
            for curve, style in _styled([c for c in curves.curves if c.target == target.label]):
                axis.plot(
                    100 * np.array(shares_of(curves, kind)), getattr(curve, kind), label=curve.spec, **style
                )
            axis.set_title(f"{kind.capitalize()}: {target.label}".replace("$", r"\$"), fontsize=9)
            axis.set_xlabel(f"% of the {curves.protocol.unit}s", fontsize=8)
            axis.set_ylabel(curves.protocol.score, fontsize=8)
            axis.tick_params(labelsize=8)
            axis.grid(alpha=0.3)
    handles, labels = axes[0][0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside right upper", fontsize=7, frameon=False)
    file = io.BytesIO()
    wide, high = drawn.get_size_inches()
    drawn.savefig(file, format=form, dpi=min(DPI, math.sqrt(PIXEL_LIMIT / (wide * high)), SIDE_LIMIT / high))
    return file.getvalue()


def _styled(curves: list[Curve]) -> Iterator[tuple[Curve, dict[str, object]]]:
    """Each curve with its line: controls grey and dashed below, methods in colour above."""
    colours = cycle(COLOURS)
    greys = iter(GREY * len(curves))
    for curve in curves:
        if parse(curve.spec).method.name in CONTROLS:
            yield curve, {"color": next(greys), "linestyle": "--", "linewidth": 1, "zorder": 1}
        else:
            yield curve, {"color": next(colours), "linewidth": 1.5, "zorder": 2}
