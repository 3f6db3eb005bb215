"""The engine against the maps recorded in tests/golden/public, and the check against wrong folders."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.golden.__main__ import main, selected
from tests.golden.compare import judge, relative_error
from tests.golden.folder import read

PUBLIC = Path(__file__).parent / "golden" / "public"


@pytest.mark.parametrize("key", read(PUBLIC), ids=lambda key: key.name)
def test_key(key):
    verdict = judge(key)
    assert not verdict.problem, f"{verdict.problem}: error {verdict.error}, limit {verdict.limit}"


@pytest.fixture
def folder(tmp_path):
    """A folder with the embeddings of the smaller model only; every other file is absent."""
    meta = json.loads((PUBLIC / "meta.json").read_text())
    meta["cases"] = {"R5": meta["cases"]["R5"]}
    (tmp_path / "meta.json").write_text(json.dumps(meta))
    shutil.copytree(PUBLIC / "images", tmp_path / "images")
    with np.load(PUBLIC / "R5_resnet.npz") as file:
        names = ("token_ids", "text_embedding", "image_embedding", "cosine")
        np.savez(tmp_path / "R5_embeddings.npz", **{name: file[name] for name in names})
    return tmp_path


def alter(folder, **arrays):
    with np.load(folder / "R5_embeddings.npz") as file:
        np.savez(folder / "R5_embeddings.npz", **{**file, **arrays})


def test_a_whole_folder_passes(folder, capsys):
    assert main([str(folder)]) == 0
    assert capsys.readouterr().out.endswith("4 of 4 keys within tolerance\n")


def test_other_tags_and_prompts_are_taken_from_the_folder(folder, capsys):
    meta = json.loads((folder / "meta.json").read_text())
    case = meta["cases"].pop("R5")
    meta["cases"]["R5_again"] = {**case, "prompts": case["prompts"][:2], "images": case["images"][:1]}
    meta["cases"]["R5"] = {**case, "seed": 6}  # a tag that is the beginning of another one
    meta["weight_fingerprints"]["R5_again"] = meta["weight_fingerprints"].pop("R5")
    (folder / "meta.json").write_text(json.dumps(meta))
    with np.load(folder / "R5_embeddings.npz") as file:
        arrays = {name: file[name][:2] for name in ("token_ids", "text_embedding")}
        arrays |= {"image_embedding": file["image_embedding"][:1], "cosine": file["cosine"][:1, :2]}
    (folder / "R5_embeddings.npz").unlink()
    np.savez(folder / "R5_again_embeddings.npz", **arrays)
    assert main([str(folder)]) == 0
    assert "R5_again.cosine" in capsys.readouterr().out


def test_a_key_out_of_tolerance_fails(folder, capsys):
    with np.load(folder / "R5_embeddings.npz") as file:
        alter(folder, cosine=file["cosine"] * np.float32(1.0001))
    assert main([str(folder)]) == 1
    assert "out of tolerance" in capsys.readouterr().out
    assert main([str(folder), "--only", "R5.text", "token"]) == 0
    assert main([str(folder), "--only", "cosine"]) == 1


def test_a_key_that_is_not_covered_fails_unless_only_is_given(folder, capsys):
    alter(folder, **{"saliency.of.tomorrow": np.zeros(3)})
    assert main([str(folder)]) == 1
    assert "not covered" in capsys.readouterr().out
    assert main([str(folder), "--only", "saliency", "cosine"]) == 0


def test_weights_that_were_not_rebuilt_fail(folder, capsys):
    meta = json.loads((folder / "meta.json").read_text())
    meta["weight_fingerprints"]["R5"]["text_projection"][1] += 1e-3
    (folder / "meta.json").write_text(json.dumps(meta))
    assert main([str(folder), "--only", "text_embedding"]) == 1
    assert "text_projection was not rebuilt as recorded" in capsys.readouterr().out


def test_a_folder_that_is_none_is_refused_in_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main([str(tmp_path)])
    assert stop.value.code == 2 and "is no golden folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("R5_image.npz", b"", "R5_image.npz is no npz file"),
        ("R5_image.npz", b"PK no archive", "R5_image.npz is no npz file"),
        ("meta.json", b"[]", "is no golden folder"),
        ("meta.json", b"{", "is no golden folder"),
    ],
)
def test_a_broken_file_is_named_in_one_line(folder, name, data, words, capsys):
    (folder / name).write_bytes(data)
    with pytest.raises(SystemExit) as stop:
        main([str(folder)])
    assert stop.value.code == 2 and words in capsys.readouterr().err.splitlines()[-1]


def test_an_array_that_cannot_be_read_fails_alone(folder, capsys):
    alter(folder, cosine=np.array([{}], dtype=object))
    assert main([str(folder)]) == 1
    said = capsys.readouterr().out
    assert "Object arrays cannot be loaded" in said and said.endswith("3 of 4 keys within tolerance\n")


def test_a_prefix_that_meets_no_key_fails(folder):
    assert selected(read(folder), ["nothing"]) == []
    assert main([str(folder), "--only", "nothing"]) == 1


def test_relative_error():
    nan = np.nan
    recorded = np.array([[1.0, -2.0], [nan, 0.5]])
    assert relative_error(recorded, recorded) == 0
    assert relative_error(recorded + 0.01, recorded) == pytest.approx(0.01 / 2)
    assert relative_error(np.nan_to_num(recorded), recorded) == np.inf
    assert relative_error(np.array([[1.0, nan], [nan, 0.5]]), recorded) == np.inf
    assert relative_error(recorded[None], recorded) == np.inf
    assert relative_error(np.full(3, nan), np.full(3, nan)) == 0
    assert relative_error(np.array([0.25, 0.0]), np.zeros(2)) == 0.25
    assert relative_error(np.array([1, 2]), np.array([1, 3])) == np.inf
