"""What can be taken away from the Curves page: the figure and the numbers."""

from __future__ import annotations

import streamlit as st

from dashboard import gateway
from dashboard.views.curves_parts import Parts

FIGURES = {
    "png": ("Figure (PNG, 300 dpi)", "image/png"),
    "svg": ("Figure (SVG)", "image/svg+xml"),
    "pdf": ("Figure (PDF)", "application/pdf"),
}


def draw(of: Parts) -> None:
    """The menu of downloads."""
    with st.popover("Download", icon=":material/download:"):
        if not of.found.curves:
            st.caption("There are no curves yet.")
            return
        name = f"{of.found.image.name} curves"
        for form, (label, mime) in FIGURES.items():
            _button(label, lambda form=form: gateway.curves.figure(of.found, form), f"{name}.{form}", mime)
        _button("All points (CSV)", lambda: gateway.curves.table(of.found), f"{name}.csv", "text/csv")
        _button(
            "All curves (npz)",
            lambda: gateway.curves.arrays(of.found),
            f"{name}.npz",
            "application/octet-stream",
        )
        st.caption(
            "The figure has both curves with the most relevant units first; the files have both orders."
        )


def _button(label: str, data, file_name: str, mime: str) -> None:
    st.download_button(label, data=data, file_name=file_name, mime=mime, on_click="ignore", width="stretch")
