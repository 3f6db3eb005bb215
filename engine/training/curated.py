"""The curated sets in data/sets, made anew by one command from what is written here."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.training.captions import article, coloured
from engine.training.concepts import Concept, load_concepts
from engine.training.layout import PALETTE, Background, Placed, Scene, sample_scene
from engine.training.photos import write_photos
from engine.training.scenes import DESCRIPTION, Picture, write_set

SETS = Path(__file__).resolve().parents[2] / "data" / "sets"
SEED = 20
CHANGES = (  # pairs: what becomes of the scene's first object, or of its background
    ("dog", "cat"),
    ("red apple", "green apple"),
    ("car", "bicycle"),
    ("happy face", "sad face"),
    ("red heart", "blue heart"),
    ("pizza", None),
    ("elephant", None),
    ("yellow background", "blue background"),
)
EMOTIONS = (
    "happy", "sad", "angry", "surprised", "afraid", "disgusted", "sleepy", "in love", "laughing", "crying",
    "silly", "bored",
)  # fmt: skip


def write_sets(folder: Path = SETS) -> None:
    """Scenes, pairs, emotions, counter and photos."""
    write_set(folder / "scenes", scenes(), "Scenes", DESCRIPTION)
    write_set(
        folder / "pairs",
        pairs(),
        "Pairs",
        "The same scene twice, with one object exchanged or removed, or with another background.",
    )
    write_set(
        folder / "emotions", emotions(), "Emotions", "One face each. The first prompt is the face's emotion."
    )
    write_set(
        folder / "counter",
        counter(),
        "Counter-prompts",
        "Prompts that are wrong for the image: absent objects, a wrong colour, a wrong background. The first "
        "prompt is right.",
    )
    write_photos(folder / "photos")


def scenes() -> list[Picture]:
    """40 scenes of 1 to 4 objects, the first of them arranged by hand: it is what a visitor sees first."""
    names = ("dog", "airplane", "tree")
    places = ((82, 82, 46), (82, 28, 44), (30, 58, 62))
    objects = tuple(
        Placed(concept(name), concept(name).glyphs[0], x, y, size, 0, False)
        for name, (x, y, size) in zip(names, places, strict=True)
    )
    sky = Background("cloudy", "blue", (120, 175, 235), (190, 220, 248), 0.0, 24.0, 4)
    first = Picture("scene-00", Scene(112, sky, objects))
    rest = [Picture(f"scene-{i:02}", random_scene(i, objects=1 + i % 4)) for i in range(1, 40)]
    return [first, *rest]


def pairs() -> list[Picture]:
    pictures = []
    for number, (before, after) in enumerate(CHANGES, 1):
        scene = random_scene(100 + number, objects=3)
        if before.endswith("background"):
            first, second = (with_background(scene, text.split()[0]) for text in (before, after))
            prompts = (article(before), article(after))
        else:
            first = with_object(scene, 0, before)
            second = with_object(scene, 0, after) if after else replace(scene, objects=scene.objects[1:])
            prompts = tuple(prompt_of(text) for text in (before, after) if text)
        prompts += tuple(placed.concept.prompt for placed in scene.objects[1:])
        change = f"{before} becomes {after}" if after else f"{before} is removed"
        for letter, version in zip("ab", (first, second), strict=True):
            extra = {"pair": number, "change": change}
            pictures.append(Picture(f"pair-{number}{letter}", version, prompts, extra))
    return pictures


def emotions() -> list[Picture]:
    """A face each, and beside its own emotion three others as prompts."""
    pictures = []
    for i, emotion in enumerate(EMOTIONS):
        face = next(c for c in load_concepts().concepts if c.emotion == emotion)
        others = [EMOTIONS[(i + step) % len(EMOTIONS)] for step in (1, 4, 7)]
        prompts = tuple(sentence(e) for e in (emotion, *others))
        scene = with_object(random_scene(200 + i, objects=1), 0, face.name)
        scene = replace(scene, objects=(replace(scene.objects[0], x=56, y=56, size=67),))
        name = f"face-{emotion.replace(' ', '-')}"
        pictures.append(Picture(name, scene, prompts, {"true_prompts": [prompts[0]]}))
    return pictures


def counter() -> list[Picture]:
    """One right prompt before wrong ones: absent objects, colours, backgrounds."""
    pictures = []
    concepts = load_concepts().concepts
    for i in range(12):
        rng = np.random.default_rng((SEED, 300 + i))
        scene = random_scene(300 + i, objects=2)
        there = {placed.concept.name for placed in scene.objects}
        absent = [c for c in concepts if c.name not in there and not c.emotion]
        wrong = [absent[k].prompt for k in rng.choice(len(absent), 2, replace=False)]
        match i % 3:
            case 0:
                right = scene.objects[0].concept.prompt
            case 1:
                text, other = (("red apple", "green apple"), ("blue car", "red car"))[i // 3 % 2]
                scene = with_object(scene, 0, text)
                right, wrong = prompt_of(text), [prompt_of(other), wrong[0]]
            case _:
                colour = scene.background.colour
                others = [c for c in PALETTE if c != colour]
                right = article(f"{colour} background")
                wrong = [article(f"{others[rng.integers(len(others))]} background"), wrong[0]]
        pictures.append(Picture(f"counter-{i:02}", scene, (right, *wrong), {"true_prompts": [right]}))
    return pictures


def random_scene(number: int, objects: int) -> Scene:
    return sample_scene(np.random.default_rng((SEED, number)), objects)


def concept(name: str) -> Concept:
    return next(c for c in load_concepts().concepts if c.name == name)


def with_object(scene: Scene, i: int, text: str) -> Scene:
    """The scene with its object i exchanged for a "dog" or a "red apple", say, upright in the same place."""
    colour, kind = _parsed(text)
    glyph = next(g for g in kind.glyphs if colour in (None, g.colour))
    objects = list(scene.objects)
    objects[i] = replace(objects[i], concept=kind, glyph=glyph, angle=0)
    return replace(scene, objects=tuple(objects))


def with_background(scene: Scene, colour: str) -> Scene:
    base = PALETTE[colour]
    shade = tuple(round(0.8 * channel) for channel in base)
    return replace(scene, background=replace(scene.background, colour=colour, base=base, shade=shade))


def prompt_of(text: str) -> str:
    colour, kind = _parsed(text)
    return coloured(colour, kind.prompt) if colour else kind.prompt


def sentence(emotion: str) -> str:
    return next(c.prompt for c in load_concepts().concepts if c.emotion == emotion)


def _parsed(text: str) -> tuple[str | None, Concept]:
    first, _, rest = text.partition(" ")
    return (first, concept(rest)) if first in PALETTE else (None, concept(text))
