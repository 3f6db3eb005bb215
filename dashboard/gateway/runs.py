"""Runs in their folders: which there are, how far they are, what they found, and what can be taken away.

A run's id is made of what it asks, never typed, and is all that a path is built from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard.gateway import collection

if TYPE_CHECKING:
    from engine.curves import Protocol
    from engine.datasets import Item
    from engine.runs import Estimate, Published, RunRequest, RunResult, RunStatus

ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Listed:
    """A run that lies in its folder. began: seconds since the epoch."""

    id: str
    manifest: Mapping[str, Any]
    status: RunStatus
    began: float


def root() -> Path:
    """Where all runs of this server lie."""
    from engine.store import default_store

    return default_store().folder / "runs"


def folder(id: str) -> Path:
    """Where a run lies; ValueError for anything but an id."""
    if not ID.fullmatch(id):
        raise ValueError(f"{id!r} is not the id of a run")
    return root() / id


def exists(id: str) -> bool:
    """Whether there is such a run here; an id may be anything that a link has."""
    return bool(ID.fullmatch(id)) and (folder(id) / "run.json").is_file()


def listed() -> tuple[Listed, ...]:
    """The runs of this server, the latest first."""
    from engine.runs.folder import RUN, read

    there = []
    for file in root().glob(f"*/{RUN}"):
        if exists(file.parent.name):
            there.append(
                Listed(file.parent.name, read(file.parent), status(file.parent.name), file.stat().st_mtime)
            )
    return tuple(sorted(there, key=lambda run: -run.began))


def unusual_protocol(run: Listed) -> Protocol | None:
    """How a run makes its curves, where that is not the usual way."""
    from engine.curves import Protocol
    from engine.runs import request_of

    protocol = request_of(run.manifest).protocol
    return None if protocol == Protocol() else protocol


def status(id: str) -> RunStatus:
    """How far a run is."""
    from engine.runs import status

    return status(folder(id))


def is_whole(status: RunStatus) -> bool:
    """Whether every image of a run is done."""
    return status.done >= status.total


def found(id: str) -> RunResult:
    """A run as it stands."""
    return _found(id, _stand(id))


def _stand(id: str) -> tuple[int, float]:
    """Changes whenever there is more of a run."""
    return status(id).done, (folder(id) / "run.json").stat().st_mtime


@st.cache_resource(max_entries=8, show_spinner=False)
def _found(id: str, stand: tuple[int, float]) -> RunResult:
    from engine.runs import result

    return result(folder(id))


def against(id: str, reference: str) -> tuple[Estimate, ...]:
    """The summary with another reference: a spec of the run, or 'controls' for each metric's best control."""
    return _against(id, reference, _stand(id))


@st.cache_resource(max_entries=32, show_spinner=False)
def _against(id: str, reference: str, stand: tuple[int, float]) -> tuple[Estimate, ...]:
    from engine.runs import against_controls
    from engine.runs.summary import summarise

    run = found(id)
    if reference == "controls":
        return against_controls(run)
    return summarise(run.rows, run.manifest["specs"], run.manifest["metrics"], reference, run.request.seed)


def beaten(id: str) -> frozenset[tuple[str, str]]:
    """(spec, metric) of what is better than the metric's best control, by a test at 5 % after Holm."""
    from engine.runs import beats

    return frozenset((e.spec, e.metric) for e in against(id, "controls") if beats(e))


def published() -> tuple[Published, ...]:
    """What papers print."""
    from engine.runs import PUBLISHED

    return PUBLISHED


def images(asked: RunRequest) -> tuple[Item, ...]:
    """The images that a run measures, of those that its set has now; none where the set is no longer here."""
    items = next((s.items for s in collection.sets() if s.name == asked.set), ())
    return items[: asked.first]


# To take away


def table(id: str, kind: str) -> bytes:
    """The tidy table as 'csv' or 'parquet'; the means as 'summary', against the controls as 'controls'."""
    from engine.runs import Row, table
    from engine.runs.types import Estimate

    run = found(id)
    if kind in ("csv", "parquet"):
        rows = table.as_table(run.rows, Row)
        return table.as_csv(rows) if kind == "csv" else table.as_parquet(rows)
    estimates = against(id, "controls") if kind == "controls" else run.summary
    return table.as_csv(table.as_table(estimates, Estimate))


def latex(id: str, titles: Mapping[str, str]) -> str:
    """The means as a LaTeX table."""
    from engine.runs.latex import latex

    return latex(found(id), titles)


def figure(id: str, titles: Mapping[str, str], kind: str) -> bytes:
    """Forest plots of all metrics as 'png', 'svg' or 'pdf'."""
    from engine.runs import figures

    return figures.forest(found(id), titles, kind)
