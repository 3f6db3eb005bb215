"""Benchmarks over many images: resumable, shared between processes, one tidy table. Loads torch when it
runs."""

from engine.runs.catalog import DEFAULT, METRICS, Metric
from engine.runs.controls import against_controls, beats
from engine.runs.published import PUBLISHED, Published
from engine.runs.runner import question, request_of, result, run, status
from engine.runs.types import Estimate, Measured, Row, RunRequest, RunResult, RunStatus

__all__ = [
    "DEFAULT",
    "METRICS",
    "PUBLISHED",
    "Estimate",
    "Measured",
    "Metric",
    "Published",
    "Row",
    "RunRequest",
    "RunResult",
    "RunStatus",
    "against_controls",
    "beats",
    "question",
    "request_of",
    "result",
    "run",
    "status",
]
