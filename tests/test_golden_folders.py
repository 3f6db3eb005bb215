"""The golden check on folders of other models, recorded here from the slow twins in float64.

What differs from the public folder: width, patch, depth, input size, context, a text tower unlike the
embedding, cosines below zero, a prompt of one word, how many images and prompts, an image of its own shape,
and which files are there.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from engine import images
from engine.registry import Spec
from engine.specs import parse
from engine.types import Preprocess
from tests.engine.twins import TWINS, Case
from tests.engine.twins.plain import embed_image, embed_text, run, token_ids
from tests.golden import weights
from tests.golden.__main__ import main

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
SHALLOW = {
    "embed_dim": 80, "image_size": 98, "vision_layers": 3, "vision_width": 128, "vision_patch": 14,
    "ctx": 24, "vocab": 49408, "text_width": 192, "text_heads": 3, "text_layers": 2,
}  # fmt: skip
DEEP = {
    "embed_dim": 64, "image_size": 96, "vision_layers": 9, "vision_width": 64, "vision_patch": 32,
    "ctx": 77, "vocab": 49408, "text_width": 64, "text_heads": 1, "text_layers": 5,
}  # fmt: skip
IMAGE_KEYS = {
    "gradeclip.image.multihead.ksim": "grad_eclip",
    "gradeclip.image.official_1head.noksim": "grad_eclip(heads='single', key_similarity=False)",
    "gradeclip.image.notebook_official_1head.n2": "grad_eclip(heads='single', layers=2, projected=False)",
    "gradeclip.image.multihead.ksim_signed": "grad_eclip(sign='signed')",
    "gradcam.official_1head": "grad_cam(heads='single')",
    "maskclip.multihead": "maskclip",
    "game.image.all": "game",
    "legrad.layer_index-1": "legrad(layers=1)",
    "legrad.layer_index0": "legrad(layers=64)",
    "smamooler.last_grad.neg": "last_grad(sign='negative')",
    "naive.image.cos.rowmean": "attention_gradient(rows='mean')",
    "naive.image.neglogcos.clsrow": "attention_gradient(score='negative log')",
    "surgery.single": "clip_surgery(against='empty')",
}
TEXT_KEYS = {
    "gradeclip.text.multihead.n1.ksim_raw": "grad_eclip",
    "gradeclip.text.notebook_official_1head.n2.ksim_raw": (
        "grad_eclip(heads='single', layers=2, projected=False)"
    ),
    "naive.text.neglogcos.eotrow": "attention_gradient(score='negative log')",
}


class Recorder:
    """Writes the files of one case into a folder."""

    def __init__(self, folder: Path, tag: str, config: dict, seed: int, names: tuple[str, ...], prompts):
        self.folder, self.tag, self.names, self.prompts = folder, tag, names, tuple(prompts)
        self.config = config
        self.meta = {"config": tag, "seed": seed, "images": names, "prompts": self.prompts}
        self.clip = weights.build(config, seed).double()
        (folder / "images").mkdir(exist_ok=True)

    def picture(self, name: str, size: tuple[int, int], seed: int) -> torch.Tensor:
        """A random picture of (width, height) in the folder, and what the model sees of it."""
        noise = np.random.default_rng(seed).integers(0, 256, (size[1] // 7, size[0] // 7, 3), np.uint8)
        path = self.folder / "images" / f"{name}.png"
        Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).save(path)
        patch = self.config["vision_patch"]
        height, width = (int(side / patch + 0.5) * patch for side in reversed(size))
        wanted = Preprocess(size=(height, width), patch=patch, mean=MEAN, std=STD)
        return torch.as_tensor(images.prepare(images.load(path), wanted, "squash").pixels).double()

    def array(self, spec: Spec, branch: str, pixels: list[torch.Tensor]) -> np.ndarray:
        """The twin's maps [I Q ...]; NaN where the authors divide by a cosine that is not above zero."""
        found = []
        for x in pixels:
            ask = partial(Case, self.clip, branch, x, self.prompts, params=dict(spec.params))
            found.append([self.one(spec, ask(index=n)) for n in range(len(self.prompts))])
        return np.array(found, np.float32)

    def one(self, spec: Spec, case: Case) -> np.ndarray:
        values, done = TWINS[spec.method.name].run(case).detach(), run(case)
        if dict(spec.params).get("score") == "negative log" and done.score <= 0:
            values = torch.full_like(values, torch.nan)
        if case.branch == "image":
            return values[1:].reshape(done.patches).numpy()
        if spec.method.name == "grad_eclip":  # words only
            place = torch.arange(len(values))
            values = values * ((place > 0) & (place < done.row))
        return values.numpy()

    def write(self, kind: str, arrays: dict[str, np.ndarray]) -> None:
        np.savez(self.folder / f"{self.tag}_{kind}.npz", **arrays)


def finish(folder: Path, *recorders: Recorder) -> None:
    meta = {
        "configs": {r.tag: r.config for r in recorders},
        "cases": {r.tag: r.meta for r in recorders},
    }
    (folder / "meta.json").write_text(json.dumps(meta))


def cosines(recorder: Recorder, pixels: list[torch.Tensor]) -> np.ndarray:
    texts = torch.stack([embed_text(recorder.clip, p) for p in recorder.prompts])
    return torch.stack([texts @ embed_image(recorder.clip, x) for x in pixels]).float().numpy()


@pytest.fixture(scope="module")
def shallow(tmp_path_factory) -> Path:
    """Three images, two prompts of which one is a word, an image of its own shape, no surgery of many."""
    folder = tmp_path_factory.mktemp("shallow")
    recorder = Recorder(folder, "S9", SHALLOW, 9, ("one", "two", "three"), ("cat", "a red bus in the rain"))
    pixels = [recorder.picture(name, (98, 98), seed) for seed, name in enumerate(recorder.names)]
    cosine = cosines(recorder, pixels)
    assert cosine.min() < 0 < cosine.max()
    ids = np.array([token_ids(recorder.clip, p).numpy() for p in recorder.prompts], np.int32)
    recorder.write("embeddings", {"cosine": cosine, "logits_per_image": 100 * cosine, "token_ids": ids})
    recorder.write("image", {k: recorder.array(parse(s), "image", pixels) for k, s in IMAGE_KEYS.items()})
    recorder.write("text", {k: recorder.array(parse(s), "text", pixels) for k, s in TEXT_KEYS.items()})
    wide = [recorder.picture("nonsquare_wide", (151, 62), 9)]  # to 154 x 56, 4 x 11 patches
    alone = {k: recorder.array(parse(s), "image", wide)[0] for k, s in list(IMAGE_KEYS.items())[:6]}
    assert alone["maskclip.multihead"].shape == (2, 4, 11)
    recorder.write("nonsquare_wide", {**alone, "cosine.multihead": cosines(recorder, wide)[0]})
    finish(folder, recorder)
    return folder


@pytest.fixture(scope="module")
def deep(tmp_path_factory) -> Path:
    """Two cases, the tag of one the beginning of the other's; one image, one prompt; few patches."""
    folder = tmp_path_factory.mktemp("deep")
    recorders = [
        Recorder(folder, tag, DEEP, seed, (name,), ("two dogs on a sofa!",))
        for tag, seed, name in (("D", 1, "first"), ("D_b", 2, "second"))
    ]
    for recorder in recorders:
        pixels = [recorder.picture(recorder.names[0], (96, 96), 5)]
        keys = {k: s for k, s in IMAGE_KEYS.items() if "clip" in k or "game" in k or "legrad" in k}
        recorder.write("image", {k: recorder.array(parse(s), "image", pixels) for k, s in keys.items()})
    finish(folder, *recorders)
    return folder


def test_a_shallow_model_with_another_text_tower(shallow, capsys):
    assert main([str(shallow)]) == 0, capsys.readouterr().out
    count = 3 + len(IMAGE_KEYS) + len(TEXT_KEYS) + 7
    assert capsys.readouterr().out.endswith(f"{count} of {count} keys within tolerance\n")


def test_two_deep_models_with_one_prompt(deep, capsys):
    assert main([str(deep)]) == 0, capsys.readouterr().out


def test_a_file_of_no_case_is_named(deep, capsys):
    (deep / "E_image.npz").write_bytes((deep / "D_image.npz").read_bytes())
    try:
        with pytest.raises(SystemExit):
            main([str(deep)])
    finally:
        (deep / "E_image.npz").unlink()
    assert "E_image.npz begins with no tag" in capsys.readouterr().err


def test_an_absent_picture_fails_its_own_keys_only(shallow, capsys):
    picture = shallow / "images" / "nonsquare_wide.png"
    data = picture.read_bytes()
    picture.unlink()
    try:
        assert main([str(shallow), "--only", "S9.nonsquare", "S9.cosine"]) == 1
    finally:
        picture.write_bytes(data)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "1 of 8 keys within tolerance"
    assert sum("nonsquare_wide" in line and "failed" in line for line in lines) == 7
