"""`curves` and `evaluate` from the command line, with the bundled model on one small image."""

from __future__ import annotations

import json
import os
import signal

import numpy as np
import pytest

from engine.cli import main
from engine.cli.evaluate import methods
from engine.registry import METHODS
from tests.engine.tiny import png


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "one.png"
    path.write_bytes(png())
    return path


def test_curves_writes_arrays_table_and_figure(picture, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["-p", "a dog", "-p", "a cat", "-m", "self_attention", "-m", "grad_eclip(layers=1)"]
    assert main(["curves", str(picture), *words, "--steps", "2", "--out", str(out)]) == 0
    with np.load(out / "one.curves.npz") as found:
        assert found["share"].tolist() == [0, 0.5, 1] and found["prompts"].tolist() == ["a dog", "a cat"]
        for spec in ("self_attention", "grad_eclip", "random", "center", "edges"):
            assert found[f"{spec}/deletion"].shape == found[f"{spec}/insertion"].shape == (2, 3)
            assert found[f"{spec}/auc"].shape == (2, 2)
            np.testing.assert_allclose(found[f"{spec}/deletion"][:, 0], found["score"], atol=1e-6)
            np.testing.assert_allclose(found[f"{spec}/insertion"][:, -1], found["score"], atol=1e-6)
    assert (out / "one.curves.csv").read_text().startswith("prompt,method,curve,share,score\n")
    assert (out / "one.curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_preset_over_patches(picture, tmp_path):
    words = ["-p", "a dog", "-m", "center", "--no-controls", "--preset", "grad-eclip-imagenet"]
    (tmp_path / "classes.txt").write_text("a dog\na cat\n")
    words += ["--unit", "patch", "--score", "cosine", "--classes", str(tmp_path / "classes.txt")]
    assert main(["curves", str(picture), *words, "--out", str(tmp_path)]) == 0
    with np.load(tmp_path / "one.curves.npz") as found:
        assert len(np.unique(found["center/deletion"])) > 5


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        (["--steps", "0"], "A curve has from 1 to 10000 steps, not 0"),
        (["--preset", "lime"], "There is no preset 'lime'"),
        (["--score", "top-1", "--classes", "nowhere.txt"], "'nowhere.txt' cannot be read"),
        (["-m", "gamma"], "There is no method 'gamma'"),
        (["--score", "top-1", "--classes", "classes.txt"], "'a dog' is none of the 2 classes"),
        (["-p", " "], "A prompt is empty"),
        (["-m", "leave_one_out"], "leave_one_out has no image branch"),
        (["--model", "ViT-B-32", "--pretrained", "nobody"], "ViT-B-32 has no tag 'nobody'"),
    ],
)
def test_wrong_arguments_end_in_one_line(picture, tmp_path, monkeypatch, capsys, more, complaint):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "classes.txt").write_text("a cat\na whale\n")
    words = ["curves", str(picture), "-p", "a dog", "-m", "game", "--out", str(tmp_path / "out"), *more]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert complaint in error and error.count("\n") == 1


def test_a_seed_below_zero_is_one_line(picture, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["curves", str(picture), "-p", "a dog", "-m", "game", "--seed", "-1", "--out", "out"])
    assert stop.value.code == 2 and "'-1' is not a whole number from 0" in capsys.readouterr().err


def test_a_broken_image_is_named_and_the_others_are_written(picture, tmp_path, capsys):
    broken = tmp_path / "two.png"
    broken.write_bytes(png()[:200])
    words = ["-p", "a dog", "-m", "center", "--no-controls", "--steps", "1", "--out", str(tmp_path / "out")]
    assert main(["curves", str(broken), str(picture), *words]) == 1
    assert "two.png is cut off" in capsys.readouterr().err and (tmp_path / "out" / "one.curves.npz").exists()


def test_evaluate(picture, tmp_path, capsys):
    row = {
        "file_name": "one.png",
        "prompts": ["a dog"],
        "objects": [{"name": "dog", "bbox": [10, 10, 40, 40]}],
    }
    (tmp_path / "metadata.jsonl").write_text(json.dumps(row))
    words = ["--metric", "energy", "--metric", "deletion", "--steps", "1", "--out", str(tmp_path / "out")]
    assert main(["evaluate", "--set", str(tmp_path), "-m", "self_attention", *words]) == 0
    printed = capsys.readouterr().out
    assert "nan" not in printed + (tmp_path / "out" / "summary.md").read_text()  # one image has no intervals
    assert "Energy in mask (share)" in printed and "self_attention" in printed and "center" in printed
    assert {p.name for p in (tmp_path / "out").iterdir()} >= {"table.parquet", "table.csv", "summary.csv"}
    assert main(["evaluate", "--set", "nowhere", "-m", "game", "--out", str(tmp_path / "other")]) == 2
    assert "There is no image set 'nowhere'" in capsys.readouterr().err


def test_workers_are_the_same_command_and_end_with_it(picture, tmp_path, monkeypatch):
    from engine.cli import evaluate

    started = []

    class Process:
        def __init__(self, command, **_):
            started.append((command, self))
            self.calls = []

        def terminate(self):
            self.calls.append("terminate")

        def wait(self):
            self.calls.append("wait")

    monkeypatch.setattr(evaluate, "Popen", Process)
    monkeypatch.setattr("torch.set_num_threads", lambda count: None)
    monkeypatch.setattr(evaluate, "run_set", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    words = ["evaluate", "--set", str(tmp_path), "-m", "game", "--workers", "3", "--out", "out"]
    assert main(words) == 130
    assert [command[1:] for command, _ in started] == [["-m", "engine", *words, "--workers", "1"]] * 2
    assert all(process.calls == ["terminate", "wait"] for _, process in started)

    monkeypatch.setattr(evaluate, "run_set", lambda *_, **__: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 143 and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert all(process.calls == ["terminate", "wait"] for _, process in started)


def test_all_stands_for_every_method_not_named_besides():
    found = methods(["all", "rise(masks=10)"])
    assert found[0] == "rise(masks=10)" and "rise" not in found
    assert {"grad_eclip", "game"} <= set(found) and not {"random", "leave_one_out"} & set(found)
    assert len(found) == sum("image" in m.branches and m.family != "control" for m in METHODS.values())
