"""Scores without maps: the model's own, in one batch, from the store the second time."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from open_clip import OPENAI_IMAGENET_TEMPLATES

from engine import Request, Target, images, scores
from engine import explain as ask
from engine.models import wrap
from engine.store import Store
from engine.types import Cancelled, SidelightError
from tests.engine.tiny import picture, tiny_clip, tiny_model

TARGETS = (
    Target("a red dog"),
    Target("a red dog", kind="difference", minus="a dog"),
    Target("red"),
    Target("dog", kind="difference", minus=""),
)
REQUEST = Request(picture(2), TARGETS, (), branch="both")


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path, shipped=None)


def test_scores_are_those_of_the_maps(store):
    found = scores.compute(REQUEST, store, loaded=tiny_model()).values
    maps = ask(replace(REQUEST, specs=("center",), branch="image"), store, loaded=tiny_model()).maps
    assert found == pytest.approx({m.target: m.score for m in maps}, abs=1e-6)


def test_a_difference_is_what_the_score_loses_without_the_word(store):
    more = (*TARGETS, Target("a dog"))
    found = scores.compute(replace(REQUEST, targets=more), store, loaded=tiny_model()).values
    assert found[TARGETS[1].label] == pytest.approx(found["a red dog"] - found["a dog"], abs=1e-6)


def test_the_store_answers_the_second_time(store):
    model = tiny_model()
    told = []
    first = scores.compute(REQUEST, store, progress=told.append, loaded=model)
    assert told and told[-1].total == len(TARGETS)
    held = scores.stored(REQUEST, store, model.info)
    assert held.values == pytest.approx(first.values, abs=1e-7)

    info = replace(model.info, digest="0" * 64)
    assert scores.stored(REQUEST, store, info).values == {}  # other weights, other scores
    told.clear()
    again = scores.compute(REQUEST, store, progress=told.append, loaded=model)
    assert again.values == held.values and "comparing image and words" not in {t.stage for t in told}


def test_scores_that_are_no_numbers_never_reach_the_store(store):
    clip = copy.deepcopy(tiny_clip())
    clip.visual.proj.data.fill_(torch.nan)
    model = wrap(clip)
    with pytest.raises(SidelightError, match="custom gave scores that are not numbers"):
        scores.compute(REQUEST, store, loaded=model)
    assert scores.stored(REQUEST, store, model.info).values == {}
    request = replace(REQUEST, specs=("center", "grad_eclip"), branch="image")
    found = ask(request, store, loaded=model)
    assert not found.maps and len(found.failures) == 2 * len(TARGETS)
    assert all("not numbers" in failure.reason for failure in found.failures)


def test_cancelling_stops_before_the_forward_pass(store):
    with pytest.raises(Cancelled):
        scores.compute(REQUEST, store, cancelled=lambda: True, loaded=tiny_model())
    assert scores.stored(REQUEST, store, tiny_model().info).values == {}


def test_an_empty_prompt_is_refused(store):
    with pytest.raises(SidelightError, match="prompt is empty"):
        scores.compute(replace(REQUEST, targets=(Target(" "),)), store, loaded=tiny_model())


def test_scores_are_float32_of_their_own_key(store):
    scores.compute(REQUEST, store, loaded=tiny_model())
    values = scores.stored(REQUEST, store, tiny_model().info).values
    assert set(values) == {t.label for t in TARGETS}
    assert all(np.float32(v) == v for v in values.values())


EMOTIONS = ("joy", "sadness", "anger", "fear", "disgust", "surprise", "a mixed feeling")


def unit_embeddings(*texts):
    """open_clip's own, of texts [p e] and of the request's image [e], in float64."""
    model = tiny_model()
    seen = images.prepare(REQUEST.image, model.info.preprocess, REQUEST.resize)
    with torch.no_grad():
        words = [tiny_clip().encode_text(model.token_ids([text]), normalize=True)[0] for text in texts]
        image = tiny_clip().encode_image(torch.as_tensor(seen.pixels)[None], normalize=True)[0]
    return torch.stack(words).double().numpy(), image.double().numpy()


def test_class_probabilities_are_the_softmax_at_the_models_own_logit_scale(store):
    targets = tuple(Target(name, "class", classes=EMOTIONS) for name in EMOTIONS)
    found = scores.compute(replace(REQUEST, targets=targets), store, loaded=tiny_model()).values
    texts, image = unit_embeddings(*EMOTIONS)
    scale = math.exp(float(tiny_clip().logit_scale.detach()))
    weights = [math.exp(scale * sum(a * b for a, b in zip(text, image, strict=True))) for text in texts]
    expected = {target.label: weight / sum(weights) for target, weight in zip(targets, weights, strict=True)}
    assert found == pytest.approx(expected, abs=1e-6)
    assert sum(found.values()) == pytest.approx(1, abs=1e-6)
    assert sorted(found, key=found.get) == sorted(expected, key=expected.get)  # the same ranking
    assert max(found.values()) > 2 * min(found.values())


def test_a_class_is_asked_among_its_own_list(store):
    """One request may hold lists of different length; a lone class is certain."""
    targets = (
        Target("joy", "class", classes=EMOTIONS),
        Target("joy", "class", classes=("fear", "joy")),
        Target("joy", "class", classes=("joy",)),
    )
    few, two, alone = (
        scores.compute(replace(REQUEST, targets=targets), store, loaded=tiny_model()).values[t.label]
        for t in targets
    )
    texts, image = unit_embeddings("joy", "fear")
    joy, fear = texts @ image * math.exp(float(tiny_clip().logit_scale.detach()))
    assert two == pytest.approx(1 / (1 + math.exp(fear - joy)), abs=1e-6)
    assert alone == pytest.approx(1) and few < two


def test_an_ensemble_is_scored_by_the_mean_over_the_templates(store):
    found = scores.compute(replace(REQUEST, targets=(Target("joy", "ensemble"),)), store, loaded=tiny_model())
    texts, image = unit_embeddings(*(template("joy") for template in OPENAI_IMAGENET_TEMPLATES))
    mean = texts.mean(0)
    assert list(found.values.values()) == pytest.approx([mean @ image / np.linalg.norm(mean)], abs=1e-6)
