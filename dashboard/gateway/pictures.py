"""Small pictures of images, and the outlines of what is in them."""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path

import numpy as np
import streamlit as st
from PIL import Image as Pillow

from dashboard.choices import State
from dashboard.gateway import collection, models
from engine.objects import ObjectBox
from engine.objects import outlines as traced
from engine.render import Outline
from engine.types import Image, SidelightError

DIMMED = 0.35  # brightness of what the model does not see


def thumbnail(path: Path, side: int) -> bytes:
    """A JPEG of an image file, `side` pixels on its longer side; a grey one where it cannot be read."""
    return _thumbnail(path, side, collection.changed(path))


@st.cache_data(max_entries=4096, show_spinner=False)
def _thumbnail(path: Path, side: int, stamp: int) -> bytes:
    from engine import images

    try:
        return images.thumbnail(images.load(path), side)
    except SidelightError:  # opening the image says why
        return jpeg(np.full((side, side, 3), 128, np.uint8))


def preview(state: State, side: int) -> bytes:
    """A JPEG of the image that is looked at, dimmed where the model does not see it."""
    from engine import images

    shown, info = collection.image(state), models.described(state)
    return _preview(shown, images.geometry(shown.size, info.preprocess, state.resize).seen, side)


@st.cache_data(max_entries=256, show_spinner=False, hash_funcs={Image: lambda i: i.digest})
def _preview(shown: Image, seen: tuple[float, float, float, float], side: int) -> bytes:
    left, top, right, bottom = (round(edge) for edge in seen)
    light = np.full(shown.pixels.shape[:2], DIMMED, np.float32)
    light[max(top, 0) : bottom, max(left, 0) : right] = 1
    small = Pillow.fromarray((shown.pixels * light[:, :, None]).astype(np.uint8))
    small.thumbnail((side, side), Pillow.Resampling.LANCZOS)
    return jpeg(np.asarray(small))


def jpeg(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Pillow.fromarray(pixels).save(out, "JPEG", quality=88)
    return out.getvalue()


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs={Image: lambda i: i.digest})
def picture(shown: Image, side: int) -> bytes:
    """A JPEG of a whole image, at most `side` pixels on its longer side."""
    from engine import images

    return images.thumbnail(shown, side)


def outlines(state: State) -> tuple[Outline, ...]:
    """The true regions of the state's image, where its set has some."""
    found = collection.item(state)
    return _outlines(found.objects) if found else ()


@lru_cache(maxsize=256)
def _outlines(objects: tuple[ObjectBox, ...]) -> tuple[Outline, ...]:
    return traced(objects)
