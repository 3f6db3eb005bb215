"""The images that people uploaded."""

import streamlit as st

from dashboard.uploads import Uploads
from engine.types import Image, SidelightError


@st.cache_resource(show_spinner=False)
def kept() -> Uploads:
    """The files that were uploaded to this server."""
    from engine.store import default_store

    return Uploads(default_store().folder / "uploads")


def keep(data: bytes, name: str) -> str:
    """Keep a file that was uploaded; the digest of its image. SidelightError where it is no image."""
    from engine import images

    digest = images.load(data, name).digest
    kept().keep(digest, data)
    return digest


def read(digest: str) -> bytes | None:
    """The bytes of an uploaded file."""
    return kept().get(digest)


def forget(digest: str) -> int:
    """Remove an upload and all maps of it; how many maps there were. SidelightError names what is left."""
    from engine.store import default_store

    kept().forget(digest)
    image.clear(digest)
    try:
        return default_store().forget(digest)
    except SidelightError as error:
        raise SidelightError(f"The image is forgotten, but maps of it may be left. {error}") from error


@st.cache_resource(max_entries=8, show_spinner=False)
def image(digest: str) -> Image:
    """The image of an upload; SidelightError where it is not on this server."""
    from engine import images

    data = kept().get(digest)
    if data is None:
        raise SidelightError("The uploaded image is not on this server; upload the file again.")
    return images.load(data, "upload")
