"""Benchmark: methods by metrics over an image set; a new run, the earlier ones, or the one of the link."""

from __future__ import annotations

import streamlit as st

from dashboard import gateway, state
from dashboard.views import benchmark_run, benchmark_setup


def page() -> None:
    shown = state.current()
    if shown.run and (gateway.benchmark.is_active(shown.run) or gateway.runs.exists(shown.run)):
        benchmark_run.draw(shown)
        return
    if shown.run:
        _lost(shown)
    benchmark_setup.draw(shown)


def _lost(shown: state.State) -> None:
    """Why there is nothing under the link's run."""
    job = gateway.benchmark.job(shown.run) if gateway.runs.ID.fullmatch(shown.run) else None
    if job is not None and job.state == "failed":
        st.warning(benchmark_run.said(job.error), icon=":material/info:")
    elif job is not None:
        st.info("The run was cancelled before its first image.", icon=":material/info:")
    else:
        st.info(
            "The run of this link is not on this server. Start the same here to see its results.",
            icon=":material/info:",
        )
