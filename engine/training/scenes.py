"""Scenes composed of emoji on simple backgrounds, with the exact mask of every object."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image

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


def draw(scene: Scene, scale: float = 1) -> tuple[np.ndarray, np.ndarray]:
    """Image uint8 [s s 3] and visible masks bool [objects s s], with s = side * scale."""
    side = round(scene.side * scale)
    image = _draw_background(scene.background, side, scale)
    masks = np.zeros((len(scene.objects), side, side), bool)
    for i, placed in enumerate(scene.objects):
        pixels = sprite(placed.glyph.char, round(placed.size * scale), placed.angle)
        if placed.flip:
            pixels = pixels[:, ::-1]
        height, width = pixels.shape[:2]
        left, top = round(placed.x * scale - width / 2), round(placed.y * scale - height / 2)
        x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + width, side), min(top + height, side)
        part = pixels[y0 - top : y1 - top, x0 - left : x1 - left]
        alpha = part[..., 3:].astype(np.uint16)
        below = image[y0:y1, x0:x1]
        image[y0:y1, x0:x1] = (part[..., :3] * alpha + below * (255 - alpha) + 127) // 255
        solid = part[..., 3] > 127
        masks[:i, y0:y1, x0:x1] &= ~solid
        masks[i, y0:y1, x0:x1] = solid
    return image, masks


def _draw_background(background: Background, side: int, scale: float) -> np.ndarray:
    """uint8 [side side 3]: a mix of base and shade by a pattern in 0..1."""
    rng = np.random.default_rng(background.seed)
    y, x = (axis / scale for axis in _grid(side))
    cos, sin = np.float32(np.cos(background.angle)), np.float32(np.sin(background.angle))
    along, across = x * cos + y * sin, y * cos - x * sin
    match background.pattern:
        case "plain":
            return np.full((side, side, 3), background.base, np.uint8)
        case "gradient":
            mix = (along - along.min()) / np.ptp(along)
        case "striped":
            mix = np.floor(2 * along / background.period) % 2
        case "checked":
            mix = (np.floor(2 * along / background.period) + np.floor(2 * across / background.period)) % 2
        case "speckled":
            mix = _smooth_noise(rng, side, cells=max(2, round(side / scale)))
            mix = (mix > 0.6).astype(np.float32)
        case "cloudy":
            mix = _smooth_noise(rng, side, cells=max(2, round(side / scale / background.period)))
        case other:
            raise ValueError(f"unknown pattern {other!r}: use one of {', '.join(PATTERNS)}")
    base, shade = np.float32(background.base), np.float32(background.shade)
    return (base + mix[..., None].astype(np.float32) * (shade - base)).astype(np.uint8)


@cache
def _grid(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Row and column numbers, float32 [side 1] and [1 side]."""
    return tuple(axis.astype(np.float32) for axis in np.ogrid[:side, :side])


def _smooth_noise(rng: np.random.Generator, side: int, cells: int) -> np.ndarray:
    """Uniform noise on a grid of cells, enlarged smoothly to [side side]."""
    noise = Image.fromarray(rng.integers(0, 256, (cells, cells), dtype=np.uint8))
    return np.asarray(noise.resize((side, side), Image.Resampling.BICUBIC), np.float32) / 255
