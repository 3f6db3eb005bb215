"""From the state to the lines of the Curves page. Nothing here draws."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dashboard import gateway, progress
from dashboard.choices import State
from dashboard.components.curves import Drawn, Line, numeric
from dashboard.components.curves.bump import Ranked
from dashboard.views import compare_rows
from engine.types import Failure

if TYPE_CHECKING:
    import numpy as np

    from engine.curves import Curves
    from engine.jobs import Job

KINDS = ("deletion", "insertion")


@dataclass(frozen=True)
class Parts:
    """All that is known of one prompt's curves. job: what computes the rest. changed: how many units are
    changed at each point of either curve."""

    prompt: str
    found: Curves
    lines: tuple[Line, ...]
    changed: dict[str, np.ndarray]
    job: Job | None


def prompt_of(shown: State) -> str:
    """The prompt whose curves are shown: the state's, or the first one."""
    prompts = gateway.prompts.prompts(shown)
    return shown.target if shown.target in prompts else prompts[0]


def parts(shown: State) -> Parts:
    """The curves of all methods and controls; asking starts the computation of what is missing.

    SidelightError where the score needs a class that there is not.
    """
    prompt = prompt_of(shown)
    found, job = gateway.curves.curves(shown, prompt)
    return Parts(
        prompt=prompt,
        found=found,
        lines=_lines(found, prompt, job),
        changed={kind: gateway.curves.counts(found, kind) for kind in KINDS},
        job=job,
    )


def _lines(found: Curves, prompt: str, job: Job | None) -> tuple[Line, ...]:
    failures = {f.spec: f for f in found.failures if f.target == prompt}
    colours = _colours(found.specs)
    made = []
    for spec in found.specs:
        title, _, detail = compare_rows.parts(spec)
        line = Line(title, detail, colours[spec], found.get(spec, prompt))
        if line.curve is None:
            line = replace(line, **_lacking(failures.get(spec), job))
        made.append(line)
    return tuple(made)


def _colours(specs: tuple[str, ...]) -> dict[str, str]:
    """A colour for each method, the same one after the other; '' for controls."""
    known, controls = gateway.curves.colours(), gateway.curves.controls()
    methods = [spec for spec in specs if spec.partition("(")[0] not in controls]
    named = {spec: known[place % len(known)] for place, spec in enumerate(methods)}
    return {spec: named.get(spec, "") for spec in specs}


def _lacking(failure: Failure | None, job: Job | None) -> dict[str, str]:
    if failure is not None:
        return {"reason": failure.reason}
    if job is None or job.state in ("cancelled", "failed"):
        return {"reason": "Not computed."}
    return {"waiting": progress.stage(job)}


def drawn(shown: State, of: Parts) -> Drawn | None:
    """The pictures of the marked point, where the fill depends on what is hidden."""
    protocol = of.found.protocol
    fill = protocol.hide if shown.curve == "deletion" else protocol.reveal
    if fill != "neighbours" or not of.found.curves:
        return None
    shares = protocol.deletion if shown.curve == "deletion" else protocol.insertion
    index = min(range(len(shares)), key=lambda i: abs(shares[i] - shown.mark / 100))
    kind = shown.curve if shown.order == "most" else f"{shown.curve}_least"
    made = gateway.curves.pictures(of.found, kind, index)
    places = [place for place, line in enumerate(of.lines) if line.curve is not None]
    return Drawn(shown.curve, shown.order, index, dict(zip(places, made, strict=True)))


def ranked(by_fill: dict[str, Curves], prompt: str) -> tuple[Ranked, ...]:
    """The methods' numbers by fill, those that have curves for all of them."""
    first = next(iter(by_fill.values()))
    colours = _colours(first.specs)
    made = []
    for spec in first.specs:
        curves = [found.get(spec, prompt) for found in by_fill.values()]
        if None not in curves:
            title, _, detail = compare_rows.parts(spec)
            areas = zip(*(curve.auc for curve in curves), strict=True)
            deletion, insertion = (tuple(map(numeric, values)) for values in areas)
            aid = tuple(numeric(curve.aid) for curve in curves)
            made.append(Ranked(title, detail, colours[spec], deletion, insertion, aid))
    return tuple(made)
