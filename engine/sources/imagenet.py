"""ImageNet's layouts: class folders named by WordNet id, the flat validation folder with the devkit's
labels, and ImageNet-S, whose mask images stand beside them. Prompts are open_clip's names of the classes.
"""

from __future__ import annotations

import importlib.util
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

from engine import datasets
from engine.datasets import ImageSet, Item
from engine.objects import ObjectBox
from engine.types import SidelightError

WNID = re.compile(r"n\d{8}")
LABELS = "ILSVRC2012_validation_ground_truth.txt"
SYNSETS = "meta.mat"
FLAT = re.compile(r"ILSVRC2012_val_(\d{8})")
MASKS = "-segmentation"  # ImageNet-S: validation and validation-segmentation


def read(folder: Path) -> ImageSet | None:
    """The set of a folder in one of the layouts; None where it has none of them. SidelightError where labels
    are missing."""
    masks = next((path for path in folder.iterdir() if path.name.endswith(MASKS) and path.is_dir()), None)
    if masks is not None:
        images = folder / masks.name.removesuffix(MASKS)
        if not images.is_dir():
            raise SidelightError(
                f"{folder.name} has {masks.name} but no folder {images.name} with the images."
            )
        return _with_masks(_classed(datasets.read(images)), masks)
    if any(WNID.match(path.name) for path in folder.iterdir() if path.is_dir()):
        return _classed(datasets.read(folder))
    if any(FLAT.match(path.name) for path in folder.iterdir()):
        return _flat(datasets.read(folder), folder)
    return None


@cache
def wnids() -> tuple[str, ...]:
    """The WordNet ids of the 1000 classes in the order of the class index, from the list that timm
    carries."""
    spec = importlib.util.find_spec("timm")
    path = Path(spec.submodule_search_locations[0]) / "data" / "_info" / "imagenet_synsets.txt"
    return tuple(path.read_text(encoding="ascii").split())


def _class(item: Item, wnid: str) -> Item:
    """The item as an image of a class; one that is not of the 1000 keeps the folder's name as its prompt."""
    from engine.zeroshot import imagenet_classes

    if wnid not in wnids():
        return item
    index = wnids().index(wnid)
    return replace(item, prompts=(imagenet_classes()[index],), imagenet=index)


def _classed(found: ImageSet) -> ImageSet:
    items = []
    for item in found.items:
        match = WNID.match(item.path.parent.name)
        items.append(_class(item, match.group()) if match else item)
    return replace(found, items=tuple(items))


def _flat(found: ImageSet, folder: Path) -> ImageSet:
    devkit = [folder, folder / "data", *folder.glob("*devkit*"), *folder.glob("*devkit*/data")]
    labels = next((d / LABELS for d in devkit if (d / LABELS).is_file()), None)
    synsets = next((d / SYNSETS for d in devkit if (d / SYNSETS).is_file()), None)
    if labels is None or synsets is None:
        raise SidelightError(
            f"{folder.name} has ImageNet's flat validation images but not their classes; put the devkit's "
            f"{LABELS} and {SYNSETS} beside them."
        )
    ids = [int(line) for line in labels.read_text(encoding="ascii").split()]
    names = _devkit_wnids(synsets)
    items = []
    for item in found.items:
        match = FLAT.match(item.path.name)
        if match and 1 <= int(match.group(1)) <= len(ids):
            items.append(_class(item, names[ids[int(match.group(1)) - 1]]))
    return replace(found, items=tuple(items))


def _devkit_wnids(file: Path) -> dict[int, str]:
    """The devkit's own class numbers, which are not those of the class index, with their WordNet ids."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        rows = loadmat(file, squeeze_me=True)["synsets"]
        return {int(row["ILSVRC2012_ID"]): str(row["WNID"]) for row in rows}
    except (OSError, ValueError, KeyError, TypeError, NotImplementedError, MatReadError) as error:
        raise SidelightError(f"{file.name} is not the devkit's list of synsets ({error}).") from error


def _with_masks(found: ImageSet, masks: Path) -> ImageSet:
    """ImageNet-S numbers its classes from 1 in the order of their WordNet ids; 1000 marks what is not
    judged."""
    labels = {wnid: n for n, wnid in enumerate(sorted({item.path.parent.name for item in found.items}), 1)}
    items = []
    for item in found.items:
        wnid = item.path.parent.name
        mask = masks / wnid / f"{item.path.stem}.png"
        name = item.prompts[0] if item.prompts else wnid
        box = ObjectBox(name, mask=mask, label=labels[wnid])
        items.append(replace(item, objects=(box,) if mask.is_file() else ()))
    return replace(found, items=tuple(items))
