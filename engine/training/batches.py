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
from engine.training.layout import CANVAS, Scene, sample_scene
from engine.training.tokens import TokenRows

PATCH = 8  # px
GRID = CANVAS // PATCH
CAPTIONED = 48  # scenes of a batch that get captions: texts cost time too


@dataclass(frozen=True)
class Stage:
    """A part of the training: scenes of `side` px with 1 to `objects` objects, `samples` of them.

    Scenes smaller than the canvas show a window of it: objects keep their size, and the window takes the
    matching part of the position embedding. contrasts: pairs of captions that differ in one colour or place
    are told apart. drops: patches drop out between blocks, which saves time. late: the class token skips the
    attention of random blocks before the last. decay: the learning rate falls to zero over the stage.
    """

    side: int
    objects: int
    batch: int
    samples: int
    contrasts: bool = False
    drops: bool = False
    late: bool = False
    decay: bool = False

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
        images = np.stack([draw(scene)[0] for scene in scenes])
        groups = _texts(rng, scenes, stage)
        captions = [caption for group in groups for caption in group]
        truth = truth_table([scene_facts(scene) for scene in scenes], captions)
        room = GRID - stage.side // PATCH
        return {
            "images": torch.from_numpy(images),  # uint8 [b s s 3]
            "corner": torch.from_numpy(rng.integers(0, room + 1, 2)),  # window's row and column, in patches
            "ids": torch.from_numpy(self.rows.encode([c.text for c in captions])),  # [texts context]
            "truth": torch.from_numpy(truth),  # bool [b texts]
            "groups": torch.tensor([len(group) for group in groups]),
        }


def _texts(rng: np.random.Generator, scenes: list[Scene], stage: Stage) -> list[list[Caption]]:
    """Groups in the order that the loss expects: concepts, colours, patterns, categories; for each of the
    first scenes a caption, its false twin, and the true and the false text of a contrast."""
    concepts = [concept_caption(rng, concept) for concept in load_concepts().concepts]
    captioned = scenes[:CAPTIONED]
    places = stage.side == CANVAS
    pairs = [scene_captions(rng, scene, places) for scene in captioned]
    groups = [concepts, *background_captions(rng), category_captions(rng)]
    contrasted = [contrast_captions(rng, scene, places) for scene in captioned if stage.contrasts]
    for both in (pairs, contrasted):
        groups += [[true for true, _ in both], [false for _, false in both]]
    return groups
