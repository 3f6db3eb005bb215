"""The only caller of the engine: what the pages may ask, in terms of the session's state.

Everything here returns frozen values or bytes and raises `SidelightError` with one clear sentence. Torch is never
imported by a page: stored maps are read without it, the others are computed by the engine's worker.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from PIL import Image as Pillow

from dashboard.state import DIGEST, State, Vocabulary
from engine.types import Explanation, Image, ModelInfo, SidelightError, Target

if TYPE_CHECKING:
    from engine.datasets import ImageSet, Item
    from engine.jobs import Job, Jobs
    from engine.registry import Method

SHOWN_PROMPTS = 2  # of the image's own, as long as the person typed none
ANY_PROMPTS = ("a dog", "a cat")  # for an image that brings none
EMPTY = Vocabulary({}, (), str, lambda *_: None, lambda _: False)


# What is here to look at


@st.cache_resource(ttl=20, show_spinner=False)
def sets() -> tuple[ImageSet, ...]:
    """The image sets; a folder that is dropped in shows up within seconds."""
    from engine import datasets

    return tuple(datasets.sets())


def image_set(name: str) -> ImageSet:
    for found in sets():
        if found.name == name:
            return found
    raise SidelightError(f"There is no image set {name!r}; the sets are {', '.join(s.name for s in sets())}.")


def item(state: State) -> Item | None:
    """The set's item that is looked at; None for an upload."""
    if state.upload:
        return None
    items = image_set(state.image_set).items
    if not items:
        raise SidelightError(f"The image set {state.image_set} has no images; choose another one.")
    return next((i for i in items if i.id == state.image), items[0])


def image(state: State) -> Image:
    """The image that is looked at."""
    found = item(state)
    return _uploaded(state.upload) if found is None else _loaded(found.path, found.path.stat().st_mtime_ns)


@st.cache_resource(max_entries=32, show_spinner=False)
def _loaded(path: Path, _changed: int) -> Image:
    from engine import images

    return images.load(path)


@st.cache_data(max_entries=4096, show_spinner=False)
def thumbnail(path: Path, side: int = 192) -> bytes:
    """A JPEG of an image file, `side` pixels on its longer side."""
    from engine import images

    return _jpeg(images.load(path).pixels, side)


def _jpeg(pixels: np.ndarray, side: int) -> bytes:
    small = Pillow.fromarray(pixels)
    small.thumbnail((side, side), Pillow.Resampling.LANCZOS)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=88)
    return out.getvalue()


def own_prompts(state: State) -> tuple[str, ...]:
    """The prompts that the image brings."""
    found = item(state)
    return found.prompts if found else ()


def prompts(state: State) -> tuple[str, ...]:
    """The prompts in effect: the person's, or else the first ones of the image."""
    return state.prompts or own_prompts(state)[:SHOWN_PROMPTS] or ANY_PROMPTS


# Methods and models


def methods() -> Mapping[str, Method]:
    """The registered methods by name."""
    import engine.methods  # noqa: F401  registers them
    from engine.registry import METHODS

    return METHODS


def canonical(spec: str) -> str:
    """The canonical text of a method spec; SidelightError says what is valid."""
    from engine.specs import parse

    return str(parse(spec))


def models() -> list[tuple[str, list[str]]]:
    """Model names with their tags; the tags are open_clip's, so asking imports it."""
    from engine import catalog, models

    return [(name, list(models.tags(name))) for name in catalog.names()]


def describe(model: str, pretrained: str = "") -> ModelInfo:
    from engine import catalog

    return catalog.describe(model, pretrained or None)


# Explanations


def targets(state: State) -> tuple[Target, ...]:
    return tuple(Target(text) for text in prompts(state))


def explanation(state: State) -> tuple[Explanation, Job | None]:
    """What is known about the state's image, and the job that computes what is missing.

    For a second model, another image or other prompts ask with `replace(state, ...)`.
    """
    from engine import explain

    request = explain.Request(
        image=image(state),
        targets=targets(state),
        specs=state.methods,
        model=state.model,
        pretrained=state.pretrained or None,
        resize=state.resize,
    )
    found = explain.stored(request)
    asked = [(spec, target.label) for spec in found.specs for target in found.targets]
    if all(found.get(spec, label) is not None for spec, label in asked):
        return found, None
    return found, jobs().submit(request)


@st.cache_resource(show_spinner=False)
def jobs() -> Jobs:
    """The one queue of this server."""
    from engine.jobs import Jobs

    return Jobs()


def cancel(job: Job) -> None:
    jobs().cancel(job.id)
