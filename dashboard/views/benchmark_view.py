"""What of a run is looked at: the choices of the page, as far as this run has them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dashboard import gateway, state

if TYPE_CHECKING:
    from engine.runs import Estimate, RunResult

CONTROLS = "controls"


@dataclass(frozen=True)
class View:
    """What of a run is looked at. against: '' for the means, 'controls', or a spec. estimates: of the means,
    or with the reference that `against` names."""

    found: RunResult
    metrics: tuple[str, ...]
    specs: tuple[str, ...]
    metric: str
    method: str
    against: str
    estimates: dict[tuple[str, str], Estimate]
    beaten: frozenset[tuple[str, str]]


def view(shown: state.State, found: RunResult) -> View:
    """The state's choices, those that this run has; its methods with the best by the metric first."""
    means = {(e.spec, e.metric): e for e in found.summary}
    metrics = tuple(dict.fromkeys(e.metric for e in found.summary))
    metric = shown.run_metric if shown.run_metric in metrics else metrics[0]
    specs = ranked(tuple(found.manifest["specs"]), metric, means)
    best = next((spec for spec in specs if not gateway.benchmark.is_control(spec)), specs[0])
    against = shown.against if shown.against in (CONTROLS, *specs) else ""
    estimates = (
        {(e.spec, e.metric): e for e in gateway.runs.against(shown.run, against)} if against else means
    )
    return View(
        found,
        metrics,
        specs,
        metric,
        shown.run_method if shown.run_method in specs else best,
        against,
        estimates,
        gateway.runs.beaten(shown.run),
    )


def ranked(specs: Sequence[str], metric: str, means: dict[tuple[str, str], Estimate]) -> tuple[str, ...]:
    """The specs, the best by a metric first; the highest first where neither end is better."""

    def place(spec: str) -> tuple[float, float]:
        e = means.get((spec, metric))
        if e is None or math.isnan(e.mean):
            return math.inf, 0.0
        return (0.0 if math.isnan(e.rank) else e.rank), -e.mean

    return tuple(sorted(specs, key=place))
