"""Composed scenes as a set on disk (ImageFolder convention): images, masks, metadata.jsonl, README.md."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from engine.training.drawing import draw
from engine.training.layout import CANVAS, Scene, sample_scene

LICENCE = "Apache-2.0"  # of Noto's emoji images
SOURCE = "composed of Noto Color Emoji by engine.training.scenes"
DESCRIPTION = (
    "Noto emoji on simple backgrounds, composed by this project. Every object has a box and an exact mask of "
    "its visible pixels."
)


@dataclass(frozen=True)
class Picture:
    """A scene to write. prompts: by default one for each object; extra: further keys of its metadata."""

    name: str
    scene: Scene
    prompts: tuple[str, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)


def compose_set(
    out_dir: str | Path, count: int, seed: int, size: int = 448, objects: tuple[int, int] = (1, 4)
) -> None:
    """Write `count` random scenes of `size` px of the least to the most `objects`, as a set in `out_dir`."""
    low, high = objects
    scenes = (
        sample_scene(np.random.default_rng((seed, i)), low + i % (high - low + 1)) for i in range(count)
    )
    pictures = (Picture(f"scene-{i:04}", scene) for i, scene in enumerate(scenes))
    title = f"{count} composed scenes (seed {seed})"
    write_set(Path(out_dir), tqdm(pictures, "scenes", count, disable=None), title, DESCRIPTION, size)


def write_set(
    folder: Path, pictures: Iterable[Picture], title: str, description: str, size: int = 448
) -> None:
    """Images as WebP of size x size px, masks as 1-bit PNG beside them."""
    (folder / "masks").mkdir(parents=True, exist_ok=True)
    rows = [_write_picture(folder, picture, size) for picture in pictures]
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "metadata.jsonl").write_text("".join(lines), encoding="utf-8")
    readme = f"# {title}\n\n{description}\n\nLicence: {LICENCE}\n"
    (folder / "README.md").write_text(readme, encoding="utf-8")


def _write_picture(folder: Path, picture: Picture, size: int) -> dict[str, Any]:
    pixels, masks = draw(picture.scene, size / CANVAS)
    file_name = f"{picture.name}.webp"
    Image.fromarray(pixels).save(folder / file_name, quality=92, method=6)
    objects = []
    for placed, mask in zip(picture.scene.objects, masks, strict=True):
        mask_name = f"masks/{picture.name}-{placed.concept.name.replace(' ', '-')}.png"
        Image.fromarray(mask).save(folder / mask_name, optimize=True)
        objects.append({"name": placed.concept.name, "bbox": bounding_box(mask), "mask": mask_name})
    return {
        "file_name": file_name,
        "prompts": list(picture.prompts or [placed.concept.prompt for placed in picture.scene.objects]),
        "objects": objects,
        "licence": LICENCE,
        "source": SOURCE,
        **picture.extra,
    }


def bounding_box(mask: np.ndarray) -> list[int]:
    """[x, y, width, height] in px around a mask's true pixels."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    x, y = int(columns[0]), int(rows[0])
    return [x, y, int(columns[-1]) - x + 1, int(rows[-1]) - y + 1]
