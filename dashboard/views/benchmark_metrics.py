"""The metrics of a new run, by group, what they mean, and how their curves are made."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import fields, gateway, notes, state
from dashboard.text import plain
from dashboard.views import benchmark_text as text
from dashboard.views import curves_protocol

if TYPE_CHECKING:
    from engine.runs import Metric

GROUPS = {
    "curves": "Curves: units hidden or revealed in the map's order",
    "perturbation": "Perturbation: what the map says against what the model does",
    "localisation": "Localisation: the map against the object's true region",
    "map": "The map itself",
    "time": "Cost",
}


def draw(shown: state.State) -> None:
    known, chosen = gateway.benchmark.metrics(), gateway.benchmark.wanted_metrics(shown)
    unknown = [name for name in shown.metrics if name not in known]
    if unknown:
        st.info(plain(f"There is no metric {unknown[0][:60]!r}; the others are chosen."))
    regions = gateway.benchmark.has_regions(shown.image_set)
    for group, members in groupby(known.values(), key=lambda metric: metric.group):
        if group == "localisation" and not regions:
            st.caption("Localisation is left out: the objects of this set have no known regions.")
            continue
        _group(group, list(members), chosen)
        if group == "curves" and gateway.benchmark.has_curves(chosen):
            _protocol(shown)
    with st.expander("What the metrics mean"):
        st.markdown(glossary(known.values()))


def _protocol(shown: state.State) -> None:
    """How the curves are made, which is as on the Curves page."""
    protocol = gateway.benchmark.protocol(shown)
    with st.expander(f"How curves are made: {curves_protocol.described(protocol)}", key="benchmark_protocol"):
        among = [name for name in curves_protocol.AMONG if name != "prompts"]
        curves_protocol.draw(shown, protocol, gateway.benchmark.among(shown), among)


def _group(group: str, members: Sequence[Metric], chosen: Sequence[str]) -> None:
    mine = [metric.name for metric in members if metric.name in chosen]
    titles = {metric.name: f"{metric.title} {text.ARROWS[metric.higher]}".strip() for metric in members}

    def take(names: list[str] | None) -> None:
        others = [n for n in gateway.benchmark.wanted_metrics(state.current()) if n not in titles]
        wanted = (*others, *(names or ()))
        if not wanted:
            notes.say("benchmark", "At least one metric is needed; the last ones stay.")
            return
        state.update(metrics=tuple(n for n in gateway.benchmark.metrics() if n in wanted))

    st.pills(
        GROUPS[group],
        list(titles),
        default=mine,
        selection_mode="multi",
        format_func=titles.get,
        **fields.bound(f"benchmark {group}", mine, take),
    )


def glossary(metrics: Sequence[Metric]) -> str:
    """The metrics as a Markdown table."""
    rows = [
        f"| {plain(m.title)} | {text.BETTER[m.higher]} | {plain(m.unit)} | {plain(m.meaning)} |"
        for m in metrics
    ]
    return "\n".join(("| metric | better | unit | what it says |", "|---|---|---|---|", *rows))
