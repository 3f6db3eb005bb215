"""Maps from the store or from a job, and numbers that compare them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from dashboard.choices import State
from dashboard.gateway import collection, models, prompts, work
from engine.types import Branch, Explanation, Request, Target

if TYPE_CHECKING:
    from engine.jobs import Job


def request(state: State) -> Request:
    """What the state asks of its image."""
    return Request(
        image=collection.image(state),
        targets=tuple(Target(text) for text in prompts.prompts(state)),
        specs=tuple(dict.fromkeys(models.signed(spec, state.sign) for spec in state.methods)),
        model=state.model,
        pretrained=state.pretrained or None,
        resize=state.resize,
    )


def maps(state: State, targets: Sequence[Target]) -> tuple[Explanation, Job | None]:
    """What is known of targets of the state's image, and the job that computes what is missing.

    For a second model or another image ask with `replace(state, ...)`. A job that ended without all maps is
    handed out too, so that the page can say why; `again` starts it over.
    """
    return explained(replace(request(state), targets=tuple(targets)))


def explained(asked: Request) -> tuple[Explanation, Job | None]:
    from engine import stored

    found = stored(asked)
    if _whole(found, asked.branch):
        return found, None
    job = work.jobs().submit(asked)
    if job.state == "done":
        found = replace(stored(asked), failures=job.result.failures)
    return found, None if _whole(found, asked.branch) else job


def _whole(found: Explanation, branch: Branch) -> bool:
    held = {(m.spec, m.target) for m in (*found.maps, *found.failures) if m.branch == branch}
    return all((spec, t.label) in held for spec in found.specs for t in found.targets)


def scores(state: State, targets: Sequence[Target]) -> tuple[Mapping[str, float], Job | None]:
    """The model's score of the state's image and each target, by label, or the job that computes them."""
    from engine import scores as engine_scores

    asked = replace(request(state), targets=tuple(targets), specs=(), branch="both")
    found = engine_scores.stored(asked).values
    if all(target.label in found for target in targets):
        return found, None
    job = work.jobs().submit(asked)
    return (job.result.values, None) if job.state == "done" else (found, job)


def gini(values: np.ndarray) -> float:
    """Sparsity of a map."""
    from engine.metrics import agreement

    return agreement.gini(values)


def specificity(values: np.ndarray, against: np.ndarray) -> float | None:
    """1 - Spearman of two prompts' maps: 0 where they are the same; None where one has no ranking."""
    from engine.metrics import agreement

    value = 1 - float(agreement.spearman(np.stack([values.ravel(), against.ravel()]))[0, 1])
    return None if np.isnan(value) else value


def agreement(maps: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Rank correlation and overlap of the strongest patches (n, n) of maps of one size."""
    from engine.metrics import agreement

    rows = np.stack([values.ravel() for values in maps])
    return agreement.spearman(rows), agreement.top_overlap(rows)


def rank_difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Where `a` ranks a patch higher than `b` does (positive) or lower, as a share of the patches."""
    from engine.metrics import agreement

    return agreement.rank_difference(a, b)


def share_inside(values: np.ndarray, region: np.ndarray) -> float | None:
    """Share of a map's positive mass inside a region, bool of its shape; None where it has none."""
    from engine.metrics import localisation

    share = localisation.energy(values, region)
    return None if np.isnan(share) else share
