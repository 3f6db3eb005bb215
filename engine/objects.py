"""Where the objects of an image are: boxes, mask images, label images and COCO's run lengths, as masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from engine.render import Outline
from engine.types import SidelightError

UNJUDGED = 1000  # ImageNet-S's label of what is neither object nor background
TRACED = 128  # pixels of the longer side of a mask, when its outline is traced


@dataclass(frozen=True)
class ObjectBox:
    """One object of an image. bbox: (x, y, width, height) in pixels of the image file; mask: an image file of
    the same size, white where the object is seen. Either may be None.

    label: where the mask holds labels instead, red + 256 green as ImageNet-S has them, the one of this
    object; in a mask that lacks it, as where a folder has some of the classes only, any but 0 and 1000 is
    the object's. runs: COCO's run-length encoding ({size, counts}), in place of a mask file.
    """

    name: str
    bbox: tuple[float, float, float, float] | None = None
    mask: Path | None = None
    label: int | None = None
    runs: Mapping[str, Any] | None = field(default=None, hash=False)


def outlines(objects: Sequence[ObjectBox]) -> tuple[Outline, ...]:
    """Lines around the masks of objects, or else their boxes. SidelightError where a mask cannot be read."""
    made = []
    for thing in objects:
        if thing.mask is not None or thing.runs is not None:
            made.append(Outline(thing.name, _around(_mask(thing)[0])))
        elif thing.bbox is not None:
            x, y, w, h = thing.bbox
            corners = [(x, y), (x + w, y), (x + w, y + h), (x, y + h), (x, y)]
            made.append(Outline(thing.name, (np.array(corners, float),)))
    return tuple(made)


def _around(mask: np.ndarray) -> tuple[np.ndarray, ...]:
    """Lines around the true regions of a mask, (points, 2) each, in its pixels."""
    from contourpy import contour_generator

    small = Pillow.fromarray(mask.astype(np.uint8) * 255)
    small.thumbnail((TRACED, TRACED), Pillow.Resampling.BOX)
    grid = np.pad(np.asarray(small, float), 1)  # so that a region at the border is closed
    scale = np.array([mask.shape[1] / small.width, mask.shape[0] / small.height])
    return tuple((line - 0.5) * scale for line in contour_generator(z=grid).lines(127.5))


def object_mask(box: ObjectBox, size: tuple[int, int]) -> np.ndarray | None:
    """Where an object is: bool (height, width) for an image of `size` (width, height), from its mask or else
    its box; None where it has neither. SidelightError where the mask cannot be read or is of another size."""
    if box.mask is not None or box.runs is not None:
        mask, name = _mask(box)
        if mask.shape != (size[1], size[0]):
            raise SidelightError(
                f"The mask {name} is {mask.shape[1]} x {mask.shape[0]} pixels, but its image is "
                f"{size[0]} x {size[1]}; make them equal."
            )
        return mask
    return None if box.bbox is None else _inside(box.bbox, size)


def _mask(box: ObjectBox) -> tuple[np.ndarray, str]:
    if box.runs is not None:
        from pycocotools.mask import decode

        return decode(dict(box.runs)).astype(bool), f"of {box.name}"
    try:
        with Pillow.open(box.mask) as file:
            if box.label is None:
                return _white(np.asarray(file.convert("L")), box.mask.name), box.mask.name
            colours = np.asarray(file.convert("RGB")).astype(np.int32)
    except (OSError, SyntaxError, UnidentifiedImageError, Pillow.DecompressionBombError) as error:
        raise SidelightError(f"The mask {box.mask.name} cannot be read; save it as PNG again.") from error
    labels = colours[..., 0] + 256 * colours[..., 1]
    own = labels == box.label
    return own if own.any() else (labels > 0) & (labels != UNJUDGED), box.mask.name


def _white(values: np.ndarray, name: str) -> np.ndarray:
    white = values > 127
    if values.any() and not white.any():  # 0 and 1, most likely
        raise SidelightError(
            f"The mask {name} has no white pixel, its brightest is {values.max()} of 255; save its object as "
            "255."
        )
    return white


def _inside(bbox: tuple[float, float, float, float], size: tuple[int, int]) -> np.ndarray:
    left, top, across, down = bbox
    x, y = np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5
    inside_x, inside_y = (left <= x) & (x < left + across), (top <= y) & (y < top + down)
    return inside_y[:, None] & inside_x
