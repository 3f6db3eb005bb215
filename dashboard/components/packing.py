"""JSON and arrays in one run of bytes, as a component is sent them; packing.js takes them apart again."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

MAGIC = b"SLL1"


class Packing:
    """Collects arrays while the JSON that names them is made."""

    def __init__(self) -> None:
        self._arrays: list[bytes] = []
        self._length = 0

    def put(self, values: np.ndarray) -> dict[str, Any]:
        """Where an array lies: {"at", "type", "shape"}, `at` in bytes from the first array on."""
        raw = np.ascontiguousarray(values).tobytes()
        place = {"at": self._length, "type": values.dtype.name, "shape": list(values.shape)}
        self._arrays.append(raw + bytes(-len(raw) % 4))
        self._length += len(self._arrays[-1])
        return place

    def sealed(self, head: Mapping[str, Any]) -> bytes:
        """MAGIC, the length of the JSON (4 bytes, little endian), the JSON, and the arrays, each from a
        multiple of 4 bytes on. ValueError for a number that JSON does not know."""
        text = json.dumps(head, allow_nan=False).encode("ascii")
        text += b" " * (-(len(text) + 8) % 4)
        return b"".join((MAGIC, struct.pack("<I", len(text)), text, *self._arrays))
