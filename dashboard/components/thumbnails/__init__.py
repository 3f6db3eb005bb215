"""Pictures to choose from, as one element: a strip for the sidebar, a wall for the gallery."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from dashboard.callbacks import unbroken

HERE = Path(__file__).parent
_draw = st.components.v2.component(
    "sidelight_thumbnails",
    html='<div class="thumbs" role="list"></div>',
    css=(HERE / "thumbnails.css").read_text(encoding="utf-8"),
    js=(HERE / "thumbnails.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True)
class Thumbnail:
    """One picture. image: JPEG. alt: what it shows, for those who do not see it. lines: written below it."""

    id: str
    image: bytes
    alt: str
    lines: tuple[str, ...] = ()


def thumbnails(
    pictures: Sequence[Thumbnail],
    *,
    key: str,
    label: str,
    side: int,
    selected: str = "",
    strip: bool = False,
    on_choose: Callable[[str], None] | None = None,
) -> str | None:
    """Draw the pictures `side` pixels high; the id that was clicked in this run, or None.

    strip: one row that scrolls. on_choose: called with the id before the run, as a widget's callback.
    """
    data = {
        "label": label,
        "side": side,
        "strip": strip,
        "selected": selected,
        "pictures": [
            {"id": p.id, "alt": p.alt, "lines": list(p.lines), "image": data_url(p.image)} for p in pictures
        ],
    }

    def chosen() -> None:
        if on_choose is not None and (picked := st.session_state[key].chosen) is not None:
            on_choose(picked)

    return _draw(key=key, data=data, on_chosen_change=unbroken(chosen)).chosen


def data_url(jpeg: bytes) -> str:
    """The JPEG as an address that holds it."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")
