"""What a run could not measure, in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from engine.runs.catalog import METRICS


def unmeasured(manifest: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Of each method or metric that images had a reason to leave out, with their number where it is not all;
    then of each metric asked for by name that has no value at all, once every image is done."""
    reasons = Counter(pair for found in results for pair in found.get("failures", {}).items())
    said = tuple(
        f"{name}: {reason}" if n == len(results) else f"{name}, {n} of {len(results)} images: {reason}"
        for (name, reason), n in reasons.items()
    )
    if len(results) < len(manifest["images"]):
        return said
    known = {row[2] for found in results for row in found["rows"]} | {name for name, _ in reasons}
    silent = [name for name in manifest["request"]["metrics"] if name not in known]
    return said + tuple(f"{name}: {_why(name)}" for name in dict.fromkeys(silent))


def _why(name: str) -> str:
    if METRICS[name].masks:
        return "No image of the set has a mask or box of what its prompt names."
    return "It is undefined for every map."
