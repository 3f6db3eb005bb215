"""What a benchmark run will take, before it starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from dashboard.gateway import collection, models, runs, work
from engine.types import Progress

if TYPE_CHECKING:
    from engine.jobs import Job, Jobs
    from engine.runs import RunRequest


@dataclass(frozen=True)
class Pace:
    """How fast a model is. seconds: of one input of its image tower, among others in a batch. failures: none,
    see engine.jobs."""

    seconds: float
    failures: tuple[()] = ()


@dataclass(frozen=True)
class Measuring:
    """Asks for a model's pace."""

    model: str
    pretrained: str | None
    device: str = "auto"


@dataclass(frozen=True)
class Cost:
    """What a run will take. passes: inputs of the image tower; seconds: None while the model's pace is not
    known."""

    images: int
    passes: int
    seconds: float | None


def cost(asked: RunRequest) -> Cost:
    """What a run will take, by the pace of earlier runs of the model here, or else of the model itself."""
    from engine.runs.cost import passes

    items = runs.images(asked)
    total = passes(asked, items)
    pace = _pace_of_runs(asked) or _pace_of_model(asked)
    return Cost(len(items), total, pace and pace * total)


def _pace_of_runs(asked: RunRequest) -> float | None:
    """Seconds a pass of the latest run of the same weights, whose set is still here."""
    from engine.runs import request_of
    from engine.runs.cost import passes, seconds_an_image

    info = models.describe(asked.model, asked.pretrained or "")
    known = {found.name for found in collection.sets()}
    for run in runs.listed():
        if run.manifest["weights"] != info.digest or run.manifest["request"]["set"] not in known:
            continue
        earlier = request_of(run.manifest)
        images, seconds = runs.images(earlier), seconds_an_image(runs.folder(run.id))
        total = passes(earlier, images)
        if seconds and total:
            return seconds * len(images) / total
    return None


def _pace_of_model(asked: RunRequest) -> float | None:
    """Seconds a pass, measured for this; None while that is under way, or there are no weights yet."""
    if not models.describe(asked.model, asked.pretrained or "").digest:
        return None
    job = _paces().get((asked.model, asked.pretrained))
    if job is None:
        job = _jobs().submit(Measuring(asked.model, asked.pretrained))
        _paces()[asked.model, asked.pretrained] = job
        work.wait(job)
    return job.result.seconds if job.state == "done" else None


def is_measuring(asked: RunRequest) -> bool:
    """Whether the pace of a run's model is being measured."""
    there = _paces().get((asked.model, asked.pretrained))
    return there is not None and there.state in ("queued", "running")


@st.cache_resource(show_spinner=False)
def _paces() -> dict[tuple[str, str | None], Job]:
    return {}


@st.cache_resource(show_spinner=False)
def _jobs() -> Jobs:
    from engine.jobs import Jobs

    return Jobs(_measure, question=repr)


def _measure(asked: Measuring, progress: Callable[[Progress], None], cancelled: Callable[[], bool]) -> Pace:
    from engine.models import load
    from engine.runs.cost import seconds_a_pass

    return Pace(seconds_a_pass(load(asked.model, asked.pretrained, asked.device)))
