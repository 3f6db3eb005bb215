"""A computation that is under way: what is happening, how far it is, and a way to stop it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec

import streamlit as st

from dashboard import gateway
from dashboard.callbacks import unbroken
from dashboard.text import plain

if TYPE_CHECKING:
    from engine.jobs import Job

POLL = 0.5  # seconds
_DONE = "sidelight_done"  # the last job that a page was drawn again for, once
REDRAW = 3  # polls between two drawings of the page with the maps that came meanwhile
P = ParamSpec("P")


def polled(part: Callable[P, None]) -> Callable[P, None]:
    """A part of a page that is drawn again every POLL seconds, as long as the page has it."""
    turning = st.fragment(run_every=POLL)(part)

    @wraps(part)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> None:
        # A turn takes back what the part sent before and the browser has not had yet. Its place on the page
        # would go with it, and the browser breaks off at what comes behind the gap; so the page holds it.
        with st.container():
            turning(*args, **kwargs)

    return drawn


def panel(job: Job | None, counted: str = "maps") -> None:
    """Show the job while it runs, and draw the page again when there is more to see. counted: the plural of
    what its progress counts."""
    place = st.empty()  # also where there is no job: at another place, what comes behind would be made anew
    if job is None:
        return
    with place.container():
        if job.state in ("queued", "running"):
            _watch(job, job.progress.done, counted)
        elif job.state in ("failed", "cancelled"):
            _ended(job)
        elif st.session_state.get(_DONE) is not job:  # it ended while the page was being drawn
            st.session_state[_DONE] = job
            st.rerun()


@polled
def _watch(job: Job, drawn: int, counted: str) -> None:
    if job.state not in ("queued", "running"):
        st.rerun()
    turn = st.session_state.get("polls", 0) + 1
    st.session_state["polls"] = turn
    if job.progress.done > drawn and turn % REDRAW == 0:
        st.rerun()
    progress = job.progress
    share = progress.done / progress.total if progress.total else 0.0
    so_far = f" · {progress.done} of {progress.total} {counted}" if progress.total else ""
    row = st.container(horizontal=True, vertical_alignment="center", key="progress")
    row.progress(min(share, 1.0), text=plain(stage(job)) + so_far)
    row.button("Cancel", key="cancel", on_click=unbroken(gateway.work.cancel), args=(job,))


def stage(job: Job) -> str:
    """What a job that has not ended is doing, as every page says it."""
    if job.state == "queued":
        return "Waiting for other work"
    if job.stop.is_set():
        return "Stopping at the next step"
    said = job.progress.stage or "starting"
    return said[:1].upper() + said[1:]


def _ended(job: Job) -> None:
    said = "Cancelled; what was finished is kept." if job.state == "cancelled" else job.error
    row = st.container(horizontal=True, vertical_alignment="center", key="progress")
    row.info(plain(said), icon=":material/info:")
    row.button("Compute again", on_click=unbroken(gateway.work.again), args=(job,))
