"""Reading a golden folder: everything from meta.json and the file names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from engine import images
from engine.models import Model, wrap
from engine.types import Image
from tests.golden import weights

# Inputs and records of a folder, which nothing has to compute (README.md, last lines).
GIVEN = re.compile(
    r"(.+\.)?(heatmap_rank|target|masks_u8|cells|shifts|numpy_seed|official_float_first2|seed_corr|input_\w+)"
)


@dataclass(frozen=True, eq=False)
class Case:
    """One model with its images and prompts. meta: its entry of meta.json; single: one image, whose axis the
    recorded arrays lack."""

    tag: str
    folder: Path
    config: Mapping[str, Any]
    meta: Mapping[str, Any]
    fingerprints: Mapping[str, Sequence[Any]]
    prompts: tuple[str, ...]
    names: tuple[str, ...]
    single: bool = False

    @cached_property
    def model(self) -> Model:
        """The rebuilt model. For a single image of its own size, with that size as the model's input."""
        clip = weights.build(self.config, self.meta["seed"])
        weights.check(clip, self.fingerprints)
        model = wrap(clip)
        return _resized(model, self.images[0]) if self.single else model

    @cached_property
    def images(self) -> tuple[Image, ...]:
        """The pictures `images/<name>.png`."""
        return tuple(images.load(self.folder / "images" / f"{name}.png") for name in self.names)


def _resized(model: Model, image: Image) -> Model:
    """The model with each side of its input the image's, rounded to a multiple of the patch."""
    preprocess = model.info.preprocess
    width, height = (int(side / preprocess.patch + 0.5) * preprocess.patch for side in image.size)
    return replace(model, info=replace(model.info, preprocess=replace(preprocess, size=(height, width))))


@dataclass(frozen=True)
class Key:
    """One recorded array. name: '<tag>.<key>', or '<tag>.nonsquare_<image>.<key>'."""

    name: str
    key: str
    case: Case
    file: Path

    @property
    def recorded(self) -> np.ndarray:
        """The array."""
        with np.load(self.file) as file:
            return file[self.key]


def read(folder: Path) -> list[Key]:
    """Every key of a folder that is to be computed, in the order of the files."""
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    cases = {tag: _case(folder, tag, meta) for tag in meta["cases"]}
    return [key for file in sorted(folder.glob("*.npz")) for key in _keys(file, cases)]


def _case(folder: Path, tag: str, meta: Mapping[str, Any]) -> Case:
    case = meta["cases"][tag]
    return Case(
        tag=tag,
        folder=folder,
        config=meta["configs"][case["config"]],
        meta=case,
        fingerprints=meta.get("weight_fingerprints", {}).get(tag, {}),
        prompts=tuple(case["prompts"]),
        names=tuple(case["images"]),
    )


def _keys(file: Path, cases: Mapping[str, Case]) -> Iterator[Key]:
    try:
        with np.load(file) as arrays:
            names = [name for name in arrays.files if not GIVEN.fullmatch(name)]
    except (BadZipFile, EOFError, ValueError) as error:
        raise ValueError(f"{file.name} is no npz file ({error})") from error
    tags = [tag for tag in cases if file.stem.startswith(f"{tag}_")]
    if not names:
        return
    if not tags:
        raise ValueError(f"{file.name} begins with no tag of meta.json ({', '.join(cases)})")
    tag = max(tags, key=len)
    case, kind = cases[tag], file.stem.removeprefix(f"{tag}_")
    prefix = tag
    if kind.startswith("nonsquare_"):
        case, prefix = replace(case, names=(kind,), single=True), f"{tag}.{kind}"
    for name in names:
        yield Key(f"{prefix}.{name}", name, case, file)
