"""Image sets on disk: a folder of images, with prompts, boxes and masks where its metadata.jsonl has them.

The layout is Hugging Face's ImageFolder, see engine.metadata. Without a metadata.jsonl every image below the
folder belongs to the set, and the name of the folder it lies in (a class, as in ImageNet's tree) becomes its
prompt. README.md gives the title (first line `# Title`), the description and a `Licence:` line.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from os.path import splitext
from pathlib import Path
from typing import Any

from engine.metadata import METADATA, is_image, read_rows
from engine.objects import ObjectBox
from engine.types import SidelightError

SETS = Path(__file__).resolve().parents[1] / "data" / "sets"
README = "README.md"
WORDNET = re.compile(r"^n\d{8}[ _-]+(?=\S)")  # n02099601_golden_retriever
LICENCE = re.compile(r"^\W*licen[cs]e\W*:\W*(?P<text>\S.*?)\W*$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Item:
    """One image of a set. id: its path within the set without the suffix, stable in links. imagenet: its
    place in ImageNet's class index. extra: what its line of metadata has besides."""

    id: str
    path: Path
    prompts: tuple[str, ...] = ()
    objects: tuple[ObjectBox, ...] = ()
    licence: str = ""
    source: str = ""
    imagenet: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class ImageSet:
    """A folder of images. name: of the folder. problems: a sentence for each line or file left out."""

    name: str
    title: str
    description: str
    licence: str
    items: tuple[Item, ...]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Tree:
    """What lies in a folder. files: by path within it, POSIX; stamps: the modification times that tell
    whether any of it, or its texts, changed."""

    files: Mapping[str, str]
    stamps: Mapping[Path, int]
    problems: tuple[str, ...]


_read: dict[Path, tuple[Mapping[Path, int], ImageSet]] = {}


def sets(folder: Path = SETS) -> list[ImageSet]:
    """Every set below `folder`, by name; read again only where something changed. A set with faults is there,
    without what is faulty."""
    if not folder.is_dir():
        return []
    names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and entry.name[0] not in "._")
    return [_read_or_say(folder / name) for name in names]


def _read_or_say(folder: Path) -> ImageSet:
    try:
        return read(folder)
    except SidelightError as error:
        return ImageSet(folder.name, readable(folder.name).capitalize(), "", "", (), (str(error),))


def find(name: str, folder: Path = SETS) -> ImageSet:
    """The set of that name; SidelightError names those that are there. Never reads outside `folder`."""
    known = sets(folder)
    for found in known:
        if found.name == name:
            return found
    there = ", ".join(s.name for s in known) or "none yet"
    raise SidelightError(f"There is no image set {name[:80]!r}; the sets are {there}.")


def read(folder: Path) -> ImageSet:
    """The set in any folder. Raises SidelightError where it cannot be read at all."""
    folder = folder.absolute()
    if folder in _read and all(_stamp(path) == time for path, time in _read[folder][0].items()):
        return _read[folder][1]
    try:
        tree = _walk(folder)
        found = _image_set(folder, tree)
    except OSError as error:
        raise SidelightError(f"The folder {folder.name} cannot be read ({error.strerror}).") from error
    _read[folder] = tree.stamps, found
    return found


@lru_cache(maxsize=4096)
def readable(folder: str) -> str:
    """A class folder's name as a prompt: 'n02099601_golden_retriever' -> 'golden retriever'."""
    return " ".join(re.split(r"[ _-]+", WORDNET.sub("", folder))).strip()


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return -1


def _walk(folder: Path) -> _Tree:
    files: dict[str, str] = {}
    stamps = {path: _stamp(path) for path in (folder, folder / METADATA, folder / README)}
    problems = []
    inside = folder.resolve()
    queue = [""]
    while queue:
        prefix = queue.pop()
        for entry in os.scandir(folder / prefix):
            name = prefix + entry.name
            if entry.name.startswith("."):
                continue
            if entry.is_symlink() and not _leads_into(inside, Path(entry.path)):
                problems.append(
                    f"{folder.name}/{name} is a link that leads out of the set, or nowhere; put a copy there."
                )
            elif entry.is_dir(follow_symlinks=False):
                stamps[Path(entry.path)] = _stamp(Path(entry.path))
                queue.append(f"{name}/")
            elif entry.is_file():
                files[name] = entry.path
    return _Tree(files, stamps, tuple(sorted(problems)))


def _leads_into(folder: Path, link: Path) -> bool:
    try:
        return link.resolve(strict=True).is_relative_to(folder)
    except (OSError, RuntimeError):  # the latter before Python 3.13, of a link to itself
        return False


def _image_set(folder: Path, tree: _Tree) -> ImageSet:
    problems = tree.problems
    if METADATA in tree.files:
        rows, wrong = read_rows((folder / METADATA).read_bytes(), tree.files)
        problems += tuple(f"{folder.name}/{sentence}" for sentence in wrong)
    else:
        names = sorted(filter(is_image, tree.files))
        rows = [{"file_name": name, "prompts": _class_prompt(name)} for name in names]
    ids = ids_of([row["file_name"] for row in rows])
    items = tuple(_item(id, row, tree) for id, row in zip(ids, rows, strict=True))
    title, description, licence = _about(folder / README if README in tree.files else None, folder.name)
    licences = dict.fromkeys(item.licence for item in items if item.licence)
    return ImageSet(
        name=folder.name,
        title=title,
        description=description,
        licence=licence or ", ".join(licences),
        items=items,
        problems=problems,
    )


def ids_of(names: Sequence[str]) -> list[str]:
    """Each image's id among those of its set: the path without the suffix, or whole where two share that."""
    stems = [splitext(name)[0] for name in names]
    times = Counter(stems)
    return [stem if times[stem] == 1 else name for stem, name in zip(stems, names, strict=True)]


def _class_prompt(name: str) -> list[str]:
    folders = name.split("/")[:-1]
    return [readable(folders[-1])] if folders else []


def _item(id: str, row: Mapping[str, Any], tree: _Tree) -> Item:
    known = ("file_name", "prompts", "objects", "licence", "source")
    return Item(
        id=id,
        path=Path(tree.files[row["file_name"]]),
        prompts=tuple(prompt for prompt in row.get("prompts", ()) if prompt.strip()),
        objects=tuple(_object(entry, tree) for entry in row.get("objects", ())),
        licence=row.get("licence", ""),
        source=row.get("source", ""),
        extra={key: value for key, value in row.items() if key not in known},
    )


def _object(entry: Mapping[str, Any], tree: _Tree) -> ObjectBox:
    bbox, mask = entry.get("bbox"), entry.get("mask")
    return ObjectBox(entry["name"], tuple(bbox) if bbox else None, Path(tree.files[mask]) if mask else None)


def _about(readme: Path | None, fallback: str) -> tuple[str, str, str]:
    """Title, description (the first paragraph) and licence that a README states."""
    text = readme.read_text(encoding="utf-8", errors="replace") if readme else ""
    licence = LICENCE.search(text)
    body = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)  # Hugging Face's front matter
    title = re.search(r"^# +(.+?) *$", body, re.MULTILINE)
    paragraphs = body[title.end() if title else 0 :].strip().split("\n\n")
    first = "" if paragraphs[0].startswith("#") else " ".join(paragraphs[0].split())
    return (
        title.group(1) if title else readable(fallback).capitalize(),
        first,
        licence.group("text") if licence else "",
    )
