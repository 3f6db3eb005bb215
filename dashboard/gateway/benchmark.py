"""Benchmark runs: what one asks, and the worker that does it into its folder (see runs)."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from dashboard.choices import State
from dashboard.gateway import collection, curves, models, prompts, runs
from engine.types import Cancelled, Progress, SidelightError

if TYPE_CHECKING:
    from engine.curves import Protocol
    from engine.jobs import Job, Jobs
    from engine.runs import Metric, RunRequest, RunResult, RunStatus

TIME = "milliseconds"  # measured in every run from here, for it costs nothing


@dataclass(frozen=True)
class Asked:
    """A run as the worker gets it."""

    id: str
    request: RunRequest

    @property
    def device(self) -> str:
        """Where it is computed."""
        return self.request.device


# What can be asked


def metrics() -> Mapping[str, Metric]:
    """The metrics by name."""
    from engine.runs import METRICS

    return METRICS


def wanted_metrics(state: State) -> tuple[str, ...]:
    """The state's metrics that there are, in the order of the catalog; the usual ones where it names none."""
    from engine.runs import DEFAULT, METRICS

    named = [name for name in METRICS if name in state.metrics]
    return tuple(named) or (*DEFAULT, TIME)


def controls() -> tuple[str, ...]:
    """The specs that are in every run, for they know nothing of the model."""
    from engine.curves import CONTROLS

    return CONTROLS


def is_control(spec: str) -> bool:
    """Whether a spec is a control, with any parameters."""
    return spec.partition("(")[0] in controls()


def has_regions(image_set: str) -> bool:
    """Whether any image of a set has an object whose place is known."""
    items = collection.image_set(image_set).items
    return any(o.mask or o.bbox or o.runs for item in items for o in item.objects)


def among(state: State) -> str:
    """Which classes a score chooses among: as for curves, but of all images and not of the shown one."""
    which = curves.among(state)
    return "set" if which == "prompts" else which


def protocol(state: State) -> Protocol:
    """How the state's run makes curves."""
    from engine.curves import IMAGENET

    which = among(state)
    made = curves.of_classes(state, IMAGENET if which == "imagenet" else prompts.class_list(state, which))
    return replace(made, classes=()) if made.score == "cosine" else made


def has_curves(metrics: Sequence[str]) -> bool:
    """Whether any of these metrics is read from a curve."""
    from engine.runs import METRICS

    return any(METRICS[name].group == "curves" for name in metrics)


def request(state: State) -> RunRequest:
    """The run that the state asks for; SidelightError where it has no method of images."""
    from engine.runs import RunRequest

    known = models.methods()
    specs = [spec for spec in state.methods if "image" in known[spec.partition("(")[0]].branches]
    if not specs:
        raise SidelightError("Choose at least one method.")
    wanted = wanted_metrics(state)
    return RunRequest(
        set=state.image_set,
        specs=tuple(specs),
        metrics=wanted,
        model=state.model,
        pretrained=state.pretrained or None,
        resize=state.resize,
        first=int(state.first) or None,
        targets=int(state.most_prompts) or None,
        **({"protocol": curves.with_classes(state, protocol(state))} if has_curves(wanted) else {}),
    )


def run_id(asked: RunRequest) -> str:
    """The id of a run: equal where the request, the images and the weights are."""
    from engine.runs import question

    text = "\n".join((question(asked), *(item.id for item in runs.images(asked))))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


# The worker


@st.cache_resource(show_spinner=False)
def jobs() -> Jobs:
    """The queue of runs, apart from that of the pages: nobody's maps wait for somebody's run to end."""
    from engine.jobs import Jobs

    return Jobs(_answer, question=repr)


def _answer(
    asked: Asked,
    progress: Callable[[Progress | RunStatus], None],
    cancelled: Callable[[], bool],
) -> RunResult:
    """What a worker does: a run into its folder."""
    from engine.models import load
    from engine.runs import run

    def say(stage: str) -> None:
        if cancelled():
            raise Cancelled("The run was stopped before it began.")
        progress(Progress(0, 0, stage))

    of = asked.request
    model = load(of.model, of.pretrained, of.device, say)
    say("Looking for the first image")
    return run(asked.request, runs.folder(asked.id), progress, cancelled, model)


@st.cache_resource(show_spinner=False)
def _started() -> dict[str, Job]:
    """The jobs of this server by the id of their run."""
    return {}


def start(asked: RunRequest) -> str:
    """Start a run, or join it where it is under way; its id. One that is whole is not measured again."""
    id = run_id(asked)
    if not (runs.exists(id) and runs.is_whole(runs.status(id))):
        _submit(Asked(id, asked))
    return id


def go_on(id: str) -> None:
    """Take up a run where it was left; SidelightError where what it measured is no longer there."""
    asked, manifest = runs.found(id).request, runs.found(id).manifest
    digest = models.describe(asked.model, asked.pretrained or "").digest
    if [item.id for item in runs.images(asked)] != manifest["images"] or digest not in (
        "",
        manifest["weights"],
    ):
        raise SidelightError(
            "The set or the model has changed since this run began, so it cannot go on; its results stay, "
            "and a new run measures what is there now."
        )
    _submit(Asked(id, asked))


def _submit(asked: Asked) -> None:
    _started()[asked.id] = jobs().submit(asked, again=True)


def job(id: str) -> Job | None:
    """The job of a run since the server started, or None."""
    return _started().get(id)


def is_active(id: str) -> bool:
    """Whether a run waits or is under way."""
    there = job(id)
    return there is not None and there.state in ("queued", "running")


def cancel(id: str) -> None:
    there = job(id)
    if there is not None:
        jobs().cancel(there.id)


def remove(id: str) -> None:
    """Remove a run and its results; SidelightError while it is under way, or where the folder stays."""
    if is_active(id):
        raise SidelightError("The run is under way; cancel it first.")
    try:
        shutil.rmtree(runs.folder(id))
    except OSError as error:
        raise SidelightError(f"The run cannot be removed ({error.strerror}).") from error
    _started().pop(id, None)
