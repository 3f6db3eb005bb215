"""What can be taken away from a run: tables, figures, and the command that repeats it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import gateway
from dashboard.views import benchmark_text as text
from dashboard.views import curves_take

if TYPE_CHECKING:
    from engine.runs import RunRequest, RunResult

FILES = (
    ("Means and intervals (CSV)", "summary", "csv", "text/csv"),
    ("Against the best controls (CSV)", "controls", "csv", "text/csv"),
    ("Every value (CSV)", "csv", "csv", "text/csv"),
    ("Every value (Parquet)", "parquet", "parquet", "application/vnd.apache.parquet"),
)


def draw(id: str, found: RunResult) -> None:
    """Two menus: files to download, and texts to copy."""
    with st.popover("Download", icon=":material/download:"):
        for label, kind, suffix, mime in FILES:
            name = kind if kind in ("summary", "controls") else "table"
            _file(
                label,
                f"{found.manifest['set']['name']} {name}.{suffix}",
                mime,
                lambda k=kind: gateway.runs.table(id, k),
            )
        _file(
            "Table for a paper (LaTeX)",
            f"{found.manifest['set']['name']}.tex",
            "text/x-tex",
            lambda: gateway.runs.latex(id, {spec: text.name(spec) for spec in found.manifest["specs"]}),
        )
        for label, suffix, mime in (
            ("Forest plots (PDF)", "pdf", "application/pdf"),
            ("Forest plots (SVG)", "svg", "image/svg+xml"),
            ("Forest plots (PNG, 300 dpi)", "png", "image/png"),
        ):
            _file(
                label,
                f"{found.manifest['set']['name']}.{suffix}",
                mime,
                lambda s=suffix: gateway.runs.figure(
                    id, {spec: text.name(spec) for spec in found.manifest["specs"]}, s
                ),
            )
    with st.popover("Copy as", icon=":material/content_copy:"):
        st.caption("The command that measures the same, and goes on where it was stopped:")
        st.code(command_line(found.request, found.manifest), language="bash", wrap_lines=True)


def _file(label: str, name: str, mime: str, make) -> None:
    st.download_button(label, data=make, file_name=name, mime=mime, on_click="ignore", width="stretch")


def command_line(asked: RunRequest, manifest: dict) -> str:
    """The command of the same run, safe to paste into a shell."""
    words = ["python", "-m", "engine", "evaluate", "--set", asked.set]
    for spec in asked.specs:
        words += ["-m", spec]
    for metric in manifest["metrics"]:
        words += ["--metric", metric]
    for option, value in (("--first", asked.first), ("--targets", asked.targets)):
        words += [option, str(value)] if value else []
    before, options = curves_take.protocol_options(asked.protocol)
    words += [*options, *curves_take.model_options(asked)]
    return before + shlex.join([*words, "--out", f"runs/{manifest['set']['name']}"])
