"""What can be taken away from the Words page: the table and a cloud of the words."""

from __future__ import annotations

import csv
import io

import streamlit as st

from dashboard.components.words import Measure
from dashboard.text import plain, shortened
from dashboard.views.words_parts import Parts
from engine import render


def draw(found: Parts, name: str) -> None:
    """The menu of downloads; name: of the image."""
    with st.popover("Download", icon=":material/download:"):
        ready = [row for row in found.measures if any(value is not None for value in row.values)]
        if not ready:
            st.caption("The words have no weights yet.")
            return
        st.download_button(
            "Table (CSV)",
            data=lambda: table(found),
            file_name=f"{name} words.csv",
            mime="text/csv",
            on_click="ignore",
            width="stretch",
        )
        titles = {row.name: row.title for row in ready}
        st.session_state.setdefault("cloud_of", ready[0].name)
        if st.session_state["cloud_of"] not in titles:
            st.session_state["cloud_of"] = ready[0].name
        chosen = st.selectbox("Word cloud by", list(titles), format_func=titles.get, key="cloud_of")
        row = next(row for row in ready if row.name == chosen)
        weights = cloud_weights(found, row)
        for kind, mime, drawn in (
            ("PNG", "image/png", render.cloud_png),
            ("SVG", "image/svg+xml", render.cloud_svg),
        ):
            st.download_button(
                f"Word cloud ({kind})",
                data=lambda drawn=drawn: drawn(weights),
                file_name=f"{name} words.{kind.lower()}",
                mime=mime,
                on_click="ignore",
                width="stretch",
                disabled=not drawable(weights),
            )
        lost = render.undrawable(weights)
        if lost:
            some = ", ".join(shortened(word, 30) for word in lost[:8])
            st.caption(plain(f"The cloud's font has no letters for {some}; the table has all words."))
        st.caption("Size goes by magnitude; brown words lower the score. Equal words are added up.")


def drawable(weights: list[tuple[str, float]]) -> bool:
    """Whether a cloud would show anything."""
    lost = set(render.undrawable(weights))
    return any(weight and word not in lost for word, weight in weights)


def cloud_weights(found: Parts, row: Measure) -> list[tuple[str, float]]:
    """The words that have a weight in a row, with it; letter case counts for nothing."""
    pairs = zip(found.words, row.values, strict=True)
    return [(word.text.casefold(), value) for word, value in pairs if value is not None]


def table(found: Parts) -> bytes:
    """A line a word: where it stands, its weight by each measure, and its tokens with theirs."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["word", "start", "end", *(f"{m.title} ({m.unit})" for m in found.measures), "tokens"])
    parts = next((m.parts for m in found.measures if m.parts), ((),) * len(found.words))
    for place, word in enumerate(found.words):
        values = ["" if m.values[place] is None else repr(m.values[place]) for m in found.measures]
        tokens = " ".join(f"{text}:{value!r}" for text, value in parts[place])
        writer.writerow([word.text, *word.span, *values, tokens])
    return out.getvalue().encode("utf-8-sig")  # the mark tells spreadsheets that it is UTF-8
