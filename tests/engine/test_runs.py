"""Runs that are killed, shared, cancelled and resumed, with a stand-in for the measuring of an image."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image as Pillow
from pyarrow import csv, parquet

from engine.curves import Protocol
from engine.runs import Measured, Row, RunRequest, against_controls, beats, question, result, run, status
from engine.runs.catalog import METRICS, checked
from engine.runs.published import PUBLISHED
from engine.runs.subject import bare, targets_of, unrelated_prompt
from engine.runs.summary import summarise
from engine.runs.table import as_csv, as_table
from engine.types import Cancelled, SidelightError
from tests.patience import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
MODEL = SimpleNamespace(info=SimpleNamespace(id="stand-in", digest="0" * 64), device="cpu")
WORKER = """
import os, sys, time
from pathlib import Path
from types import SimpleNamespace
import engine.runs.runner as module
from engine.curves import Protocol
from engine.runs import Measured, Row, RunRequest, run

folder, log, pause = Path(sys.argv[1]), sys.argv[3], float(sys.argv[4])

def measure(request, item, vocabulary, model, cancelled=None):
    with open(log, "a") as file:
        file.write(f"{os.getpid()} {item.id}\\n")
    time.sleep(pause)
    return Measured((Row(item.id, "a cat", "game", "deletion", float(len(item.id))),))

module.measure = measure
model = SimpleNamespace(info=SimpleNamespace(id="stand-in", digest="0" * 64), device="cpu")
run(RunRequest(sys.argv[2], ("game",), ("deletion",)), folder, loaded=model)
"""


@pytest.fixture
def pictures(tmp_path):
    """A folder with 12 images of one class."""
    folder = tmp_path / "pictures" / "cat"
    folder.mkdir(parents=True)
    for n in range(12):
        Pillow.new("RGB", (8, 8), (20 * n, 0, 0)).save(folder / f"{n:02d}.png")
    return folder.parent


@pytest.fixture
def measured(monkeypatch):
    """Replace the measuring of an image; what was measured, in order."""
    seen = []

    def measure(request, item, vocabulary, model, cancelled=None):
        seen.append(item.id)
        if item.id.endswith("03"):
            raise SidelightError("03.png is cut off.")
        value, specs = float(item.id[-2:]), request.specs
        return Measured(
            tuple(Row(item.id, "a cat", spec, "deletion", value) for spec in specs),
            {"rollout": "it needs blocks."} | ({"sclip": "it is tired."} if value < 2 else {}),
        )

    monkeypatch.setattr("engine.runs.runner.measure", measure)
    return seen


def asked(pictures, **changes):
    return RunRequest(str(pictures), ("game", "grad_cam"), **{"metrics": ("deletion",), **changes})


def worker(pictures, folder, log, pause):
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder), str(pictures), str(log), str(pause)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_for(condition, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def test_a_run_measures_each_image_and_names_the_broken_one(pictures, tmp_path, measured):
    seen = []
    found = run(asked(pictures), tmp_path / "run", seen.append, loaded=MODEL)
    assert measured == [f"cat/{n:02d}" for n in range(12)]
    assert [s.done for s in seen] == list(range(13)) and seen[-1].total == 12
    assert seen[0].left is None and seen[6].rate > 0 and seen[6].left == pytest.approx(6 / seen[6].rate)
    assert found.status.failed == 1 and found.status.problems == ("cat/03: 03.png is cut off.",)
    assert {row.image for row in found.rows} == {f"cat/{n:02d}" for n in range(12) if n != 3}
    assert [e.images for e in found.summary] == [11, 11, 0, 0, 0]
    assert found.unmeasured == ("rollout: it needs blocks.", "sclip, 2 of 11 images: it is tired.")


def test_a_run_that_is_whole_is_not_measured_again(pictures, tmp_path, measured):
    first = run(asked(pictures), tmp_path / "run", loaded=MODEL)
    again = run(asked(pictures), tmp_path / "run", loaded=MODEL)
    assert again.rows == first.rows == result(tmp_path / "run").rows
    assert measured[12:] == ["cat/03"]  # which had a problem, and is tried again


def test_an_image_that_was_mended_is_measured_by_the_next_run(pictures, tmp_path, measured, monkeypatch):
    run(asked(pictures), tmp_path / "run", loaded=MODEL)
    mended = Measured((Row("cat/03", "a cat", "game", "deletion", 3.0),))
    monkeypatch.setattr("engine.runs.runner.measure", lambda *given, **how: mended)
    found = run(asked(pictures), tmp_path / "run", loaded=MODEL)
    assert found.status.failed == 0 and "cat/03" in {row.image for row in found.rows}
    assert found.status.done == 12 and len(measured) == 12


def test_a_metric_asked_for_that_has_no_value_is_named(pictures, tmp_path, measured, monkeypatch):
    wanted = asked(pictures, metrics=("deletion", "pointing", "slope"))
    monkeypatch.setattr(
        "engine.runs.runner.measure",
        lambda request, item, *given, **how: Measured((Row(item.id, "t", "game", "deletion", 1.0),)),
    )
    assert run(wanted, tmp_path / "run", loaded=MODEL).unmeasured == (
        "pointing: No image of the set has a mask or box of what its prompt names.",
        "slope: It is undefined for every map.",
    )


def test_a_file_name_that_is_no_utf8_is_measured_and_written(pictures, tmp_path, measured):
    odd = os.fsencode(pictures / "cat") + b"/caf\xe9-77.png"
    os.replace(os.fsencode(pictures / "cat" / "11.png"), odd)
    found = run(asked(pictures), tmp_path / "run", loaded=MODEL)
    assert measured[-1] == "cat/caf\udce9-77" == found.rows[-1].image
    assert "cat/caf\\udce9-77" in (tmp_path / "run" / "table.csv").read_text(encoding="utf-8")
    item = SimpleNamespace(id=measured[-1], prompts=(), objects=())
    assert unrelated_prompt(item, ("a dog",), 0) == "a dog"


def test_cancel_and_go_on(pictures, tmp_path, measured):
    with pytest.raises(Cancelled):
        run(asked(pictures), tmp_path / "run", cancelled=lambda: len(measured) == 5, loaded=MODEL)
    assert status(tmp_path / "run").done == 5
    run(asked(pictures), tmp_path / "run", loaded=MODEL)
    again = ["cat/03"]  # which had a problem
    assert Counter(measured) == Counter([*(f"cat/{n:02d}" for n in range(12)), *again])


def test_an_interruption_loses_at_most_the_image_in_hand(pictures, tmp_path, monkeypatch):
    def measure(request, item, vocabulary, model, cancelled=None):
        if item.id.endswith("04"):
            raise KeyboardInterrupt
        return Measured((Row(item.id, "a cat", "game", "deletion", 1.0),))

    monkeypatch.setattr("engine.runs.runner.measure", measure)
    with pytest.raises(KeyboardInterrupt):
        run(asked(pictures), tmp_path / "run", loaded=MODEL)
    assert status(tmp_path / "run").done == 4


def test_a_kill_loses_at_most_the_image_in_hand(pictures, tmp_path):
    folder, log = tmp_path / "run", tmp_path / "log"
    first = worker(pictures, folder, log, 0.2)
    wait_for(lambda: (folder / "run.json").exists() and status(folder).done >= 3)
    os.kill(first.pid, signal.SIGKILL)
    first.communicate(timeout=PATIENCE)
    done = status(folder).done
    second = worker(pictures, folder, log, 0)
    assert second.wait(timeout=PATIENCE) == 0, second.stderr.read()
    second.communicate()
    counted = Counter(line.split()[1] for line in log.read_text().splitlines())
    assert 3 <= done < 12 and len(counted) == 12
    assert sum(counted.values()) <= 13 and max(counted.values()) <= 2  # the image in hand, once more
    assert Counter(row.image for row in result(folder).rows) == Counter(f"cat/{n:02d}" for n in range(12))


def test_two_processes_share_a_run(pictures, tmp_path):
    folder, log = tmp_path / "run", tmp_path / "log"
    both = [worker(pictures, folder, log, 0.3) for _ in range(2)]
    for one in both:
        assert one.wait(timeout=PATIENCE) == 0, one.stderr.read()
        one.communicate()
    lines = [line.split() for line in log.read_text().splitlines()]
    assert Counter(image for _, image in lines) == Counter(f"cat/{n:02d}" for n in range(12))
    assert len(result(folder).rows) == 12


def test_a_folder_of_another_run_is_refused(pictures, tmp_path, measured):
    run(asked(pictures), tmp_path / "run", loaded=MODEL)
    with pytest.raises(SidelightError, match="holds a run with other settings"):
        run(asked(pictures, seed=1), tmp_path / "run", loaded=MODEL)
    other = SimpleNamespace(info=SimpleNamespace(id="stand-in", digest="1" * 64), device="cpu")
    with pytest.raises(SidelightError, match="other weights of the model"):
        run(asked(pictures), tmp_path / "run", loaded=other)
    Pillow.new("RGB", (8, 8)).save(pictures / "cat" / "99.png")
    with pytest.raises(SidelightError, match="other images"):
        run(asked(pictures), tmp_path / "run", loaded=MODEL)


def test_a_folder_that_cannot_be_used_is_a_sentence_without_its_path(pictures, tmp_path, measured):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "newer").mkdir()
    (tmp_path / "newer" / "run.json").write_text('{"format": 99}')
    for name, complaint in (
        ("file", "'file' cannot be written"),
        ("newer", "'newer' is of another version"),
        ("none", "no run in the folder 'none'"),
    ):
        with pytest.raises(SidelightError, match=complaint) as caught:
            status(tmp_path / name) if name == "none" else run(asked(pictures), tmp_path / name, loaded=MODEL)
        assert str(tmp_path) not in str(caught.value)


def test_a_full_disk_is_a_sentence_and_what_is_finished_stays(pictures, tmp_path, measured, monkeypatch):
    replaced = os.replace

    def refuse(source, target):
        if str(target).endswith("000002.json"):
            raise OSError(28, "No space left on device")
        replaced(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(SidelightError, match=r"000002.json of the run cannot be written \(No space left"):
        run(asked(pictures), tmp_path / "run", loaded=MODEL)
    assert status(tmp_path / "run").done == 2


def test_wrong_requests_are_refused_before_anything_is_written(pictures, tmp_path, measured):
    for request, complaint in (
        (
            replace(asked(pictures), metrics=("beauty",)),
            "There is no metric 'beauty'; the metrics are deletion",
        ),
        (asked(pictures, reference="rollout"), "'rollout' is none of the methods"),
        (replace(asked(pictures), set="nowhere"), "There is no image set 'nowhere'"),
        (replace(asked(pictures), specs=("gamma",)), "There is no method 'gamma'"),
        (
            asked(pictures, protocol=Protocol(score="top-1", classes=("a whale", "a crab"))),
            "'cat' is none of the 2 classes",
        ),
        (replace(asked(pictures), specs=("leave_one_out",)), "leave_one_out has no maps of images"),
    ):
        with pytest.raises(SidelightError, match=complaint):
            run(request, tmp_path / "run", loaded=MODEL)
    with pytest.raises(SidelightError, match="There is no run in"):
        status(tmp_path / "run")
    assert not (tmp_path / "run").exists() and not measured


def test_the_tables(pictures, tmp_path, measured):
    found = run(asked(pictures), tmp_path / "run", loaded=MODEL)
    rows = parquet.read_table(tmp_path / "run" / "table.parquet")
    assert rows.column_names == ["image", "target", "spec", "metric", "value"] and rows.num_rows == 22
    again = csv.read_csv(tmp_path / "run" / "table.csv")
    assert again["value"].to_pylist() == rows["value"].to_pylist() == [r.value for r in found.rows]
    summary = csv.read_csv(tmp_path / "run" / "summary.csv")
    assert summary["spec"].to_pylist()[:2] == ["game", "grad_cam"]


def test_a_formula_in_a_name_is_defused():
    assert b'"\'=1+1"' in as_csv(as_table([Row("=1+1", "a", "game", "map", 1.0)], Row))


def test_first_limits_the_images(pictures, tmp_path, measured):
    assert run(asked(pictures, first=2), tmp_path / "run", loaded=MODEL).status.total == 2


def test_summary_closed_form():
    values = {"game": (1.0, 2, 3, 4, 5, 6, 7, 8), "rollout": (2.0, 3, 4, 5, 6, 7, 8, 9)}
    rows = [Row(f"i{n}", "t", s, "deletion", v) for s, row in values.items() for n, v in enumerate(row)]
    rows += [Row("i0", "u", "rollout", "deletion", 4.0)]  # a second target of the first image: mean 3
    game, rollout = summarise(rows, ["game", "rollout"], ["deletion", "energy"], "game")
    assert (game.mean, game.rank, game.images, game.difference) == (4.5, 1, 8, None)
    assert rollout.mean == pytest.approx(5.625) and rollout.rank == 2  # lower is better
    assert rollout.difference == pytest.approx(1.125)
    assert 1 <= rollout.difference_low <= rollout.difference_high <= 1.5
    assert rollout.p == rollout.p_holm == pytest.approx(2 / 2**8)  # all differences have one sign
    assert game.low < 4.5 < game.high


def test_what_does_not_beat_the_best_control_is_marked(pictures, tmp_path, monkeypatch):
    shift = {"game": 1.0, "grad_cam": 0.0, "random": -0.5, "center": 0.0, "edges": -1.0}

    def measure(request, item, vocabulary, model, cancelled=None):
        value = float(item.id[-2:]) % 5
        return Measured(tuple(Row(item.id, "a cat", s, "energy", value + d) for s, d in shift.items()))

    monkeypatch.setattr("engine.runs.runner.measure", measure)
    found = run(asked(pictures, metrics=("energy",)), tmp_path / "run", loaded=MODEL)
    judged = {e.spec: e for e in against_controls(found)}
    assert judged["center"].difference is None and judged["game"].difference == pytest.approx(1)
    assert {spec for spec, e in judged.items() if beats(e)} == {"game"}
    text = (tmp_path / "run" / "summary.md").read_text()
    lines = {line.split("`")[1]: line for line in text.splitlines()[2:]}
    assert text.startswith("| method | Energy in mask \u2191 |\n| --- | --- |\n")
    assert [spec for spec, line in lines.items() if "\u2020" in line] == ["grad_cam"]


def test_an_image_without_a_value_is_left_out_of_its_pairs():
    rows = [Row(f"i{n}", "t", "game", "energy", 0.5) for n in range(4)]
    rows += [Row(f"i{n}", "t", "rollout", "energy", 0.75) for n in range(3)]
    game, rollout = summarise(rows, ["game", "rollout"], ["energy"], "game")
    assert (game.images, rollout.images) == (4, 3) and rollout.difference == 0.25 and rollout.rank == 1


def test_targets_are_what_is_true_and_shown():
    item = SimpleNamespace(
        id="x", prompts=("a cat", "an owl", "a red sky"), extra={}, imagenet=None,
        objects=(SimpleNamespace(name="Owl"), SimpleNamespace(name="cat")),
    )  # fmt: skip
    assert [t.text for t in targets_of(item)] == ["a cat", "an owl"]
    assert [t.text for t in targets_of(item, 1)] == ["a cat"]
    item.extra = {"true_prompts": ["an owl"]}
    assert [t.text for t in targets_of(item)] == ["an owl"]
    item.imagenet = 7
    assert targets_of(item)[0].kind == "ensemble"
    assert bare("The cat") == "cat" == bare("a cat")
    assert unrelated_prompt(item, ("a cat", "the owl", "a dog"), 0) == "a dog"
    assert unrelated_prompt(item, ("a cat",), 0) == ""


def test_questions_and_names():
    a = RunRequest("scenes", ("random(seed=0)",))
    assert question(a) == question(replace(a, specs=("random",))) != question(replace(a, seed=1))
    assert checked(("energy", "energy")) == ("energy",)
    assert {p.metric for p in PUBLISHED if p.verified} <= set(METRICS)
    assert all(METRICS[name].name == name for name in METRICS)
