"""Measure the bundled model on fresh scenes: what it names, what it tells apart, where its maps point."""

import io
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from tqdm import tqdm

from engine import models
from engine.catalog import describe
from engine.explain import Request, explain
from engine.images import load as load_image
from engine.images import prepare
from engine.models import Model
from engine.store import Store
from engine.training.captions import OPPOSITE, PLACES, coloured, places_of, scene_captions, takes_colour
from engine.training.concepts import load_concepts
from engine.training.drawing import draw
from engine.training.layout import PALETTE, Scene, sample_scene
from engine.training.towers import build_model
from engine.types import Target

EVALUATION = 1_000_003  # first number of the evaluation's seeds, so that they never meet the training's
METHODS = ("game", "grad_eclip", "self_attention", "center", "random")


@dataclass(frozen=True)
class Figure:
    """A share of right answers: `value` of `count`."""

    name: str
    value: float
    count: int

    def __str__(self) -> str:
        return f"{self.name:<58} {self.value:.3f}  (n = {self.count})"


@dataclass(frozen=True)
class Shown:
    """A scene with its pixels uint8 [s s 3], masks bool [objects s s] and the model's unit embedding [e]."""

    scene: Scene
    pixels: np.ndarray
    masks: np.ndarray
    embedding: torch.Tensor


def evaluate(model: Model, count: int = 1000, pointing: int = 400, seed: int = 0) -> Iterable[Figure]:
    """Every figure of the model card, one after another: `count` scenes for each number of objects."""
    concepts = load_concepts().concepts
    prompts = model.embed_texts([c.prompt for c in concepts])
    names = [c.name for c in concepts]
    by_number = {}
    for number in (1, 2, 3, 4):
        shown = by_number[number] = fresh_scenes(model, count, number, seed)
        best = (torch.stack([s.embedding for s in shown]) @ prompts.T).argmax(-1)
        there = [{p.concept.name for p in s.scene.objects} for s in shown]
        hits = [names[b] in present for b, present in zip(best, there, strict=True)]
        yield figure(f"top-1 of {len(names)} prompts is in the scene, {number} object(s)", hits)
    everything = [shown for group in by_number.values() for shown in group]
    yield from _changed(model, by_number[1], prompts, names)
    yield from _retrieval(model, [s for group in by_number.values() for s in group[: count // 4]])
    yield from _choices(model, everything)
    yield from _twins(model, everything, seed)
    yield from _pointing(model, [s for n in (1, 2, 3, 4) for s in by_number[n][: pointing // 4]])


def figure(name: str, hits: list[bool]) -> Figure:
    return Figure(name, float(np.mean(hits)) if hits else float("nan"), len(hits))


def fresh_scenes(model: Model, count: int, objects: int, seed: int) -> list[Shown]:
    drawn = []
    for i in range(count):
        scene = sample_scene(np.random.default_rng((EVALUATION, seed, objects, i)), objects)
        drawn.append((scene, *draw(scene)))
    embeddings = embed(model, [pixels for _, pixels, _ in drawn])
    return [Shown(*d, e) for d, e in zip(drawn, embeddings, strict=True)]


def embed(model: Model, pictures: list[np.ndarray]) -> torch.Tensor:
    """Unit embeddings [b e] of uint8 pictures, by the path that the dashboard takes."""
    preprocess = model.info.preprocess
    parts = []
    for start in range(0, len(pictures), 64):
        prepared = [prepare(as_image(p), preprocess, "crop") for p in pictures[start : start + 64]]
        with torch.no_grad():
            parts.append(model.image.encode(model.pixels(prepared)))
    return torch.cat(parts)


def as_image(pixels: np.ndarray):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return load_image(file.getvalue(), name="scene")


def _changed(model: Model, shown: list[Shown], prompts: torch.Tensor, names: list[str]) -> Iterable[Figure]:
    """One object, in pictures of a kind that training never showed."""
    changes = {
        "in grey": lambda p: np.repeat(p.mean(-1, keepdims=True), 3, -1).astype(np.uint8),
        "red and blue exchanged": lambda p: p[..., ::-1],
        "turned by 90 degrees": lambda p: np.rot90(p),
    }
    for name, change in changes.items():
        changed = embed(model, [np.ascontiguousarray(change(s.pixels)) for s in shown])
        best = (changed @ prompts.T).argmax(-1)
        hits = [names[b] == s.scene.objects[0].concept.name for b, s in zip(best, shown, strict=True)]
        yield figure(f"top-1, 1 object, {name} (not trained)", hits)


def _retrieval(model: Model, shown: list[Shown]) -> Iterable[Figure]:
    """Which of 100 captions, each naming all objects of its scene, belongs to which of 100 scenes."""
    order = np.random.default_rng(EVALUATION).permutation(len(shown))
    from_image, from_text = [], []
    for start in range(0, len(shown) - 99, 100):
        part = [shown[i] for i in order[start : start + 100]]
        texts = [" and ".join(p.concept.prompt for p in s.scene.objects) for s in part]
        scores = torch.stack([s.embedding for s in part]) @ model.embed_texts(texts).T
        own = torch.arange(len(part))
        from_image += (scores.argmax(1) == own).tolist()
        from_text += (scores.argmax(0) == own).tolist()
    yield figure("caption of the scene, among 100", from_image)
    yield figure("scene of the caption, among 100", from_text)


def _choices(model: Model, shown: list[Shown]) -> Iterable[Figure]:
    """Forced choices between prompts of which one is true."""
    emotions = [c for c in load_concepts().concepts if c.emotion]
    faces = [s for s in shown if len(s.scene.objects) == 1 and s.scene.objects[0].concept.emotion]
    right = [emotions.index(s.scene.objects[0].concept) for s in faces]
    texts = [[c.prompt for c in emotions]] * len(faces)
    yield figure(f"emotion of a face, of {len(emotions)}", _chosen(model, faces, texts, right))

    colours = list(PALETTE)
    texts = [[f"a {colour} background" for colour in colours]] * len(shown)
    right = [colours.index(s.scene.background.colour) for s in shown]
    yield figure(f"background colour, of {len(colours)}", _chosen(model, shown, texts, right))

    asked = [(s, p) for s in shown for p in s.scene.objects if p.glyph.colour and takes_colour(p.concept)]
    texts = [[coloured(colour, p.concept.prompt) for colour in colours] for _, p in asked]
    right = [colours.index(p.glyph.colour) for _, p in asked]
    hits = _chosen(model, [s for s, _ in asked], texts, right)
    yield figure(f"colour of an object, of {len(colours)}", hits)
    several = [len({glyph.colour for glyph in p.concept.glyphs}) > 1 for _, p in asked]
    hits = [hit for hit, counts in zip(hits, several, strict=True) if counts]
    yield figure("the same, of objects that come in several colours", hits)

    asked = [(s, p, w) for s in shown for p in s.scene.objects for w in places_of(s.scene, p)]
    texts = [[f"{p.concept.prompt} {PLACES[word][0]}" for word in (w, OPPOSITE[w])] for _, p, w in asked]
    hits = _chosen(model, [s for s, _, _ in asked], texts, [0] * len(asked))
    yield figure("left or right, top or bottom (chance .5)", hits)

    rng = np.random.default_rng(EVALUATION)
    concepts = load_concepts().concepts
    texts = []
    for s in shown:
        there = {p.concept.name for p in s.scene.objects}
        absent = [c for c in concepts if c.name not in there]
        texts.append([s.scene.objects[0].concept.prompt, absent[rng.integers(len(absent))].prompt])
    yield figure("present object against an absent one", _chosen(model, shown, texts, [0] * len(shown)))


def _chosen(model: Model, shown: list[Shown], texts: list[list[str]], right: list[int]) -> list[bool]:
    """Whether the best of each scene's texts is the right one."""
    model.embed_texts(sorted({text for row in texts for text in row}))  # all at once: each text is kept
    return [
        int((model.embed_texts(row) @ s.embedding).argmax()) == answer
        for s, row, answer in zip(shown, texts, right, strict=True)
    ]


def _twins(model: Model, shown: list[Shown], seed: int) -> Iterable[Figure]:
    rng = np.random.default_rng((EVALUATION, seed))
    texts = [[caption.text for caption in scene_captions(rng, s.scene)] for s in shown]
    yield figure("true caption against one with a wrong word", _chosen(model, shown, texts, [0] * len(shown)))


def _pointing(model: Model, shown: list[Shown]) -> Iterable[Figure]:
    """Pointing game, tolerance 0: the centre of the map's highest patch lies on the object that was named."""
    hits: dict[str, list[bool]] = {name: [] for name in METHODS}
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder), shipped=None)
        for s in tqdm(shown, "maps", leave=False, disable=None):
            targets = tuple(Target(p.concept.prompt) for p in s.scene.objects)
            request = Request(as_image(s.pixels), targets, METHODS)
            for found in explain(request, store, loaded=model).maps:
                mask = s.masks[[t.label for t in targets].index(found.target)]
                hits[found.spec].append(points_at(found.values, mask))
    for name, results in hits.items():
        yield figure(f"pointing game, {name}", results)
    covered = [mask.mean() for s in shown for mask in s.masks]
    yield Figure("pointing game, chance (mean share of the object)", float(np.mean(covered)), len(covered))


def points_at(values: np.ndarray, mask: np.ndarray) -> bool:
    """Whether the centre of the highest cell of a map [rows columns] lies in a mask [height width]."""
    row, column = np.unravel_index(values.argmax(), values.shape)
    y = int((row + 0.5) * mask.shape[0] / values.shape[0])
    x = int((column + 0.5) * mask.shape[1] / values.shape[1])
    return bool(mask[y, x])


def load_weights(path: Path) -> Model:
    """A model from an exported weights file other than the shipped one."""
    clip = build_model()
    clip.load_state_dict(models.expand_vocabulary(load_file(path), clip.vocab_size))
    info = replace(describe(), digest=str(path))
    return models.wrap(clip.eval().requires_grad_(False), info)
