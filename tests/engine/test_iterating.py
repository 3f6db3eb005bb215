"""Methods that take many passes: their laws, their memory bound, their progress, and their end on request."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.compute import Refused, relevances
from engine.methods import batching, perturbation
from engine.methods.masks import draw, render
from engine.methods.perturbation import masked_relevance
from engine.models import wrap
from engine.specs import parse
from engine.trace import record
from engine.types import Cancelled
from tests.engine.questions import image_question, text_question
from tests.engine.tiny import PROMPTS, pixels, tiny_clip, tiny_model

ITERATING = {
    "m2ib(steps=4)": ("image", 3),
    "rise(masks=40)": ("image", 3),
    "occlusion": ("image", 1),  # 15 positions are one pass
    "integrated_gradients(steps=4)": ("image", 4),
    "smooth_grad(samples=4)": ("image", 4),
    "leave_one_out": ("text", 1),
}


def _question(branch="image", seed=21, height=48, width=80):
    ask = image_question if branch == "image" else text_question
    return ask(tiny_model(), pixels(seed, height=height, width=width), PROMPTS)


def _values(spec, question):
    (result,) = relevances(question, [parse(spec)])
    assert not isinstance(result, Refused), result.reason
    return result.values


def _scores(model, x):
    with torch.no_grad():
        return model.image.encode(x) @ model.embed_texts(PROMPTS).T


@pytest.mark.parametrize("baseline", ["mean", "blur"])
def test_integrated_gradients_are_complete(baseline):
    from engine.methods.integrated import _blurred

    question = _question()
    x = question.inputs
    start = torch.zeros_like(x) if baseline == "mean" else _blurred(x)
    gained = _scores(tiny_model(), x) - _scores(tiny_model(), start)  # [b t]
    total = _values(f"integrated_gradients(steps=100, baseline={baseline!r})", question).sum(-1).T
    assert (total - gained).abs().max() < 1e-4
    assert gained.abs().max() > 1e-2


def test_pixel_maps_add_up_to_the_patches():
    question = _question()
    for spec, merge in {"integrated_gradients(steps=2{})": "sum", "rise(masks=6{})": "mean"}.items():
        patches = _values(spec.format(""), question)[..., 1:]
        fine = _values(spec.format(", pixels=True"), question)  # [t b 48 80]
        tiles = fine.unflatten(-1, (5, 16)).unflatten(-3, (3, 16))
        merged = getattr(tiles, merge)((-3, -1)).flatten(-2)
        torch.testing.assert_close(patches, merged, atol=1e-5, rtol=1e-4)


def test_smooth_grad_without_noise_is_the_gradient_alone():
    question = _question()
    x = question.inputs.clone().requires_grad_()
    scores = tiny_model().image.encode(x) @ question.queries.T
    fine = _values("smooth_grad(pixels=True, samples=3, sigma=0)", question)
    for t in range(3):
        (slope,) = torch.autograd.grad(scores[:, t].sum(), x, retain_graph=True)
        torch.testing.assert_close(fine[t], slope.abs().sum(1), atol=1e-6, rtol=1e-4)


def test_rise_with_everything_shown_is_the_score():
    question = _question()
    found = _values("rise(masks=3, probability=1)", question)[..., 1:]
    expected = _scores(tiny_model(), question.inputs).T[..., None].expand_as(found)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_rise_masks_do_not_depend_on_how_many_are_made_at_once():
    drawn = draw(9, cells=3, probability=0.5, size=(48, 80), seed=7)
    together = render(drawn, slice(0, 9))
    apart = torch.cat([render(drawn, slice(i, i + 2)) for i in range(0, 9, 2)])
    torch.testing.assert_close(together, apart)
    assert together.shape == (9, 48, 80) and together.min() >= 0 and together.max() <= 1
    assert drawn.shifts.max(0).tolist() <= [15, 26]


def test_given_masks_weigh_places_by_the_score_they_leave():
    question = _question()
    masks = torch.zeros(2, 48, 80)
    masks[0, :16, :16] = 1  # the first patch alone
    masks[1, 16:32, 64:] = 1  # the last of the second row
    trace = record(question.encoder, question.inputs, question.queries)
    found = masked_relevance(trace, masks.split(1), 2, probability=0.5)
    for n, patch in ((0, 1), (1, 1 + 5 + 4)):
        torch.testing.assert_close(found[:, :, patch], _scores(tiny_model(), question.inputs * masks[n]).T)
    assert found.count_nonzero() == 2 * 2 * 3


def test_occlusion_of_the_whole_image_is_the_score_lost_by_a_blank():
    question = _question()
    lost = _scores(tiny_model(), question.inputs) - _scores(tiny_model(), torch.zeros_like(question.inputs))
    found = _values("occlusion(window=5)", question)[..., 1:]
    torch.testing.assert_close(found, lost.T[..., None].expand_as(found), atol=1e-5, rtol=1e-4)


def test_windows_reach_the_edge_and_leave_no_patch_out():
    hidden = perturbation._windows((3, 5), window=2, stride=2)
    assert hidden.shape == (2 * 3, 3, 5)
    assert hidden.sum(0).min() >= 1 and hidden[-1, 1:, 3:].all()


def test_leaving_a_token_out_is_the_prompt_typed_without_it():
    question = _question("text")
    found = _values("leave_one_out", question)  # [image prompt token]
    shorter = tiny_model().embed_texts(["two dogs on a sofa"])  # PROMPTS[1] without 'red'
    full = tiny_model().embed_texts([PROMPTS[1]])
    expected = question.queries @ (full - shorter)[0]
    torch.testing.assert_close(found[:, 1, 2], expected, atol=1e-6, rtol=1e-4)


def test_equal_words_are_left_out_one_at_a_time():
    question = text_question(tiny_model(), pixels(3), ["a dog and a dog"])
    found = _values("leave_one_out", question)[0, 0, 1:6]
    assert found[1] != found[4] and found[0] != found[3]


@pytest.mark.parametrize("branch", ["image", "text"])
def test_m2ib_stays_finite_when_little_noise_is_left(branch):
    found = _values("m2ib(beta=0, steps=60)", _question(branch))
    assert found.isfinite().all() and found.max() > 0


def test_m2ib_before_any_step_is_the_information_of_its_start():
    question = _question()
    found = _values("m2ib(layer=1, steps=1)", question)
    with torch.no_grad():
        x = question.encoder.advance(question.encoder.embed(question.inputs), 0, 2).double()
    lam = 1 / (1 + np.exp(-5.0))
    expected = -(1 + 2 * np.log(1 - lam) - (lam * x) ** 2 - (1 - lam) ** 2).sum(-1) / 2
    torch.testing.assert_close(found[0].double(), expected, rtol=1e-5, atol=1e-3)


def test_m2ib_seeds_differ_a_little_and_repeat_exactly():
    first, again, other = (_values(f"m2ib(seed={seed})", _question())[0, 0, 1:] for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert np.corrcoef(first, other)[0, 1] > 0.5


@pytest.mark.parametrize(("last", "branch"), [(2, "image"), (1, "text")])
def test_m2ib_says_which_layers_are_there(last, branch):
    (refused,) = relevances(_question(branch), [parse(f"m2ib(layer={last + 1})")])
    assert f"layer={last + 1} is not there; this branch takes 0 to {last}" in refused.reason
    before_the_last = _values(f"m2ib(layer={last - 1})", _question(branch))
    assert torch.equal(_values("m2ib", _question(branch)), before_the_last)


def test_m2ib_refuses_a_model_of_one_block():
    model = wrap(tiny_clip(seed=1, vision_layers=1))
    (refused,) = relevances(image_question(model, pixels(3), PROMPTS), [parse("m2ib")])
    assert refused.unsupported and "one block only" in refused.reason


def test_m2ib_of_the_authors_needs_a_text_tower_as_wide_as_the_embedding():
    (refused,) = relevances(_question("text"), [parse("m2ib(label='authors')")])
    assert refused.unsupported and "as wide as the embedding" in refused.reason


@pytest.mark.parametrize("spec", ITERATING)
def test_memory_and_passes_do_not_change_the_map(spec, monkeypatch):
    question = _question(ITERATING[spec][0])
    at_once = _values(spec, question)
    monkeypatch.setattr(batching, "GRAPH_BYTES", 1)
    monkeypatch.setattr(perturbation, "inputs_per_pass", lambda inputs: 3)
    torch.testing.assert_close(_values(spec, question), at_once, rtol=1e-4, atol=1e-5 * at_once.abs().max())


@pytest.mark.parametrize("spec", ITERATING)
def test_every_step_is_reported_and_can_be_the_last(spec, monkeypatch):
    branch, steps = ITERATING[spec]
    monkeypatch.setattr(batching, "GRAPH_BYTES", 1)
    name, stages = spec.partition("(")[0], []
    list(relevances(_question(branch), [parse(spec)], stages.append))
    steps_said = [stage for stage in stages if stage.startswith(f"{name},")]
    assert len(set(steps_said)) >= steps

    def stop(stage):
        if stage == steps_said[-1]:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        list(relevances(_question(branch), [parse(spec)], stop))


def test_prompts_share_passes_also_where_gradients_go_in_parts(monkeypatch):
    monkeypatch.setattr("engine.compute.GRAPH_BYTES", 1)
    stages, specs = [], [parse("rise(masks=20)"), parse("game")]
    found = list(relevances(_question(), specs, stages.append))
    assert [stage for stage in stages if stage.startswith("rise,")] == [
        "rise, mask 0 of 20",
        "rise, mask 16 of 20",
    ]
    assert [str(result.spec) for result in found] == ["rise(masks=20)", "game", "game", "game"]
    assert found[0].values.shape[0] == 3


def test_windows_with_gaps_are_refused():
    (refused,) = relevances(_question(), [parse("occlusion(stride=2)")])
    assert "leaves gaps" in refused.reason


def test_weights_that_ask_for_gradients_get_none():
    assert any(p.requires_grad for p in tiny_clip().parameters())
    _values("m2ib(steps=2)", _question())
    _values("smooth_grad(samples=1)", _question())
    assert all(p.grad is None for p in tiny_clip().parameters())
