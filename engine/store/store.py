"""The store as the rest of the engine sees it: get, put, and the care of the folder."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import diskcache
import numpy as np
from diskcache.core import DBNAME

from engine.store import rows
from engine.store.entry import Damaged, Entry, canonical, decode, encode, name_of
from engine.types import SidelightError

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "data" / "maps"
MEMORY_LIMIT = 256 * 2**20  # bytes of entries kept in memory while the folder takes none; the oldest go first


@dataclass(frozen=True)
class Info:
    """What a store holds. bytes: size of the table on disk. in_memory: entries that the disk does not have.
    versions: of the store's format and of the libraries that read it. problem: '' or one sentence."""

    folder: Path
    entries: int
    bytes: int
    in_memory: int
    shipped: int
    versions: Mapping[str, str]
    problem: str


@dataclass(frozen=True)
class Verified:
    """How many entries were whole, how many were not, and how many of these were removed."""

    good: int
    bad: int
    removed: int


class Store:
    """Entries by key, in `folder`, in memory where the folder cannot take them, and read-only in `shipped`.

    Any number of threads and processes may use one folder. Nothing goes by itself: entries leave by `prune`,
    `clear`, `forget` and `verify`. `problem` is '' or the sentence that says why new entries stay in memory;
    they move to the folder as soon as it takes an entry again.
    """

    def __init__(self, folder: Path | None = None, shipped: Path | None = SHIPPED) -> None:
        # diskcache expands the name it is given; so do we, to mean the same folder.
        wanted = Path(folder or ROOT / "data" / "cache").expanduser()
        self.folder = Path(os.path.expandvars(wanted)).absolute()
        self.shipped = shipped
        self.problem = ""
        self._lock = threading.Lock()
        self._memory: dict[str, bytes] = {}
        self._cache: diskcache.Cache | None = None
        self._reader: sqlite3.Connection | None = None
        self._held = 0  # bytes in _memory
        self._open()

    def _open(self) -> None:
        self._cache = self._reader = None
        self.problem = ""
        try:
            self._cache = rows.open_cache(self.folder)
        except rows.NewerVersion as error:
            self._fail(error)
        except (OSError, sqlite3.Error, diskcache.Timeout) as error:
            self._fail(error)
            self._open_reader()
        self._opened = rows.identity(self.folder)

    def _open_reader(self) -> None:
        try:
            self._reader = rows.open_read_only(self.folder)
        except (OSError, sqlite3.Error, rows.NewerVersion) as error:
            self._fail(error)

    def get(self, key: Mapping[str, Any]) -> Entry | None:
        """The entry of a key, or None; one that is cut off, altered or of another key counts as absent."""
        found = self._find(canonical(key))
        return None if found is None else found[1]

    def _find(self, text: str) -> tuple[bytes, Entry] | None:
        name = name_of(text)
        for read in (self._from_folder, self._memory.get, self._from_shipped):
            value = read(name)
            if value is None:
                continue
            try:
                stored, entry = decode(value)
            except Damaged:
                continue  # it will be computed again, and written over
            if stored == text:
                return value, entry
        return None

    def _from_folder(self, name: str) -> bytes | None:
        cache, reader = self._cache, self._reader  # another thread may find damage and take them away
        try:
            if cache is not None:
                return cache.get(name)
            if reader is not None:
                return rows.read(reader, name)
        except sqlite3.Error as error:
            self._fail(error)
        return None

    def _from_shipped(self, name: str) -> bytes | None:
        try:
            return None if self.shipped is None else (self.shipped / f"{name}.safetensors").read_bytes()
        except OSError:  # not shipped, or not for us to read: either way it has to be computed
            return None

    def put(self, key: Mapping[str, Any], arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> None:
        """Store arrays and a JSON object under a key; in memory, with `problem` set, if the disk refuses."""
        text = canonical(key)
        value = encode(text, arrays, meta)
        with self._lock:
            self._keep(name_of(text), value)
            self._write_out()

    def _keep(self, name: str, value: bytes) -> None:
        self._held += len(value) - len(self._memory.pop(name, b""))
        self._memory[name] = value

    def _write_out(self) -> None:
        """Move what is in memory to the folder, as far as it takes it."""
        if rows.identity(self.folder) != self._opened:
            self._open()  # someone has deleted or replaced the file; what is written to the old one is lost
        cache = self._cache
        if cache is not None:
            try:
                for name in list(self._memory):
                    cache.set(name, self._memory[name])
                    self._held -= len(self._memory.pop(name))
                self.problem = ""
            except (OSError, sqlite3.Error, diskcache.Timeout) as error:
                self._fail(error)
        while self._held > MEMORY_LIMIT:
            self._held -= len(self._memory.pop(next(iter(self._memory))))

    def remember(self, name: str, value: Any) -> None:
        """Keep a small JSON value under a name of one's own choice, in the same table."""
        self.put({"record": name}, {}, {"value": value})

    def recall(self, name: str) -> Any | None:
        """The value of `remember`, or None."""
        entry = self.get({"record": name})
        return None if entry is None else entry.meta["value"]

    def info(self) -> Info:
        """Numbers and versions, for people. Counts rows; reads no entry."""
        files = [self.folder / (DBNAME + end) for end in ("", "-wal")]
        shipped = 0 if self.shipped is None else sum(1 for _ in self.shipped.glob("*.safetensors"))
        libraries = {name: version(name) for name in ("diskcache", "safetensors")}
        entries = 0
        if self._cache is not None or self._reader is not None:
            with self._table() as table:
                ((entries,),) = table.execute("SELECT COUNT(*) FROM Cache")
        return Info(
            folder=self.folder,
            entries=entries,
            bytes=sum(file.stat().st_size for file in files if file.is_file()),
            in_memory=len(self._memory),
            shipped=shipped,
            versions={"store": str(rows.VERSION), "sqlite": sqlite3.sqlite_version, **libraries},
            problem=self.problem,
        )

    def verify(self) -> Verified:
        """Read every entry of the folder; remove those that are not whole, where the folder can be written.

        Raises SidelightError where the folder cannot be read.
        """
        good, bad = 0, []
        with self._table() as table:
            for place, whole in rows.examine(table):
                if whole:
                    good += 1
                else:
                    bad.append(place)
            removed = rows.remove(table, bad) if self._cache is not None else 0
        return Verified(good, len(bad), removed)

    def prune(self, days: float) -> int:
        """Remove the entries stored more than `days` days ago; how many. Raises SidelightError."""
        if not days >= 0:
            raise SidelightError(f"The age in days must be a number of at least 0, not {days}.")
        return self._delete("store_time < ?", time.time() - days * 86400)

    def clear(self) -> int:
        """Remove every entry of the folder and of memory; how many. Raises SidelightError."""
        return self._delete_from_memory(lambda value: True) + self._delete("1")

    def forget(self, image: str) -> int:
        """Remove every entry whose key names the image with this digest; how many. Raises SidelightError."""
        if len(image) != 64:
            raise ValueError(f"{image!r} is not a digest")
        pattern = image.encode("ascii")
        return self._delete_from_memory(lambda value: pattern in value) + self._delete(
            "instr(value, ?)", pattern
        )

    def export(self, keys: Iterable[Mapping[str, Any]], folder: Path) -> int:
        """Write the entries of `keys` as files that a store can be shipped with; how many there were."""
        folder.mkdir(parents=True, exist_ok=True)
        found = {name_of(text): self._find(text) for text in map(canonical, keys)}
        for name, pair in found.items():
            if pair is not None:
                (folder / f"{name}.safetensors").write_bytes(pair[0])
        return sum(pair is not None for pair in found.values())

    def _delete(self, where: str, *values: Any) -> int:
        if self._cache is None:
            raise SidelightError(self.problem)
        with self._table() as table:
            count = table.execute(f"DELETE FROM Cache WHERE {where}", values).rowcount
            table.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return count

    def _delete_from_memory(self, wanted: Callable[[bytes], bool]) -> int:
        with self._lock:
            names = [name for name, value in self._memory.items() if wanted(value)]
            for name in names:
                self._held -= len(self._memory.pop(name))
        return len(names)

    @contextmanager
    def _table(self) -> Iterator[sqlite3.Connection]:
        """The rows, for work that diskcache has no call for; an error of SQLite becomes a sentence."""
        if self._cache is None and self._reader is None:
            raise SidelightError(self.problem)
        try:
            if self._reader is not None:
                yield self._reader
            else:
                with closing(rows.connect(self.folder, "mode=rw")) as table:
                    yield table
        except sqlite3.Error as error:
            self._fail(error)
            raise SidelightError(self.problem) from error

    def _fail(self, error: Exception) -> None:
        """Say what is wrong with the folder, and leave it alone if going on could make it worse."""
        self.problem = rows.explain(error, self.folder)
        if rows.is_damage(error):
            self._cache = self._reader = None


_opening = threading.Lock()


def default_store() -> Store:
    """The process's store in the folder that the environment variable SIDELIGHT_CACHE names."""
    with _opening:
        return _shared(os.environ.get("SIDELIGHT_CACHE", ""))


@cache
def _shared(folder: str) -> Store:
    return Store(Path(folder) if folder else None)
