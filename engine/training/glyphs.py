"""Colour emoji as RGBA sprites, drawn from the Noto Color Emoji font."""

import os
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

FONT_SIZE = 109  # the one size at which the font's bitmaps exist
FONT_FILE = Path(os.environ.get("SIDELIGHT_EMOJI_FONT", "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"))


@cache
def _font() -> ImageFont.FreeTypeFont:
    if not FONT_FILE.is_file():
        raise FileNotFoundError(
            f"{FONT_FILE} is missing: install the package fonts-noto-color-emoji, "
            "or name the file of Noto Color Emoji in SIDELIGHT_EMOJI_FONT"
        )
    return ImageFont.truetype(str(FONT_FILE), FONT_SIZE)


@cache
def glyph_image(char: str) -> Image.Image:
    """The emoji's own bitmap, cropped to its visible pixels (about 136 px wide)."""
    image = Image.new("RGBA", (176, 176))
    ImageDraw.Draw(image).text((20, 20), char, font=_font(), embedded_color=True)
    return image.crop(image.getchannel("A").getbbox())


@lru_cache(maxsize=40_000)
def sprite(char: str, size: int, angle: int) -> np.ndarray:
    """RGBA uint8 [h w 4], rotated by `angle` degrees; the longer side of the upright glyph is `size` px."""
    image = glyph_image(char)
    scale = size / max(image.size)
    if scale > 1:  # enlarge before turning, so that edges stay smooth
        image = _resize(image, scale).rotate(angle, Image.Resampling.BICUBIC, expand=True)
    else:
        image = _resize(image.rotate(angle, Image.Resampling.BICUBIC, expand=True), scale)
    pixels = np.asarray(image.crop(image.getchannel("A").getbbox()))
    pixels.setflags(write=False)
    return pixels


def _resize(image: Image.Image, scale: float) -> Image.Image:
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)
