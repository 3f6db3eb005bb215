"""What the maps of the Compare page explain: prompts as they are read, other images, and choices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dashboard.choices import State
from dashboard.gateway import collection, maps, prompts
from engine.types import SidelightError, Target

if TYPE_CHECKING:
    from engine.jobs import Job

MOST_CLASSES = 1000
MOST_OF_SEVERAL = 200  # where several images are asked


def texts(state: State) -> tuple[Target, ...]:
    """The prompts, in templates or less a text where the state says so."""
    used = prompts.prompts(state)
    if state.reading == "templates":
        return tuple(Target(text, "ensemble") for text in used)
    if state.minus.strip():
        return tuple(Target(text, "difference", minus=state.minus) for text in used)
    return tuple(Target(text) for text in used)


def like(state: State) -> dict[str, Target]:
    """The state's other images of the set, by id; without the one that is looked at."""
    there = collection.other_images(state) if state.like else ()
    return {
        id: Target(kind="image", image=collection.image(collection.other(state, id)))
        for id in state.like
        if id in there
    }


def classes(state: State) -> tuple[str, ...]:
    """What the state's choices are; SidelightError where there is nothing to choose."""
    found = prompts.class_list(state, state.choices)
    if not found:
        raise SidelightError("The list of choices is empty; write some, one a line, or choose another list.")
    if len(found) == 1:
        raise SidelightError(
            f"{found[0][:80]!r} is the only choice, so its probability is 100 % whatever the image shows; "
            "add another one, or choose another list."
        )
    most, of = (MOST_OF_SEVERAL, " for several images") if state.rows == "images" else (MOST_CLASSES, "")
    if len(found) > most:
        raise SidelightError(
            f"These are {len(found)} choices, more than the {most} that can be ranked{of}; choose a shorter "
            "list."
        )
    return found


def choice(text: str, among: tuple[str, ...]) -> Target:
    """A choice's probability."""
    return Target(text, "class", classes=among)


def probabilities(state: State, among: tuple[str, ...]) -> tuple[Mapping[str, float], Job | None]:
    """Every choice's softmax probability for the state's image, or the job that computes them."""
    asked = {text: choice(text, among) for text in among}
    found, job = maps.scores(state, list(asked.values()))
    return {text: found[target.label] for text, target in asked.items() if target.label in found}, job
