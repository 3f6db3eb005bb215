"""Published protocols by name."""

from __future__ import annotations

from engine.curves.types import IMAGENET, Protocol
from engine.types import SidelightError

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
