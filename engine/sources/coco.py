"""COCO: images with an annotation file of instances. One object a category, all its instances together."""

from __future__ import annotations

import contextlib
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.datasets import ImageSet, Item, ids_of
from engine.objects import ObjectBox
from engine.types import SidelightError

PARTS = frozenset({"images", "annotations", "categories"})


def read(folder: Path) -> ImageSet | None:
    """The set of a folder with COCO's annotations in it or in its subfolder `annotations`; None where there
    are none. Of several, as COCO's archive has them, the one whose images are there: instances_X.json beside
    a folder X. SidelightError where it cannot be read, or where that does not tell."""
    files = [*folder.glob("instances*.json"), *folder.glob("annotations/instances*.json")]
    files = files or [path for path in folder.glob("*.json") if _is_coco(path)]
    if not files:
        return None
    if len(files) > 1:
        files = [path for path in files if (folder / path.stem.removeprefix("instances_")).is_dir()] or files
    if len(files) > 1:
        names = ", ".join(sorted(path.name for path in files))
        raise SidelightError(
            f"{folder.name} has several annotation files ({names}); keep the one of these images."
        )
    return _image_set(folder, files[0])


def _is_coco(path: Path) -> bool:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and content.keys() >= PARTS


def _image_set(folder: Path, file: Path) -> ImageSet:
    from pycocotools.coco import COCO

    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints while it reads
            annotations = COCO(str(file))
        items, problems = [], []
        images = sorted(annotations.loadImgs(annotations.getImgIds()), key=lambda image: image["id"])
        ids = ids_of([image["file_name"] for image in images])
        for image, id in zip(images, ids, strict=True):
            path = _inside(folder, image["file_name"])
            if path is None:
                problems.append(
                    f"{folder.name}/{file.name} names {image['file_name']!r}, which is not there."
                )
                continue
            objects, unread = _objects(annotations, image)
            problems += [
                f"{file.name}: an outline of {name} in {path.name} cannot be read." for name in unread
            ]
            prompts = tuple(f"{_article(box.name)} {box.name}" for box in objects)
            items.append(Item(id=id, path=path, prompts=prompts, objects=objects))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise SidelightError(
            f"{file.name} cannot be read as COCO's instances ({type(error).__name__}: {error})."
        ) from error
    return ImageSet(
        name=folder.name,
        title=folder.name,
        description=f"COCO's instances from {file.name}.",
        licence="",
        items=tuple(items),
        problems=tuple(problems),
    )


def _inside(folder: Path, name: str) -> Path | None:
    """The image of that name in the folder, its `images`, or a folder beside the annotations; never
    outside."""
    for place in (
        folder / name,
        folder / "images" / name,
        *(p / name for p in folder.iterdir() if p.is_dir()),
    ):
        if place.is_file() and place.resolve().is_relative_to(folder.resolve()):
            return place
    return None


def _article(word: str) -> str:
    return "an" if word[:1].lower() in "aeiou" else "a"


def _objects(annotations: Any, image: Mapping[str, Any]) -> tuple[tuple[ObjectBox, ...], list[str]]:
    """One object a category, crowds left out; and the categories of outlines that are none."""
    found: dict[str, list[Any]] = {}
    unread = []
    for one in sorted(
        annotations.loadAnns(annotations.getAnnIds(imgIds=image["id"])), key=lambda one: one["category_id"]
    ):
        if one.get("iscrowd"):
            continue
        name = annotations.cats[one["category_id"]]["name"]
        if _is_outline(one.get("segmentation")):
            found.setdefault(name, []).append(annotations.annToRLE(one))
        else:
            unread.append(name)
    return tuple(ObjectBox(name, runs=_merged(parts)) for name, parts in found.items()), unread


def _is_outline(segmentation: Any) -> bool:
    """Whether it is run lengths, or polygons of at least three points; some tools write empty ones."""
    if not isinstance(segmentation, list):
        return isinstance(segmentation, dict)
    return bool(segmentation) and all(
        isinstance(polygon, list) and len(polygon) >= 6 and all(map(_is_finite, polygon))
        for polygon in segmentation
    )


def _is_finite(number: Any) -> bool:
    return isinstance(number, (int, float)) and math.isfinite(number)


def _merged(parts: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    from pycocotools.mask import merge

    return merge(list(parts))
