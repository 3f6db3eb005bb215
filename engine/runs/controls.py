"""Which methods beat the maps that know nothing of the model, and the table that says so."""

from __future__ import annotations

import math
from collections.abc import Sequence

from engine.curves.types import CONTROLS
from engine.runs.catalog import METRICS
from engine.runs.summary import summarise
from engine.runs.types import Estimate, RunResult
from engine.specs import parse

LEVEL = 0.05
FLAG = "\N{DAGGER}"


def is_control(spec: str) -> bool:
    """Whether a spec is one of the controls, with any parameters."""
    return parse(spec).method.name in CONTROLS


def against_controls(found: RunResult) -> tuple[Estimate, ...]:
    """The summary again for every metric that judges, with the best control of that metric as the
    reference: each method's paired difference to it, with interval and Holm-corrected test."""
    specs, best = found.manifest["specs"], {}
    for e in found.summary:
        if (
            is_control(e.spec)
            and METRICS[e.metric].judges
            and not math.isnan(e.rank)
            and e.rank < getattr(best.get(e.metric), "rank", math.inf)
        ):
            best[e.metric] = e
    return tuple(
        estimate
        for metric, control in best.items()
        for estimate in summarise(found.rows, specs, [metric], control.spec, found.request.seed)
    )


def beats(estimate: Estimate) -> bool:
    """Whether a method of `against_controls` is better than the best control, by a test at 5 % after Holm."""
    if estimate.p_holm is None or estimate.difference is None or not estimate.p_holm < LEVEL:
        return False
    return (estimate.difference > 0) == METRICS[estimate.metric].higher


def markdown(found: RunResult) -> str:
    """A Markdown table, a row a method and a column a metric: mean and 95 % interval; a dagger where a
    method does not beat the best control."""
    metrics = list(dict.fromkeys(e.metric for e in found.summary))
    cells = {(e.spec, e.metric): e for e in found.summary}
    beaten = {(e.spec, e.metric) for e in against_controls(found) if beats(e)}
    arrows = {True: " \N{UPWARDS ARROW}", False: " \N{DOWNWARDS ARROW}", None: ""}
    lines = [
        _line(["method", *(METRICS[m].title + arrows[METRICS[m].higher] for m in metrics)]),
        _line(["---"] * (1 + len(metrics))),
    ]
    for spec in found.manifest["specs"]:
        row = []
        for metric in metrics:
            e = cells.get((spec, metric))
            judged = METRICS[metric].judges and not is_control(spec)
            flag = FLAG if judged and (spec, metric) not in beaten else ""
            row.append(f"{_figure(e)}{flag}" if e and e.images else "")
        lines.append(_line([f"`{spec}`", *row]))
    return "\n".join(lines) + "\n"


def _figure(e: Estimate) -> str:
    """The mean with its interval, which one image does not have."""
    return f"{e.mean:.3f}" if math.isnan(e.low) else f"{e.mean:.3f} [{e.low:.3f}, {e.high:.3f}]"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
