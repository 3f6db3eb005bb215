"""Uploaded files by digest, in a folder of their own below the cache; in memory where it cannot be written.

A path is built from a checked hex digest alone, never from anything that a person typed.
"""

from __future__ import annotations

import re
import threading
import uuid
from contextlib import suppress
from pathlib import Path

from engine.types import SidelightError

DIGEST = re.compile(r"[0-9a-f]{64}")


class Uploads:
    """The uploads of one server, shared by its sessions."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._memory: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def keep(self, digest: str, data: bytes) -> None:
        path = self._path(digest)
        part = path.with_suffix(f".{uuid.uuid4().hex}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(data)
            part.replace(path)  # in one step, so that no reader ever sees half a file
        except OSError:  # a read-only or full folder: the session goes on, its link ends with the server
            with self._lock:
                self._memory[digest] = data
            with suppress(OSError):
                part.unlink()

    def get(self, digest: str) -> bytes | None:
        path = self._path(digest)
        return path.read_bytes() if path.is_file() else self._memory.get(digest)

    def has(self, digest: str) -> bool:
        return self._path(digest).is_file() or digest in self._memory

    def forget(self, digest: str) -> None:
        """Remove a file; SidelightError where the folder does not let it go."""
        with self._lock:
            self._memory.pop(digest, None)
        if self._path(digest).is_file():
            try:
                self._path(digest).unlink(missing_ok=True)
            except OSError as error:
                raise SidelightError(f"The upload cannot be removed ({error.strerror}).") from error

    def _path(self, digest: str) -> Path:
        if not DIGEST.fullmatch(digest):
            raise ValueError(f"{digest!r} is not a digest")
        return self._folder / digest
