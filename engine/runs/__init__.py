"""Benchmarks over many images: resumable, shareable between processes, one table.

run(request: RunRequest, folder: Path, progress=None, cancelled=None) -> RunResult
status(folder) -> RunStatus            of a run in progress or finished, read from its folder
result(folder) -> RunResult            table and summary of what is there
METRICS: Mapping[str, Metric]          name -> title, unit, whether higher is better, what it needs
PUBLISHED: tuple[Published, ...]       figures of papers, never merged with ours
"""

from engine.runs.types import Estimate, Row, RunRequest, RunResult, RunStatus

__all__ = ["Estimate", "Row", "RunRequest", "RunResult", "RunStatus"]
