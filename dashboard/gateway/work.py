"""The server's one queue of work for the engine."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard.gateway import models
from engine.types import Explanation, Request

if TYPE_CHECKING:
    from engine.curves import CurveRequest, Curves
    from engine.jobs import Job, Jobs
    from engine.layers import Computed
    from engine.scores import Scores

SOON = 0.8  # seconds


@st.cache_resource(show_spinner=False)
def jobs() -> Jobs:
    """The one queue of this server."""
    from engine.jobs import Jobs

    return Jobs(_answer, question=_question, lane=_lane)


def _question(asked: Request | CurveRequest) -> str:
    from engine import curves
    from engine.jobs import of_maps

    return of_maps(asked) if isinstance(asked, Request) else curves.question(asked)


def _lane(asked: Request | CurveRequest) -> str:
    """The device; for a model that must be downloaded first its name, so that nobody waits for a download."""
    maps = asked if isinstance(asked, Request) else asked.maps
    info = models.describe(maps.model, maps.pretrained or "")
    return asked.device if info.digest else f"download of {info.id}"


def _answer(asked: Request | CurveRequest, **how: Any) -> Explanation | Computed | Scores | Curves:
    """What a worker does: curves; the maps of a request; or, where it names no method, the layers of its
    branch, or the scores alone where it names both."""
    from engine import curves, explain, layers, scores

    if not isinstance(asked, Request):
        return curves.compute(asked, **how)
    if asked.specs:
        return explain(asked, **how)
    return (scores if asked.branch == "both" else layers).compute(asked, **how)


def cancel(job: Job) -> None:
    jobs().cancel(job.id)


def again(job: Job) -> None:
    """Start a job over that failed or was cancelled."""
    jobs().submit(job.request, again=True)


def wait(job: Job) -> None:
    """Give a job the moment that it takes with a loaded model, rather than draw the page twice."""
    end = time.monotonic() + SOON
    while job.state in ("queued", "running") and time.monotonic() < end:
        time.sleep(0.01)
