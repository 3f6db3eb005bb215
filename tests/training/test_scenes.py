"""Scenes: what is drawn is what the masks, boxes and facts say."""

import json

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import binary_dilation

from engine.training import curated
from engine.training.captions import (
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
from engine.training.glyphs import FONT_FILE
from engine.training.layout import MAX_OVERLAP, Scene, sample_scene
from engine.training.scenes import bounding_box, compose_set

pytestmark = pytest.mark.skipif(not FONT_FILE.is_file(), reason="Noto Color Emoji is not installed")


def scene(seed: int, objects: int = 3, side: int = 112) -> Scene:
    return sample_scene(np.random.default_rng(seed), objects, side)


def without(full: Scene, i: int) -> Scene:
    return Scene(full.side, full.background, full.objects[:i] + full.objects[i + 1 :])


@pytest.mark.parametrize("scale", [1, 4])
@pytest.mark.parametrize("i", [0, 1, 2])
def test_mask_is_where_the_object_changes_the_picture(scale, i):
    """Only an object's edges, half transparent, may lie outside its mask."""
    full = curated.scenes()[0].scene
    image, masks = draw(full, scale)
    bare, _ = draw(without(full, i), scale)
    changed = (image != bare).any(-1)
    assert changed[masks[i]].all()
    assert not changed[~binary_dilation(masks[i], iterations=2 + 2 * scale)].any()


def test_masks_do_not_overlap_and_every_object_is_seen():
    for seed in range(20):
        full = scene(seed, objects=4)
        _, masks = draw(full)
        assert masks.sum(0).max() <= 1
        for i in range(4):
            _, alone = draw(Scene(full.side, full.background, full.objects[i : i + 1]))
            assert masks[i].sum() > (1 - 3 * MAX_OVERLAP) * 0.5 * alone[0].sum()


@pytest.mark.parametrize(("side", "objects"), [(48, 1), (72, 2), (112, 4)])
def test_same_seed_same_scene(side, objects):
    first, second = (draw(scene(7, objects, side)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not np.array_equal(first[0], draw(scene(8, objects, side))[0])


def test_captions_are_true_and_their_twins_false():
    rng = np.random.default_rng(0)
    for seed in range(60):
        full = scene(seed, objects=1 + seed % 4)
        facts = scene_facts(full)
        for true, false in (scene_captions(rng, full), contrast_captions(rng, full)):
            assert true.is_true(facts)
            assert not false.is_true(facts)
            assert true.text != false.text


def test_truth_table_says_for_every_pair_what_the_facts_say():
    rng = np.random.default_rng(1)
    scenes = [scene(seed, objects=1 + seed % 4) for seed in range(6)]
    captions = [concept_caption(rng, c) for c in load_concepts().concepts]
    captions += [c for group in background_captions(rng) for c in group] + category_captions(rng)
    captions += [caption for s in scenes for caption in scene_captions(rng, s)]
    facts = [scene_facts(s) for s in scenes]
    expected = [[caption.is_true(f) for caption in captions] for f in facts]
    assert np.array_equal(truth_table(facts, captions), expected)


def test_facts_of_a_scene_name_objects_colours_places_and_background():
    full = scene(3, objects=1)
    placed, facts = full.objects[0], scene_facts(full)
    assert placed.concept.name in facts
    assert f"background {full.background.colour}" in facts
    assert (f"{placed.concept.name} left" in facts) == (placed.x < 0.4 * full.side)
    assert (f"{placed.concept.name} bottom" in facts) == (placed.y > 0.6 * full.side)


def test_composed_set_has_boxes_and_masks_of_the_image_size(tmp_path):
    compose_set(tmp_path, count=3, seed=5, size=224, objects=(1, 2))
    rows = [json.loads(line) for line in (tmp_path / "metadata.jsonl").read_text().splitlines()]
    assert [len(row["objects"]) for row in rows] == [1, 2, 1]
    for row in rows:
        assert Image.open(tmp_path / row["file_name"]).size == (224, 224)
        for entry in row["objects"]:
            mask = np.asarray(Image.open(tmp_path / entry["mask"]).convert("L"))
            assert mask.shape == (224, 224)
            assert set(np.unique(mask)) <= {0, 255}
            assert bounding_box(mask > 127) == entry["bbox"]
    compose_set(tmp_path / "again", count=3, seed=5, size=224, objects=(1, 2))
    for row in rows:
        same = (tmp_path / "again" / row["file_name"]).read_bytes()
        assert same == (tmp_path / row["file_name"]).read_bytes()
