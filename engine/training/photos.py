"""A few photographs without copyright restrictions, from the files that scikit-image installs."""

import json
from dataclasses import dataclass
from pathlib import Path

import skimage
from PIL import Image

LONGEST = 640  # px
README = """# Photographs

Photographs for use with real CLIP weights. The bundled model was trained on emoji scenes, not on photographs:
its maps of these images mean little.

From the sample data of scikit-image, whose documentation states the origin and licence of each.

Licence: public domain or CC0, stated for each image
"""


@dataclass(frozen=True)
class Photo:
    """file: in scikit-image's data folder; licence and source: as its documentation states them."""

    name: str
    file: str
    prompts: tuple[str, ...]
    licence: str
    source: str


PHOTOS = (
    Photo(
        "astronaut",
        "astronaut.png",
        ("an astronaut", "a space shuttle", "a smiling woman", "an American flag"),
        "Public domain",
        "NASA Great Images database: the astronaut Eileen Collins",
    ),
    Photo(
        "cat",
        "chelsea.png",
        ("a cat", "the nose of a cat", "whiskers", "a dog"),
        "CC0-1.0",
        "Stefan van der Walt: the cat Chelsea",
    ),
    Photo(
        "coffee",
        "coffee.png",
        ("a cup of coffee", "a spoon", "a wooden table", "a saucer"),
        "CC0-1.0",
        "Rachel Michetti, courtesy of Pikolo Espresso Bar",
    ),
    Photo(
        "rocket",
        "rocket.jpg",
        ("a rocket", "smoke", "the night sky", "an airplane"),
        "Public domain",
        "SpaceX: launch of DSCOVR on Falcon 9",
    ),
    Photo(
        "photographer",
        "camera.png",
        ("a man with a camera", "a tripod", "a tower", "grass"),
        "CC0-1.0",
        "Lav Varshney",
    ),
    Photo(
        "galaxies",
        "hubble_deep_field.jpg",
        ("a galaxy", "a star", "the night sky", "a city at night"),
        "Public domain",
        "NASA: Hubble eXtreme Deep Field",
    ),
)


def write_photos(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    installed = Path(skimage.__file__).parent / "data"
    rows = []
    for photo in PHOTOS:
        image = Image.open(installed / photo.file).convert("RGB")
        image.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
        image.save(folder / f"{photo.name}.webp", quality=88, method=6)
        row = {
            "file_name": f"{photo.name}.webp",
            "prompts": photo.prompts,
            "licence": photo.licence,
            "source": photo.source,
        }
        rows.append(json.dumps(row) + "\n")
    (folder / "metadata.jsonl").write_text("".join(rows), encoding="utf-8")
    (folder / "README.md").write_text(README, encoding="utf-8")
