"""The unit of work with a small random CLIP: every metric, the same again, and faults of the set."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Pillow

import engine
from engine.curves import Protocol
from engine.metrics.localisation import pointing_game
from engine.randomised import randomised
from engine.render.scales import enlarge
from engine.runs import METRICS, RunRequest, run
from engine.runs.measure_maps import of_region
from engine.runs.subject import Subject
from engine.runs.work import measure
from engine.sources import open_set
from engine.store import Store
from engine.types import Map, SidelightError, Unsupported
from tests.engine.tiny import png, tiny_model

FIVE = tuple(n / 4 for n in range(5))
SPECS = ("grad_eclip", "clip_surgery")
TIMES = {name for name, metric in METRICS.items() if metric.group == "time"}
VOCABULARY = ("a cat", "a dog", "a red bus")


@pytest.fixture
def pictures(tmp_path):
    """Two images with a mask or a box, and one that is broken."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for n in range(2):
        (folder / f"{n}.png").write_bytes(png(n))
    (folder / "2.png").write_bytes(png(2)[:300])
    mask = np.zeros((70, 90), np.uint8)
    mask[10:40, 20:50] = 255
    Pillow.fromarray(mask).save(folder / "mask.png")
    rows = [
        {"file_name": "0.png", "prompts": ["a cat"], "objects": [{"name": "cat", "mask": "mask.png"}]},
        {"file_name": "1.png", "prompts": ["a dog", "a cat"],
         "objects": [{"name": "dog", "bbox": [30, 20, 40, 30]}]},
        {"file_name": "2.png", "prompts": ["a red bus"], "objects": []},
    ]  # fmt: skip
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store", shipped=None)


def asked(folder, metrics=tuple(METRICS), **changes):
    protocol = Protocol(deletion=FIVE, insertion=FIVE)
    return RunRequest(str(folder), SPECS, metrics, protocol=protocol, **changes)


def test_every_metric_of_every_method_is_measured_and_again_the_same(pictures, store, tmp_path):
    item = open_set(str(pictures)).items[0]
    rows = measure(asked(pictures), item, VOCABULARY, tiny_model(), store).rows
    found = {(r.spec, r.metric): r.value for r in rows}
    assert {r.target for r in rows} == {"a cat"} and {r.image for r in rows} == {"0"}
    measured = {metric for spec, metric in found if spec == "grad_eclip"}
    assert measured | {"share90"} == set(METRICS)  # the share is not defined where a curve never gets there
    assert {spec for spec, _ in found} == {*SPECS, "random", "center", "edges"}
    for spec in ("random", "center", "edges"):
        assert found[spec, "text_specificity"] == pytest.approx(0, abs=1e-9)
        assert found[spec, "score_fidelity"] == pytest.approx(0, abs=1e-6)
        assert found[spec, "forward_passes"] >= 1
    assert found["center", "max_sensitivity"] == 0 and found["center", "randomisation"] == pytest.approx(1)
    again = measure(
        asked(pictures), item, VOCABULARY, tiny_model(), Store(tmp_path / "other", shipped=None)
    ).rows
    steady = [r for r in rows if r.metric not in TIMES]
    assert [r for r in again if r.metric not in TIMES] == steady


def test_only_what_is_asked_for_is_measured_on_the_targets_shown(pictures, store):
    item = open_set(str(pictures)).items[1]
    rows = measure(asked(pictures, ("energy", "gini")), item, VOCABULARY, tiny_model(), store).rows
    assert {r.metric for r in rows} <= {"energy", "gini"} and {r.target for r in rows} == {"a dog"}


def test_asking_for_an_unrelated_prompt_changes_no_other_metric(pictures, store, tmp_path):
    item = open_set(str(pictures)).items[0]
    plain = measure(asked(pictures, ("gini",)), item, VOCABULARY, tiny_model(), store).rows
    other = Store(tmp_path / "other", shipped=None)
    both = measure(asked(pictures, ("gini", "text_specificity")), item, VOCABULARY, tiny_model(), other).rows
    found = {r.spec: r.value for r in both if r.metric == "gini"}
    assert found == pytest.approx(
        {r.spec: r.value for r in plain}, rel=1e-5
    )  # batched gradients round otherwise


def test_an_unrelated_prompt_is_asked_for_as_the_images_own(pictures, store, monkeypatch):
    targets = []

    def explain(request, *more, **how):
        targets.extend(request.targets)
        return engine.explain(request, *more, **how)

    monkeypatch.setattr("engine.runs.subject.explain", explain)
    item = replace(open_set(str(pictures)).items[0], imagenet=0)
    rows = measure(asked(pictures, ("text_specificity",)), item, VOCABULARY, tiny_model(), store).rows
    assert "clip_surgery" in {r.spec for r in rows}  # Grad-ECLIP's map of templates is zero here
    assert {target.kind for target in targets} == {"ensemble"} and len(set(targets)) == 2


def test_a_run_over_a_set_with_a_broken_image(pictures, tmp_path, monkeypatch):
    monkeypatch.setenv("SIDELIGHT_CACHE", str(tmp_path / "cache"))
    found = run(asked(pictures, ("energy", "deletion")), tmp_path / "run", loaded=tiny_model())
    assert found.status.done == 3 and found.status.failed == 1
    assert "2.png is cut off or damaged" in found.status.problems[0]
    assert {row.image for row in found.rows} == {"0", "1"}
    energy = [e for e in found.summary if e.metric == "energy"]
    assert [e.spec for e in energy] == [*SPECS, "random", "center", "edges"]
    assert sorted(e.rank for e in energy)[0] >= 1 and all(
        e.low <= e.mean <= e.high for e in energy if e.images
    )


def test_an_image_without_prompts_is_a_problem(pictures, store):
    item = replace(open_set(str(pictures)).items[0], prompts=())
    with pytest.raises(SidelightError, match="it has no prompts"):
        measure(asked(pictures), item, VOCABULARY, tiny_model(), store)


def test_an_image_without_a_class_costs_no_map(pictures, store, monkeypatch):
    monkeypatch.setattr("engine.runs.subject.explain", lambda *_, **__: pytest.fail("maps were computed"))
    request = replace(asked(pictures), protocol=Protocol(score="top-1", classes=("a whale", "a crab")))
    with pytest.raises(SidelightError, match="'a cat' is none of the 2 classes"):
        measure(request, open_set(str(pictures)).items[0], VOCABULARY, tiny_model(), store)


def test_an_oracle_map_is_best_at_localisation_and_its_inverse_worst():
    region = np.zeros((64, 64), bool)
    region[16:48, 32:64] = True
    oracle = region[8::16, 8::16].astype(np.float32)
    random = np.random.default_rng(0)
    maps = [oracle, -oracle + 1e-3 * random.random((4, 4)), *random.random((30, 4, 4))]

    def scores(values):
        item = Map("game", "image", "a cat", np.asarray(values, np.float32), 0.2, 0.2)
        subject = Subject(None, None, None, None, {"a cat": region}, {}, {}, None, None)
        return dict(of_region(subject, item))

    found = [scores(values) for values in maps]
    for metric in ("pointing", "miou", "accuracy", "map", "energy"):
        values = [one[metric] for one in found]
        assert values[0] == max(values), metric
        assert values[1] == min(values), metric
    assert pointing_game(enlarge(oracle, (64, 64)), region)


def test_randomised_models_differ_from_the_top_down_and_leave_the_original():
    import torch

    model = tiny_model()
    before = {name: value.clone() for name, value in model.clip.state_dict().items()}
    one = randomised(model, 1, 0)
    changed = {name for name, value in one.clip.state_dict().items() if not torch.equal(value, before[name])}
    last = len(model.image.blocks) - 1
    assert {name.split(".")[3] for name in changed if "resblocks" in name} == {str(last)}
    assert changed and all(name.startswith("visual.") for name in changed)
    everything = randomised(model, last + 1, 0)
    assert "visual.transformer.resblocks.0.attn.in_proj_weight" in {
        n for n, v in everything.clip.state_dict().items() if not torch.equal(v, before[n])
    }
    assert one.info.digest != model.info.digest != everything.info.digest
    for name, value in model.clip.state_dict().items():
        assert torch.equal(value, before[name])


def test_a_metric_that_set_or_model_does_not_allow_costs_no_other(pictures, store, monkeypatch):
    def refused(subject):
        raise Unsupported("This model has no blocks.")
        yield

    monkeypatch.setattr("engine.runs.measure_sanity.of_randomisation", refused)
    item = open_set(str(pictures)).items[0]
    wanted = asked(pictures, ("gini", "text_specificity", "randomisation"))
    found = measure(wanted, item, item.prompts, tiny_model(), store)
    assert {row.metric for row in found.rows} == {"gini"}
    assert found.failures == {
        "text_specificity": "Every prompt of the set is in the image, so none is unrelated.",
        "randomisation": "This model has no blocks.",
    }
