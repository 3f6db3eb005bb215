"""Captions of scenes, and the facts that decide which caption is true of which scene."""

from dataclasses import dataclass, replace

import numpy as np

from engine.training.concepts import Concept, load_concepts
from engine.training.layout import PALETTE, PATTERNS, Placed, Scene

PREFIXES = (
    "a photo of ", "a picture of ", "an image of ", "a drawing of ", "there is ", "this is ", "I see ",
)  # fmt: skip
JOINTS = (" and ", ", ", " with ", " next to ")
PLACES = {
    "left": ("on the left", "at the left"),
    "right": ("on the right", "at the right"),
    "top": ("at the top", "on top"),
    "bottom": ("at the bottom", "below"),
}
OPPOSITE = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}
NAMED_PATTERNS = tuple(p for p in PATTERNS if p not in ("plain", "gradient"))


@dataclass(frozen=True)
class Caption:
    """A text that is true of every scene whose facts include all of `needs`."""

    text: str
    needs: frozenset[str]

    def is_true(self, facts: frozenset[str]) -> bool:
        return self.needs <= facts


@dataclass(frozen=True)
class _Mention:
    """An object as a caption speaks of it, with a colour and a place where it names them."""

    concept: Concept
    colour: str | None = None
    place: str | None = None

    @property
    def needs(self) -> set[str]:
        name = self.concept.name
        needs = {name}
        if self.colour:
            needs.add(f"{self.colour} {name}")
        if self.place:
            needs.add(f"{name} {self.place}")
        return needs


@dataclass(frozen=True)
class _Draft:
    mentions: tuple[_Mention, ...]
    colour: str | None = None  # of the background
    pattern: str | None = None

    @property
    def needs(self) -> frozenset[str]:
        needs = set().union(*(m.needs for m in self.mentions))
        needs |= {f"background {word}" for word in (self.colour, self.pattern) if word}
        return frozenset(needs)


def scene_facts(scene: Scene) -> frozenset[str]:
    """Everything that captions may claim of a scene."""
    facts = {f"background {scene.background.colour}", f"background {scene.background.pattern}"}
    for placed in scene.objects:
        name = placed.concept.name
        facts |= {name, f"category {placed.concept.category}"}
        facts |= {f"{name} {place}" for place in places_of(scene, placed)}
        if placed.glyph.colour:
            facts.add(f"{placed.glyph.colour} {name}")
    return frozenset(facts)


def places_of(scene: Scene, placed: Placed) -> list[str]:
    """Where an object lies; objects near the middle have no side."""
    x, y = placed.x / scene.side, placed.y / scene.side
    sides = {"left": x < 0.4, "right": x > 0.6, "top": y < 0.4, "bottom": y > 0.6}
    return [place for place, holds in sides.items() if holds]


def concept_caption(rng: np.random.Generator, concept: Concept) -> Caption:
    """A prompt for one concept: the canonical phrase most often, else a synonym, prefix or the bare name."""
    draw = rng.random()
    if draw < 0.4:
        text = concept.prompt
    elif draw < 0.5:
        text = concept.emotion or concept.name
    else:
        text = _prefixed(rng, str(rng.choice(concept.phrases)))
    return Caption(text, frozenset({concept.name}))


def background_captions(rng: np.random.Generator) -> tuple[list[Caption], list[Caption]]:
    """Prompts for every background colour, and for every named pattern."""
    form = rng.choice(["a {} background", "{} background", "on a {} background"])
    return tuple(
        [Caption(form.format(word), frozenset({f"background {word}"})) for word in words]
        for words in (PALETTE, NAMED_PATTERNS)
    )


def category_captions(rng: np.random.Generator) -> list[Caption]:
    return [
        Caption(_prefixed(rng, str(rng.choice(phrases))), frozenset({f"category {name}"}))
        for name, phrases in load_concepts().categories.items()
        if phrases
    ]


def scene_captions(rng: np.random.Generator, scene: Scene, places: bool = True) -> tuple[Caption, Caption]:
    """A true caption, and its twin in which one word is wrong for this scene; `places`: it may name them."""
    facts = scene_facts(scene)
    draft = _draft(rng, scene, places)
    while True:
        twin = _falsify(rng, draft)
        if not twin.needs <= facts:
            break
    return _worded_alike(rng, draft, twin)


def contrast_captions(rng: np.random.Generator, scene: Scene, places: bool = True) -> tuple[Caption, Caption]:
    """One object with its colour or place, and with a wrong one; an absent object where it has neither."""
    colours = [p for p in scene.objects if p.glyph.colour and takes_colour(p.concept)]
    placings = [(p, place) for p in scene.objects if places for place in places_of(scene, p)]
    if colours and (not placings or rng.random() < 0.5):
        placed = colours[rng.integers(len(colours))]
        own = placed.glyph.colour
        likely = [g.colour for g in placed.concept.glyphs if g.colour not in (None, own)]
        others = likely if likely and rng.random() < 0.5 else [c for c in PALETTE if c != own]
        true, false = (_Mention(placed.concept, c) for c in (own, str(rng.choice(others))))
    elif placings:
        placed, place = placings[rng.integers(len(placings))]
        true, false = (_Mention(placed.concept, place=p) for p in (place, OPPOSITE[place]))
    else:
        there = {p.concept for p in scene.objects}
        absent = [c for c in load_concepts().concepts if c not in there]
        true, false = _Mention(scene.objects[0].concept), _Mention(absent[rng.integers(len(absent))])
    return _worded_alike(rng, _Draft((true,)), _Draft((false,)))


def _worded_alike(rng: np.random.Generator, *drafts: _Draft) -> tuple[Caption, ...]:
    """So that nothing but the wrong word tells them apart."""
    style = int(rng.integers(2**31))
    return tuple(Caption(_word(np.random.default_rng(style), d), d.needs) for d in drafts)


def _draft(rng: np.random.Generator, scene: Scene, places: bool) -> _Draft:
    count = int(rng.integers(1, len(scene.objects) + 1))
    order = rng.permutation(len(scene.objects))[:count]
    mentions = []
    for placed in (scene.objects[i] for i in order):
        colour = placed.glyph.colour if rng.random() < 0.6 and takes_colour(placed.concept) else None
        there = places_of(scene, placed) if places and rng.random() < 0.25 else []
        mentions.append(_Mention(placed.concept, colour, str(rng.choice(there)) if there else None))
    background = scene.background
    colour = background.colour if rng.random() < 0.35 else None
    named = background.pattern in NAMED_PATTERNS and rng.random() < 0.2
    return _Draft(tuple(mentions), colour, background.pattern if named else None)


def _falsify(rng: np.random.Generator, draft: _Draft) -> _Draft:
    """One of the draft's claims exchanged for another; the caller checks that the result is false."""
    i = int(rng.integers(len(draft.mentions)))
    mention = draft.mentions[i]
    changes = ["object"]
    changes += ["colour"] * bool(mention.colour) + ["place"] * bool(mention.place)
    changes += ["background"] * bool(draft.colour)
    match str(rng.choice(changes)):
        case "background":
            return replace(draft, colour=str(rng.choice(list(PALETTE))))
        case "colour":
            changed = replace(mention, colour=str(rng.choice(list(PALETTE))))
        case "place":
            changed = replace(mention, place=OPPOSITE[mention.place])
        case _:
            concepts = load_concepts().concepts
            changed = replace(mention, concept=concepts[rng.integers(len(concepts))], colour=None)
    return replace(draft, mentions=(*draft.mentions[:i], changed, *draft.mentions[i + 1 :]))


def _word(rng: np.random.Generator, draft: _Draft) -> str:
    joint = str(rng.choice(JOINTS))
    spoken = []
    for mention in draft.mentions:
        phrases = [p for p in mention.concept.phrases if not p.startswith("this ")]
        phrase = phrases[int(rng.integers(1 << 20)) % len(phrases)] if rng.random() < 0.5 else phrases[0]
        if mention.colour:
            phrase = coloured(mention.colour, mention.concept.prompt)
        if mention.place:
            phrase += " " + str(rng.choice(PLACES[mention.place]))
        spoken.append(phrase)
    text = joint.join(spoken[:-1]) + (" and " if joint == ", " else joint) * (len(spoken) > 1) + spoken[-1]
    if draft.colour or draft.pattern:
        words = " ".join(word for word in (draft.pattern, draft.colour) if word)
        text += f" on {article(words)} background"
    return _prefixed(rng, text)


def _prefixed(rng: np.random.Generator, phrase: str) -> str:
    """Half of the phrases get a prefix; sentences such as "this person is happy" never do."""
    prefix = str(rng.choice(PREFIXES)) if rng.random() < 0.5 else ""
    return phrase if phrase.startswith("this ") else prefix + phrase


def takes_colour(concept: Concept) -> bool:
    return not concept.prompt.startswith("the ") and " of " not in concept.prompt


def coloured(colour: str, prompt: str) -> str:
    first, _, rest = prompt.partition(" ")
    return article(f"{colour} {rest}") if first in ("a", "an") else f"{colour} {prompt}"


def article(phrase: str) -> str:
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


def truth_table(scenes: list[frozenset[str]], captions: list[Caption]) -> np.ndarray:
    """bool [scenes captions]: whether each caption is true of the scene with these facts."""
    ids = {fact: i for i, fact in enumerate(sorted(set().union(*(c.needs for c in captions))))}
    missing = np.ones((len(scenes), len(ids)), np.float32)
    for row, facts in zip(missing, scenes, strict=True):
        row[[ids[fact] for fact in facts if fact in ids]] = 0
    needs = np.zeros((len(captions), len(ids)), np.float32)
    for row, caption in zip(needs, captions, strict=True):
        row[[ids[fact] for fact in caption.needs]] = 1
    return missing @ needs.T == 0


def all_words() -> str:
    """One text with every word that any caption can hold."""
    vocabulary = load_concepts()
    parts = [*PREFIXES, *JOINTS, "a an on background", *PALETTE, *NAMED_PATTERNS]
    parts += [form for forms in PLACES.values() for form in forms]
    parts += [phrase for phrases in vocabulary.categories.values() for phrase in phrases]
    for concept in vocabulary.concepts:
        parts += [concept.name, concept.emotion or "", *concept.phrases]
    return " ".join(parts)
