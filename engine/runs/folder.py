"""The folder of a run: what was asked, one result file an image, and locks that die with their process.

A result appears by renaming a whole file, so a kill at any moment leaves the image undone or done, never half
or twice. The operating system drops a lock when its process ends, by whatever signal, so no claim outlives
it.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from engine.types import SidelightError

RUN = "run.json"
FORMAT = 1  # of the manifest and the results
RESULTS = "results"
CLAIMS = "claims"
PROBLEM = ".problem.json"


def create(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Make the folder of a run, or join the run that is there; SidelightError where that one is another.

    manifest: has `request`, which tells runs apart.
    """
    try:
        for part in (RESULTS, CLAIMS):
            (folder / part).mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{RUN}.lock"):
            if not (folder / RUN).exists():
                write(folder / RUN, json.dumps(manifest, indent=2).encode())
    except OSError as error:
        raise SidelightError(
            f"The folder of the run {folder.name!r} cannot be written ({error.strerror}); choose another."
        ) from error
    known = read(folder)
    for part in ("request", "weights", "images"):
        if known.get(part) != json.loads(json.dumps(manifest[part])):
            raise SidelightError(
                f"The folder {folder.name!r} holds a run with other {_said(part)}; choose another folder, or "
                "remove it."
            )


def _said(part: str) -> str:
    return {"request": "settings", "weights": "weights of the model", "images": "images"}[part]


def read(folder: Path) -> dict[str, Any]:
    """The manifest of a run; SidelightError where there is none."""
    try:
        manifest = json.loads((folder / RUN).read_bytes())
    except (OSError, ValueError, RecursionError):
        raise SidelightError(f"There is no run in the folder {folder.name!r}; start one.") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise SidelightError(
            f"The run in the folder {folder.name!r} is of another version of Sidelight; choose another "
            "folder."
        )
    return manifest


def write(path: Path, content: bytes) -> None:
    """Write a file so that it is there as a whole or not at all; SidelightError where the disk refuses."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise SidelightError(
            f"{path.name} of the run cannot be written ({error.strerror}); what is finished is kept, so make "
            "room and start it again."
        ) from error


def result_path(folder: Path, index: int, problem: bool = False) -> Path:
    """Where the result of the image with this index is, or the sentence that says why there is none."""
    return folder / RESULTS / f"{index:06d}{PROBLEM if problem else '.json'}"


def is_done(folder: Path, index: int) -> bool:
    """Whether an image has its result, or its problem."""
    return any(result_path(folder, index, problem).exists() for problem in (False, True))


def results(folder: Path, problems: bool = False) -> Iterator[dict[str, Any]]:
    """Every result in the order of the images, or every problem."""
    for name in sorted(os.listdir(folder / RESULTS)):
        if name.endswith(".json") and not name.startswith(".") and name.endswith(PROBLEM) == problems:
            yield json.loads((folder / RESULTS / name).read_bytes())


def count(folder: Path) -> int:
    """How many images have a result or a problem."""
    names = os.listdir(folder / RESULTS)
    return sum(name.endswith(".json") and not name.startswith(".") for name in names)


def reopen(folder: Path) -> None:
    """Let the images that had a problem be tried again, for it may have been mended."""
    for path in sorted((folder / RESULTS).glob(f"*{PROBLEM}")):
        with _held(folder, int(path.name.removesuffix(PROBLEM))) as ours:
            if ours:
                path.unlink(missing_ok=True)


@contextmanager
def claim(folder: Path, index: int) -> Iterator[bool]:
    """Whether the image is ours while the block runs: nobody else holds it and its result is not there."""
    with _held(folder, index) as ours:
        yield ours and not is_done(folder, index)


@contextmanager
def _held(folder: Path, index: int) -> Iterator[bool]:
    lock = FileLock(folder / CLAIMS / f"{index:06d}", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
