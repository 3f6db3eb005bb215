"""What is where in a composed scene: a few emoji on a simple background, placed at random."""

from dataclasses import dataclass

import numpy as np

from engine.training.concepts import Concept, Glyph, load_concepts
from engine.training.glyphs import sprite

CANVAS = 112  # px; lengths in a Scene are in pixels of this canvas
SIZES = tuple(int(s) for s in np.geomspace(28, 80, 13).round())
ANGLES = (-24, -16, -8, 0, 8, 16, 24)
LARGEST = {1: 0.80, 2: 0.56, 3: 0.48, 4: 0.43}  # longest object side / scene side, by object count
MAX_OUTSIDE = 0.06  # share of an object's box side that may leave the scene
MAX_OVERLAP = 0.12  # share of the smaller of two boxes that they may share

PALETTE = {
    "red": (205, 60, 55),
    "orange": (245, 160, 70),
    "yellow": (250, 225, 105),
    "green": (110, 180, 105),
    "blue": (95, 150, 225),
    "purple": (150, 105, 190),
    "pink": (250, 180, 205),
    "brown": (140, 100, 70),
    "black": (28, 28, 32),
    "white": (248, 248, 246),
    "gray": (150, 150, 155),
}
PATTERNS = ("plain", "gradient", "striped", "checked", "speckled", "cloudy")


@dataclass(frozen=True)
class Background:
    """`base` and `shade` are RGB, both of them shades of `colour`."""

    pattern: str
    colour: str
    base: tuple[int, int, int]
    shade: tuple[int, int, int]
    angle: float  # radians
    period: float  # px of CANVAS
    seed: int


@dataclass(frozen=True)
class Placed:
    """One object: (x, y) is the centre of its box, `size` the longer side of the upright glyph."""

    concept: Concept
    glyph: Glyph
    x: float
    y: float
    size: int
    angle: int
    flip: bool


@dataclass(frozen=True)
class Scene:
    """A square scene, `side` px of CANVAS long; later objects lie on top of earlier ones."""

    side: int
    background: Background
    objects: tuple[Placed, ...]


def sample_scene(rng: np.random.Generator, objects: int, side: int = CANVAS) -> Scene:
    """A random scene of `objects` different concepts that overlap little."""
    concepts = load_concepts().concepts
    chosen = [concepts[i] for i in rng.choice(len(concepts), objects, replace=False)]
    sizes = [s for s in SIZES if s <= LARGEST[objects] * side]
    while True:
        placed = _place(rng, chosen, sizes, side)
        if placed is not None:
            return Scene(side, _sample_background(rng), placed)


def _place(rng, concepts, sizes, side) -> tuple[Placed, ...] | None:
    """One try at a layout; None where an object finds no room."""
    placed, boxes = [], []
    for concept in concepts:
        glyph = concept.glyphs[rng.integers(len(concept.glyphs))]
        size, angle = int(rng.choice(sizes)), int(rng.choice(ANGLES))
        height, width = sprite(glyph.char, size, angle).shape[:2]
        if max(height, width) > side:
            return None
        for _ in range(12):
            left = rng.uniform(-MAX_OUTSIDE * width, side - (1 - MAX_OUTSIDE) * width)
            top = rng.uniform(-MAX_OUTSIDE * height, side - (1 - MAX_OUTSIDE) * height)
            box = (left, top, left + width, top + height)
            if all(_overlap(box, other) <= MAX_OVERLAP for other in boxes):
                break
        else:
            return None
        boxes.append(box)
        flip = bool(rng.random() < 0.5)
        placed.append(Placed(concept, glyph, left + width / 2, top + height / 2, size, angle, flip))
    return tuple(placed)


def _overlap(a, b) -> float:
    """Shared area over the smaller area, of two boxes (left, top, right, bottom)."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))


def _sample_background(rng: np.random.Generator) -> Background:
    colour = str(rng.choice(list(PALETTE)))
    base = np.clip(np.array(PALETTE[colour]) + rng.normal(0, 8, 3), 0, 255)
    toward = 255 if colour == "black" or (colour != "white" and rng.random() < 0.5) else 0
    share = 0.12 if colour in ("black", "white") else 0.28
    shade = base + share * (toward - base)
    return Background(
        pattern=str(rng.choice(PATTERNS)),
        colour=colour,
        base=tuple(int(c) for c in base),
        shade=tuple(int(c) for c in shade),
        angle=float(rng.uniform(0, np.pi)),
        period=float(rng.uniform(10, 28)),
        seed=int(rng.integers(2**31)),
    )
