"""Every registered method on a small random CLIP: its twin, batches, order, precision, nothing left behind.

A new method is tested as soon as it is registered, and fails until it has a twin.
"""

from __future__ import annotations

import copy
import threading
from contextlib import contextmanager
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

import engine.methods  # registers them
from engine.compute import Refused, Relevance, plain_scores, relevances
from engine.models import wrap
from engine.registry import METHODS, Needs, method
from engine.specs import parse
from engine.types import FEATURES, Cancelled, SidelightError
from tests.engine.questions import image_question, text_question
from tests.engine.tiny import PROMPTS, pixels, tiny_clip, tiny_model
from tests.engine.twins import TWINS, Case

HEIGHT, WIDTH = 48, 80  # 3 x 5 patches: neither square nor the model's own 4 x 4
TARGETS = tuple(PROMPTS)
BRANCHED = [(name, branch) for name, m in METHODS.items() for branch in m.branches]
SPECS = [
    (spec, branch) for name, branch in BRANCHED for spec in (TWINS[name].specs if name in TWINS else (name,))
]


def _first(name: str) -> str:
    return TWINS[name].specs[0] if name in TWINS else name


@cache
def _images():
    return pixels(11, batch=2, height=HEIGHT, width=WIDTH)


def _question(branch, model=None, images=None, prompts=TARGETS):
    ask = image_question if branch == "image" else text_question
    return ask(model or tiny_model(), _images() if images is None else images, list(prompts))


def _maps(spec, question) -> torch.Tensor:
    """[t b ...] of the tokens that are patches or words, zero elsewhere, or of pixels."""
    (result,) = relevances(question, [parse(spec)])
    assert isinstance(result, Relevance), result
    values = result.values.double()
    return values * question.encoder.content(question.inputs) if values.ndim == 3 else values


def _close(a, b, limit=1e-4):
    assert a.shape == b.shape
    assert (a - b).abs().max() <= limit * b.abs().max().clamp(min=1e-12)


@cache
def _double():
    return copy.deepcopy(tiny_clip()).double(), _images().double().unbind()


@pytest.mark.parametrize("name", METHODS)
def test_every_method_has_a_twin(name):
    assert name in TWINS, f"write a twin of {name} in tests/engine/twins"


@pytest.mark.parametrize(("spec", "branch"), SPECS)
def test_equals_its_slow_twin_in_float64(spec, branch):
    parsed, question = parse(spec), _question(branch)
    ours = _maps(spec, question)
    clip, images = _double()
    keep = question.encoder.content(question.inputs)
    for image in range(2):
        for prompt in range(3):
            t, b = (prompt, image) if branch == "image" else (image, prompt)
            case = Case(clip, branch, images[image], TARGETS, prompt, dict(parsed.params))
            twin = TWINS[parsed.method.name].run(case).detach()
            _close(ours[t, b], twin * keep[b] if twin.ndim == 1 else twin)


@pytest.mark.parametrize(("name", "branch"), BRANCHED)
def test_batch_equals_one_by_one(name, branch):
    spec = _first(name)
    both = _maps(spec, _question(branch))
    mixes = parse(spec).mixes_prompts()
    for image in range(2):
        one_image = _images()[image : image + 1]
        for prompt in range(3):
            prompts = TARGETS if mixes else TARGETS[prompt : prompt + 1]
            one = _maps(spec, _question(branch, images=one_image, prompts=prompts))
            if branch == "image":
                _close(one[prompt if mixes else 0, 0], both[prompt, image])
            else:
                _close(one[0, 0], both[image, prompt])


@pytest.mark.parametrize("branch", ["image", "text"])
def test_callers_may_have_switched_gradients_off(branch):
    specs = [parse(_first(name)) for name, of in BRANCHED if of == branch]
    usual = list(relevances(_question(branch), specs))
    with torch.no_grad():
        within = list(relevances(_question(branch), specs))
    assert all(torch.equal(a.values, b.values) for a, b in zip(within, usual, strict=True))
    with torch.inference_mode(), pytest.raises(SidelightError, match=r"outside torch.inference_mode\(\)"):
        next(relevances(_question(branch), specs))


@pytest.mark.parametrize(("name", "branch"), BRANCHED)
def test_order_of_prompts_does_not_matter(name, branch):
    order = [2, 0, 1]
    straight = _maps(_first(name), _question(branch))
    turned = _maps(_first(name), _question(branch, prompts=[TARGETS[i] for i in order]))
    _close(turned, straight[order] if branch == "image" else straight[:, order])


@cache
def _halved(dtype):
    return wrap(copy.deepcopy(tiny_clip()).to(dtype))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize(("name", "branch"), BRANCHED)
def test_half_precision_correlates_with_full(name, branch, dtype):
    if METHODS[name].family == "control":
        pytest.skip("a control reads no model")
    half = _maps(_first(name), _question(branch, _halved(dtype)))  # pixels stay float32, as in the engine
    full = _maps(_first(name), _question(branch))
    keep = _question(branch).encoder.content(_question(branch).inputs)
    kept = keep if full.ndim == 3 else torch.ones_like(full[0], dtype=torch.bool)
    both = np.stack([half[:, kept].numpy().ravel(), full[:, kept].numpy().ravel()])
    assert np.corrcoef(both)[0, 1] > 0.98


def _fingerprint(model):
    with torch.no_grad():
        outputs = model.clip(pixels(12), model.token_ids(TARGETS))
    state = {name: value.clone() for name, value in model.clip.state_dict().items()}
    hooks = [
        len(hooks)
        for module in model.clip.modules()
        for hooks in (
            module._forward_hooks,
            module._forward_pre_hooks,
            module._backward_hooks,
            module._backward_pre_hooks,
        )
    ]
    flags = [(p.requires_grad, p.grad is None) for p in model.clip.parameters()]
    return outputs, state, hooks, flags, model.clip.training


def _assert_untouched(before, model):
    outputs, state, *rest = _fingerprint(model)
    assert all(torch.equal(a, b) for a, b in zip(outputs, before[0], strict=True) if torch.is_tensor(a))
    assert state.keys() == before[1].keys()
    assert all(torch.equal(value, before[1][name]) for name, value in state.items())
    assert rest == list(before[2:])


@pytest.mark.parametrize(("name", "branch"), BRANCHED)
def test_the_model_is_left_as_it_was(name, branch):
    model = tiny_model()
    before = _fingerprint(model)
    _maps(_first(name), _question(branch))
    _assert_untouched(before, model)


@contextmanager
def _fault():
    """A method 'fault' in the registry that raises after it has read gradients."""

    @method(title="Fault", family="test", cost="none", requires=("gradients",), needs=Needs(2, 2, ("attn",)))
    def fault(trace):
        """Reads gradients, then fails."""
        raise ZeroDivisionError(f"after {len(trace.gradients)} blocks")

    try:
        yield
    finally:
        del METHODS["fault"]


def test_a_method_that_raises_leaves_the_model_as_it_was_and_the_others_their_maps():
    model = tiny_model()
    before = _fingerprint(model)
    alone = _maps("grad_eclip", _question("image"))
    with _fault():
        fault, other = relevances(_question("image"), [parse("fault"), parse("grad_eclip")])
    assert isinstance(fault, Refused) and not fault.unsupported
    assert "ZeroDivisionError" in fault.reason and "after 2 blocks" in fault.reason
    _close(other.values.double()[..., 1:], alone[..., 1:])
    _assert_untouched(before, model)


@pytest.mark.parametrize(("name", "branch"), BRANCHED)
def test_a_method_that_is_stopped_leaves_the_model_as_it_was(name, branch):
    """At its last step, which is where its graphs are alive."""
    model, stages = tiny_model(), []
    before = _fingerprint(model)
    list(relevances(_question(branch), [parse(_first(name))], stages.append))

    def stop(stage):
        said.append(stage)
        if len(said) == len(stages):
            raise Cancelled("enough")

    said: list[str] = []
    with pytest.raises(Cancelled):
        list(relevances(_question(branch), [parse(_first(name))], stop))
    assert said == stages
    _assert_untouched(before, model)


@pytest.mark.parametrize("branch", ["image", "text"])
def test_three_threads_on_one_model_do_not_meet(branch):
    """At the same time, without the lock that the engine holds; one meets a method that raises."""
    model = tiny_model()
    before = _fingerprint(model)
    specs = [parse(_first(name)) for name, m in METHODS.items() if branch in m.branches]
    alone = [result.values for result in relevances(_question(branch), specs)]
    found: dict[int, list[torch.Tensor]] = {}
    start = threading.Barrier(3)

    def work(number):
        start.wait()
        results = relevances(_question(branch, model), [*specs, parse("fault")] if number == 2 else specs)
        found[number] = [result.values for result in results if isinstance(result, Relevance)]

    with _fault():
        threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for n in range(3):
        assert all(torch.equal(a, b) for a, b in zip(found[n], alone, strict=True))
    _assert_untouched(before, model)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("self_attention(layer=3)", "layer=3 is not there; this branch takes -3 to 2"),
        ("self_attention(layer=-4)", "layer=-4 is not there"),
        ("self_attention(head=2)", "head=2 is not there; this block takes 0 to 1"),
    ],
)
def test_a_block_or_head_that_is_not_there_is_named(spec, words):
    (refused,) = relevances(_question("image"), [parse(spec)])
    assert words in refused.reason


@cache
def _of_one_block():
    return wrap(tiny_clip(seed=3, vision_layers=1, text_layers=1))


@pytest.mark.parametrize(("name", "branch"), BRANCHED)
def test_a_model_of_one_block_and_cosines_below_zero_give_numbers_or_a_reason(name, branch):
    question = _question(branch, _of_one_block())
    assert plain_scores(question).min() < 0 < plain_scores(question).max()
    (result,) = relevances(question, [parse(_first(name))])
    if isinstance(result, Refused):
        assert result.unsupported and "one block only" in result.reason
    else:
        assert result.values.isfinite().all()
        assert (result.explained - plain_scores(question)).abs().max() <= 1e-5


@pytest.mark.parametrize(("name", "branch"), BRANCHED)
def test_defaults_explain_the_score_of_the_model(name, branch):
    question = _question(branch)
    (result,) = relevances(question, [parse(_first(name))])
    assert (result.explained - plain_scores(question)).abs().max() <= 1e-5
    assert (result.score - plain_scores(question)).abs().max() <= 1e-5


@pytest.mark.parametrize(("name", "branch"), BRANCHED)
def test_the_single_head_variant_explains_a_visibly_different_score(name, branch):
    if "heads" not in {p.name for p in METHODS[name].parameters}:
        pytest.skip("has no such variant")
    question = _question(branch)
    (result,) = relevances(question, [parse(f"{name}(heads='single')")])
    assert (result.explained - plain_scores(question)).abs().max() > 1e-3
    assert (result.score - plain_scores(question)).abs().max() <= 1e-5


def test_single_pass_methods_share_one_forward_pass():
    calls = []
    question = _question("image")

    def counted(pixels):
        calls.append(len(pixels))
        return tiny_model().image.embed(pixels)

    question = replace(question, encoder=replace(question.encoder, embed=counted))
    once = [m for m in METHODS.values() if "image" in m.branches and parse(m.name).needs().blocks]
    assert len(once) >= 15
    assert len(list(relevances(question, [parse(m.name) for m in once]))) == len(once)
    assert calls == [2]


def test_a_mixing_method_sees_all_prompts_where_gradients_take_several_passes(monkeypatch):
    specs = [parse("game"), parse("clip_surgery")]
    alone = {name: _maps(name, _question("image")) for name in ("game", "clip_surgery")}
    monkeypatch.setattr("engine.compute.GRAPH_BYTES", 1)
    found = {"game": [], "clip_surgery": []}
    for result in relevances(_question("image"), specs):
        found[str(result.spec)].append(result.values.double())
        assert (result.score - plain_scores(_question("image"))[:, result.targets]).abs().max() <= 1e-5
    assert [len(found[name]) for name in found] == [3, 1]
    for name, parts in found.items():
        _close(torch.cat(parts)[..., 1:], alone[name][..., 1:])


@cache
def _resnet():
    import open_clip

    vision = {"image_size": 64, "layers": (1, 1, 1, 1), "width": 16, "head_width": 64}
    text = {"context_length": 16, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 1}
    torch.manual_seed(0)
    return wrap(open_clip.model.CLIP(embed_dim=48, vision_cfg=vision, text_cfg=text).eval())


@pytest.mark.parametrize("name", [name for name, m in METHODS.items() if "image" in m.branches])
def test_a_model_that_lacks_a_requirement_is_refused_with_the_reason(name):
    model = _resnet()
    (result,) = relevances(image_question(model, pixels(13), PROMPTS), [parse(_first(name))])
    lacking = [r for r in METHODS[name].requires if r not in model.image.offers]
    if lacking:
        assert isinstance(result, Refused) and result.unsupported
        assert all(feature in result.reason for feature in lacking)
    else:
        assert isinstance(result, Relevance), result


@pytest.mark.parametrize("name", METHODS)
def test_is_fully_described(name):
    m = METHODS[name]
    assert m.title and m.summary and m.family and m.cost and m.unit and m.formula and m.version >= 1
    assert set(m.requires) <= FEATURES and m.branches and set(m.branches) <= {"image", "text"}
    assert all(p.help for p in m.parameters)
    if m.year:
        assert m.paper and m.url.startswith("https://") and m.bibtex.startswith("@")
    assert engine.methods.__name__ in m.run.__module__
