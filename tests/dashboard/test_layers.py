"""The Layers page under AppTest, with made-up summaries; and the bytes that its component is sent."""

from __future__ import annotations

import json
import struct
from dataclasses import replace

import numpy as np
import pytest

from dashboard import gateway
from dashboard.choices import State
from dashboard.components.layers import Panel, payload
from dashboard.components.packing import MAGIC
from dashboard.views import layers_panels
from engine.layers import QUANTITIES, SHARES, Rows, Summary, encode
from engine.types import SidelightError, Target, Unsupported
from tests.dashboard.conftest import ALIKE, Job

DEPTH, HEADS, TOKENS = 3, 2, 5
CONTENT = np.array([False, True, True, True, True])


def summary(target: Target, tower: str) -> Summary:
    rng = np.random.default_rng(0)
    known = [q for q in QUANTITIES.values() if tower in q.branches]
    return Summary(
        branch=tower,
        target=target,
        pooled={q.name: rng.random((DEPTH, HEADS if q.heads else 1, TOKENS), np.float32) for q in known},
        shares={s.name: rng.random(DEPTH, np.float32) for s in SHARES.values() if tower in s.branches},
        entropy=rng.random((DEPTH, HEADS), np.float32),
        distance=rng.random((DEPTH, HEADS), np.float32),
        row=0 if tower == "image" else TOKENS - 1,
        content=CONTENT,
        grid=(2, 2) if tower == "image" else None,
        tokens=() if tower == "image" else ("<start>", "a", "dog", "!", "<end>"),
        score=0.25,
        seconds=0.1,
    )


def some_rows() -> Rows:
    return encode(np.random.default_rng(1).random((HEADS, TOKENS, TOKENS)), CONTENT, False)


@pytest.fixture
def asked(standin, monkeypatch) -> list[tuple]:
    """What the page asks of the engine, answered with made-up numbers."""
    calls: list[tuple] = []

    def layers_of(shown, of):
        calls.append((shown.model, shown.tower, of))
        return (None, standin.job) if standin.job else (summary(of, shown.tower), None)

    def layer_rows(shown, of, quantity, blocks):
        calls.append((quantity, tuple(blocks)))
        return {block: some_rows() for block in blocks}

    monkeypatch.setattr(gateway.layers, "layers_of", layers_of)
    monkeypatch.setattr(gateway.layers, "layer_rows", layer_rows)
    return calls


def sent(test) -> dict:
    """The JSON part of what the component was sent."""
    data = next(e for e in test.main if e.type == "bidi_component").proto.bytes
    return header(data)


def header(data: bytes) -> dict:
    assert data[:4] == MAGIC
    (length,) = struct.unpack("<I", data[4:8])
    return json.loads(data[8 : 8 + length])


def test_the_image_tower_is_sent_with_all_rows_of_its_quantity(opened, asked):
    head = sent(opened("layers", prompts=["a dog", "a cat"], layer=["2"]))
    (panel,) = head["panels"]
    assert (panel["title"], panel["state"], panel["grid"]) == ("a dog", "ready", [2, 2])
    assert panel["rows_of"] == "attention" and list(panel["rows"]) == ["0", "1", "2"]
    assert head["view"]["layer"] == 2
    assert {q["name"] for q in head["quantities"]} == set(QUANTITIES)
    assert asked == [("bundled", "image", Target("a dog")), ("attention", (0, 1, 2))]


def test_a_quantity_without_sources_needs_no_rows(opened, asked):
    head = sent(opened("layers", prompts=["a dog"], quantity=["similarity"]))
    assert head["panels"][0]["rows"] == {}
    assert len(asked) == 1


def test_two_prompts_or_two_models_are_two_panels(opened, asked):
    head = sent(opened("layers", prompts=["a dog", "a cat"], beside=["a cat"]))
    assert [p["title"] for p in head["panels"]] == ["a dog", "a cat"]
    models = {"second_model": ["ViT-B-16"], "second_pretrained": ["openai"], "beside": ["model:"]}
    head = sent(opened("layers", prompts=["a dog"], **models))
    assert [p["detail"] for p in head["panels"]] == ["bundled", "ViT-B-16/openai"]


def test_another_image_may_be_the_target_of_the_image_tower_only(opened, asked):
    (panel,) = sent(opened("layers", target=["image:s1"]))["panels"]
    assert panel["title"] == "image s1"
    assert asked[0][2].kind == "image"
    (panel,) = sent(opened("layers", prompts=["a dog"], target=["image:s1"], tower=["text"]))["panels"]
    assert (panel["title"], panel["tokens"][2], panel["picture"]) == ("a dog", "dog", None)


@pytest.mark.parametrize(
    "query",
    [
        {"target": ["image:../../etc/passwd"]},
        {"target": ["<b>"]},
        {"beside": ["model:"]},
        {"beside": ["a dog"]},
        {"beside": ["a prompt of another image"]},
        {"beside": ["image:s1"], "tower": ["text"], "quantity": ["attention"]},
        {"quantity": ["nonsense"]},
        {"quantity": ["legrad"], "tower": ["text"]},
    ],
)
def test_what_a_link_names_in_vain_is_replaced(opened, asked, query):
    test = opened("layers", prompts=["a dog"], **query)
    assert not test.exception
    (panel,) = sent(test)["panels"]
    assert (panel["title"], panel["state"], panel["rows_of"]) == ("a dog", "ready", "attention")


def test_what_is_computed_is_waited_for(opened, asked, standin):
    standin.job = Job()
    test = opened("layers", prompts=["a dog"])
    (panel,) = sent(test)["panels"]
    assert (panel["state"], panel["waiting"]) == ("waiting", "Loading ViT-B-16/openai")
    assert any(button.label == "Cancel" for button in test.button)


def test_a_failure_is_a_quiet_panel(opened, asked, standin):
    standin.job = Job(state="failed", error="No weights here.")
    (panel,) = sent(opened("layers", prompts=["a dog"]))["panels"]
    assert (panel["state"], panel["reason"]) == ("quiet", "No weights here.")


def test_a_model_without_layers_is_a_quiet_panel(opened, asked, monkeypatch):
    def refused(shown, of):
        raise Unsupported("Its image tower is no vision transformer.")

    monkeypatch.setattr(gateway.layers, "layers_of", refused)
    (panel,) = sent(opened("layers", prompts=["a dog"]))["panels"]
    assert panel["reason"] == "Its image tower is no vision transformer."


def test_a_large_models_rows_come_a_few_layers_at_a_time(standin, asked, monkeypatch):
    monkeypatch.setattr(layers_panels, "SENT_AT_ONCE", DEPTH * HEADS * TOKENS**2 - 1)
    layers_panels.panels(State(prompts=("a dog",), layer=1))
    assert asked[-1] == ("attention", (0, 1))
    layers_panels.panels(State(prompts=("a dog",)))
    assert asked[-1] == ("attention", (1, 2))


def test_arrays_in_the_payload_are_aligned_and_whole():
    rows = some_rows()
    panel = Panel("k", "a dog", summary=summary(Target("a dog"), "text"), rows_of="attention", rows={1: rows})
    data = payload([panel], tuple(QUANTITIES.values()), SHARES, {"layer": 0}, 1)
    head = header(data)
    (length,) = struct.unpack("<I", data[4:8])
    place = head["panels"][0]["rows"]["1"]["codes"]
    start = 8 + length + place["at"]
    found = np.frombuffer(data, place["type"], np.prod(place["shape"]), start).reshape(place["shape"])
    np.testing.assert_array_equal(found, rows.codes)
    places = [*head["panels"][0]["pooled"].values(), head["panels"][0]["entropy"], place]
    assert all((8 + length + p["at"]) % 4 == 0 for p in places)


def test_the_view_from_the_browser_is_checked(standin, monkeypatch):
    from dashboard.views import layers

    taken = {}
    monkeypatch.setattr(layers.state, "update", lambda **values: taken.update(values))
    layers._told({"layer": "many", "head": "2", "colormap": "<script>", "target": "x", "opacity": 0.5})
    assert (taken["layer"], taken["head"], taken["colormap"], taken["opacity"]) == (0, "2", "inferno", 0.5)
    assert "target" not in taken


def test_one_queue_answers_both_kinds_of_request(monkeypatch):
    import engine
    import engine.layers

    monkeypatch.setattr(engine, "explain", lambda asked, **how: "maps")
    monkeypatch.setattr(engine.layers, "compute", lambda asked, **how: "layers")
    request = engine.Request(None, (Target("a"),), ("game",))
    assert gateway.work._answer(request) == "maps"
    assert gateway.work._answer(replace(request, specs=())) == "layers"


def test_an_unknown_set_is_one_sentence(standin):
    with pytest.raises(SidelightError):
        layers_panels.panels(State(image_set="nowhere"))


def test_one_of_two_prompts_that_begin_alike_is_chosen(opened, asked):
    test = opened("layers", prompts=list(ALIKE), target=[ALIKE[1]])
    box = next(box for box in test.selectbox if box.label == "Explained")
    assert box.value == ALIKE[1]
    box.set_value(ALIKE[0]).run()
    assert not test.exception and test.query_params["target"] == ALIKE[0]
