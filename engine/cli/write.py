"""The files that `explain` leaves behind: npz arrays and the manifest."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from engine.specs import parse
from engine.types import Branch, Explanation, Map, SidelightError, Target

LIBRARIES = ("torch", "open_clip_torch", "numpy", "pillow")
MANIFEST_FORMAT = 1


@dataclass(frozen=True)
class Entry:
    """One image that was explained. file: as it was given; output: name of its npz."""

    file: str
    output: str
    explanation: Explanation


def file_names(paths: Sequence[str]) -> list[str]:
    """A name for the output of each image: its stem; equal stems get -2, -3 ... Case is not told apart, as
    some file systems do not."""
    names: list[str] = []
    taken: set[str] = set()
    for path in paths:
        stem = Path(path).stem or "image"
        name, number = stem, 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.casefold())
        names.append(name)
    return names


def arrays(explanation: Explanation) -> dict[str, np.ndarray]:
    """The npz of one image.

    prompts (P) str; score (P) float32 of the unmodified model; <spec> (P, rows, cols) raw maps and
    <spec>/explained_score (P); text/<spec> (P, context) with NaN outside the words, its explained_score, and
    tokens (P, context) str. Where a method failed for some prompts only, their rows are NaN.
    """
    labels = list(dict.fromkeys(target.label for target in explanation.targets))
    found = {"prompts": np.array(labels, dtype=str), "score": np.full(len(labels), np.nan, np.float32)}
    for branch, spec, maps in _by_method(explanation):
        key = spec if branch == "image" else f"text/{spec}"
        shape = next(iter(maps.values())).values.shape
        values = np.full((len(labels), *shape), np.nan, np.float32)
        explained = np.full(len(labels), np.nan, np.float32)
        for row, label in enumerate(labels):
            if label in maps:
                values[row] = _shown(maps[label])
                explained[row] = maps[label].explained_score
                found["score"][row] = maps[label].score
        found[key], found[f"{key}/explained_score"] = values, explained
        if branch == "text":
            empty = [""] * shape[0]
            rows = [list(maps[label].tokens) if label in maps else empty for label in labels]
            found.setdefault("tokens", np.array(rows, dtype=str))
    return found


def _by_method(explanation: Explanation) -> Iterator[tuple[Branch, str, dict[str, Map]]]:
    groups: dict[tuple[Branch, str], dict[str, Map]] = {}
    for item in explanation.maps:
        groups.setdefault((item.branch, item.spec), {})[item.target] = item
    for (branch, spec), maps in groups.items():
        yield branch, spec, maps


def _shown(item: Map) -> np.ndarray:
    return item.values if item.content is None else np.where(item.content, item.values, np.nan)


def npz(found: Mapping[str, np.ndarray]) -> bytes:
    """The bytes of an npz file."""
    file = io.BytesIO()
    np.savez_compressed(file, **found)
    return file.getvalue()


def write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; SidelightError where the folder does not take it."""
    part = path.with_name(f".{os.getpid()}.part")  # short, as the name itself may be as long as they can be
    try:
        part.write_bytes(data)
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise SidelightError(f"{path} cannot be written ({error.strerror}).") from error


def write_manifest(
    arguments: argparse.Namespace,
    targets: Sequence[Target],
    entries: Sequence[Entry],
    problems: Sequence[tuple[str, str]],
    device: str | None,
) -> None:
    """manifest.json: all that is needed to repeat the run, and what it took.

    device is None where every map came from the store. seconds are those of the computation, also for maps
    from the store, summed over the targets.
    """
    manifest = {
        "format": MANIFEST_FORMAT,
        "command": ["python", "-m", "engine", *arguments.command_line],
        "versions": {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
        "model": _model(arguments, entries),
        "resize": arguments.resize,
        "branch": arguments.branch,
        "device": device,
        "dtype": "float32",
        "targets": _targets(targets, arguments.target_image),
        "methods": [_method(text) for text in dict.fromkeys(arguments.method)],
        "images": [_image(entry) for entry in entries],
        "problems": [{"file": file, "reason": reason} for file, reason in problems],
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False)
    # A file name that is no UTF-8 is written as JSON's own escapes.
    write(arguments.out / "manifest.json", f"{text}\n".encode(errors="backslashreplace"))


def _model(arguments: argparse.Namespace, entries: Sequence[Entry]) -> dict[str, Any]:
    named = {"model": arguments.model, "pretrained": arguments.pretrained}
    if not entries:
        return named
    info = entries[0].explanation.model
    return {**named, "id": info.id, "weights_sha256": info.weights, "preprocess": info.preprocess.as_json()}


def _targets(targets: Sequence[Target], files: Sequence[str]) -> list[dict[str, Any]]:
    """The targets, those that are images with their files, which come in the same order."""
    files = iter(files)
    return [
        {"label": t.label, **t.as_json(), **({"file": next(files)} if t.kind == "image" else {})}
        for t in targets
    ]


def _method(text: str) -> dict[str, Any]:
    spec = parse(text)
    return {
        "spec": str(spec),
        "name": spec.method.name,
        "version": spec.method.version,
        "parameters": dict(spec.params),
        "seed": dict(spec.params).get("seed"),
    }


def _image(entry: Entry) -> dict[str, Any]:
    found = entry.explanation
    seconds: dict[str, float] = {}
    for item in found.maps:
        key = item.spec if item.branch == "image" else f"text/{item.spec}"
        seconds[key] = seconds.get(key, 0.0) + item.seconds
    return {
        "file": entry.file,
        "output": entry.output,
        "sha256": found.image.digest,
        "size": list(found.image.size),
        "notes": list(found.image.notes),
        "seen": list(found.seen),
        "grid": list(found.grid),
        "computed": found.computed,
        "from_store": len(found.maps) + len(found.failures) - found.computed,
        "seconds": {key: round(value, 6) for key, value in seconds.items()},
        "map_notes": {f"{m.spec} / {m.target}": m.note for m in found.maps if m.note},
    }
