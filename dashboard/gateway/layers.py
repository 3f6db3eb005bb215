"""The layers of a tower."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dashboard.choices import State
from dashboard.gateway import collection, maps, prompts, work
from engine.types import Request, Target

if TYPE_CHECKING:
    from engine.jobs import Job
    from engine.layers import Quantity, Rows, Share, Summary


def quantities(tower: str) -> tuple[Quantity, ...]:
    """What can be looked at in the layers of a tower."""
    from engine import layers

    return layers.quantities(tower)


def shares() -> Mapping[str, Share]:
    """How a method's map divides among the layers: definitions by name."""
    from engine import layers

    return layers.SHARES


def target(state: State, name: str) -> Target:
    """A target by its name in the state: a prompt, or `image:` and the id of another image of the set."""
    if name in prompts.prompts(state):
        return Target(name)
    other = collection.other(state, name.removeprefix("image:"))
    return Target(kind="image", image=collection.image(other))


def layers_of(state: State, of: Target) -> tuple[Summary | None, Job | None]:
    """What is known of all layers of the state's tower, or the job that computes it."""
    from engine import layers

    asked = _layers_request(state, of)
    (found,) = layers.stored(asked)
    if found is not None:
        return found, None
    job = work.jobs().submit(asked)
    if "torch" in sys.modules:
        work.wait(job)
    return (None, job) if job.state != "done" else (layers.stored(asked)[0], job)


def layer_rows(state: State, of: Target, quantity: str, blocks: Sequence[int]) -> dict[int, Rows]:
    """The rows of every source, for a quantity that has them; blocks count from 0."""
    from engine import layers

    return layers.rows(_layers_request(state, of), of, quantity, blocks)


def _layers_request(state: State, of: Target) -> Request:
    return replace(maps.request(state), targets=(of,), specs=(), branch=state.tower)
