"""Curves of a small random CLIP against a slow loop, and what is computed, stored and refused."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from engine import images
from engine.curves import (
    KINDS,
    PRESETS,
    CurveRequest,
    Protocol,
    altered,
    areas,
    arrays,
    compute,
    perturbed,
    preset,
    question,
    recipe,
    stored,
    table,
)
from engine.curves.pictures import as_picture, ground
from engine.curves.scorer import HiddenScorer
from engine.metrics.curve import counts
from engine.store import Store
from engine.types import Cancelled, Request, SidelightError, Target
from tests.engine.tiny import picture, tiny_model
from tests.patience import PATIENCE

SPECS = ("grad_eclip", "self_attention")
FIVE = tuple(n / 4 for n in range(5))
SHORT = Protocol(deletion=FIVE, insertion=FIVE)
TARGETS = (Target("a cat"), Target("two red dogs"))


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store", shipped=None)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A store for tests that only read what the default question gives."""
    return Store(tmp_path_factory.mktemp("shared"), shipped=None)


def asked(protocol=SHORT, size=(90, 70), specs=SPECS, targets=TARGETS, controls=True, **changes):
    return CurveRequest(Request(picture(0, size), targets, specs, **changes), protocol, controls)


def encode(pixels):
    """Unit embeddings of normalised pictures (b, 3, height, width), by a plain call of the model."""
    import torch

    with torch.no_grad():
        found = tiny_model().clip.encode_image(torch.as_tensor(pixels, dtype=torch.float32), normalize=True)
    return found.numpy()


def cosine(pixels, text):
    return float(encode(pixels[None])[0] @ tiny_model().embed_texts([text])[0].numpy())


def test_curves_match_a_slow_loop(shared):
    found = compute(asked(), shared, loaded=tiny_model())
    model = tiny_model()
    seen = images.prepare(found.image, model.info.preprocess, "crop").pixels
    for curve in found.curves:
        for kind in KINDS:
            for share, value in zip(FIVE, getattr(curve, kind), strict=True):
                changed = set(
                    np.argsort(curve.ranks.ravel())[:: -1 if "least" in kind else 1][: round(share * 16)]
                )
                x = (
                    seen.copy() if kind.startswith("deletion") else np.zeros_like(seen)
                )  # zero is the mean colour
                for unit in changed:
                    y, c = divmod(int(unit), 4)
                    here = np.s_[:, 16 * y : 16 * y + 16, 16 * c : 16 * c + 16]
                    x[here] = 0 if kind.startswith("deletion") else seen[here]
                assert value == pytest.approx(cosine(x, curve.target), abs=2e-6)


def test_every_method_target_and_control_has_a_curve(shared):
    found = compute(asked(), shared, loaded=tiny_model())
    assert found.specs == (*SPECS, "random", "center", "edges") and not found.failures
    assert {(c.spec, c.target) for c in found.curves} == {(s, t.label) for s in found.specs for t in TARGETS}
    assert found.get("edges", "a cat").auc != found.get("random", "a cat").auc
    assert sorted(found.curves[0].ranks.ravel()) == list(range(16))


@pytest.mark.parametrize(
    "protocol",
    [
        SHORT,
        replace(SHORT, hide="noise", reveal="blur"),
        replace(SHORT, hide="neighbours", reveal="black"),
        replace(SHORT, unit="pixel", hide="black"),
        replace(SHORT, unit="pixel", space="image", hide="noise", reveal="black"),
    ],
    ids=str,
)
def test_deletion_of_nothing_and_insertion_of_everything_are_the_models_score(protocol, store):
    found = compute(asked(protocol, specs=("center",), controls=False), store, loaded=tiny_model())
    seen = images.prepare(found.image, tiny_model().info.preprocess, "crop").pixels
    for curve in found.curves:
        ends = (
            curve.score,
            curve.deletion[0],
            curve.deletion_least[0],
            curve.insertion[-1],
            curve.insertion_least[-1],
        )
        np.testing.assert_allclose(ends, cosine(seen, curve.target), atol=1e-6)
        assert curve.insertion[0] == curve.insertion_least[0] == curve.empty
        assert curve.deletion[-1] == curve.deletion_least[-1]


def test_one_fill_makes_insertion_the_mirror_of_deletion(shared):
    for curve in compute(asked(), shared, loaded=tiny_model()).curves:
        np.testing.assert_array_equal(curve.insertion, curve.deletion_least[::-1])
        np.testing.assert_array_equal(curve.deletion, curve.insertion_least[::-1])


def test_identical_inputs_are_computed_once_in_bounded_batches(store, monkeypatch):
    model, sizes = tiny_model(), []
    embed = model.image.embed
    monkeypatch.setattr("engine.curves.scorer.inputs_per_pass", lambda inputs: 7)
    found = compute(asked(), store, loaded=model)  # stores the maps
    again = Store(store.folder.parent / "again", shipped=None)
    counted = replace(model, image=replace(model.image, embed=lambda x: sizes.append(len(x)) or embed(x)))
    found = compute(asked(), again, loaded=counted)
    masks = set()
    for curve in found.curves:
        for changed in counts(FIVE, 16):
            masks |= {(curve.ranks < changed).tobytes(), (curve.ranks >= changed).tobytes()}
            masks |= {(15 - curve.ranks < changed).tobytes(), (15 - curve.ranks >= changed).tobytes()}
    assert found.passes == len(masks) < len(found.curves) * 4 * 5
    assert max(sizes) == 7


def test_masks_of_large_pictures_come_in_parts(shared, store, monkeypatch):
    whole, scored = compute(asked(), shared, loaded=tiny_model()), []
    call = HiddenScorer.__call__
    monkeypatch.setattr(
        HiddenScorer, "__call__", lambda self, keep: scored.append(keep.size) or call(self, keep)
    )
    monkeypatch.setattr("engine.curves.passes.PLANNED", 16 * 10)
    monkeypatch.setattr("engine.metrics.curve.MASK_BYTES", 16 * 3)
    parts = compute(asked(), store, loaded=tiny_model())
    assert max(scored) <= 16 * 3
    for curve in whole.curves:
        found = parts.get(curve.spec, curve.target)
        np.testing.assert_allclose(found.deletion, curve.deletion, atol=1e-6)
        np.testing.assert_allclose(found.insertion_least, curve.insertion_least, atol=1e-6)


def test_what_is_stored_is_not_computed_again(store):
    first = compute(asked(), store, loaded=tiny_model())
    assert first.passes > 0
    again = stored(asked(), store, tiny_model().info)
    assert len(again.curves) == len(first.curves)
    np.testing.assert_array_equal(again.curves[3].deletion, first.curves[3].deletion)
    for score in ("probability", "top-1"):
        other = asked(replace(SHORT, score=score))
        assert compute(other, store, loaded=tiny_model()).passes == 0
    assert compute(asked(replace(SHORT, seed=1)), store, loaded=tiny_model()).passes > 0


def test_areas_are_those_of_the_curves_that_are_stored(store):
    whole, model = asked(), tiny_model()
    assert areas(whole, store, model.info) == {}
    found = compute(replace(whole, only="a cat"), store, loaded=model)
    assert areas(whole, store, model.info) == {(c.spec, c.target): c.auc for c in found.curves}
    assert areas(replace(whole, protocol=replace(SHORT, hide="black")), store, model.info) == {}


def test_one_target_alone_has_the_curves_that_it_has_among_others(store, shared):
    alone = replace(asked(), only="a cat")
    found, whole = compute(alone, store, loaded=tiny_model()), compute(asked(), shared, loaded=tiny_model())
    assert [t.label for t in found.targets] == ["a cat"]
    assert {curve.target for curve in found.curves} == {"a cat"}
    for curve in found.curves:
        np.testing.assert_allclose(curve.deletion, whole.get(curve.spec, "a cat").deletion, atol=1e-6)
    assert len(stored(asked(), store, tiny_model().info).curves) == len(found.curves)
    assert question(alone) != question(asked())


def test_scores_by_class(shared):
    compute(asked(), shared, loaded=tiny_model())
    by = {
        s: stored(asked(replace(SHORT, score=s)), shared, tiny_model().info) for s in ("probability", "top-1")
    }
    for spec in ("center", "edges"):  # equal maps for both prompts, so equal inputs
        total = sum(by["probability"].get(spec, t.label).deletion for t in TARGETS)
        np.testing.assert_allclose(total, 1, atol=1e-6)
        hits = np.stack([by["top-1"].get(spec, t.label).deletion for t in TARGETS])
        np.testing.assert_array_equal(hits.sum(0), 1)
        likely = np.stack([by["probability"].get(spec, t.label).deletion for t in TARGETS])
        np.testing.assert_array_equal(hits.argmax(0), likely.argmax(0))


def test_a_score_needs_a_class():
    with pytest.raises(SidelightError, match="'two red dogs' is none of the 1 classes"):
        compute(asked(replace(SHORT, score="top-1", classes=("cat",))), loaded=tiny_model())


def test_classes_match_with_or_without_article(store):
    protocol = replace(SHORT, score="probability", classes=("dog", "cat"))
    found = compute(asked(protocol, targets=TARGETS[:1], specs=("center",)), store, loaded=tiny_model())
    assert 0 < found.curves[0].score < 1


def test_cancel_keeps_what_is_finished(store, monkeypatch):
    monkeypatch.setattr("engine.curves.scorer.inputs_per_pass", lambda inputs: 2)
    seen = []

    def stop():
        return len(stored(asked(), store, tiny_model().info).curves) >= 2

    with pytest.raises(Cancelled):
        compute(asked(), store, seen.append, stop, loaded=tiny_model())
    kept = len(stored(asked(), store, tiny_model().info).curves)
    assert 2 <= kept < 10
    assert all(a.done <= b.done for a, b in pairwise(p for p in seen if p.stage == "curves"))
    rest = compute(asked(), store, loaded=tiny_model())
    assert len(rest.curves) == 10


def test_wrong_protocols_are_refused():
    for wrong in (
        {"unit": "superpixel"}, {"hide": "pink"}, {"score": "accuracy"}, {"deletion": (0.5, 0.2)},
        {"insertion": (0.0, 1.1)}, {"space": "image"},
        {"space": "image", "unit": "pixel", "hide": "neighbours"},
    ):  # fmt: skip
        with pytest.raises(SidelightError):
            Protocol(**wrong)
    with pytest.raises(SidelightError, match="the presets are default, grad-eclip-imagenet, rise"):
        preset("road")
    with pytest.raises(SidelightError, match="set the branch to image"):
        stored(asked(branch="text"))


def test_grad_eclip_preset_is_the_papers():
    found = PRESETS["grad-eclip-imagenet"]
    deleted = counts(found.deletion, 224 * 224, found.steps)
    assert deleted.tolist() == [2500 * n for n in range(11)]  # 10 steps of int(area / 200) pixels each
    inserted = counts(found.insertion, 224 * 224, found.steps)
    assert inserted.tolist() == [*(2500 * n for n in range(1, 11)), 224 * 224]
    assert (found.hide, found.reveal, found.space, found.score) == ("noise", "black", "image", "top-1")


def test_patches_and_neighbours_leave_the_images_own_size():
    authors = PRESETS["grad-eclip-imagenet"]
    patches = altered(authors, unit="patch")
    assert (patches.unit, patches.space, patches.hide) == ("patch", "input", "noise")
    assert counts(patches.deletion, 49, patches.steps).tolist() == [0, 2, 5, 7, 10, 12, 15, 17, 20, 22, 24]
    assert altered(authors, fill="neighbours").space == "input"
    assert altered(authors, fill="blur", score="top-5").space == "image"
    assert altered(authors, steps=2, classes=["b", "a", "b"]).classes == ("b", "a")
    with pytest.raises(SidelightError, match="from 1 to 10000 steps, not 0"):
        altered(authors, steps=0)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize(
    "changes",
    [{}, {"unit": "patch"}, {"fill": "neighbours"}, {"steps": 4, "score": "top-5", "classes": ("a", "b")}],
)
def test_a_recipe_makes_the_protocol_again(name, changes):
    wanted = altered(PRESETS[name], **changes)
    base, keywords = recipe(replace(wanted, seed=3))
    assert altered(PRESETS[base], **keywords) == wanted
    assert len(keywords) <= len(changes)


def test_a_recipe_leaves_out_what_changes_nothing():
    assert recipe(Protocol(classes=("a", "b"))) == ("default", {})
    with pytest.raises(SidelightError, match="none that the presets"):
        recipe(Protocol(deletion=(0, 0.3, 1)))


def test_rise_preset_blurs_as_its_authors_do():
    from scipy import ndimage

    model = tiny_model()
    place = ground(picture(), model.info.preprocess, "crop", PRESETS["rise"])
    mean = np.asarray(model.info.preprocess.mean, np.float32)[:, None, None]
    delta = np.zeros((11, 11))
    delta[5, 5] = 1
    kernel = ndimage.gaussian_filter(delta, 5)
    for channel, blurred in zip(place.base - mean, place.revealed - mean, strict=True):
        np.testing.assert_allclose(blurred, ndimage.convolve(channel, kernel, mode="constant"), atol=1e-6)
    np.testing.assert_array_equal(place.hidden, np.broadcast_to(mean, place.hidden.shape))


def test_the_picture_at_a_point(shared):
    found = compute(asked(), shared, loaded=tiny_model())
    curve = found.curves[0]
    np.testing.assert_array_equal(perturbed(found, curve, 0), found.base)
    np.testing.assert_array_equal(perturbed(found, curve, 4), found.hidden)
    half = perturbed(found, curve, 2)
    gone = (curve.ranks < 8).repeat(16, 0).repeat(16, 1)
    np.testing.assert_array_equal(half[gone], found.hidden[gone])
    np.testing.assert_array_equal(half[~gone], found.base[~gone])
    np.testing.assert_array_equal(perturbed(found, curve, 2, "insertion")[gone], found.base[gone])
    with pytest.raises(SidelightError, match="There is no curve"):
        perturbed(found, curve, 2, "sideways")


def test_pixels_outside_what_the_model_sees_come_last():
    from engine.curves.pictures import unit_ranks

    protocol = replace(SHORT, unit="pixel", space="image")
    place = ground(picture(0, (90, 70)), tiny_model().info.preprocess, "crop", protocol)
    order = unit_ranks(np.arange(16.0).reshape(4, 4), place, protocol)
    assert order.shape == (70, 90) and order[:, 10:80].max() < order[:, :10].min()
    assert as_picture(place.base).tobytes() == picture(0, (90, 70)).pixels.tobytes()


def test_arrays_and_table(shared):
    found = compute(asked(), shared, loaded=tiny_model())
    kept = arrays(found)
    assert kept["prompts"].tolist() == ["a cat", "two red dogs"] and kept["share"].tolist() == list(FIVE)
    for spec in found.specs:
        assert kept[f"{spec}/deletion"].shape == kept[f"{spec}/insertion"].shape == (2, 5)
        assert kept[f"{spec}/auc"].shape == (2, 2) and np.isfinite(kept[f"{spec}/auc"]).all()
    lines = table(found).decode().splitlines()
    assert lines[0] == "prompt,method,curve,share,score" and len(lines) == 1 + 10 * 4 * 5
    first = found.curves[0]
    assert lines[1] == f"a cat,grad_eclip,deletion,0.0,{float(first.deletion[0])!r}"


def test_a_formula_in_a_prompt_is_defused(store):
    found = compute(
        asked(targets=(Target("=1+1"),), specs=("center",), controls=False), store, loaded=tiny_model()
    )
    assert table(found).decode().splitlines()[1].startswith("'=1+1,center")


def test_questions_are_equal_however_they_are_written():
    assert question(asked(specs=("random(seed=0)",))) == question(asked(specs=("random",)))
    assert question(asked()) != question(asked(replace(SHORT, score="top-1")))


def test_looking_into_the_store_loads_no_torch(tmp_path):
    code = (
        "import sys; from engine.curves import *; from engine import Request, Target, load_image;"
        "image = load_image('data/sets/scenes/scene-00.webp');"
        "found = stored(CurveRequest(Request(image, (Target('a dog'),), ('game',))));"
        "print(len(found.curves), found.units, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE,
        env={"SIDELIGHT_CACHE": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.stdout.split()[0] == "0" and done.stdout.strip().endswith("False"), done.stderr
