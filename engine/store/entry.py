"""One entry of the store: its key as canonical JSON, its value as safetensors bytes that check themselves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError, safetensors.SafetensorError)


class Damaged(ValueError):
    """The bytes of an entry are cut off, altered, or were never an entry."""


@dataclass(frozen=True)
class Entry:
    """What was stored under a key. arrays: by name, read-only. meta: a JSON object."""

    arrays: Mapping[str, np.ndarray]
    meta: Mapping[str, Any]


def canonical(key: Mapping[str, Any]) -> str:
    """`key` as JSON that depends on its content alone: sorted names, no spaces, ASCII.

    Raises TypeError or ValueError for what JSON cannot say (arrays, NaN, infinity).
    """
    return json.dumps(key, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(key: Mapping[str, Any]) -> str:
    """The SHA-256 of the canonical key, in hex: the name of the entry."""
    return name_of(canonical(key))


def name_of(text: str) -> str:
    """The name of the entry whose canonical key is `text`."""
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def encode(text: str, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> bytes:
    """The bytes of an entry: safetensors, with key, meta and a checksum in its metadata."""
    dense = {name: np.asarray(values, order="C") for name, values in arrays.items()}
    notes = {"key": text, "meta": canonical(meta)}
    return safetensors.numpy.save(dense, metadata={**notes, "check": _checksum(notes, dense)})


def decode(value: bytes) -> tuple[str, Entry]:
    """The canonical key and the content of an entry; Damaged if a single byte that matters has changed."""
    try:
        length = int.from_bytes(value[:8], "little")
        notes = json.loads(value[8 : 8 + length])["__metadata__"]
        arrays = safetensors.numpy.load(value)
        whole = notes["check"] == _checksum(notes, arrays)
        meta = json.loads(notes["meta"])
    except UNREADABLE as error:
        raise Damaged(f"not a whole entry ({error})") from error
    if not whole:
        raise Damaged("its checksum does not fit its content")
    for values in arrays.values():
        values.flags.writeable = False
    return notes["key"], Entry(arrays, meta)


def _checksum(notes: Mapping[str, str], arrays: Mapping[str, np.ndarray]) -> str:
    """16 hex digits over key, meta, and the name, type, shape and bytes of every array."""
    layout = [[name, str(arrays[name].dtype), arrays[name].shape] for name in sorted(arrays)]
    check = hashlib.blake2b(json.dumps([notes["key"], notes["meta"], layout]).encode("ascii"), digest_size=8)
    for name in sorted(arrays):
        check.update(arrays[name].tobytes())
    return check.hexdigest()
