"""Published protocols by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from engine.curves.types import IMAGENET, Protocol
from engine.types import SidelightError

MOST_STEPS = 10_000
PRESETS = {
    "default": Protocol(),
    # Pixels of the image at its own size, 100 steps of area / 200 of which every fifth is read; deletion
    # paints uniform random colours; insertion starts from black and ends with the untouched image.
    "grad-eclip-imagenet": Protocol(
        unit="pixel",
        space="image",
        hide="noise",
        reveal="black",
        deletion=tuple(i / 20 for i in range(11)),
        insertion=(*(i / 20 for i in range(1, 11)), 1.0),
        score="top-1",
        classes=IMAGENET,
        steps=200,
    ),
    # 224 steps over the pixels of the model's input; deletion to the mean colour (zero after normalisation),
    # insertion from a blurred picture; the probability of the class.
    "rise": Protocol(
        unit="pixel",
        hide="mean",
        reveal="blur",
        deletion=tuple(i / 224 for i in range(225)),
        insertion=tuple(i / 224 for i in range(225)),
        score="probability",
        classes=IMAGENET,
    ),
}


def preset(name: str) -> Protocol:
    """The protocol of that name; SidelightError names those there are."""
    if name not in PRESETS:
        raise SidelightError(f"There is no preset {name[:80]!r}; the presets are {', '.join(PRESETS)}.")
    return PRESETS[name]


def altered(
    protocol: Protocol,
    *,
    unit: Literal["patch", "pixel"] | None = None,
    fill: str | None = None,
    steps: int | None = None,
    score: str | None = None,
    classes: Sequence[str] | Literal["imagenet"] | None = None,
) -> Protocol:
    """A protocol with what is not None put in its place. SidelightError for values that cannot be meant.

    fill: of both curves. steps: from 0 to 100 %, so a curve has one point more. Patches and the fill
    'neighbours' are of the model's input, so they leave the image's own size; patches are too few for steps
    of hundredths of the area.
    """
    found = protocol
    if unit == "patch" or fill == "neighbours":
        found = replace(found, space="input")
    if unit is not None:
        found = replace(found, unit=unit, steps=0 if unit == "patch" else found.steps)
    if fill is not None:
        found = replace(found, hide=fill, reveal=fill)
    if steps is not None:
        if not 1 <= steps <= MOST_STEPS:
            raise SidelightError(f"A curve has from 1 to {MOST_STEPS} steps, not {steps}.")
        shares = tuple(n / steps for n in range(steps + 1))
        found = replace(found, deletion=shares, insertion=shares, steps=0)
    if score is not None:
        found = replace(found, score=score)
    if classes is not None:
        found = replace(found, classes=classes if classes == IMAGENET else tuple(dict.fromkeys(classes)))
    return found


def recipe(protocol: Protocol) -> tuple[str, dict[str, Any]]:
    """A preset's name and the keywords of `altered`, as few as can be, that make a protocol of it, but for
    its seed; classes that no score chooses among are left out. SidelightError where none of the presets gives
    it."""
    wanted = replace(protocol, seed=0)
    found = []
    for name, known in PRESETS.items():
        asked = _differences(known, wanted)
        made = altered(known, **asked)
        if made == replace(wanted, classes=made.classes) and (made == wanted or wanted.score == "cosine"):
            found.append((name, asked))
    if not found:
        raise SidelightError("This protocol is none that the presets can be changed into.")
    return min(found, key=lambda pair: len(pair[1]))


def _differences(known: Protocol, wanted: Protocol) -> dict[str, Any]:
    asked: dict[str, Any] = {}
    if wanted.unit != known.unit:
        asked["unit"] = wanted.unit
    if (wanted.hide, wanted.reveal) != (known.hide, known.reveal):
        asked["fill"] = wanted.hide
    if (wanted.deletion, wanted.insertion) != (known.deletion, known.insertion):
        asked["steps"] = len(wanted.deletion) - 1
    if wanted.score != known.score:
        asked["score"] = wanted.score
    if wanted.classes != known.classes and wanted.score != "cosine":
        asked["classes"] = wanted.classes
    return asked
