"""Training batches: scenes, texts and the table of which text is true of which scene."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset

from engine.training.captions import (
    Caption,
    background_captions,
    category_captions,
    concept_caption,
    contrast_captions,
    scene_captions,
    scene_facts,
    truth_table,
)
from engine.training.concepts import load_concepts
from engine.training.drawing import draw
from engine.training.layout import CANVAS, PALETTE, Scene, sample_scene
from engine.training.tokens import TokenRows

PATCH = 8  # px
GRID = CANVAS // PATCH
NEITHER = -1  # label of a patch that is part object, part background
CAPTIONED = 48  # scenes of a batch that get captions: texts cost time too


@dataclass(frozen=True)
class Stage:
    """A part of the training: scenes of `side` px with 1 to `objects` objects, `samples` of them.

    Scenes smaller than the canvas show a window of it: objects keep their size, and the window takes the
    matching part of the position embedding.
    """

    side: int
    objects: int
    batch: int
    samples: int
    shown: tuple[float, float] = (1.0, 1.0)  # limits of the share of patches that goes in
    rates: tuple[float, float] = (1.0, 1.0)  # factors of the learning rates, first and last
    masks: bool = (
        False  # each patch is told what it shows; else some patch, no matter which, fits a true text
    )

    @property
    def steps(self) -> int:
        return self.samples // self.batch


class Batches(Dataset):
    """Batch i of a stage, a pure function of (seed, stage number, i); `start` skips what was trained."""

    def __init__(self, stage: Stage, number: int, seed: int, rows: TokenRows, start: int = 0):
        self.stage, self.number, self.seed, self.rows, self.start = stage, number, seed, rows, start

    def __len__(self) -> int:
        return self.stage.steps - self.start

    def __getitem__(self, i: int) -> dict[str, torch.Tensor]:
        if i >= len(self):
            raise IndexError(i)
        rng = np.random.default_rng((self.seed, self.number, self.start + i))
        stage = self.stage
        scenes = [sample_scene(rng, 1 + k % stage.objects, stage.side) for k in range(stage.batch)]
        images, labels = zip(*(_draw(scene) for scene in scenes), strict=True)
        groups = _texts(rng, scenes)
        captions = [caption for group in groups for caption in group]
        truth = truth_table([scene_facts(scene) for scene in scenes], captions)
        room = GRID - stage.side // PATCH
        return {
            "images": torch.from_numpy(np.stack(images)),  # uint8 [b s s 3]
            "labels": torch.from_numpy(np.stack(labels)),  # [b patches]
            "corner": torch.from_numpy(rng.integers(0, room + 1, 2)),  # window's row and column, in patches
            "ids": torch.from_numpy(self.rows.encode([c.text for c in captions])),  # [texts context]
            "truth": torch.from_numpy(truth),  # bool [b texts]
            "groups": torch.tensor([len(group) for group in groups]),
        }


def _draw(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """The scene's pixels uint8 [s s 3] and its patches' labels."""
    pixels, masks = draw(scene)
    return pixels, patch_labels(scene, masks)


def patch_labels(scene: Scene, masks: np.ndarray) -> np.ndarray:
    """What each patch shows, as a column of the concepts followed by the colours [patches]: the object that
    covers more than half of it, the background's colour where hardly an object does, and -1 in between."""
    side, names = scene.side // PATCH, [concept.name for concept in load_concepts().concepts]
    shares = masks.reshape(len(masks), side, PATCH, side, PATCH).mean((2, 4)).reshape(len(masks), -1)
    labels = np.full(side * side, NEITHER)
    labels[shares.sum(0) < 0.05] = len(names) + list(PALETTE).index(scene.background.colour)
    for placed, share in zip(scene.objects, shares, strict=True):
        labels[share > 0.5] = names.index(placed.concept.name)
    return labels


def _texts(rng: np.random.Generator, scenes: list[Scene]) -> list[list[Caption]]:
    """Groups in the order that the loss expects: concepts, colours, patterns, categories; for each of the
    first scenes a caption, its false twin, and the true and the false text of a contrast."""
    concepts = [concept_caption(rng, concept) for concept in load_concepts().concepts]
    captioned = scenes[:CAPTIONED]
    places = scenes[0].side == CANVAS  # a window does not know where in the canvas it is
    pairs = [scene_captions(rng, scene, places) for scene in captioned]
    groups = [concepts, *background_captions(rng), category_captions(rng)]
    contrasted = [contrast_captions(rng, scene, places) for scene in captioned]
    for both in (pairs, contrasted):
        groups += [[true for true, _ in both], [false for _, false in both]]
    return groups
