"""Layers: closed forms, slow twins in float64, the registry's own maps, and the store."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from engine import Request, Target, layers
from engine import explain as ask
from engine.layers import coding, measures
from engine.layers.ask import _record
from engine.store import Store
from engine.types import Cancelled, SidelightError, Unsupported
from tests.engine.tiny import PROMPTS, picture, tiny_model
from tests.patience import PATIENCE

WIDE = picture(3, (160, 60))


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path, shipped=None)


def request_for(*targets, image=WIDE, branch="image", resize="fit"):
    return Request(image, targets or (Target(PROMPTS[0]),), (), resize=resize, branch=branch)


def compute(request, store, **more):
    return layers.compute(request, store, loaded=tiny_model(), **more).summaries


def maps(request, store, *specs):
    found = ask(replace(request, specs=specs), store, loaded=tiny_model())
    assert not found.failures
    return [m.values.ravel() if m.content is None else m.values[m.content] for m in found.maps]


def close(a, b, limit=1e-5):
    np.testing.assert_allclose(a, b, rtol=0, atol=limit * np.abs(b).max())


# Coding


@pytest.mark.parametrize("signed", [False, True])
def test_codes_keep_values_apart_at_both_ends(signed):
    random = np.random.default_rng(0)
    values = random.standard_normal((2, 5, 7)) ** 5
    values = (values if signed else np.abs(values)).astype(np.float32)
    content = np.array([False, *[True] * 6])
    rows = layers.encode(values, content, signed)
    again = layers.decode(rows, content)
    top = coding.SIGNED if signed else coding.POSITIVE
    assert rows.codes.dtype == (np.int8 if signed else np.uint8)
    np.testing.assert_array_equal(again[:, :, 0], values[:, :, 0])
    share = np.abs(values / rows.scale[..., None])[:, :, content]
    # Half a step of the root, and the step grows with the root.
    allowed = np.sqrt(share) / top + 0.25 / top**2 + 1e-6
    assert (np.abs(again - values)[:, :, content] / rows.scale[..., None] <= allowed).all()


def test_a_row_of_zeros_stays_one():
    rows = layers.encode(np.zeros((1, 2, 3), np.float32), np.ones(3, bool), True)
    assert not layers.decode(rows, np.ones(3, bool)).any()


def test_the_smallest_numbers_do_not_overflow():
    tiny = np.float32(1e-45)
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        rows = layers.encode(np.array([[[1, tiny, 0]]], np.float32), np.array([False, True, True]), False)
    assert rows.codes.tolist() == [[[255, 255, 0]]]


def test_codes_outside_the_content_are_cut_and_kept_beside():
    rows = layers.encode(np.array([[[9.0, 1.0, 0.25]]]), np.array([False, True, True]), False)
    assert rows.codes.tolist() == [[[255, 255, 128]]]
    assert (rows.scale.item(), rows.outside.item()) == (1.0, 9.0)


# Entropy and distance


def test_entropy_of_uniform_attention_is_the_logarithm_of_its_length():
    attention = torch.full((2, 6, 8), 1 / 8)
    torch.testing.assert_close(measures.entropy(attention), torch.tensor([3.0, 3.0]))
    assert measures.entropy(torch.eye(5)[None]).item() == 0


def test_distance_of_attention_to_oneself_is_nothing():
    where = 16 * torch.cartesian_prod(torch.arange(2.0), torch.arange(3.0))
    content = torch.tensor([False, *[True] * 6])
    assert measures.distance(torch.eye(7)[None], where, content).item() == 0


def test_distance_by_hand():
    where = torch.tensor([[0.0, 0.0], [0.0, 16.0]])
    content = torch.tensor([False, True, True])
    attention = torch.tensor([[[1, 0, 0], [0.5, 0.25, 0.25], [0.2, 0.6, 0.2]]])
    # The class token left out: 0.5 of 16 pixels, and 0.75 of 16 pixels.
    torch.testing.assert_close(measures.distance(attention, where, content), torch.tensor([10.0]))


def test_attention_to_the_class_token_alone_has_no_distance():
    attention = torch.tensor([[[1.0, 0, 0], [1, 0, 0], [1, 0, 0]]])
    content = torch.tensor([False, True, True])
    assert measures.distance(attention, torch.tensor([[0.0], [9.0]]), content).item() == 0


def test_statistics_against_a_slow_twin(store):
    (found,) = compute(request_for(), store)
    trace = _record(request_for(), tiny_model(), Target(PROMPTS[0]), lambda stage: None)
    rows, columns = found.grid
    assert rows != columns
    centres = [(16 * r, 16 * c) for r in range(rows) for c in range(columns)]
    for block, layer in enumerate(trace.layers):
        for head, a in enumerate(layer.attn[0].detach().double().numpy()):
            bits = [-sum(p * np.log2(p) for p in row) for row in a]
            apart = [
                sum(p * np.hypot(y - v, x - u) for p, (v, u) in zip(row, centres, strict=True)) / sum(row)
                for (y, x), row in zip(centres, a[1:, 1:], strict=True)
            ]
            assert found.entropy[block, head] == pytest.approx(np.mean(bits), rel=1e-5)
            assert found.distance[block, head] == pytest.approx(np.mean(apart), rel=1e-5)


# Against the registry


@pytest.mark.parametrize("branch", ["image", "text"])
@pytest.mark.parametrize("prompt", PROMPTS)
def test_pooled_rows_are_the_methods_maps(store, branch, prompt):
    request = request_for(Target(prompt), branch=branch)
    (found,) = compute(request, store)
    content, depth = found.content, found.depth
    rollout, game, last = maps(request, store, "rollout", "game", "game(layers='last')")
    close(found.pooled["rollout"][-1, 0, content], rollout)
    close(found.pooled["relevance"][0, 0, content], game)
    close(found.pooled["relevance"][-1, 0, content], last)
    for block in range(depth):
        (attention,) = maps(request, store, f"self_attention(layer={block})")
        close(found.pooled["attention"][block].mean(0)[content], attention)
        (first,) = maps(request, store, f"self_attention(layer={block}, head=0)")
        close(found.pooled["attention"][block, 0, content], first)
    close(found.pooled["similarity"][-1, 0, found.row], np.float32(found.score))


def test_legrad_is_the_sum_of_its_contributions(store):
    request = request_for()
    (found,) = compute(request, store)
    for blocks, whole in enumerate(maps(request, store, *(f"legrad(layers={n})" for n in (1, 2, 3))), 1):
        close(found.pooled["legrad"][-blocks:].mean(1).sum(0)[found.content], whole)


def test_maskclip_is_the_likeness_by_values_times_the_keys(store):
    request = request_for()
    (found,) = compute(request, store)
    layer = _record(request, tiny_model(), request.targets[0], lambda stage: None).layers[-1]
    keys = layer.block.output(layer.k).detach()
    weight = torch.nn.functional.cosine_similarity(keys[:, :1], keys, dim=-1)[0, 1:].numpy()
    (whole,) = maps(request, store, "maskclip")
    close(found.pooled["maskclip"][-1, 0, found.content] * weight, whole)


@pytest.mark.parametrize("branch", ["image", "text"])
def test_shares_sum_to_the_map(store, branch):
    request = request_for(branch=branch)
    (found,) = compute(request, store)
    names = ["game", "legrad(layers=64)", "grad_eclip(layers=64)"] if branch == "image" else ["game"]
    for name, whole in zip(names, maps(request, store, *names), strict=True):
        assert found.shares[name.partition("(")[0]].sum() == pytest.approx(whole.sum(), rel=1e-5)
    assert set(found.shares) == {s.name for s in layers.SHARES.values() if branch in s.branches}
    assert all((values >= 0).all() and values.shape == (found.depth,) for values in found.shares.values())


@pytest.mark.parametrize("branch", ["image", "text"])
def test_every_sources_row_against_a_slow_twin(store, branch):
    request = request_for(Target(PROMPTS[1]), branch=branch)
    (found,) = compute(request, store)
    trace = _record(request, tiny_model(), request.targets[0], lambda stage: None)
    n = len(found.content)
    a = [layer.attn[0, :, :n, :n].detach().double().numpy() for layer in trace.layers]
    g = [gradient.attn[0, 0, :, :n, :n].double().numpy() for gradient in trace.gradients]
    eye = np.eye(n)
    for block in range(found.depth):
        flow, relevance = eye, eye
        for earlier in range(block + 1):
            mixed = a[earlier].mean(0) + eye
            flow = (mixed / mixed.sum(1, keepdims=True)) @ flow
        for later in range(block, found.depth):
            weighed = np.maximum(a[later] * g[later] * trace.logit_scale, 0).mean(0)
            relevance = relevance + weighed @ relevance
        expected = {
            "attention": a[block],
            "gradient": g[block],
            "gradient_attention": a[block] * g[block],
            "rollout": flow[None],
            "relevance": (relevance - eye)[None],
        }
        for name, values in expected.items():
            rows = layers.rows(request, request.targets[0], name, [block], store, tiny_model().info)[block]
            again = layers.decode(rows, found.content)
            top = coding.SIGNED if layers.QUANTITIES[name].signed else coding.POSITIVE
            assert (np.abs(again - values)[:, :, found.content] <= 1.1 / top * rows.scale[..., None]).all()
            np.testing.assert_allclose(again[:, :, ~found.content], values[:, :, ~found.content], atol=1e-4)
            np.testing.assert_allclose(
                found.pooled[name][block], values[:, found.row], rtol=1e-4, atol=1e-5 * np.abs(values).max()
            )


def test_other_targets_than_prompts(store):
    other = picture(8)
    targets = (
        Target(kind="image", image=other),
        Target(PROMPTS[0], kind="difference", minus="a dog"),
        Target("a cat", kind="class", classes=("a cat", "a dog")),
    )
    for target, found in zip(targets, compute(request_for(*targets), store), strict=True):
        assert found.target == target
        request = request_for(target)
        close(found.pooled["relevance"][0, 0, found.content], maps(request, store, "game")[0])
    with pytest.raises(SidelightError, match="text branch"):
        compute(request_for(targets[0], branch="text"), store)


# Store


def test_the_second_time_comes_from_the_store(store, monkeypatch):
    request = request_for(Target(PROMPTS[0]), Target(PROMPTS[1]))
    first = compute(request, store)
    monkeypatch.setattr("engine.layers.ask._record", None)
    for found in (compute(request, store), layers.stored(request, store, tiny_model().info)):
        for a, b in zip(first, found, strict=True):
            assert (a.target, a.row, a.grid, a.score) == (b.target, b.row, b.grid, b.score)
            np.testing.assert_array_equal(a.content, b.content)
            assert a.pooled.keys() == b.pooled.keys()
            for name in a.pooled:
                np.testing.assert_array_equal(a.pooled[name], b.pooled[name])


@pytest.mark.parametrize(
    "change",
    [
        {"resize": "crop"},
        {"image": picture(7)},
        {"targets": (Target("another"),)},
        {"targets": (Target(PROMPTS[0], kind="difference", minus="a dog"),)},
        {"branch": "text"},
    ],
)
def test_every_ingredient_is_in_the_key(store, change):
    request = request_for()
    compute(request, store)
    changed = replace(request, **change)
    info = tiny_model().info
    assert layers.stored(changed, store, info) == (None,)
    assert layers.stored(request, store, replace(info, digest="0" * 64)) == (None,)
    assert layers.rows(changed, changed.targets[0], "gradient", [0], store, info) == {}


def test_attention_is_kept_once_for_all_prompts_of_an_image(store):
    compute(request_for(), store)
    other, info = request_for(Target("another")), tiny_model().info
    assert layers.rows(other, other.targets[0], "attention", range(9), store, info).keys() == {0, 1, 2}
    assert layers.rows(other, other.targets[0], "gradient", range(9), store, info) == {}


def test_what_is_stored_is_read_without_torch():
    code = (
        "import sys, numpy as np; from engine import layers; from engine.types import *;"
        "image = Image(np.zeros((9, 9, 3), np.uint8), '0' * 64);"
        "print(layers.stored(Request(image, (Target('a'),), ())), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout.strip() == "(None,) False", done.stderr


def test_progress_is_told_and_cancelling_stops(store):
    stages = []
    compute(request_for(), store, progress=lambda p: stages.append(p.stage))
    assert "attention, block 1" in stages
    with pytest.raises(Cancelled):
        compute(request_for(Target("b")), store, cancelled=lambda: len(stages) > 0)


@pytest.mark.parametrize("change", [{"branch": "both"}, {"resize": "huge"}, {"targets": (Target(" "),)}])
def test_bad_requests_are_one_sentence(store, change):
    with pytest.raises(SidelightError):
        layers.stored(replace(request_for(), **change), store, tiny_model().info)


def test_an_image_tower_without_blocks_is_refused(store):
    info = replace(tiny_model().info, offers=frozenset({"attention", "gradients"}))
    with pytest.raises(Unsupported, match="no vision transformer"):
        layers.stored(request_for(), store, info)
    assert layers.stored(request_for(branch="text"), store, info) == (None,)


def test_the_text_branch_ends_with_its_end_token(store):
    (found,) = compute(request_for(Target("a red cat"), branch="text"), store)
    assert found.tokens == ("<start>", "a", "red", "cat", "<end>")
    assert found.row == 4
    assert found.content.tolist() == [False, True, True, True, False]
    assert "legrad" not in found.pooled
    assert found.note == ""


@pytest.mark.parametrize("branch", ["image", "text"])
def test_a_text_that_is_cut_is_said_to_be(store, branch):
    request = request_for(Target("cat " * 14), Target("cat " * 15), branch=branch)
    computed = compute(request, store)
    kept = layers.stored(request, store, tiny_model().info)
    for fits, cut in (computed, kept):
        assert fits.note == "" and "reads 14 tokens" in cut.note
