"""metadata.jsonl of an image set, after Hugging Face's ImageFolder: one JSON object a line for each image.

`file_name` and, all optional, `prompts` (texts), `true_prompts` (those of them that are true), `objects`
([{name, bbox, mask}]: bbox [x, y, width, height] in pixels, mask the path of an image that is white where the
object is seen), `licence`, `source`, and anything else.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection
from os.path import splitext
from typing import Any

METADATA = "metadata.jsonl"
SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".jp2", ".ppm", ".pgm")
)


def is_image(name: str) -> bool:
    """Whether a file name has the suffix of an image."""
    return splitext(name)[1].lower() in SUFFIXES


def read_rows(text: bytes, files: Collection[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """The lines that hold, and for each that does not a sentence with file and line.

    files: the paths, POSIX, of all that lies in the set's folder; nothing else can be named.
    """
    rows: dict[str, dict[str, Any]] = {}
    problems = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        wrong, row = _checked(line, files)
        if not wrong and row["file_name"] in rows:
            wrong = f"{row['file_name']!r} is listed a second time"
        if wrong:
            problems.append(f"{METADATA}, line {number}: {wrong}; the image is left out.")
        else:
            rows[row["file_name"]] = row
    return list(rows.values()), problems


def _checked(line: bytes, files: Collection[str]) -> tuple[str, dict[str, Any]]:
    """What is wrong with a line of metadata ('' if nothing), and its JSON object."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return "it is not JSON", {}
    if not isinstance(row, dict):
        return "it is not a JSON object", {}
    wrong = _wrong_file(row.get("file_name"), "file_name", files)
    objects = row.get("objects", [])
    for key in ("prompts", "true_prompts"):
        if not _texts(row.get(key, [])):
            wrong = wrong or f"{key} must be a list of texts"
    if not all(isinstance(row.get(key, ""), str) for key in ("licence", "source")):
        wrong = wrong or "licence and source must be texts"
    if not isinstance(objects, list):
        return wrong or "objects must be a list", row
    for entry in objects:
        wrong = wrong or _wrong_object(entry, files)
    return wrong, row


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _wrong_object(entry: Any, files: Collection[str]) -> str:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        return "each of objects must be a JSON object with a name"
    bbox = entry.get("bbox")
    if bbox is not None:
        numbers = isinstance(bbox, list) and all(type(n) in (int, float) and math.isfinite(n) for n in bbox)
        if not numbers or len(bbox) != 4 or min(bbox[2:]) <= 0:
            return f"the bbox of {entry['name']!r} must be [x, y, width, height] in pixels"
    return "" if entry.get("mask") is None else _wrong_file(entry["mask"], "mask", files)


def _wrong_file(name: Any, key: str, files: Collection[str]) -> str:
    """Paths are looked up among the files that lie in the folder, so none can lead out of it."""
    if not isinstance(name, str) or not name:
        return f"{key} must be the path of an image within the set"
    if name in files:
        return "" if is_image(name) else f"{key} {name!r} is no image file"
    parts = re.split(r"[/\\]", name)
    if ".." in parts or not parts[0] or ":" in parts[0]:
        return f"{key} {name[:80]!r} leads out of the set"
    return f"{key} {name[:80]!r} is not there"
