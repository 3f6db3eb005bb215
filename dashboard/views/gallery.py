"""Gallery: the image sets as thumbnails; a click opens an image on the page of one's choice."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import fields, gateway, navigation, state
from dashboard.components.thumbnails import Thumbnail, thumbnails
from dashboard.text import plain
from engine.types import SidelightError

if TYPE_CHECKING:
    from engine.datasets import ImageSet, Item

SIDE = 150  # pixels
ON_A_PAGE = 60


def page() -> None:
    sets = gateway.collection.sets()
    if not sets:
        raise SidelightError("There are no image sets; put a folder of images into data/sets.")
    shown = state.current()
    names = {s.name: f"{s.title} ({len(s.items)})" for s in sets}
    st.pills(
        "Image set",
        list(names),
        default=shown.image_set if shown.image_set in names else None,
        required=True,
        format_func=lambda name: plain(names[name]),
        **fields.bound(
            "gallery set", shown.image_set, lambda chosen: state.update(image_set=chosen, image="", upload="")
        ),
    )
    chosen = gateway.collection.image_set(shown.image_set)
    _about(chosen)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        wanted = st.text_input(
            "Filter",
            key="gallery_filter",
            placeholder="Filter by prompt, object or name",
            icon=":material/search:",
            live=True,
            persist_state="session",
        )
        opens = st.segmented_control(
            "A click opens an image on",
            navigation.OF_AN_IMAGE,
            default=navigation.COMPARE,
            required=True,
            format_func=str.capitalize,
            key="gallery_opens",
            persist_state="session",
        )
    found = [item for item in chosen.items if matches(item, wanted or "")]
    if not found:
        st.info(plain(f"No image of {chosen.title} has “{wanted}” in its prompts, objects or name."))
        return
    picked = _wall(_on_page(found), chosen, shown)
    if picked is not None:
        state.update(image_set=chosen.name, image=picked, upload="")
        navigation.go(opens)


def matches(item: Item, wanted: str) -> bool:
    """Whether every word of `wanted` occurs in what is written of an item."""
    written = " ".join((item.id, *item.prompts, *(o.name for o in item.objects))).casefold()
    return all(word in written for word in wanted.casefold().split())


def _about(chosen: ImageSet) -> None:
    rights = {"Licence": chosen.licence, "Source": _shared_source(chosen)}
    written = " · ".join(f"{label}: {text}" for label, text in rights.items() if text)
    st.caption("  \n".join(plain(line) for line in (chosen.description, written) if line))
    if chosen.problems:
        with st.expander(f"{len(chosen.problems)} files or lines were left out"):
            for problem in chosen.problems:
                st.caption(plain(problem))


def _shared_source(chosen: ImageSet) -> str:
    """The source of the images, where all have the same."""
    sources = {item.source for item in chosen.items}
    return sources.pop() if len(sources) == 1 else ""


def _on_page(found: list[Item]) -> list[Item]:
    """The part of a long list that is drawn, and the widget that turns its pages."""
    count = math.ceil(len(found) / ON_A_PAGE)
    if count == 1:
        return found
    number = st.pagination(count, key="gallery_page")
    return found[(number - 1) * ON_A_PAGE : number * ON_A_PAGE]


def _wall(items: list[Item], chosen: ImageSet, shown: state.State) -> str | None:
    pictures, said = [], (chosen.licence, _shared_source(chosen))
    for item in items:
        prompts = ", ".join(item.prompts)
        rights = " · ".join(text for text in (item.licence, item.source) if text and text not in said)
        pictures.append(
            Thumbnail(
                item.id,
                gateway.pictures.thumbnail(item.path, 2 * SIDE),
                prompts or item.id,
                tuple(filter(None, (prompts or item.id, rights))),
            )
        )
    return thumbnails(
        pictures, key="wall", label=f"Images of {chosen.title}", side=SIDE, selected=shown.image
    )
