"""The images behind a method's value: the best and the worst, each a way to the Compare page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import faults, gateway, navigation, state
from dashboard.components.thumbnails import Thumbnail, thumbnails
from dashboard.text import plain
from dashboard.views import benchmark_text as text

if TYPE_CHECKING:
    from dashboard.views.benchmark_view import View
    from engine.datasets import Item
    from engine.runs import Row

SIDE = 130  # pixels
EACH = 8  # of the best and of the worst
TEMPLATES = " in templates"  # ends the label of an ImageNet class


def draw(looked: View) -> None:
    with faults.told():
        _draw(looked)


def _draw(looked: View) -> None:
    metric = gateway.benchmark.metrics()[looked.metric]
    st.markdown(f"#### Images of {plain(text.name(looked.method))}, by {plain(metric.title)}")
    found = ordered(looked)
    if not found:
        st.caption("No image has a value here.")
        return
    here = {item.id: item for item in gateway.runs.images(looked.found.request)}
    if not any(row.image in here for row in found):
        st.caption("The images of this run are no longer in the sets of this server.")
        return
    st.caption(
        f"{text.BETTER[metric.higher].capitalize()}. An image opens on the Compare page with its prompt."
    )
    best, worst = ("Best", "Worst") if metric.higher is not None else ("Highest", "Lowest")
    if len(found) <= 2 * EACH:
        _wall(looked, here, found, f"{best} first")
        return
    _wall(looked, here, found[:EACH], best)
    _wall(looked, here, found[: -EACH - 1 : -1], worst)


def ordered(looked: View) -> list[Row]:
    """The values of the chosen method and metric, the best first."""
    metric = gateway.benchmark.metrics()[looked.metric]
    mine = [r for r in looked.found.rows if (r.spec, r.metric) == (looked.method, looked.metric)]
    return sorted(mine, key=lambda row: row.value, reverse=metric.higher is not False)


def _wall(looked: View, here: Mapping[str, Item], rows: Sequence[Row], label: str) -> None:
    st.markdown(f"**{label}**")
    pictures = [
        Thumbnail(
            str(place),
            gateway.pictures.thumbnail(here[row.image].path, 2 * SIDE),
            f"{row.image}, {row.target}: {text.number(row.value)}",
            (text.number(row.value), row.target),
        )
        for place, row in enumerate(rows)
        if row.image in here
    ]
    if len(pictures) < len(rows):
        st.caption(f"{len(rows) - len(pictures)} of them are no longer in the set.")
    picked = thumbnails(pictures, key=f"images {label}", label=f"{label} images", side=SIDE)
    if picked is not None:
        _open(looked, rows[int(picked)])


def _open(looked: View, row: Row) -> None:
    """Compare, with the image, its prompt as the run read it, and the method before the others that are
    chosen."""
    asked = looked.found.request
    others = [spec for spec in state.current().methods if spec != looked.method]
    state.update(
        image_set=asked.set,
        image=row.image,
        upload="",
        prompts=(row.target.removesuffix(TEMPLATES),),
        reading="templates" if row.target.endswith(TEMPLATES) else "texts",
        minus="",
        rows="prompts",
        sign=state.State.sign,
        methods=(looked.method, *others),
        model=asked.model,
        pretrained=asked.pretrained or "",
        resize=asked.resize,
    )
    navigation.go(navigation.COMPARE)
