"""What papers print, beside what this run found, in columns of their own."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from dashboard import gateway
from dashboard.text import plain
from dashboard.views import benchmark_text as text

if TYPE_CHECKING:
    from dashboard.views.benchmark_view import View
    from engine.runs import Published


def draw(looked: View) -> None:
    with st.expander("Published figures"):
        st.caption(
            "Of other models, images and protocols: each column stands for itself, and no figure of one may "
            "be set against a figure of the other."
        )
        for (protocol, source), figures in groupby(
            gateway.runs.published(), key=lambda p: (p.protocol, p.source)
        ):
            some = list(figures)
            flag = "" if some[0].verified else " :orange-badge[not verified]"
            st.markdown(f"**{plain(protocol[:1].upper() + protocol[1:])}**{flag}  \n:gray[{plain(source)}]")
            st.table(rows(looked, some), border="horizontal")


def rows(looked: View, figures: list[Published]) -> pd.DataFrame:
    """A row a method; for each metric the printed figure and, where this run has one, its own."""
    known, methods = gateway.benchmark.metrics(), gateway.models.methods()
    means = {(e.spec, e.metric): e for e in looked.found.summary if e.images}
    table: dict[str, dict[str, str]] = {}
    for figure in figures:
        metric = known.get(figure.metric) if figure.verified else None
        title = f"{metric.title} {text.ARROWS[metric.higher]}" if metric else figure.metric.capitalize()
        name = methods[figure.method].title if figure.method in methods else figure.method
        row = table.setdefault(name, {})
        row[f"{title}, published"] = f"{figure.value:g}"
        own = means.get((figure.method, figure.metric))
        if figure.verified:
            row[f"{title}, this run"] = text.number(own.mean) if own else text.NONE
    made = pd.DataFrame.from_dict(table, orient="index")
    made.index.name = "Method"
    return made
