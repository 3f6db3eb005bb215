"""Training: its forward pass is open_clip's, its loss and optimiser do what they say, its files come back."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from engine.models import expand_vocabulary
from engine.training import train as training
from engine.training.batches import NEITHER, Batches, Stage, patch_labels
from engine.training.captions import all_words
from engine.training.concepts import CONCEPTS_FILE, load_concepts
from engine.training.evaluate import points_at
from engine.training.export import export_weights
from engine.training.glyphs import FONT_FILE
from engine.training.layout import PALETTE, sample_scene
from engine.training.losses import off_centre, patch_loss, several_true, some_patch_fits, told_apart
from engine.training.optim import orthogonalise
from engine.training.tokens import TokenRows
from engine.training.towers import (
    VOCABULARY,
    Plan,
    build_model,
    embed_images,
    embed_texts,
    make_plan,
    normalise,
    window_positions,
)

needs_font = pytest.mark.skipif(not FONT_FILE.is_file(), reason="Noto Color Emoji is not installed")


@pytest.fixture(scope="module")
def rows() -> TokenRows:
    return TokenRows(all_words())


def small_model(rows: TokenRows):
    torch.manual_seed(0)
    return build_model(len(rows.ids)).eval()


def planned(seed: int = 0, shown: float = 1.0, **changes) -> Plan:
    plan = make_plan(np.random.default_rng(seed), side=14, shown=(shown, shown))
    return replace(plan, **changes)


def test_every_prompt_has_its_token_rows(rows):
    phrases = [phrase for concept in load_concepts().concepts for phrase in concept.phrases]
    numbers = rows.encode(phrases)
    assert (
        numbers.argmax(-1) == (rows.tokenizer(phrases) == rows.tokenizer.eot_token_id).int().argmax(-1)
    ).all()
    with pytest.raises(ValueError, match="outside the vocabulary"):
        rows.encode(["a quixotic zeugma"])


def test_concepts_are_distinct_and_show_at_least_eight_emotions():
    concepts = load_concepts().concepts
    phrases = [phrase for concept in concepts for phrase in concept.phrases]
    chars = [glyph.char for concept in concepts for glyph in concept.glyphs]
    assert len(set(phrases)) == len(phrases)
    assert len(set(chars)) == len(chars)
    assert len({c.emotion for c in concepts if c.emotion}) >= 8


def test_training_forward_is_open_clips(rows):
    model = small_model(rows)
    images = normalise(torch.randint(0, 256, (3, 112, 112, 3), dtype=torch.uint8))
    ids = torch.from_numpy(rows.encode(["a dog", "a red apple on a blue background", "cheese"]))
    with torch.no_grad():
        assert torch.allclose(
            embed_images(model, images, model.visual.positional_embedding, planned(silent=()))[0][:, 0],
            model.encode_image(images, normalize=True),
            atol=0.01,  # of values up to .25: bfloat16 products against float32
        )
        assert torch.allclose(embed_texts(model, ids), model.encode_text(ids, normalize=True), atol=0.01)


def test_window_positions_are_rows_of_the_full_table(rows):
    model = small_model(rows)
    table = model.visual.positional_embedding
    window = window_positions(model, (2, 5), side=3)
    expected = [0] + [1 + 14 * (2 + r) + 5 + c for r in range(3) for c in range(3)]
    assert torch.equal(window, table[expected])


def test_a_share_of_the_patches_goes_in_with_their_own_positions(rows):
    plan = planned(shown=0.3)
    assert len(plan.shown) == 59 and torch.equal(plan.shown, plan.shown.unique())
    model, images = small_model(rows), torch.randn(2, 3, 112, 112)
    positions = model.visual.positional_embedding

    def embedded(images, positions):
        with torch.no_grad():
            return embed_images(model, images, positions, replace(plan, silent=frozenset()))[0]

    before = embedded(images, positions)
    assert before.shape == (2, 60, 192)
    hidden = torch.ones(196, dtype=bool)
    hidden[plan.shown] = False
    outside = hidden.view(14, 1, 14, 1).expand(14, 8, 14, 8).reshape(112, 112)
    moved = positions + torch.cat([torch.zeros(1), hidden])[:, None]
    assert torch.equal(embedded(images + outside, moved), before)
    assert not torch.equal(embedded(images + ~outside, positions), before)
    assert not torch.equal(embedded(images, positions.flip(0)), before)


def test_class_token_always_reads_in_the_last_block(rows):
    assert {block for seed in range(50) for block in planned(seed).silent} == {0, 1, 2, 3, 4}
    model = small_model(rows)
    pictures = torch.randn(2, 1, 3, 112, 112)
    positions = model.visual.positional_embedding
    with torch.no_grad():
        deaf, late = (
            [embed_images(model, x, positions, planned(silent=range(n)))[0][:, 0] for x in pictures]
            for n in (6, 5)
        )
    assert torch.equal(*deaf)
    assert not torch.equal(*late)


def test_attention_is_measured_by_its_distance_and_unevenness(rows):
    plan = planned(shown=0.3)
    places = [divmod(int(patch), 14) for patch in plan.shown]
    for i, j in ((0, 1), (3, 40), (58, 58)):
        expected = max(math.dist(places[i], places[j]) - 2, 0)
        assert plan.far[1 + i, 1 + j].item() == pytest.approx(expected, abs=1e-4)
    assert not plan.far[0].any() and not plan.far[:, 0].any()  # nothing is far from the class token
    model = small_model(rows)
    for block in model.visual.transformer.resblocks:
        torch.nn.init.zeros_(block.attn.in_proj_weight)  # so that every token attends to all alike
    images = torch.zeros(2, 3, 112, 112)
    with torch.no_grad():
        _, (distance, uneven) = embed_images(model, images, model.visual.positional_embedding, plan)
    assert distance.item() == pytest.approx(plan.far[1:].mean().item(), rel=0.01)
    assert uneven.item() == pytest.approx(0, abs=1e-6)


def test_loss_of_several_true_columns_by_hand():
    logits = torch.tensor([[1.0, 2.0, 0.5, -1.0]])
    truth = torch.tensor([[True, False, True, False]])
    rivals = math.exp(2.0) + math.exp(-1.0)
    terms = [-math.log(math.exp(s) / (math.exp(s) + rivals)) for s in (1.0, 0.5)]
    assert several_true(logits, truth).item() == pytest.approx(sum(terms) / 2, rel=1e-6)


def test_loss_of_patches_by_hand():
    logits = torch.tensor(
        [[[1.0, 2.0], [3.0, 0.0]]]
    )  # one scene, two patches, two texts, of which one is true
    softmax = [math.log((math.exp(a) + math.exp(b)) / 2) for a, b in ((1, 3), (2, 0))]
    expected = math.log1p(math.exp(softmax[1] - softmax[0]))
    assert some_patch_fits(logits, torch.tensor([[True, False]])).item() == pytest.approx(expected, rel=1e-6)
    patches, texts = torch.eye(2)[None], torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    told = patch_loss(patches, texts, torch.tensor(2.0), torch.empty(1, 2), torch.tensor([[1, -1]]))
    assert told.item() == pytest.approx(math.log1p(math.exp(-2)), rel=1e-6)  # the second patch has no say


@needs_font
def test_patch_labels_say_what_most_of_a_patch_shows():
    names = [concept.name for concept in load_concepts().concepts]
    scene = sample_scene(np.random.default_rng(0), 1)
    mask = np.zeros((1, 112, 112), bool)
    mask[0, :8, :13] = True  # all of the first patch, 5/8 of the second
    mask[0, 8:16, :3] = True  # 3/8 of the first patch of the second row
    labels = patch_labels(scene, mask)
    assert labels[:2].tolist() == [names.index(scene.objects[0].concept.name)] * 2
    assert labels[14] == NEITHER
    assert set(labels[2:14]) == {len(names) + list(PALETTE).index(scene.background.colour)}


def test_texts_are_off_centre_as_far_as_they_agree():
    axes = torch.eye(4)
    assert off_centre(torch.cat([axes, -axes])).item() == pytest.approx(0)
    assert off_centre(axes[:2]).item() == pytest.approx(0.5)
    assert off_centre(axes[:1].expand(3, -1)).item() == pytest.approx(1)


def test_loss_of_pairs_by_hand():
    logits = torch.tensor([[1.0, 3.0, 0.0, 0.0], [0.0, 0.0, 2.0, -1.0]])
    loss = told_apart(logits, torch.tensor([0, 2]), torch.tensor([1, 3]))
    assert loss.item() == pytest.approx((math.log1p(math.exp(2)) + math.log1p(math.exp(-3))) / 2)


@pytest.mark.parametrize("shape", [(2, 24, 16), (3, 16, 40), (1, 40, 16)])
def test_orthogonalise_brings_singular_values_near_one(shape):
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonalise(torch.randn(shape)))
    assert values.min() > 0.4
    assert values.max() < 1.4


@needs_font
def test_batches_are_a_function_of_the_seed(rows):
    stage = Stage(side=48, objects=1, batch=4, samples=12)
    first, second = Batches(stage, 0, 1, rows), Batches(stage, 0, 1, rows, start=2)
    assert len(first) == 3
    assert all(torch.equal(a, b) for a, b in zip(first[2].values(), second[0].values(), strict=True))
    assert not torch.equal(first[2]["images"], Batches(stage, 0, 2, rows)[2]["images"])


@needs_font
def test_training_ends_with_a_checkpoint_that_it_can_go_on_from(rows, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "WARMUP", 2)
    recipe = (
        Stage(side=48, objects=1, batch=8, samples=16),
        Stage(72, 2, 8, 16, shown=(0.5, 0.9), rates=(0.5, 0.0)),
        Stage(112, 1, 8, 16, masks=True),
    )
    training.train(tmp_path, seed=0, recipe=recipe)
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert (state["stage"], state["step"]) == (3, 0)
    again = training.train(tmp_path, seed=0, recipe=recipe).state_dict()  # nothing is left to do
    assert all(torch.equal(again[name], value) for name, value in state["model"].items())


def test_exported_weights_come_back_in_open_clips_form(rows, tmp_path):
    model = small_model(rows)
    ids = torch.from_numpy(rows.ids)
    export_weights(model.state_dict(), ids, tmp_path / "weights.safetensors")
    clip = build_model()
    clip.load_state_dict(expand_vocabulary(load_file(tmp_path / "weights.safetensors"), VOCABULARY))
    texts = ["a dog", "a happy face"]
    with torch.no_grad():
        whole = clip.eval().encode_text(torch.from_numpy(rows.tokenizer(texts).numpy()), normalize=True)
        compact = model.encode_text(torch.from_numpy(rows.encode(texts)), normalize=True)
    assert torch.allclose(whole, compact, atol=2e-3)  # half precision
    table = clip.token_embedding.weight
    untrained = np.setdiff1d(np.arange(VOCABULARY), rows.ids)[:3]
    assert torch.allclose(table[untrained], table[ids].mean(0), atol=1e-4)


def test_shipped_files_fit_together(rows):
    shipped = load_file(CONCEPTS_FILE.with_name("weights.safetensors"))
    assert np.array_equal(shipped["token_embedding.ids"].numpy(), rows.ids)
    assert CONCEPTS_FILE.with_name("weights.safetensors").stat().st_size < 16 * 2**20
    config = json.loads(CONCEPTS_FILE.with_name("config.json").read_text())
    assert config["model_cfg"]["embed_dim"] == shipped["text_projection"].shape[1]
    words = set(json.loads(CONCEPTS_FILE.read_text())["words"])
    assert {"dog", "background", "left"} <= words


def test_pointing_looks_at_the_centre_of_the_highest_cell():
    values = np.zeros((2, 3), np.float32)
    values[1, 2] = 1
    mask = np.zeros((8, 12), bool)
    mask[6, 10] = True
    assert points_at(values, mask)
    assert not points_at(values, np.roll(mask, 2, axis=1))
