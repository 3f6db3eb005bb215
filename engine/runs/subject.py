"""One image of a run: its targets, their true regions, and all maps. The unit of work begins here."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine import images
from engine.curves import CONTROLS
from engine.datasets import Item
from engine.explain import explain
from engine.models import Model
from engine.objects import object_mask
from engine.runs.types import RunRequest
from engine.specs import parse
from engine.store import Store
from engine.types import Explanation, Image, Map, Request, SidelightError, Target

ARTICLES = ("a ", "an ", "the ")
MEANINGLESS = "qzx vrtk wpl"  # words of no language


@dataclass(frozen=True)
class Subject:
    """What the metrics of one image read. regions: by target label, bool over the seen part of the image,
    absent where the set does not know. unrelated, meaningless: maps for a prompt that is not in the image
    (none where the set has no such prompt), and for one that means nothing, by spec."""

    request: RunRequest
    item: Item
    image: Image
    explanation: Explanation
    regions: dict[str, np.ndarray]
    unrelated: dict[str, Map]
    meaningless: dict[str, Map]
    model: Model
    store: Store


def specs_of(request: RunRequest) -> tuple[str, ...]:
    """Canonical specs, the controls last; SidelightError for those that are not valid."""
    specs = tuple(dict.fromkeys(str(parse(spec)) for spec in request.specs))
    return specs + tuple(c for c in CONTROLS if request.controls and c not in specs)


def targets_of(item: Item, limit: int | None = None) -> tuple[Target, ...]:
    """What an image is asked for: the prompts that are true of it where the set says which, else those that
    name an object of it, else all. An ImageNet class is asked for in its 80 templates."""
    true = item.extra.get("true_prompts")
    prompts = [p for p in item.prompts if p in true] if true else list(item.prompts)
    named = {box.name.casefold() for box in item.objects}
    prompts = [p for p in prompts if bare(p) in named] or prompts
    if not prompts:
        raise SidelightError("it has no prompts; name some in the set's metadata.jsonl.")
    kind = "text" if item.imagenet is None else "ensemble"
    return tuple(Target(p, kind) for p in dict.fromkeys(prompts))[:limit]


def bare(prompt: str) -> str:
    """A prompt without its article, in lower case."""
    text = prompt.casefold()
    return next((text[len(a) :] for a in ARTICLES if text.startswith(a)), text)


def subject_of(
    request: RunRequest,
    item: Item,
    vocabulary: Sequence[str],
    model: Model,
    store: Store,
    extras: Sequence[str],
    cancelled: Callable[[], bool] | None = None,
) -> Subject:
    """Load the image and compute its maps. vocabulary: prompts of the whole set, of which one that the
    image has not is its unrelated prompt. extras: of 'unrelated' and 'meaningless', what is asked for
    besides."""
    image, targets = images.load(item.path), targets_of(item, request.targets)
    texts = {
        name: MEANINGLESS if name == "meaningless" else unrelated_prompt(item, vocabulary, request.seed)
        for name in extras
    }
    wanted = {name: text for name, text in texts.items() if text}
    # Asked for in the way of the image's own, so that what differs is the text alone.
    added = tuple(Target(text, targets[0].kind) for text in wanted.values())
    specs = specs_of(request)
    asked = Request(
        image, targets, specs, request.model, request.pretrained, request.resize, device=request.device
    )
    mixing = tuple(s for s in specs if parse(s).mixes_prompts())
    plain = tuple(s for s in specs if s not in mixing)
    more: list[Explanation] = []
    if added:
        # One recording serves all prompts, but where a method mixes them the added ones must not be among
        # them.
        if plain:
            more.append(
                explain(
                    replace(asked, targets=targets + added, specs=plain),
                    store,
                    cancelled=cancelled,
                    loaded=model,
                )
            )
        if mixing:
            more.append(
                explain(replace(asked, targets=added, specs=mixing), store, cancelled=cancelled, loaded=model)
            )
    explanation = explain(asked, store, cancelled=cancelled, loaded=model)
    labels = dict(zip(wanted, (target.label for target in added), strict=True))
    found = {
        name: {m.spec: m for e in more for m in e.maps if m.target == label} for name, label in labels.items()
    }
    return Subject(
        request=request,
        item=item,
        image=image,
        explanation=explanation,
        regions=_regions(item, image, targets, explanation.seen),
        unrelated=found.get("unrelated", {}),
        meaningless=found.get("meaningless", {}),
        model=model,
        store=store,
    )


def unrelated_prompt(item: Item, vocabulary: Sequence[str], seed: int) -> str:
    """A prompt of the set that is neither a prompt nor an object of the image, drawn by its id; '' where
    there is none."""
    own = {bare(p) for p in item.prompts} | {box.name.casefold() for box in item.objects}
    free = [p for p in vocabulary if bare(p) not in own]
    if not free:
        return ""
    generator = np.random.default_rng([seed, zlib.crc32(item.id.encode(errors="surrogateescape"))])
    return free[int(generator.integers(len(free)))]


def _regions(
    item: Item, image: Image, targets: Sequence[Target], seen: tuple[float, float, float, float]
) -> dict[str, np.ndarray]:
    """The union of a target's objects over the seen part, (height, width); left out where none of it is
    seen."""
    left, top, right, bottom = map(round, seen)
    found = {}
    for target in targets:
        masks = [object_mask(b, image.size) for b in item.objects if b.name.casefold() == bare(target.text)]
        masks = [mask for mask in masks if mask is not None]
        if masks:
            region = np.any(masks, axis=0)[top:bottom, left:right]
            if region.any():
                found[target.label] = region
    return found
