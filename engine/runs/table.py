"""The files that a run leaves: the tidy table as Parquet and CSV, the summary as CSV and as Markdown."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv, parquet

from engine.runs.controls import against_controls, markdown
from engine.runs.folder import write
from engine.runs.types import Estimate, Row, RunResult

SAFE = "'"  # put before what a spreadsheet would take for a formula
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_tables(folder: Path, result: RunResult) -> None:
    """table.parquet and table.csv, one row an image, target, method and metric; summary.csv, summary.md; and
    controls.csv, where each metric's best control is the reference."""
    rows = as_table(result.rows, Row)
    for name, content in (
        ("table.parquet", as_parquet(rows)),
        ("table.csv", as_csv(rows)),
        ("summary.csv", as_csv(as_table(result.summary, Estimate))),
        ("controls.csv", as_csv(as_table(against_controls(result), Estimate))),
        ("summary.md", markdown(result).encode()),
    ):
        write(folder / name, content)


def as_table(rows: Sequence[Row] | Sequence[Estimate], kind: type) -> pa.Table:
    """Dataclasses as a table with a column a field."""
    types = {"str": pa.string(), "float": pa.float64(), "int": pa.int64(), "float | None": pa.float64()}
    schema = pa.schema([(field.name, types[field.type]) for field in fields(kind)])
    return pa.Table.from_pylist([_in_utf8(asdict(row)) for row in rows], schema=schema)


def _in_utf8(row: dict[str, Any]) -> dict[str, Any]:
    """A file name that is no UTF-8, as an image's id can be, is written with escapes."""
    return {
        key: value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value
        for key, value in row.items()
    }


def as_parquet(table: pa.Table) -> bytes:
    """The table as a Parquet file."""
    buffer = io.BytesIO()
    parquet.write_table(table, buffer)
    return buffer.getvalue()


def as_csv(table: pa.Table) -> bytes:
    """CSV with a header; texts that begin like a formula get an apostrophe, for they may be anyone's."""
    columns = [
        pa.array([SAFE + text if text.startswith(FORMULA) else text for text in column.to_pylist()])
        if pa.types.is_string(column.type)
        else column
        for column in table.columns
    ]
    buffer = io.BytesIO()
    csv.write_csv(pa.table(columns, names=table.column_names), buffer)
    return buffer.getvalue()
