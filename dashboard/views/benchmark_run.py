"""One run: how far it is, and what it found so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from dashboard import faults, gateway, notes, progress, state
from dashboard.callbacks import unbroken
from dashboard.text import plain
from dashboard.views import benchmark_results, curves_protocol
from dashboard.views import benchmark_text as text
from engine.types import Progress, SidelightError

if TYPE_CHECKING:
    from engine.jobs import Job
    from engine.runs import RunStatus

REDRAWS = 20  # of the results while a run goes on, at most


def draw(shown: state.State) -> None:
    id = shown.run
    there = gateway.runs.exists(id)
    _head(id, there)
    done = gateway.runs.status(id).done if there else 0
    if gateway.benchmark.is_active(id):
        _watch(id, done)
    else:
        _ended(id)
    notes.show("benchmark")
    if not there:
        return
    _problems(gateway.runs.status(id).problems)
    with st.spinner("Reading the results"):
        found = gateway.runs.found(id)
        gateway.runs.beaten(id)  # kept, and the longer part
    if found.rows:
        benchmark_results.draw(shown, found)
    elif done:
        st.info("No image could be measured; the reasons are above.", icon=":material/info:")


def _head(id: str, there: bool) -> None:
    row = st.container(horizontal=True, vertical_alignment="center", key="run_head")
    if there:
        found = gateway.runs.found(id)
        about, measured = found.manifest, found.status.done - found.status.failed
        methods = sum(not gateway.benchmark.is_control(spec) for spec in about["specs"])
        curves = ""
        if gateway.benchmark.has_curves(about["metrics"]):
            curves = f"  \n:gray[curves: {curves_protocol.described(found.request.protocol)}]"
        row.markdown(
            f"#### {plain(about['set']['title'])}\n"
            f":gray[{text.count(measured, 'image')} · {text.count(methods, 'method')} and "
            f"{text.count(len(about['specs']) - methods, 'control')} · "
            f"{text.count(len(about['metrics']), 'metric')} · model {plain(about['model'])}]{curves}",
            width="stretch",
        )
        with row, st.popover("Remove", icon=":material/delete:"):
            st.markdown("The run and its results leave this server.")
            st.button("Remove this run", on_click=unbroken(_remove), args=(id,))
    else:
        row.markdown("#### A new run", width="stretch")
    row.button("All runs", icon=":material/arrow_back:", on_click=unbroken(_leave))


def _leave() -> None:
    state.update(run="", run_metric="", run_method="", against="")


def _remove(id: str) -> None:
    try:
        gateway.benchmark.remove(id)
    except SidelightError as error:
        notes.say("benchmark", str(error))
    else:
        _leave()


@progress.polled
@faults.told()
def _watch(id: str, drawn: int) -> None:
    """The bar of a run under way; the page is drawn again as results come."""
    job = gateway.benchmark.job(id)
    if job is None or not gateway.benchmark.is_active(id):
        st.rerun()
    status = None if isinstance(job.progress, Progress) else job.progress
    if status is not None and status.done - drawn >= max(1, status.total // REDRAWS):
        st.rerun()
    row = st.container(horizontal=True, vertical_alignment="center", key="progress")
    share = status.done / status.total if status and status.total else 0.0
    row.progress(min(share, 1.0), text=plain(_stage(job, status)))
    row.button("Cancel", key="cancel", on_click=unbroken(gateway.benchmark.cancel), args=(id,))


def _stage(job: Job, status: RunStatus | None) -> str:
    if job.state == "queued":
        return "Waiting for another run"
    if job.stop.is_set():
        return "Stopping at the next step"
    if status is None:
        stage = job.progress.stage
        return stage[:1].upper() + stage[1:]
    parts = [f"{status.done} of {text.count(status.total, 'image')}"]
    if status.failed:
        parts.append(f"{status.failed} skipped")
    if status.rate:
        parts.append(
            f"{status.rate:.1f} images a second" if status.rate >= 1 else f"{1 / status.rate:.1f} s an image"
        )
    if status.left is not None:
        parts.append(
            f"{text.duration(status.left)} left" if status.done < status.total else "writing the tables"
        )
    return " · ".join(parts)


def _ended(id: str) -> None:
    """What to say of a run that stands still, and how to go on."""
    job, status = gateway.benchmark.job(id), gateway.runs.status(id)
    whole = gateway.runs.is_whole(status)
    if whole and (job is None or job.state == "done"):
        return
    row = st.container(horizontal=True, vertical_alignment="center", key="progress")
    if job is not None and job.state == "failed":
        row.warning(said(job.error), icon=":material/info:")
    else:
        row.info(
            f"Stopped at {status.done} of {text.count(status.total, 'image')}; what is there is shown below.",
            icon=":material/info:",
        )
    row.button("Continue", key="continue", type="primary", on_click=unbroken(_go_on), args=(id,))


def said(error: str) -> str:
    return plain(error)


def _go_on(id: str) -> None:
    try:
        gateway.benchmark.go_on(id)
    except SidelightError as error:
        notes.say("benchmark", str(error))


def _problems(problems: tuple[str, ...]) -> None:
    if problems:
        title = (
            "1 image or file was left out"
            if len(problems) == 1
            else f"{len(problems)} images or files were left out"
        )
        with st.expander(title):
            for problem in problems:
                st.caption(plain(problem))
