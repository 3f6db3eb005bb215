"""The image sets, and the image that is looked at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from dashboard.choices import State
from dashboard.gateway import models, uploads
from engine.types import Image, SidelightError

if TYPE_CHECKING:
    from engine.datasets import ImageSet, Item

ROOT = Path(__file__).resolve().parents[2]


@st.cache_resource(ttl=5, show_spinner=False)  # seconds; a page asks many times, and a large tree takes long
def sets() -> tuple[ImageSet, ...]:
    """The image sets, a folder that was just dropped in included."""
    from engine import datasets

    return tuple(datasets.sets())


def image_set(name: str) -> ImageSet:
    """The set of that name; SidelightError names those that are there."""
    from engine import datasets

    return next((s for s in sets() if s.name == name), None) or datasets.find(name)


def item(state: State) -> Item | None:
    """The set's item that is looked at; None for an upload."""
    if state.upload:
        return None
    found = chosen(state, image_set(state.image_set).items)
    if found is None:
        raise SidelightError(f"The image set {state.image_set} has no images; choose another one.")
    return found


def chosen(state: State, items: tuple[Item, ...]) -> Item | None:
    """The state's item among those of its set, or else the first."""
    return next((i for i in items if i.id == state.image), items[0] if items else None)


def image(state: State) -> Image:
    """The image that is looked at."""
    found = item(state)
    return uploads.image(state.upload) if found is None else _read(found.path, changed(found.path))


@st.cache_resource(max_entries=32, show_spinner=False)
def _read(path: Path, stamp: int) -> Image:
    from engine import images

    return images.load(path)


def changed(path: Path) -> int:
    """When a file was changed, so that what was read of it is read again."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0  # reading it will say what is wrong


def other_images(state: State) -> tuple[str, ...]:
    """The ids of the set's images that may be a target beside the one that is looked at."""
    here = item(state)
    return tuple(i.id for i in image_set(state.image_set).items if here is None or i.id != here.id)


def other(state: State, id: str) -> State:
    """The state that looks at another image of the set instead."""
    return replace(state, image=id, upload="")


def file_name(state: State) -> str:
    """The image's file as a command would name it, from the folder of the checkout."""
    found = item(state)
    if found is None:
        return f"{image(state).name}.png"
    return str(found.path.relative_to(ROOT)) if found.path.is_relative_to(ROOT) else str(found.path)


def seen(state: State) -> tuple[float, float, float, float]:
    """(left, top, right, bottom) of what the model sees, in pixels of the image."""
    from engine import images

    return images.geometry(image(state).size, models.described(state).preprocess, state.resize).seen
