"""Which class a prompt names, for the scores that choose among classes."""

from __future__ import annotations

from collections.abc import Sequence

from engine.curves.types import IMAGENET, Protocol
from engine.types import SidelightError, Target

ARTICLES = ("a ", "an ", "the ")


def check_classes(protocol: Protocol, targets: Sequence[Target]) -> None:
    """SidelightError where a score needs the class of a target that has none. Imports open_clip for
    ImageNet."""
    if protocol.score == "cosine":
        return
    classes = class_names(protocol, targets)
    for target in targets:
        if class_index(target, classes) is None:
            raise SidelightError(
                f"The score {protocol.score} needs a class, and {target.label[:80]!r} is none of the "
                f"{len(classes)} classes; choose the score cosine, or other classes."
            )


def class_names(protocol: Protocol, targets: Sequence[Target]) -> tuple[str, ...]:
    """The classes that probability and top-k choose among."""
    if protocol.classes == IMAGENET:
        from engine.zeroshot import imagenet_classes

        return imagenet_classes()
    return protocol.classes or tuple(dict.fromkeys(t.text for t in targets if t.kind == "text"))


def class_index(target: Target, classes: Sequence[str]) -> int | None:
    """Which of the classes a prompt names, with or without its article."""
    if target.kind not in ("text", "ensemble", "class"):
        return None
    bare = next((target.text[len(a) :] for a in ARTICLES if target.text.lower().startswith(a)), target.text)
    return next((classes.index(name) for name in (target.text, bare) if name in classes), None)
