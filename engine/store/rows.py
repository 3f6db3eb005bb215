"""The table of entries: a diskcache folder whose rows hold bytes and nothing else.

The stock Disk of diskcache unpickles rows, and reads and deletes files that a row names, also outside the
folder (CVE-2025-69872 and its neighbours). Ours does neither: a row that is not text key and inline bytes is
as good as absent.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import diskcache
from diskcache.core import DBNAME, METADATA, MODE_RAW

from engine.store.entry import Damaged, decode, name_of

VERSION = 1  # of what the rows hold; kept in SQLite's user_version
PAGE = 16384  # bytes; an entry of a 14x14 map takes about 2 kB, of which 4 kB pages would waste half
PATIENCE = 10  # seconds to wait for another process that writes
# Every setting is given here, so that none is taken from a file that someone may have altered.
SETTINGS = {
    **diskcache.DEFAULT_SETTINGS,
    "eviction_policy": "none",
    "cull_limit": 0,
    "size_limit": sys.maxsize,
    "sqlite_cache_size": -8192,  # KiB for each thread
    "sqlite_mmap_size": 0,  # a file cut short under a memory map ends the process
    "disk_min_file_size": sys.maxsize,
}


Place = tuple[int, float]  # row number and time of writing
UNWRITABLE = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)


class NewerVersion(Exception):
    """The folder was written by a later version of the store."""


class ForeignFile(sqlite3.DatabaseError):
    """The table was not written by diskcache as we use it."""


class InlineDisk(diskcache.Disk):
    """Text keys and bytes within the row. Nothing is unpickled, no file is read, written or removed."""

    def put(self, key: str) -> tuple[str, bool]:
        return key, True

    def get(self, key: Any, raw: Any) -> str | None:
        return key if raw == 1 and isinstance(key, str) else None

    def store(self, value: bytes, read: bool, key: Any = None) -> tuple[int, int, None, sqlite3.Binary]:
        return 0, MODE_RAW, None, sqlite3.Binary(value)

    @staticmethod
    def fetch(mode: int, filename: str | None, value: Any, read: bool = False) -> bytes | None:
        return value if mode == MODE_RAW and filename is None and isinstance(value, bytes) else None

    def remove(self, file_path: str) -> None:
        """A row of ours has no file; one that names a file was not written by us."""


def open_cache(folder: Path) -> diskcache.Cache:
    """The folder for reading and writing, made where it does not exist.

    Raises NewerVersion, OSError, sqlite3.Error or diskcache.Timeout.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with closing(connect(folder)) as table:
        # Neither can be changed once there are rows. diskcache would set them too late or not at all.
        table.execute(f"PRAGMA page_size = {PAGE}")
        table.execute(f"PRAGMA auto_vacuum = {SETTINGS['sqlite_auto_vacuum']}")
        table.execute("BEGIN IMMEDIATE")
        if not _check(table):
            table.execute(f"PRAGMA user_version = {VERSION}")
        table.execute("COMMIT")
    return diskcache.Cache(str(folder), timeout=PATIENCE, disk=InlineDisk, **SETTINGS)


def identity(folder: Path) -> int:
    """A number that changes when the table's file is deleted or replaced; 0 where there is none."""
    try:
        return (folder / DBNAME).stat().st_ino
    except OSError:
        return 0


def connect(folder: Path, mode: str = "mode=rwc") -> sqlite3.Connection:
    """A connection of its own, for what diskcache has no call for; usable from any thread."""
    uri = (folder.absolute() / DBNAME).as_uri() + "?" + mode
    return sqlite3.connect(uri, uri=True, timeout=PATIENCE, isolation_level=None, check_same_thread=False)


def open_read_only(folder: Path) -> sqlite3.Connection | None:
    """The rows of a folder in which nothing can be written, or None where there are none.

    Raises NewerVersion or sqlite3.Error.
    """
    if not (folder / DBNAME).is_file():
        return None
    try:
        table = connect(folder, "mode=ro")
        _check(table)
    except sqlite3.OperationalError:
        # A write-ahead log needs files beside the database, which cannot be made here. Others may write to
        # what we may not, but a page read half-way shows in the checksum of its entry.
        table = connect(folder, "immutable=1")
        _check(table)
    # A disk that was full from the start has taken the file, but no table.
    return table if _has(table, "Cache") else None


def _check(table: sqlite3.Connection) -> int:
    """The version of the rows, 0 for a fresh file. Raises NewerVersion, ForeignFile or sqlite3.Error."""
    ((version,),) = table.execute("PRAGMA user_version")
    if version > VERSION:
        raise NewerVersion
    if _has(table, "Settings"):
        known = {*SETTINGS, *METADATA}
        # diskcache sets each of these names as an attribute of its own, whatever it is called.
        if foreign := [name for (name,) in table.execute("SELECT key FROM Settings") if name not in known]:
            raise ForeignFile(f"its settings {foreign} are not of this program")
    return version


def _has(table: sqlite3.Connection, name: str) -> bool:
    return table.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone() is not None


def read(table: sqlite3.Connection, name: str) -> bytes | None:
    """The value of a row of ours, or None."""
    row = table.execute(
        "SELECT mode, filename, value FROM Cache WHERE key = ? AND raw = 1", (name,)
    ).fetchone()
    return None if row is None else InlineDisk.fetch(*row)


def examine(table: sqlite3.Connection) -> Iterator[tuple[Place, bool]]:
    """Every row, and whether it is a whole entry under its own name. Types are asked in SQL: text that is no
    UTF-8 could not even be fetched."""
    ours = "raw = 1 AND mode = ? AND filename IS NULL AND typeof(key) = 'text' AND typeof(value) = 'blob'"
    select = f"SELECT rowid, store_time, CAST(key AS BLOB), CASE WHEN {ours} THEN value END FROM Cache"
    for row, stored, key, value in table.execute(select, (MODE_RAW,)):
        yield (row, stored), value is not None and _is_whole(key, value)


def _is_whole(key: bytes, value: bytes) -> bool:
    try:
        text, _ = decode(value)
        return name_of(text).encode() == key
    except (Damaged, UnicodeEncodeError):
        return False


def remove(table: sqlite3.Connection, places: Iterable[Place]) -> int:
    """Delete rows, unless another process has written them anew since; how many."""
    return table.executemany("DELETE FROM Cache WHERE rowid = ? AND store_time IS ?", places).rowcount


def is_damage(error: Exception) -> bool:
    """Whether the file itself is broken or foreign, so that it is better left alone."""
    return isinstance(error, ForeignFile) or _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def explain(error: Exception, folder: Path) -> str:
    """What is wrong with the folder and what to do about it, in one sentence."""
    code = _code(error)
    if isinstance(error, NewerVersion):
        what, remedy = "was written by a newer version of Sidelight", "update Sidelight"
    elif is_damage(error):
        what, remedy = f"holds a damaged or foreign {DBNAME}", "delete that file"
    elif code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        what, remedy = "is on a disk that is full or failing", "free some space"
    elif code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        what, remedy = "is locked by another program", "end that program"
    elif isinstance(error, OSError) or code in UNWRITABLE:
        what, remedy = "cannot be written", "make it a writable folder"
    else:
        what, remedy = f"cannot be used ({error})", "delete it"
    return (
        f"The cache folder {folder} {what}: new maps are kept in memory until the program ends; "
        f"{remedy} or name another folder in SIDELIGHT_CACHE."
    )


def _code(error: BaseException) -> int:
    """SQLite's primary result code, 0 where there is none. diskcache rolls back or gives up after a first
    error, and raises another one that hides it."""
    while isinstance(error.__context__, sqlite3.Error):
        error = error.__context__
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
