"""What a run found: the table, the charts, the images behind a cell, and what papers print."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from dashboard import faults, fields, gateway, state
from dashboard.components.scores import scores
from dashboard.text import plain
from dashboard.views import (
    benchmark_charts,
    benchmark_images,
    benchmark_look,
    benchmark_published,
    benchmark_ranks,
    benchmark_table,
    benchmark_take,
)
from dashboard.views import benchmark_text as text
from dashboard.views.benchmark_view import CONTROLS, View, view

if TYPE_CHECKING:
    from engine.runs import RunResult


def draw(shown: state.State, found: RunResult) -> None:
    if not found.summary:
        return
    looked = view(shown, found)
    _choices(looked, shown.run)
    scores(
        benchmark_table.heads(looked.metrics),
        benchmark_table.lines(looked),
        key="scores",
        label="Methods by metrics",
        metric=looked.metric,
        method=looked.method,
        on_choose=_choose,
    )
    st.caption(plain(benchmark_table.legend(looked)))
    for sentence in found.unmeasured:
        st.caption(f":material/info: {plain(sentence)}")
    benchmark_images.draw(looked)
    _charts(looked)
    benchmark_published.draw(looked)


def _choose(metric: str, method: str) -> None:
    held = state.current()
    state.update(run_metric=metric or held.run_metric, run_method=method or held.run_method)


def _choices(looked: View, run: str) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", key="run_choices"):
        options = ["", CONTROLS, *looked.found.manifest["specs"]]
        st.selectbox(
            "Table of",
            options,
            index=options.index(looked.against),
            format_func=_compared,
            width=340,
            **fields.bound("run against", looked.against, lambda chosen: state.update(against=chosen)),
            help="Differences are paired by image; p is of the Wilcoxon signed-rank test, corrected for the "
            "number of methods (Holm).",
        )
        titles = {name: gateway.benchmark.metrics()[name].title for name in looked.metrics}
        st.selectbox(
            "Sorted and drawn by",
            list(titles),
            index=looked.metrics.index(looked.metric),
            format_func=titles.get,
            width=280,
            **fields.bound("run metric", looked.metric, lambda chosen: state.update(run_metric=chosen)),
        )
        st.space("stretch")
        benchmark_take.draw(run, looked.found)


def _compared(against: str) -> str:
    if not against:
        return "Means"
    return f"Differences to {'the best control' if against == CONTROLS else text.name(against)}"


@faults.told()
def _charts(looked: View) -> None:
    metric = gateway.benchmark.metrics()[looked.metric]
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown(f"#### {plain(metric.title)}")
        what = "Differences" if looked.against else "Means"
        line = "the reference" if looked.against else "the best control"
        st.caption(f"{what} with 95 % intervals, controls in grey. Dotted: {line}.")
        _chart(benchmark_charts.forest(looked), "forest")
    with right:
        st.markdown("#### Cost and quality")
        drawn = benchmark_charts.cost(looked)
        if drawn is None:
            st.caption("This run measured no cost; choose a metric of the group Cost in a new one.")
        else:
            st.caption("Named: what no other method beats in both, and the one that is looked at.")
            _chart(drawn, "cost")
    ordered = [m for m in looked.metrics if gateway.benchmark.metrics()[m].higher is not None]
    if len(ordered) > 1:
        st.markdown("#### Ranks across metrics")
        st.caption("A method whose line stays high is good by every measure; lines that cross disagree.")
        _chart(benchmark_ranks.ranks(looked), "ranks")


def _chart(drawn: benchmark_look.Drawn, key: str) -> None:
    st.plotly_chart(
        drawn.figure, key=f"chart {key}", alt=drawn.alt, config={"displayModeBar": False, "scrollZoom": False}
    )
