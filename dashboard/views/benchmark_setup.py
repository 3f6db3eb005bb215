"""A new run: set, methods, metrics and what they cost; and the runs that there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from dashboard import faults, fields, gateway, notes, progress, state
from dashboard.callbacks import unbroken
from dashboard.sidebar import methods as method_list
from dashboard.sidebar import model as model_list
from dashboard.text import plain
from dashboard.views import benchmark_metrics, curves_protocol
from dashboard.views import benchmark_text as text
from engine.types import SidelightError

if TYPE_CHECKING:
    from engine.runs import RunRequest

EARLIER = 20  # runs that are listed


def draw(shown: state.State) -> None:
    st.caption(
        "Methods by metrics over an image set, with 95 % intervals, paired tests, and controls that know "
        "nothing of the model. A run goes on in the background, and can be left, cancelled and continued."
    )
    with st.container(border=True, key="benchmark_new"):
        _images(shown)
        row = st.container(horizontal=True, vertical_alignment="bottom")
        with row.container(width="stretch"):
            method_list.choose()
        row.button("All methods", on_click=unbroken(_all_methods))
        benchmark_metrics.draw(shown)
        _start(shown)
    notes.show("benchmark")
    _earlier()


def _images(shown: state.State) -> None:
    sets = gateway.collection.sets()
    if not sets:
        raise SidelightError("There are no image sets; put a folder of images into data/sets.")
    names = {s.name: f"{s.title} ({len(s.items)})" for s in sets}
    st.pills(
        "Image set",
        list(names),
        default=shown.image_set if shown.image_set in names else None,
        required=True,
        format_func=lambda name: plain(names[name]),
        **fields.bound(
            "benchmark set",
            shown.image_set,
            lambda chosen: state.update(image_set=chosen, image="", upload="", first=0),
        ),
    )
    count = len(gateway.collection.image_set(shown.image_set).items)
    left, middle, right = st.columns([1, 1, 2])
    with left:
        _number(
            "Images, from the first", "first", int(shown.first), count, "Fewer are quicker; intervals widen."
        )
    with middle:
        _number(
            "Prompts an image",
            "most_prompts",
            int(shown.most_prompts),
            max((len(i.prompts) for i in gateway.collection.image_set(shown.image_set).items), default=1),
            "At most so many of the prompts that are true of an image; fewer are quicker.",
        )
    with right:
        model_list.draw()


def _number(label: str, field: str, value: int, most: int, about: str) -> None:
    """A number from 1 to `most`, which is 0 in the state."""
    most = max(most, 1)
    shown = min(value, most) or most

    def take(number: int | None) -> None:
        state.update(**{field: 0 if number in (None, most) else number})

    st.number_input(label, 1, most, shown, help=about, **fields.bound(f"benchmark {field}", shown, take))


def _all_methods() -> None:
    known = gateway.models.methods()
    named = [spec for spec in state.current().methods if not gateway.benchmark.is_control(spec)]
    there = {spec.partition("(")[0] for spec in named}
    others = [
        n for n, m in known.items() if "image" in m.branches and m.family != "control" and n not in there
    ]
    state.update(methods=(*named, *others))


def _start(shown: state.State) -> None:
    """What the run costs, and its button."""
    row = st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute")
    try:
        asked = gateway.benchmark.request(shown)
        cost = gateway.run_cost.cost(asked)
        id = gateway.benchmark.run_id(asked)
    except SidelightError as error:
        row.warning(plain(str(error)))
        return
    passes = f"{float(f'{cost.passes:.2g}'):,.0f}"
    model = f"{asked.model} {asked.pretrained or ''}".strip()
    lasts = f"about {text.duration(cost.seconds)}" if cost.seconds else "a time that is known once it runs"
    if gateway.run_cost.is_measuring(asked):
        lasts = "measuring how long"
        _until_measured(asked)
    row.markdown(
        f"{text.count(cost.images, 'image')}, {text.count(len(asked.specs), 'method')} and "
        f"{len(gateway.benchmark.controls())} controls: **{lasts}**, some {passes} passes of the model "
        f"**{plain(model)}**."
    )
    there = gateway.runs.exists(id)
    whole = there and gateway.runs.is_whole(gateway.runs.status(id))
    label = "Open its results" if whole else "Continue" if there else "Start"
    row.button(label, type="primary", key="start", on_click=unbroken(_begin), args=(shown,))


@progress.polled
def _until_measured(asked: RunRequest) -> None:
    if not gateway.run_cost.is_measuring(asked):
        st.rerun()


def _begin(shown: state.State) -> None:
    try:
        state.update(
            run=gateway.benchmark.start(gateway.benchmark.request(shown)), run_metric="", run_method=""
        )
    except SidelightError as error:
        notes.say("benchmark", str(error))


@faults.told()
def _earlier() -> None:
    runs = gateway.runs.listed()
    if not runs:
        return
    st.markdown("#### Earlier runs")
    for run in runs[:EARLIER]:
        about = run.manifest
        methods = sum(not gateway.benchmark.is_control(spec) for spec in about["specs"])
        done = f"{run.status.done} of {text.count(run.status.total, 'image')}"
        if gateway.benchmark.is_active(run.id):
            done += ", running"
        protocol = gateway.runs.unusual_protocol(run)
        curves = f" · curves: {curves_protocol.described(protocol)}" if protocol else ""
        with st.container(
            horizontal=True,
            vertical_alignment="center",
            horizontal_alignment="distribute",
            key=f"run {run.id}",
        ):
            st.markdown(
                f"**{plain(about['set']['title'])}** &ensp; {done} · {text.count(methods, 'method')} · "
                f"{text.count(len(about['metrics']), 'metric')} · {plain(about['model'])}{curves} · "
                f":gray[{text.when(run.began)}]"
            )
            st.button("Open", key=f"open {run.id}", on_click=unbroken(_open), args=(run.id,))
    if len(runs) > EARLIER:
        st.caption(f"And {len(runs) - EARLIER} older ones.")


def _open(id: str) -> None:
    state.update(run=id, run_metric="", run_method="", against="")
