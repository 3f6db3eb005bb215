"""Deletion and insertion curves of the state's image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dashboard.choices import State
from dashboard.gateway import maps, prompts, work
from engine.types import SidelightError, Target

if TYPE_CHECKING:
    from engine.curves import CurveRequest, Curves, Protocol
    from engine.jobs import Job


def protocol(state: State, prompt: str) -> Protocol:
    """The state's preset with what is changed of it, for one of the prompts."""
    return of_classes(state, _classes(state, prompt))


def of_classes(state: State, classes: tuple[str, ...] | Literal["imagenet"]) -> Protocol:
    """The same with these classes to choose among."""
    from engine.curves import altered, preset

    return altered(
        preset(state.preset),
        unit=None if state.unit == "preset" else state.unit,
        fill=None if state.fill == "preset" else state.fill,
        steps=int(state.steps) or None,
        score=None if state.score == "preset" else state.score,
        classes=classes,
    )


def recipe(protocol: Protocol) -> tuple[str, dict[str, Any]]:
    """A preset's name and what must be changed of it for a protocol."""
    from engine.curves import recipe

    return recipe(protocol)


def among(state: State) -> str:
    """Which classes probability and top-k choose among: 'set', 'prompts', 'list' or 'imagenet'."""
    from engine.curves import IMAGENET, preset

    if state.among == "preset" and preset(state.preset).classes == IMAGENET:
        return "imagenet"
    if state.among in ("preset", "set"):
        return "prompts" if state.upload else "set"
    return state.among


def _classes(state: State, prompt: str) -> tuple[str, ...] | Literal["imagenet"]:
    from engine.curves import IMAGENET

    which = among(state)
    if which == "imagenet":
        return IMAGENET
    found = prompts.class_list(state, which)
    return tuple(dict.fromkeys((*found, prompt))) if which == "set" else found


def request(state: State, prompt: str) -> CurveRequest:
    """The curves of all methods and controls for one of the prompts."""
    from engine.curves import CurveRequest

    return CurveRequest(maps.request(state), with_classes(state, protocol(state, prompt)), only=prompt)


def with_classes(state: State, made: Protocol) -> Protocol:
    """The protocol; SidelightError where its score chooses among a list that has nothing in it."""
    if made.score != "cosine" and among(state) == "list" and not state.classes:
        raise SidelightError("The list of classes is empty; write some, one a line.")
    return made


def curves(state: State, prompt: str) -> tuple[Curves, Job | None]:
    """What is known of them, and the job that computes what is missing; a job that ended without all of them
    is handed out too. SidelightError where the score needs a class, and the prompt names none."""
    from engine.curves import stored

    asked = request(state, prompt)
    found = stored(asked)
    if found.curves and all(np.isnan(curve.score) for curve in found.curves):  # computed for another score
        raise SidelightError(
            f"The score {found.protocol.score} needs a class, and {prompt[:80]!r} is none of those that it "
            "chooses among; choose the score Cosine, or other classes."
        )
    if _whole(found):
        return found, None
    job = work.jobs().submit(asked)
    if job.state == "done":
        found = replace(stored(asked), failures=job.result.failures)
    return found, None if _whole(found) else job


def areas(state: State, targets: Sequence[Target]) -> Mapping[tuple[str, str], tuple[float, float]]:
    """Areas under the deletion and insertion curves of prompts as they are, by spec and label, as far as they
    were computed."""
    from engine.curves import CurveRequest, areas

    asked, found = replace(maps.request(state), targets=tuple(targets)), {}
    labels: dict[Protocol, set[str]] = {}
    for target in targets:
        if target.kind == "text":
            # Where there is no such protocol there are no curves, and the Curves page says why.
            with suppress(SidelightError):
                labels.setdefault(protocol(state, target.text), set()).add(target.label)
    for made, own in labels.items():
        known = areas(CurveRequest(asked, made, controls=False))
        found |= {key: value for key, value in known.items() if key[1] in own}
    return found


def across(state: State, prompt: str) -> tuple[Mapping[str, Curves], Job | None]:
    """The same curves by fill, as far as they are known, and the job that computes the next fill."""
    found: dict[str, Curves] = {}
    for fill in fills(state, prompt):
        found[fill], job = curves(replace(state, fill=fill), prompt)
        if job is not None:
            return {name: known for name, known in found.items() if _whole(known)}, job
    return found, None


def fills(state: State, prompt: str) -> tuple[str, ...]:
    """The fills that can be compared: all, or those that do not need the model's input."""
    from engine.curves import FILLS

    own_size = protocol(state, prompt).space == "image"
    return tuple(fill for fill in FILLS if fill != "neighbours" or not own_size)


def _whole(found: Curves) -> bool:
    held = {(c.spec, c.target) for c in (*found.curves, *found.failures)}
    return all((spec, target.label) in held for spec in found.specs for target in found.targets)


def controls() -> tuple[str, ...]:
    """The specs of the controls."""
    from engine.curves import CONTROLS

    return CONTROLS


def colours() -> tuple[str, ...]:
    """Of the methods, in their order, as figures have them too."""
    from engine.curves import COLOURS

    return COLOURS


def counts(found: Curves, kind: str) -> np.ndarray:
    """How many units are changed at each point of a kind of curve."""
    from engine.curves import changed_units

    return changed_units(found, kind)


def pictures(found: Curves, kind: str, index: int) -> Sequence[np.ndarray]:
    """The picture of every curve at a point, uint8 (height, width, 3)."""
    from engine.curves import perturbed

    return [perturbed(found, curve, index, kind) for curve in found.curves]


def figure(found: Curves, form: str) -> bytes:
    """The curves as png, svg or pdf."""
    from engine.curves import figure

    return figure(found, form)


def table(found: Curves) -> bytes:
    """All points as CSV."""
    from engine.curves import table

    return table(found)


def arrays(found: Curves) -> bytes:
    """All curves as npz, as `python -m engine curves` writes them."""
    from engine.cli.write import npz
    from engine.curves import arrays

    return npz(arrays(found))
