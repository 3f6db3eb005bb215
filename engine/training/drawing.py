"""Scenes as pixels, with the exact mask of every object."""

from functools import cache

import numpy as np
from PIL import Image

from engine.training.glyphs import sprite
from engine.training.layout import PATTERNS, Background, Scene


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
