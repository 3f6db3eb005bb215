"""The set that a benchmark runs over: a curated set by name, or a folder in one of the field's layouts.

A folder is read as COCO where it holds an annotation file (`instances*.json`, or one JSON file with COCO's
lists), as ImageNet-S where it has `*-segmentation` beside the images, as ImageNet where class folders are
named by WordNet ids or the flat validation images lie beside the devkit's labels; else as engine.datasets
does.
"""

from __future__ import annotations

from pathlib import Path

from engine import datasets
from engine.datasets import ImageSet
from engine.metadata import METADATA
from engine.sources import coco, imagenet


def open_set(name: str) -> ImageSet:
    """The set of that name, or in that folder; SidelightError says what there is, or what a folder lacks."""
    if name in {found.name for found in datasets.sets()} or not Path(name).is_dir():
        return datasets.find(name)
    folder = Path(name).absolute()
    if not (folder / METADATA).is_file():
        for reader in (coco, imagenet):
            found = reader.read(folder)
            if found is not None:
                return found
    return datasets.read(folder)
