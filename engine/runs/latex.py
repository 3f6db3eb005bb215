"""The summary of a run as a LaTeX table (booktabs), ready for a paper."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from engine.curves.types import Protocol
from engine.runs.catalog import METRICS
from engine.runs.controls import against_controls, beats, is_control
from engine.runs.types import Estimate, RunResult

ARROWS = {True: r"$\uparrow$", False: r"$\downarrow$", None: ""}
SPECIAL = {
    "\\": r"\textbackslash{}",
    **{mark: rf"\{mark}" for mark in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def latex(found: RunResult, titles: Mapping[str, str]) -> str:
    """A row a method and a column a metric: the mean with its 95 % interval below in small print, the best of
    a metric in bold, a dagger where a method does not beat the best control. titles: of the specs, any text.

    Needs the package booktabs.
    """
    metrics = list(dict.fromkeys(e.metric for e in found.summary))
    cells = {(e.spec, e.metric): e for e in found.summary if e.images}
    beaten = {(e.spec, e.metric) for e in against_controls(found) if beats(e)}
    table = pd.DataFrame(
        [
            [_cell(cells.get((spec, m)), _judged(spec, m), beaten) for m in metrics]
            for spec in found.manifest["specs"]
        ],
        index=[escaped(titles.get(spec, spec)) for spec in found.manifest["specs"]],
        columns=[f"{escaped(METRICS[m].title)} {ARROWS[METRICS[m].higher]}".strip() for m in metrics],
    )
    curves = _curves(found.request.protocol) if any(METRICS[m].group == "curves" for m in metrics) else ""
    images = found.status.done - found.status.failed
    caption = (
        f"Means over {images} images of {found.manifest['set']['title']} with 95 % intervals from paired "
        f"bootstrap resamples; model {found.manifest['model']}. A dagger marks what does not beat the best "
        f"control (Wilcoxon signed-rank, Holm, 5 %).{curves}"
    )
    return table.style.to_latex(
        hrules=True,
        column_format="l" + "r" * len(metrics),
        caption=escaped(caption),
        position_float="centering",
    )


def escaped(text: str) -> str:
    """Any text so that LaTeX prints it as it is, on one line."""
    return "".join(SPECIAL.get(mark, mark) for mark in " ".join(text.split()))


def _curves(protocol: Protocol) -> str:
    """What the areas under the curves depend on."""
    hide, reveal = protocol.hide, protocol.reveal
    fill = f"the fill {hide}" if hide == reveal else f"the fills {hide} and {reveal}"
    at = f"{len(protocol.deletion)} and {len(protocol.insertion)} points"
    return f" Deletion and insertion change each {protocol.unit} by {fill}, at {at}; score: {protocol.score}."


def _judged(spec: str, metric: str) -> bool:
    """Whether a method ought to beat the controls: by everything but its cost."""
    return not is_control(spec) and METRICS[metric].judges


def _cell(e: Estimate | None, judged: bool, beaten: set[tuple[str, str]]) -> str:
    if e is None:
        return ""
    mean = rf"\textbf{{{e.mean:.3f}}}" if e.rank == 1 else f"{e.mean:.3f}"
    flag = r"$^\dagger$" if judged and (e.spec, e.metric) not in beaten else ""
    if math.isnan(e.low):  # of one image
        return mean + flag
    return rf"\shortstack[r]{{{mean}{flag}\\{{\scriptsize [{e.low:.3f}, {e.high:.3f}]}}}}"
