"""The command line's promises to scripts: files, keys, exit codes, one line on stderr."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version

import numpy as np
import pytest
from PIL import Image as Pillow

from engine.cli import main
from engine.cli.common import report
from engine.cli.precompute import FIRST_VISIT
from engine.cli.write import file_names
from engine.images import load
from engine.registry import METHODS
from engine.store import Store
from tests.engine.tiny import png, tiny_clip
from tests.patience import PATIENCE

CONTEXT, GRID = 16, (4, 4)  # of the tiny model


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """--model and --pretrained of a tiny CLIP in files."""
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("tiny")
    vision = {"image_size": 64, "patch_size": 16, "layers": 3, "width": 128, "head_width": 64}
    text = {"context_length": CONTEXT, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 2}
    config = {"embed_dim": 48, "vision_cfg": vision, "text_cfg": text}
    (folder / "tiny.json").write_text(json.dumps(config))
    state = {name: value.contiguous() for name, value in tiny_clip().state_dict().items()}
    save_file(state, folder / "weights.safetensors")
    return ["--model", str(folder / "tiny.json"), "--pretrained", str(folder / "weights.safetensors")]


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "in" / "photo.png"
    path.parent.mkdir()
    path.write_bytes(png(0))
    return path


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SIDELIGHT_CACHE", str(tmp_path / "cache"))


def explain(tiny, out, *words):
    return main(["explain", *map(str, words), *tiny, "--out", str(out)])


def one_line(capsys):
    """What was said on stderr, which must be one line."""
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.endswith("\n") and "Traceback" not in said, said
    return said


def test_maps_and_manifest(tiny, photo, tmp_path, capsys):
    out = tmp_path / "out"
    words = [
        photo,
        "-p",
        "a cat",
        "-p",
        "two red dogs",
        "-m",
        "grad_eclip( heads = 'single' )",
        "-m",
        "random",
    ]
    assert explain(tiny, out, *words) == 0
    assert capsys.readouterr().out == f"{out / 'photo.npz'}\n"
    found = np.load(out / "photo.npz")
    spec = "grad_eclip(heads='single')"
    assert set(found) == {
        "prompts", "score", spec, f"{spec}/explained_score", "random", "random/explained_score"
    }  # fmt: skip
    assert found["prompts"].tolist() == ["a cat", "two red dogs"]
    assert found[spec].shape == (2, *GRID) and found[spec].dtype == np.float32
    assert found["score"].shape == found[f"{spec}/explained_score"].shape == (2,)
    # The single head changes the forward pass, so it explains another score; a control does not.
    assert np.abs(found["score"] - found[f"{spec}/explained_score"]).max() > 1e-4
    np.testing.assert_allclose(found["score"], found["random/explained_score"], atol=1e-5)

    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["command"][:4] == ["python", "-m", "engine", "explain"]
    assert manifest["versions"]["torch"] == version("torch")
    assert manifest["model"]["id"] == "tiny/weights" and len(manifest["model"]["weights_sha256"]) == 64
    assert manifest["resize"] == "crop" and manifest["device"] is not None
    assert manifest["methods"][0]["parameters"]["heads"] == "single"
    assert manifest["methods"][1]["seed"] == 0 and manifest["methods"][0]["seed"] is None
    (image,) = manifest["images"]
    assert (image["file"], image["output"], image["size"]) == (str(photo), "photo.npz", [90, 70])
    assert image["sha256"] == load(photo).digest
    assert (image["computed"], image["from_store"]) == (4, 0)
    assert set(image["seconds"]) == {spec, "random"} and min(image["seconds"].values()) > 0
    assert manifest["problems"] == []


def test_a_second_run_reads_the_store_and_gives_the_same_numbers(tiny, photo, tmp_path):
    words = [photo, "-p", "a cat", "-m", "game", "-m", "rollout"]
    assert explain(tiny, tmp_path / "one", *words) == explain(tiny, tmp_path / "two", *words) == 0
    one, two = np.load(tmp_path / "one" / "photo.npz"), np.load(tmp_path / "two" / "photo.npz")
    assert set(one) == set(two)
    for key in one:
        np.testing.assert_array_equal(one[key], two[key])
    manifest = json.loads((tmp_path / "two" / "manifest.json").read_text())
    assert (manifest["images"][0]["computed"], manifest["images"][0]["from_store"]) == (0, 2)
    assert manifest["device"] is None


def test_text_branch_has_nan_outside_the_words(tiny, photo, tmp_path, capsys):
    words = [photo, "-p", "a cat", "-p", "unbelievable!", "-m", "game", "-m", "center", "--branch", "both"]
    assert explain(tiny, tmp_path / "out", *words) == 0
    assert one_line(capsys) == "center has no text branch; it is skipped there.\n"
    found = np.load(tmp_path / "out" / "photo.npz")
    assert found["game"].shape == (2, *GRID)
    assert found["text/game"].shape == found["tokens"].shape == (2, CONTEXT)
    assert found["tokens"][0, :4].tolist() == ["<start>", "a", "cat", "<end>"]
    for row, tokens in zip(found["text/game"], found["tokens"], strict=True):
        words = [token not in ("<start>", "<end>", "") for token in tokens]
        np.testing.assert_array_equal(np.isfinite(row), words)
    assert "text/center" not in found and found["center"].shape == (2, *GRID)


def test_targets_other_than_a_prompt(tiny, photo, tmp_path, capsys):
    other = tmp_path / "in" / "other.png"
    other.write_bytes(png(1))
    words = [photo, "-p", "a cat", "--minus", "a dog", "--target-image", other, "-m", "grad_eclip"]
    assert explain(tiny, tmp_path / "a", *words, "--branch", "both") == 0
    assert "skipped" in one_line(capsys)
    found = np.load(tmp_path / "a" / "photo.npz")
    difference, image = found["prompts"].tolist()
    assert difference == "a cat − a dog" and image.startswith("image other")  # noqa: RUF001
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert manifest["targets"][0]["minus"] == "a dog"
    assert manifest["targets"][1]["file"] == str(other)

    classes = tmp_path / "classes.txt"
    classes.write_text("happy\nsad\n\nangry\n")
    assert explain(tiny, tmp_path / "b", photo, "--classes", classes, "-m", "grad_eclip") == 0
    found = np.load(tmp_path / "b" / "photo.npz")
    assert [label.split()[0] for label in found["prompts"]] == ["happy", "sad", "angry"]
    assert found["score"].sum() == pytest.approx(1, abs=1e-5)  # probabilities

    assert explain(tiny, tmp_path / "c", photo, "-p", "cat", "--templates", "-m", "grad_eclip") == 0
    assert np.load(tmp_path / "c" / "photo.npz")["prompts"].tolist() == ["cat in templates"]


def test_png_shows_the_maps(tiny, photo, tmp_path):
    assert explain(tiny, tmp_path / "out", photo, "-p", "a cat", "-m", "center", "-m", "edges", "--png") == 0
    with Pillow.open(tmp_path / "out" / "photo.png") as figure:
        assert figure.format == "PNG" and figure.width > 600
        assert len(figure.convert("RGB").getcolors(1 << 24)) > 500  # a picture, not an empty page


def test_a_folder_that_cannot_be_written_is_one_line(tiny, photo, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert explain(tiny, tmp_path / "file" / "out", photo, "-p", "a cat", "-m", "center") == 2
    assert "cannot be made (Not a directory); choose another --out" in one_line(capsys)


def test_a_figure_is_not_written_over_a_picture(tiny, photo, tmp_path, capsys):
    before = photo.read_bytes()
    assert explain(tiny, photo.parent, photo, "-p", "a cat", "-m", "center", "--png") == 2
    assert "would write over the picture" in one_line(capsys) and photo.read_bytes() == before


def test_the_classes_of_a_file_with_a_byte_order_mark(tiny, photo, tmp_path):
    (tmp_path / "classes.txt").write_bytes(b"\xef\xbb\xbfa cat\na dog\na cat\n")
    words = ["--classes", tmp_path / "classes.txt", "-m", "center"]
    assert explain(tiny, tmp_path / "out", photo, *words) == 0
    prompts = np.load(tmp_path / "out" / "photo.npz")["prompts"].tolist()
    assert prompts == ["a cat among 2", "a dog among 2"]


def test_a_wrong_device_is_one_also_where_all_is_stored(tiny, photo, tmp_path, capsys):
    words = [photo, "-p", "a cat", "-m", "center"]
    assert explain(tiny, tmp_path / "out", *words) == 0
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        explain(tiny, tmp_path / "out", *words, "--device", "cpu:abc")
    assert stop.value.code == 2 and "there is no device 'cpu:abc'" in one_line(capsys)


@pytest.mark.skipif(sys.platform == "darwin", reason="its file names are always UTF-8")
def test_a_file_name_that_is_no_utf8(tiny, photo, tmp_path):
    odd = photo.with_name("caf\udce9.png")
    odd.write_bytes(photo.read_bytes())
    words = ["explain", str(odd), "-p", "a cat", "-m", "center", *tiny, "--out", str(tmp_path / "out")]
    done = subprocess.run([sys.executable, "-m", "engine", *words], capture_output=True)
    assert done.returncode == 0 and done.stdout.endswith(b"caf\xe9.npz\n"), done.stderr
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["images"][0]["file"] == str(odd)


def test_a_failure_names_its_file_whatever_it_is_called(capsys):
    problems = [
        ("in", "it has no prompts."),
        ("a/b.png", "b.png is cut off."),
        ("c.png", "c.png is cut off."),
    ]
    assert report(problems) == 1
    assert capsys.readouterr().err.splitlines() == [
        "in: it has no prompts.", "a/b.png: b.png is cut off.", "c.png is cut off.",
    ]  # fmt: skip


def test_numbers_and_seeds_that_cannot_be_meant(tmp_path, capsys):
    for words, said in (
        (["precompute", "scenes", "--first", "-3"], "'-3' is not a whole number of at least 1"),
        (["sets", "compose", "--count", "x", "--out", "o"], "'x' is not a whole number of at least 1"),
        (
            ["sets", "compose", "--count", "1", "--seed", "-1", "--out", "o"],
            "'-1' is not a whole number from 0",
        ),
    ):
        with pytest.raises(SystemExit) as stop:
            main(words)
        assert stop.value.code == 2 and said in one_line(capsys)
    (tmp_path / "file").write_text("in the way")
    assert main(["sets", "compose", "--count", "1", "--out", str(tmp_path / "file")]) == 2
    assert "cannot be written" in one_line(capsys)


def test_a_file_that_fails_does_not_stop_the_others(tiny, photo, tmp_path, capsys):
    broken = photo.with_name("broken.png")
    broken.write_text("not an image")
    gone = photo.with_name("gone.png")
    assert explain(tiny, tmp_path / "out", broken, gone, photo, "-p", "a cat", "-m", "center") == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2 and "broken.png is a text file" in said[0] and "gone.png" in said[1]
    assert (tmp_path / "out" / "photo.npz").is_file()
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert [p["file"] for p in manifest["problems"]] == [str(broken), str(gone)]


def test_equal_stems_get_numbers(tiny, photo, tmp_path):
    twin = tmp_path / "in" / "deeper" / "photo.jpg"
    twin.parent.mkdir()
    Pillow.new("RGB", (70, 70), "red").save(twin)
    assert explain(tiny, tmp_path / "out", photo, twin, "-p", "a cat", "-m", "center") == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "manifest.json",
        "photo-2.npz",
        "photo.npz",
    ]
    assert file_names(["a.png", "b/a.jpg", "A.gif", "a-2.png"]) == ["a", "a-2", "A-3", "a-2-2"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-p", "a cat", "-m", "grad_clip"], "no method 'grad_clip'; did you mean grad_eclip?"),
        (["-p", "a cat", "-m", "game(layers='most')"], "layers='most' is not valid; it takes 'all', 'last'"),
        (["-p", "a cat", "-m", "rollout(layers=1)"], "takes 'all', 'last' or a whole number from 2 to 64"),
        (["-p", "a cat", "-m", "__import__('os')"], "__import__"),
        (["-p", "a cat"], "-m/--method"),
        (["-p", "  ", "-m", "game"], "A prompt is empty"),
        (["-m", "game"], "nothing to explain; add -p TEXT"),
        (["-p", "a cat", "-m", "game", "--resize", "stretch"], "--resize"),
        (["-p", "a cat", "-m", "game", "--device", "tpu"], "there is no device 'tpu'; use auto, cpu"),
        (["-p", "caf\udce9", "-m", "game"], "not valid Unicode"),
        (["--classes", ".", "-m", "game"], "'.' cannot be read as a list of classes, one a line (Is a dir"),
        (["--minus", "a cat", "-m", "game"], "--minus needs a prompt"),
        (["-p", "a cat", "--classes", "gone.txt", "-m", "game"], "'gone.txt' cannot be read"),
        (["-p", "a", "--minus", "b", "--templates", "-m", "game"], "cannot be combined"),
        (["-p", "a cat", "--target-image", "gone.png", "-m", "game"], "gone.png"),
        (["-p", "a", "--minus", "b", "--branch", "text", "-m", "game"], "explains prompts only"),
        (["-p", "a", "--branch", "text", "-m", "center"], "center has no text branch"),
        (["-p", "a cat", "-m", "game", "--model", "VIT-X"], "no model 'VIT-X'"),
        (["-p", "a cat", "-m", "game", "--colour", "red"], "unrecognized arguments: --colour red"),
    ],
)
def test_bad_arguments_are_one_line_and_code_2(tiny, photo, tmp_path, capsys, words, said):
    code = None
    try:
        code = explain([] if "--model" in words else tiny, tmp_path / "out", photo, *words)
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    assert said in one_line(capsys)
    assert not (tmp_path / "out" / "photo.npz").exists()


def test_weights_that_are_none_are_code_2(tiny, photo, tmp_path, capsys):
    fake = tmp_path / "fake.safetensors"
    fake.write_bytes(b"no weights at all")
    words = [photo, "-p", "a cat", "-m", "game"]
    assert explain([*tiny[:3], str(fake)], tmp_path / "out", *words) == 2
    assert "fake.safetensors is not a weights file" in one_line(capsys)


def test_methods_are_listed_with_their_parameters(capsys):
    assert main(["methods"]) == 0
    said = capsys.readouterr().out
    assert all(f"\n{name}: " in "\n" + said for name in METHODS)
    assert all(method.paper in said and method.url in said for method in METHODS.values())
    assert "    version 1; signed; text-specific; needs class token and q, k, v and gradients\n" in said
    assert "    version 1; not signed; not text-specific; runs on every model\n" in said
    assert main(["methods", "--json"]) == 0
    listed = {method["name"]: method for method in json.loads(capsys.readouterr().out)}
    assert set(listed) == set(METHODS)
    heads = next(p for p in listed["grad_eclip"]["parameters"] if p["name"] == "heads")
    assert (heads["default"], heads["choices"]) == ("model", ["model", "single"])
    assert listed["random"]["family"] == "control" and listed["random"]["mixes_prompts"] is False


def test_models_and_sets_are_listed(capsys):
    assert main(["models"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "bundled" and "ViT-B-16" in said and "RN50x64-imaginary" not in said
    assert main(["models", "ViT-B-32"]) == 0
    assert "openai" in capsys.readouterr().out.splitlines()
    assert main(["models", "ViT-B-33"]) == 2
    assert "no model 'ViT-B-33'" in one_line(capsys)
    assert main(["sets"]) == 0
    assert "scenes: " in capsys.readouterr().out


def test_cache_commands(tiny, photo, tmp_path, capsys):
    explain(tiny, tmp_path / "out", photo, "-p", "a cat", "-m", "center", "-m", "edges")
    capsys.readouterr()
    assert main(["cache", "info"]) == 0
    said = capsys.readouterr().out
    assert str(tmp_path / "cache") in said and "entries: 3 " in said  # two maps and the weights' digest
    assert main(["cache", "verify"]) == 0
    assert capsys.readouterr().out == "3 whole, 0 damaged, 0 removed\n"
    assert main(["cache", "prune", "--older-than", "1"]) == 0
    assert capsys.readouterr().out == "0 removed\n"
    assert main(["cache", "prune", "--older-than", "-1"]) == 2
    assert main(["cache", "clear"]) == 0
    assert capsys.readouterr().out == "3 removed\n"


def test_a_cache_that_takes_no_maps_is_named_and_the_maps_are_written(
    tiny, photo, tmp_path, capsys, monkeypatch
):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("SIDELIGHT_CACHE", str(tmp_path / "file"))
    assert explain(tiny, tmp_path / "out", photo, "-p", "a", "-m", "edges") == 0
    assert f"The cache folder {tmp_path / 'file'} cannot be written" in one_line(capsys)
    assert (tmp_path / "out" / "photo.npz").is_file()


def test_precompute_fills_the_store_and_exports_it(tiny, tmp_path, capsys):
    folder = tmp_path / "mine"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.png").write_bytes(png(number))
    lines = [
        {"file_name": "0.png", "prompts": ["a cat", "a dog"]},
        {"file_name": "1.png"},
        {"file_name": "x"},
    ]
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)))
    export = tmp_path / "export"
    words = ["precompute", str(folder), "-m", "center", "-m", "edges", *tiny, "--export", str(export)]
    assert main(words) == 1  # one image has no prompts, one line names no file
    said = capsys.readouterr()
    assert said.out.startswith("mine: 2 images, 4 maps computed\n4 entries written to")
    assert "mine/metadata.jsonl, line 3" in said.err and "1: it has no prompts of its own" in said.err
    assert len(list(export.glob("*.safetensors"))) == 4
    assert Store(tmp_path / "empty", shipped=export).info().shipped == 4
    assert main([*words, "--first", "1", "--prompts", "1"]) == 1
    assert "1 image, 0 maps computed\n2 entries written" in capsys.readouterr().out
    taken = tmp_path / "taken"
    taken.write_text("no folder")
    assert main([*words[:-1], str(taken), "--first", "1"]) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert main(["precompute", "no such set", *tiny]) == 2
    assert "no image set 'no such set'" in one_line(capsys)


def test_precompute_prepares_a_first_visit():
    from dashboard.state import State

    assert State().methods == FIRST_VISIT


def test_no_traceback_and_no_torch_for_a_listing():
    code = (
        "import sys; from engine.cli import main; main(['methods', '--json']); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout.splitlines()[-1] == "False" and done.stderr == ""


def test_a_reader_that_leaves_is_no_error():
    command = f"{sys.executable} -m engine methods --json | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout == "[\n" and done.stderr == ""


def test_a_name_too_long_to_be_written_does_not_stop_the_others(tiny, photo, tmp_path, capsys):
    long = photo.with_name("é" * 126 + ".p")  # .npz is longer than a name may be
    long.write_bytes(photo.read_bytes())
    out = tmp_path / "out"
    words = ["explain", str(long), str(photo), "-p", "a cat", "-m", "center", "--png", "--out", str(out)]
    assert main([*words, *tiny]) == 1
    assert "File name too long" in capsys.readouterr().err
    assert (out / "photo.npz").is_file() and (out / "manifest.json").is_file()
    assert not list(out.glob(".*.part"))


def test_precompute_names_the_image_whose_prompt_cannot_be_meant(tiny, photo, capsys):
    rows = [{"file_name": "photo.png", "prompts": ["\ud800"]}, {"file_name": "b.png", "prompts": ["a cat"]}]
    photo.with_name("b.png").write_bytes(photo.read_bytes())
    photo.with_name("metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert main(["precompute", str(photo.parent), "-m", "center", *tiny]) == 1
    said = capsys.readouterr()
    assert "photo: The text" in said.err and "1 map computed" in said.out
