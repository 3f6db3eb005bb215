"""Asking for maps: the store answers what it can, the rest is computed once, and nothing finished is lost."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

import engine.compute
import engine.models
from engine import Request, Target, missing, scores
from engine import explain as ask
from engine.registry import METHODS
from engine.specs import parse
from engine.store import Store
from engine.types import Cancelled, SidelightError
from tests.engine.tiny import PROMPTS, picture, tiny_model

SPECS = ("grad_eclip", "game(layers='last')", "rollout", "random")


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path, shipped=None)


def request_for(*specs, prompts=PROMPTS, **changes):
    return Request(picture(), tuple(map(Target, prompts)), specs or SPECS, **changes)


def explain(request, store, **more):
    return ask(request, store, loaded=tiny_model(), **more)


def test_second_time_everything_comes_from_the_store(store):
    first = explain(request_for(), store)
    again = explain(request_for(), store)
    assert (first.computed, again.computed) == (12, 0)
    assert not first.failures
    for a, b in zip(first.maps, again.maps, strict=True):
        assert (a.spec, a.target, a.score, a.note) == (b.spec, b.target, b.score, b.note)
        np.testing.assert_array_equal(a.values, b.values)
        assert a.values.shape == first.grid == (4, 4)


def test_only_what_lacks_is_computed(store):
    explain(request_for("grad_eclip", prompts=PROMPTS[:2]), store)
    info = tiny_model().info
    assert missing(request_for("grad_eclip", "rollout"), store, info) == 4
    result = explain(request_for("grad_eclip", "rollout"), store)
    assert result.computed == 4
    assert [(m.spec, m.target) for m in result.maps] == [
        (s, p) for s in ("grad_eclip", "rollout") for p in PROMPTS
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"resize": "squash"},
        {"image": picture(7)},
        {"targets": (Target("another"),)},
        {"targets": (Target(PROMPTS[0], kind="difference", minus="a dog"),)},
        {"specs": ("grad_eclip(layers=2)",)},
        {"specs": ("grad_cam",)},
    ],
)
def test_every_ingredient_is_in_the_key(store, change):
    base = request_for("grad_eclip", prompts=PROMPTS[:1])
    explain(base, store)
    assert missing(replace(base, **change), store, tiny_model().info) == 1


def test_scores_are_the_models_own(store):
    from engine.images import prepare

    model, request = tiny_model(), request_for("grad_eclip", "grad_eclip(heads='single')")
    pixels = model.pixels([prepare(request.image, model.info.preprocess, "crop")])
    with torch.no_grad():
        texts = model.clip.encode_text(model.token_ids(PROMPTS), normalize=True)
        own = model.clip.encode_image(pixels, normalize=True) @ texts.T
    result = explain(request, store)
    for index, prompt in enumerate(PROMPTS):
        faithful = result.get("grad_eclip", prompt)
        single = result.get("grad_eclip(heads='single')", prompt)
        assert faithful.score == single.score == pytest.approx(float(own[0, index]), abs=1e-5)
        assert faithful.explained_score == pytest.approx(faithful.score, abs=1e-5)
        assert abs(single.explained_score - single.score) > 1e-3


def test_text_branch_gives_a_value_a_token(store):
    result = explain(request_for("grad_eclip", branch="text"), store)
    found = result.get("grad_eclip", "two red dogs on a sofa", "text")
    assert found.values.shape == found.content.shape == (16,)
    assert found.content.sum() == 6
    assert found.tokens[:8] == ("<start>", "two", "red", "dogs", "on", "a", "sofa", "<end>")
    assert found.spans[2] == (4, 7)


def test_both_branches_leave_out_what_a_method_lacks(store):
    result = explain(request_for("maskclip", "rollout", branch="both"), store)
    assert {(m.spec, m.branch) for m in result.maps} == {
        ("maskclip", "image"), ("rollout", "image"), ("rollout", "text")
    }  # fmt: skip


def test_targets_of_every_kind(store):
    targets = (
        Target("a cat"),
        Target("a cat", kind="difference", minus="a dog"),
        Target(kind="image", image=picture(9)),
        Target("a cat", kind="class", classes=("a cat", "a dog", "a car")),
    )
    result = explain(Request(picture(), targets, ("grad_eclip", "maskclip")), store)
    assert not result.failures
    cat, difference, _image, probability = (result.get("grad_eclip", t.label) for t in targets)
    dog = explain(request_for("grad_eclip", prompts=["a dog"]), store).maps[0]
    assert difference.score == pytest.approx(cat.score - dog.score, abs=1e-6)
    assert 0 < probability.score < 1


def test_a_method_that_fails_is_a_card_and_the_others_stay(store, monkeypatch):
    def broken(trace, **params):
        raise ValueError("something odd")

    monkeypatch.setitem(METHODS, "maskclip", replace(METHODS["maskclip"], run=broken))
    result = explain(request_for("maskclip", "rollout"), store)
    assert {f.spec for f in result.failures} == {"maskclip"}
    assert "something odd" in result.failures[0].reason
    assert len(result.maps) == 3


def test_what_was_finished_before_a_cancel_is_kept(store):
    seen = []

    def cancelled():
        return "rollout" in seen

    with pytest.raises(Cancelled):
        explain(request_for(), store, progress=lambda p: seen.append(p.stage), cancelled=cancelled)
    assert missing(request_for(), store, tiny_model().info) < 12


@pytest.mark.parametrize("compute", [ask, scores.compute])
def test_a_long_list_of_classes_can_be_cancelled_on_its_way(store, monkeypatch, compute):
    monkeypatch.setattr(engine.models, "TEXTS_AT_ONCE", 2)
    model, said = tiny_model(), []
    names = tuple(f"{compute.__module__} class {n}" for n in range(9))
    request = replace(request_for("grad_eclip"), targets=(Target(names[0], "class", classes=names),))
    with pytest.raises(Cancelled):
        compute(
            request,
            store,
            progress=lambda p: said.append(p.stage),
            cancelled=lambda: "text 4 of 9" in said,
            loaded=model,
        )
    assert [name in model._texts for name in names] == [True] * 6 + [False] * 3


def test_values_that_are_no_numbers_never_reach_the_store(store, monkeypatch):
    def broken(trace, **params):
        return trace.embedding.new_full((3, 1, 17), float("nan"))

    monkeypatch.setitem(METHODS, "maskclip", replace(METHODS["maskclip"], run=broken))
    assert len(explain(request_for("maskclip"), store).failures) == 3
    assert missing(request_for("maskclip"), store, tiny_model().info) == 3


def test_many_targets_go_in_parts_and_agree(store, monkeypatch):
    whole = explain(request_for("game"), store)
    monkeypatch.setattr(engine.compute, "GRAPH_BYTES", 1)
    parts = explain(request_for("game"), Store(store.folder / "other", shipped=None))
    for a, b in zip(whole.maps, parts.maps, strict=True):
        np.testing.assert_allclose(a.values, b.values, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (request_for(prompts=["  "]), "empty"),
        (request_for("grad_eclipp"), "did you mean grad_eclip"),
        (request_for("grad_eclip(heads='two')"), "'model', 'single'"),
        (request_for("grad_eclip(1)"), "name(key=value"),
        (request_for("grad_eclip(layers=1, layers=2)"), "twice"),
        (request_for("grad_eclip(layers=0)"), "whole number"),
        (request_for("rise(masks=1" + "0" * 400 + ")"), "0... is not valid; it takes a whole number"),
        (request_for("grad_eclip(layers=__import__('os'))"), "plain number"),
        (request_for("grad_eclip(" + " " * 600 + ")"), "500"),
        (request_for("grad_eclip(depth=1)"), "no parameter 'depth'"),
        (request_for(resize="stretch"), "crop, fit, squash"),
        (request_for("maskclip", branch="text"), "no text branch"),
        (request_for(branch="audio"), "image, text or both"),
    ],
)
def test_bad_requests_get_one_sentence(store, request_, words):
    with pytest.raises(SidelightError) as caught:
        explain(request_, store)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_canonical_specs_sort_keys_and_leave_defaults_out():
    assert str(parse("grad_eclip(projected=False, layers=1.0, heads='single')")) == (
        "grad_eclip(heads='single', projected=False)"
    )
    assert str(parse(" game() ")) == "game"


def test_a_stored_grid_needs_no_torch(tmp_path):
    """Stores the bundled model's maps in one process and reads them in another that must not load torch."""
    script = """
import sys
from engine import Request, Target, explain, load_image
result = explain(Request(load_image(sys.argv[1]), (Target("a cat"), Target("a dog")), ("grad_eclip", "game")))
print(result.computed, len(result.maps), "torch" in sys.modules, "open_clip" in sys.modules)
"""
    from tests.engine.tiny import png

    (tmp_path / "p.png").write_bytes(png())
    environment = {**os.environ, "SIDELIGHT_CACHE": str(tmp_path / "cache")}
    run = [sys.executable, "-c", script, str(tmp_path / "p.png")]
    outputs = [
        subprocess.run(run, env=environment, capture_output=True, text=True, check=True).stdout.split()
        for _ in range(2)
    ]
    assert outputs == [["4", "4", "True", "True"], ["0", "4", "False", "False"]]
