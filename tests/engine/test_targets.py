"""What each kind of target asks of the image, against its closed form on open_clip's own embeddings."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from open_clip import OPENAI_IMAGENET_TEMPLATES
from torch.nn.functional import normalize

from engine import Request, Target, images, missing
from engine import explain as ask
from engine.models import wrap
from engine.questions import image_question
from engine.registry import METHODS
from engine.store import Store
from engine.trace import record
from engine.types import Map, SidelightError
from tests.engine.tiny import picture, tiny_clip, tiny_model

CAT, DOG, CAR = "a cat", "a dog", "a car"
CLASSES = (CAT, DOG, CAR)


def _prepared(image):
    return images.prepare(image, tiny_model().info.preprocess, "squash")


def _score(target, image=None):
    """The engine's score of one target, and its direction for methods without gradients."""
    question = image_question(tiny_model(), _prepared(image or picture()), [target], "squash")
    with torch.no_grad():
        embedding = question.encoder.encode(question.inputs)
        return question.readout(embedding, slice(0, 1))[0, 0].item(), question.queries[0]


def _texts(*texts):
    model = tiny_model()
    with torch.no_grad():
        return tiny_clip().encode_text(model.token_ids(texts), normalize=True)


def _image(image=None):
    with torch.no_grad():
        pixels = torch.as_tensor(_prepared(image or picture()).pixels)[None]
        return tiny_clip().encode_image(pixels, normalize=True)[0]


def test_a_text_is_the_cosine():
    score, direction = _score(Target(CAT))
    assert score == pytest.approx((_image() @ _texts(CAT)[0]).item(), abs=1e-6)
    torch.testing.assert_close(direction, _texts(CAT)[0])


def test_a_difference_is_the_difference_of_cosines():
    cat, dog = _texts(CAT, DOG)
    score, direction = _score(Target(CAT, "difference", minus=DOG))
    assert score == pytest.approx((_image() @ cat - _image() @ dog).item(), abs=1e-6)
    torch.testing.assert_close(direction, cat - dog)


def test_an_ensemble_is_the_unit_mean_over_the_templates():
    each = _texts(*(template("cat") for template in OPENAI_IMAGENET_TEMPLATES))
    assert len(each) == 80
    mean = normalize(each.mean(0), dim=0)
    score, direction = _score(Target("cat", "ensemble"))
    assert score == pytest.approx((_image() @ mean).item(), abs=1e-6)
    torch.testing.assert_close(direction, mean)


def test_an_image_is_the_cosine_of_the_embeddings():
    score, direction = _score(Target(kind="image", image=picture(5)))
    assert score == pytest.approx((_image() @ _image(picture(5))).item(), abs=1e-6)
    torch.testing.assert_close(direction, _image(picture(5)))


def test_a_class_is_its_softmax_probability_and_the_probabilities_sum_to_one():
    logits = tiny_model().logit_scale * _image() @ _texts(*CLASSES).T
    scores = [_score(Target(name, "class", classes=CLASSES))[0] for name in CLASSES]
    assert scores == pytest.approx(logits.softmax(0).tolist(), abs=1e-6)
    assert sum(scores) == pytest.approx(1, abs=1e-5)


def test_a_probability_near_one_keeps_its_gradient_and_direction():
    """float32 cannot tell it from 1, and what its gradient would lack is as large as the gradient."""
    cosines = _texts(*CLASSES) @ _image()
    target = Target(CLASSES[int(cosines.argmax())], "class", classes=CLASSES)
    best, next_best = cosines.sort(descending=True).values[:2].tolist()
    found = []
    for dtype in (torch.float32, torch.float64):
        clip = copy.deepcopy(tiny_clip()).to(dtype)
        clip.logit_scale.data.fill_(np.log(20 / (best - next_best)))
        question = image_question(wrap(clip), _prepared(picture()), [target], "squash")
        with torch.no_grad():
            embedding = question.encoder.encode(question.inputs)
        probability = question.readout(embedding.requires_grad_(), slice(0, 1)).sum()
        assert probability.item() == pytest.approx(1, abs=1e-7)
        found.append((torch.autograd.grad(probability, embedding)[0].double(), question.queries.double()))
    for single, double in zip(*found, strict=True):
        assert double.any() and (single - double).abs().max() <= 1e-3 * double.abs().max()


def test_the_direction_of_a_class_is_the_slope_of_its_log_probability():
    query = _texts(*CLASSES)
    embedding = _image().requires_grad_()
    scale = tiny_model().logit_scale
    log_probability = (scale * embedding @ query.T).log_softmax(0)[1]
    (slope,) = torch.autograd.grad(log_probability, embedding)
    torch.testing.assert_close(_score(Target(DOG, "class", classes=CLASSES))[1], slope / scale)


@pytest.mark.parametrize(
    "target",
    [Target(CAT, "difference", minus=DOG), Target(DOG, "class", classes=CLASSES), Target("cat", "ensemble")],
)
def test_gradients_are_those_of_the_targets_own_score(target):
    """Finite differences of the score along a random change of the last block's joined heads."""
    model = wrap(copy.deepcopy(tiny_clip()).double())
    question = image_question(model, _prepared(picture()), [target], "squash")
    trace = record(
        question.encoder, question.inputs, question.queries, grads={"out": 1},
        readout=lambda e: question.readout(e, slice(0, 1)),
    )  # fmt: skip
    layer, slope = trace.layers[-1], trace.gradients[-1].out[0]
    change = torch.randn(layer.out.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def score(step):
        tokens = layer.block.finish(layer.x.detach(), layer.out.detach() + step * change)
        return trace.readout(model.image.project(tokens[:, 0]))[0, 0].item()

    assert (slope * change).sum().item() == pytest.approx((score(1e-5) - score(-1e-5)) / 2e-5, rel=1e-6)


def test_clip_surgery_of_a_difference_is_the_difference_of_its_maps(tmp_path):
    store = Store(tmp_path, shipped=None)

    def value(target, spec="clip_surgery"):
        request = Request(picture(), (target,), (spec,))
        return ask(request, store, loaded=tiny_model()).maps[0].values

    cat, dog = (value(Target(text), "clip_surgery(against='empty')") for text in (CAT, DOG))
    np.testing.assert_allclose(value(Target(CAT, "difference", minus=DOG)), cat - dog, atol=1e-6)
    assert value(Target(kind="image", image=picture(1))).any()


def test_the_text_branch_explains_prompts_only(tmp_path):
    others = (
        Target("cat", "ensemble"),
        Target(CAT, "difference", minus=DOG),
        Target(kind="image", image=picture(5)),
        Target(DOG, "class", classes=CLASSES),
    )
    request = Request(picture(), (Target(CAT), *others), ("rollout",), branch="both")
    store = Store(tmp_path, shipped=None)
    found = ask(request, store, loaded=tiny_model())
    assert len([m for m in found.maps if m.branch == "image"]) == 5
    assert [m.target for m in found.maps if m.branch == "text"] == [CAT]
    assert [f.target for f in found.failures] == [target.label for target in others]
    assert all(f.unsupported and "explains prompts" in f.reason for f in found.failures)
    assert missing(request, store, tiny_model().info) == 0


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (Target("a whale", "class", classes=CLASSES), "none of the classes"),
        (Target(kind="image"), "has no image"),
        (Target(" ", "ensemble"), "empty"),
        (Target(CAT, "class", classes=(CAT, DOG, CAT)), "named 2 times"),
        (Target("caf\udce9"), "not valid Unicode; write it in UTF-8"),
        (Target(CAT, "difference", minus="\ud83d"), "not valid Unicode"),
    ],
)
def test_a_target_without_its_parts_gets_one_sentence(target, words, tmp_path):
    with pytest.raises(SidelightError, match=words):
        ask(Request(picture(), (target,), ("rollout",)), Store(tmp_path, shipped=None), loaded=tiny_model())


GRADIENT_METHODS = ["grad_eclip", "grad_cam", "game", "last_grad", "attention_gradient", "attention_eclip"]


@pytest.mark.parametrize("name", GRADIENT_METHODS)
def test_an_image_explained_for_itself_is_zero_and_says_so(name, tmp_path):
    image = picture()
    targets = (Target(kind="image", image=image), Target(kind="image", image=picture(5)))
    found = ask(Request(image, targets, (name,)), Store(tmp_path, shipped=None), loaded=tiny_model())
    itself, other = found.maps
    assert itself.score == pytest.approx(1, abs=1e-6)
    assert not itself.values.any() and "its own best match" in itself.note
    assert other.values.any() and other.note == ""


def test_a_score_without_a_logarithm_says_so(tmp_path):
    targets = (Target(CAT, "difference", minus=DOG), Target(DOG, "difference", minus=CAT))
    request = Request(picture(), targets, ("attention_gradient(score='negative log')",))
    maps = ask(request, Store(tmp_path, shipped=None), loaded=tiny_model()).maps
    below, above = sorted(maps, key=lambda m: m.score)
    assert below.score < 0 < above.score
    assert not below.values.any() and "only a score above zero has a logarithm" in below.note
    assert above.values.any() and above.note == ""


def test_a_text_that_is_longer_than_the_model_reads_says_so(tmp_path):
    targets = (Target(CAT), Target("cat " * 40), Target(CAT, "difference", minus="cat " * 40))
    found = ask(Request(picture(), targets, ("rollout",)), Store(tmp_path, shipped=None), loaded=tiny_model())
    said = ["what comes after them in the text does not count" in m.note for m in found.maps]
    assert said == [False, True, True]


def test_one_word_is_not_said_to_be_the_same_everywhere(tmp_path):
    request = Request(picture(), (Target("cat"),), ("rollout",), branch="text")
    (found,) = ask(request, Store(tmp_path, shipped=None), loaded=tiny_model()).maps
    assert found.content.sum() == 1 and found.note == ""


@pytest.mark.parametrize(
    "target",
    [Target(CAT, "difference", minus=CAT), Target(CAT, "class", classes=(CAT,))],
    ids=lambda t: t.kind,
)
def test_a_score_that_no_image_changes_is_explained_by_nothing(target, tmp_path):
    specs = (*GRADIENT_METHODS, "maskclip", "legrad", "occlusion", "integrated_gradients(steps=2)")
    found = ask(Request(picture(), (target,), specs), Store(tmp_path, shipped=None), loaded=tiny_model())
    assert len(found.maps) == len(specs)
    for map in found.maps:
        assert not map.values.any() and "the score is the same for every image" in map.note


EDGES = [
    Target("!"),
    Target("cat " * 40),
    Target(CAT, "class", classes=(CAT,)),
    Target(CAT, "difference", minus=CAT),
    Target(kind="image", image=picture()),
]
CHEAP = {"m2ib": "m2ib(steps=3)", "rise": "rise(masks=8)", "smooth_grad": "smooth_grad(samples=2)"}


@pytest.mark.parametrize("flat", [False, True], ids=["picture", "one colour"])
def test_no_method_gives_what_is_no_number(flat, tmp_path):
    image = picture()
    if flat:
        image = type(image)(np.full((70, 90, 3), 128, np.uint8), "one colour")
    specs = tuple(CHEAP.get(name, name) for name, m in METHODS.items() if "image" in m.branches)
    found = ask(Request(image, tuple(EDGES), specs), Store(tmp_path, shipped=None), loaded=tiny_model())
    assert not found.failures
    assert len(found.maps) == len(specs) * len(EDGES)
    assert all(
        np.isfinite(m.values).all() and np.isfinite([m.score, m.explained_score]).all() for m in found.maps
    )


@pytest.mark.parametrize("prompt", ["!", "cat", "cat " * 40])
def test_no_text_method_gives_what_is_no_number(prompt, tmp_path):
    specs = tuple(CHEAP.get(name, name) for name, m in METHODS.items() if "text" in m.branches)
    request = Request(picture(), (Target(prompt),), specs, branch="text")
    found = ask(request, Store(tmp_path, shipped=None), loaded=tiny_model())
    assert not found.failures and all(isinstance(m, Map) and np.isfinite(m.values).all() for m in found.maps)
