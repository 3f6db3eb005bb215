"""Which image: a set and one of its images, or an upload; and how it is laid under the model."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from dashboard import fields, gateway, notes, state
from dashboard.callbacks import unbroken
from dashboard.components.thumbnails import Thumbnail, data_url, thumbnails
from dashboard.text import plain, shortened
from engine.types import RESIZE_POLICIES, SidelightError

PREVIEW, SMALL = 320, 56  # pixels
AROUND = 4  # images of the strip on each side of the current one
POLICIES = {"crop": "Crop", "fit": "Fit", "squash": "Squash"}
NEXT, PREVIOUS = "N", "P"


def draw() -> None:
    shown = state.current()
    row = st.container(horizontal=True, gap="xsmall", vertical_alignment="bottom")
    with row:
        _set(shown)
        _upload()
    notes.show("image")
    try:
        if shown.upload:
            _forget(shown)
        else:
            _strip(shown)
        _preview(shown)
    except SidelightError as error:
        st.warning(plain(str(error)))
    _steps()
    _resize(shown)


def _set(shown: state.State) -> None:
    titles = {s.name: s.title for s in gateway.collection.sets()}
    names = list(titles)
    place = names.index(shown.image_set) if shown.image_set in titles else None
    st.selectbox(
        "Image set",
        names,
        index=place,
        format_func=titles.get,
        placeholder="Put images into data/sets",
        **fields.bound(
            "set",
            None if place is None else shown.image_set,
            lambda chosen: state.update(image_set=chosen, image="", upload=""),
        ),
    )


def _upload() -> None:
    # New keys after each file close the popover and empty the widget: the state holds the image from then on.
    turn = st.session_state.setdefault("uploads", 0)
    with st.popover("Upload", icon=":material/upload:", key=f"uploading{turn}"):
        st.file_uploader(
            "An image of your own",
            key=f"upload{turn}",
            on_change=unbroken(_take),
            args=(turn,),
            help="PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF. It stays on this server until you forget it.",
        )


def _strip(shown: state.State) -> None:
    items = gateway.collection.image_set(shown.image_set).items
    here = items.index(gateway.collection.item(shown))
    first = max(0, min(here - AROUND, len(items) - 2 * AROUND - 1))
    thumbnails(
        [
            Thumbnail(i.id, gateway.pictures.thumbnail(i.path, SMALL * 2), ", ".join(i.prompts) or i.id)
            for i in items[first : first + 2 * AROUND + 1]
        ],
        key="strip",
        label="Images of the set",
        side=SMALL,
        selected=items[here].id,
        strip=True,
        on_choose=lambda chosen: state.update(image=chosen, upload=""),
    )


def _preview(shown: state.State) -> None:
    found = gateway.collection.item(shown)
    name = found.id if found else "Uploaded image"
    about = ", ".join(found.prompts) if found else "your upload"
    st.image(
        # Within the message: a file of its own would be gone if the page changed before it was fetched.
        data_url(gateway.pictures.preview(shown, PREVIEW)),
        width="stretch",
        alt=f"{name}: {shortened(about, 200)}; what the model does not see is dimmed",
    )
    width, height = gateway.collection.image(shown).size
    facts = [plain(name), f"{width} x {height}"]
    if found and (found.licence or gateway.collection.image_set(shown.image_set).licence):
        facts.append(plain(found.licence or gateway.collection.image_set(shown.image_set).licence))
    st.caption(" · ".join((*facts, *map(plain, gateway.collection.image(shown).notes))))


def _forget(shown: state.State) -> None:
    def forget() -> None:
        try:
            said = f"The image is forgotten, with {gateway.uploads.forget(shown.upload)} stored maps."
        except SidelightError as error:
            said = str(error)
        state.update(upload="")
        notes.say("image", said)

    st.button(
        "Forget this image", on_click=unbroken(forget), help="Remove the upload and its maps from this server"
    )


def _steps() -> None:
    row = st.container(horizontal=True, gap="xsmall", wrap=False)
    steps = (("Previous", -1, PREVIOUS, "left"), ("Next", 1, NEXT, "right"))
    for label, step, key, side in steps:
        row.button(
            label,
            key=label,
            shortcut=key,
            icon=f":material/chevron_{side}:",
            on_click=unbroken(_go),
            args=(step,),
        )


def _go(step: int) -> None:
    shown = state.current()
    try:
        items = gateway.collection.image_set(shown.image_set).items
        here = items.index(gateway.collection.item(replace(shown, upload="")))
    except SidelightError as error:  # the set is empty or gone
        notes.say("image", str(error))
        return
    place = here if shown.upload else (here + step) % len(items)
    state.update(image=items[place].id, upload="")


def _take(turn: int) -> None:
    file = st.session_state[f"upload{turn}"]
    if file is None or turn != st.session_state["uploads"]:  # none, or taken already
        return
    st.session_state["uploads"] += 1
    try:
        digest = gateway.uploads.keep(file.getvalue(), file.name)
    except SidelightError as error:
        notes.say("image", str(error))
        return
    state.update(upload=digest, prompts=gateway.prompts.prompts(state.current()))


def _resize(shown: state.State) -> None:
    st.segmented_control(
        "What the model sees",
        RESIZE_POLICIES,
        default=shown.resize,
        required=True,
        format_func=POLICIES.get,
        **fields.bound("resize", shown.resize, lambda chosen: state.update(resize=chosen)),
        help="Crop: the middle square, as CLIP's authors do. Fit: all of it at its own aspect ratio. "
        "Squash: all of it, pressed into the square.",
    )
