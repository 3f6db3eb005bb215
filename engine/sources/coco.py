"""COCO: images with an annotation file of instances. One object a category, all its instances together."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.datasets import ImageSet, Item
from engine.objects import ObjectBox
from engine.types import SidelightError

PARTS = frozenset({"images", "annotations", "categories"})


def read(folder: Path) -> ImageSet | None:
    """The set of a folder with COCO's annotations in it or in its subfolder `annotations`; None where there
    are none. SidelightError where they cannot be read or there are several."""
    files = [*folder.glob("instances*.json"), *folder.glob("annotations/instances*.json")]
    files = files or [path for path in folder.glob("*.json") if _is_coco(path)]
    if not files:
        return None
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
        for image in sorted(annotations.loadImgs(annotations.getImgIds()), key=lambda image: image["id"]):
            path = _inside(folder, image["file_name"])
            if path is None:
                problems.append(
                    f"{folder.name}/{file.name} names {image['file_name']!r}, which is not there."
                )
                continue
            objects = _objects(annotations, image)
            prompts = tuple(f"{_article(box.name)} {box.name}" for box in objects)
            items.append(Item(id=Path(image["file_name"]).stem, path=path, prompts=prompts, objects=objects))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
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


def _objects(annotations: Any, image: Mapping[str, Any]) -> tuple[ObjectBox, ...]:
    """One object a category, crowds left out."""
    found: dict[int, list[Mapping[str, Any]]] = {}
    for one in annotations.loadAnns(annotations.getAnnIds(imgIds=image["id"])):
        if not one.get("iscrowd"):
            found.setdefault(one["category_id"], []).append(one)
    return tuple(
        ObjectBox(annotations.cats[category]["name"], runs=_merged(annotations, parts))
        for category, parts in sorted(found.items())
    )


def _merged(annotations: Any, parts: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    from pycocotools.mask import merge

    return merge([annotations.annToRLE(part) for part in parts])
