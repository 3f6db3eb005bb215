"""A small table of how far methods agree, whose cells choose a pair."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import streamlit as st

from dashboard.callbacks import unbroken

HERE = Path(__file__).parent

_component = st.components.v2.component(
    "sidelight_matrix",
    html=(HERE / "matrix.html").read_text("utf-8"),
    css=(HERE / "matrix.css").read_text("utf-8"),
    js=(HERE / "matrix.js").read_text("utf-8"),
)


def matrix(labels: Sequence[str], rank: np.ndarray, overlap: np.ndarray, key: str) -> tuple[int, int] | None:
    """Draw rank correlations (n, n) below the diagonal and overlaps (n, n; 0..1) above it; NaN is a dash.

    Returns the chosen pair (smaller, larger index), or None. It stays chosen until its cell is clicked again.
    """
    held = f"{key} pair"

    def choose() -> None:
        st.session_state[held] = st.session_state[key].pair["pair"]

    pair = st.session_state.get(held)
    if pair is not None and max(pair) >= len(labels):
        pair = None
    data = {"labels": list(labels), "rank": _plain(rank), "overlap": _plain(overlap), "pair": pair}
    _component(data=data, key=key, on_pair_change=unbroken(choose))
    return None if pair is None else (pair[0], pair[1])


def _plain(table: np.ndarray) -> list[list[float | None]]:
    return [[None if np.isnan(value) else round(float(value), 4) for value in row] for row in table]
