"""The server's one queue of work for the engine."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard.gateway import models
from engine.types import Explanation, Request

if TYPE_CHECKING:
    from engine.jobs import Job, Jobs
    from engine.layers import Computed
    from engine.scores import Scores

SOON = 0.8  # seconds


@st.cache_resource(show_spinner=False)
def jobs() -> Jobs:
    """The one queue of this server."""
    from engine.jobs import Jobs

    return Jobs(_answer, lane=_lane)


def _lane(asked: Request) -> str:
    """The device; for a model that must be downloaded first its name, so that nobody waits for a download."""
    info = models.describe(asked.model, asked.pretrained or "")
    return asked.device if info.digest else f"download of {info.id}"


def _answer(asked: Request, **how: Any) -> Explanation | Computed | Scores:
    """What a worker does: the maps of a request; or, where it names no method, the layers of its branch, or
    the scores alone where it names both."""
    from engine import explain, layers, scores

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
