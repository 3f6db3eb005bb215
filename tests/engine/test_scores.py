"""Scores without maps: the model's own, in one batch, from the store the second time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine import Request, Target, scores
from engine import explain as ask
from engine.store import Store
from engine.types import Cancelled, SidelightError
from tests.engine.tiny import picture, tiny_model

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
