"""Loading: the bundled model, open_clip's by a local file, and everything that is refused in one sentence."""

import copy
import gc
import json

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import save_file

from engine import Request, Target, catalog, explain, models
from engine.images import prepare
from engine.store import Store
from engine.types import RESIZE_POLICIES, SidelightError, Unsupported
from tests.engine.tiny import picture, tiny_clip


@pytest.fixture(autouse=True)
def unload():
    """Let the large models of one test go before the next."""
    yield
    models._loaded.clear()
    gc.collect()


def random_weights(name, path):
    """A half-precision weights file of one of open_clip's architectures."""
    config = open_clip.get_model_config(name)
    with torch.device("meta"):
        shapes = open_clip.model.CLIP(**config).state_dict()
    generator = torch.Generator().manual_seed(0)
    state = {
        key: (torch.randn(value.shape, generator=generator) * 0.02).half() for key, value in shapes.items()
    }
    save_file(state, path)


def test_bundled_model_is_described_without_loading():
    info = catalog.describe()
    assert info.id == "bundled"
    assert len(info.digest) == 64
    assert info.preprocess.size[0] // info.preprocess.patch == 14
    assert {"cat", "dog"} <= info.known_words
    assert "photographs" in info.note


def test_every_model_that_can_be_named_is_described():
    for name in catalog.names():
        preprocess = catalog.describe(name, "" if name == "bundled" else "any").preprocess
        assert all(side // preprocess.patch > 1 for side in preprocess.size), name


def test_bundled_model_follows_the_prompt():
    model = models.load(device="cpu")
    text = model.embed_texts(["a cat", "a dog", "a puppy"])
    assert torch.allclose(text.norm(dim=-1), torch.ones(3), atol=1e-5)
    assert text[1] @ text[2] > text[0] @ text[1]


def test_rows_that_were_not_trained_become_the_mean():
    state = {
        "token_embedding.rows": torch.tensor([[1.0, 0.0], [3.0, 2.0]], dtype=torch.float16),
        "token_embedding.ids": torch.tensor([4, 1]),
    }
    table = models.expand_vocabulary(state, 6)["token_embedding.weight"]
    assert table.tolist() == [[2, 1], [3, 2], [2, 1], [2, 1], [1, 0], [2, 1]]


@pytest.mark.parametrize(
    ("name", "grid"), [("ViT-B-32", (7, 7)), ("ViT-B-16", (14, 14)), ("ViT-L-14-336", (24, 24))]
)
def test_open_clip_models_load_from_a_local_file(name, grid, tmp_path):
    path = tmp_path / "weights.safetensors"
    random_weights(name, path)
    store = Store(tmp_path / "cache", shipped=None)
    request = Request(
        picture(), (Target("a cat"),), ("grad_eclip", "self_attention"), name, str(path), device="cpu"
    )
    result = explain(request, store)
    path.unlink()
    assert result.grid == grid
    assert result.model.id == f"{name}/weights"
    assert not result.failures
    assert all(m.values.shape == grid and np.isfinite(m.values).all() for m in result.maps)


def test_a_config_file_with_its_weights_is_a_model(tmp_path):
    clip = tiny_clip()
    vision = {"image_size": 64, "patch_size": 16, "layers": 3, "width": 128, "head_width": 64}
    text = {"context_length": 16, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 2}
    config = {"embed_dim": 48, "vision_cfg": vision, "text_cfg": text}
    wanted = {"mean": [0.1, 0.2, 0.3], "std": [1, 1, 1], "interpolation": "bilinear"}
    (tmp_path / "small.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": wanted}))
    torch.save(clip.state_dict(), tmp_path / "small.pt")
    model = models.load(str(tmp_path / "small.json"), str(tmp_path / "small.pt"), "cpu")
    assert model.info.preprocess.mean == (0.1, 0.2, 0.3)
    assert model.info.preprocess.interpolation == "bilinear"
    for name, value in model.clip.state_dict().items():
        assert torch.equal(value, clip.state_dict()[name]), name


class Planted:
    """Unpickling this would run code."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('unpickled')",))


def test_weights_files_that_are_none_are_refused(tmp_path):
    (tmp_path / "text.safetensors").write_text("no weights")
    (tmp_path / "text.pt").write_text("no weights")
    torch.save({"visual": Planted()}, tmp_path / "planted.pt")
    save_file({"other": torch.ones(2)}, tmp_path / "other.safetensors")
    for file in ("text.safetensors", "text.pt", "planted.pt", "other.safetensors"):
        with pytest.raises(SidelightError, match=f"{file} is not a weights file of ViT-B-32"):
            models.load("ViT-B-32", str(tmp_path / file), "cpu")


@pytest.mark.parametrize(
    ("model", "tag", "words"),
    [
        ("ViT-B-17", None, "There is no model 'ViT-B-17'"),
        ("../../etc/passwd", None, "There is no model"),
        ("ViT-B-16", None, "needs weights"),
        ("bundled", "openai", "leave the pretrained tag out"),
        ("nothing.json", "x", "cannot be read"),
    ],
)
def test_unknown_models_get_one_sentence(model, tag, words):
    with pytest.raises(SidelightError) as caught:
        catalog.describe(model, tag)
    assert words in str(caught.value)


VISION = {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16}
TEXT = {"width": 64, "heads": 1, "layers": 1}


@pytest.mark.parametrize(
    "config",
    [
        [1],
        {"vision_cfg": [], "text_cfg": {}},
        {"vision_cfg": VISION, "text_cfg": []},
        {"vision_cfg": {**VISION, "image_size": "x"}, "text_cfg": {}},
        {"vision_cfg": {**VISION, "image_size": []}, "text_cfg": {}},
        {"vision_cfg": {**VISION, "image_size": [32, 32, 32]}, "text_cfg": {}},
        {"vision_cfg": {**VISION, "patch_size": 0}, "text_cfg": {}},
        {"vision_cfg": {**VISION, "patch_size": 64}, "text_cfg": {}},
        {"vision_cfg": {**VISION, "patch_size": None}, "text_cfg": {}},
        {"vision_cfg": VISION, "text_cfg": {"context_length": "a"}},
        {"vision_cfg": VISION, "text_cfg": {"vocab_size": "a"}},
        {"model_cfg": {"vision_cfg": VISION, "text_cfg": {}}, "preprocess_cfg": [1]},
        {"model_cfg": {"vision_cfg": VISION, "text_cfg": {}}, "preprocess_cfg": {"mean": [0.5]}},
        {"model_cfg": {"vision_cfg": VISION, "text_cfg": {}}, "preprocess_cfg": {"std": [1, 1, 0]}},
        {"model_cfg": {"vision_cfg": VISION, "text_cfg": {}}, "preprocess_cfg": {"interpolation": "x"}},
    ],
    ids=str,
)
def test_a_config_that_cannot_be_meant_is_one_sentence(config, tmp_path):
    (tmp_path / "mine.json").write_text(json.dumps(config))
    with pytest.raises(SidelightError, match=r"^'mine.json' is not an open_clip model config"):
        catalog.describe(str(tmp_path / "mine.json"), "any")


@pytest.mark.parametrize(
    ("vision", "patch"),
    [
        ({"layers": 1, "width": 64}, 16),
        ({**VISION, "layers": [1, 1, 1, 1]}, 32),  # of which open_clip reads no patch
    ],
)
def test_a_size_that_a_config_does_not_say_is_open_clips(vision, patch, tmp_path):
    config = {"embed_dim": 8, "vision_cfg": vision, "text_cfg": TEXT}
    (tmp_path / "mine.json").write_text(json.dumps(config))
    clip = open_clip.model.CLIP(**config)
    torch.save(clip.state_dict(), tmp_path / "mine.pt")
    model = models.load(str(tmp_path / "mine.json"), str(tmp_path / "mine.pt"), "cpu")
    assert model.info.preprocess == models.wrap(clip.eval()).info.preprocess
    assert model.info.preprocess.patch == patch


@pytest.mark.parametrize(
    ("vision", "text", "words"),
    [
        ({"patch_size": [16, 8]}, {}, "its patches are not square"),
        ({}, {"vocab_size": 1000}, "its vocabulary is smaller than CLIP's"),
    ],
)
def test_towers_that_would_be_misread_are_refused(vision, text, words, tmp_path):
    config = {"embed_dim": 8, "vision_cfg": {**VISION, **vision}, "text_cfg": {**TEXT, **text}}
    (tmp_path / "mine.json").write_text(json.dumps(config))
    with pytest.raises(Unsupported, match=words):
        catalog.describe(str(tmp_path / "mine.json"), "any")
    with pytest.raises(Unsupported, match="cannot read"):
        models.wrap(open_clip.model.CLIP(**config).eval())


def test_an_input_that_is_not_square_is_read_from_the_model():
    clip = open_clip.model.CLIP(8, {**VISION, "image_size": [32, 64]}, TEXT).eval()
    assert models.wrap(clip).info.preprocess.size == (32, 64)


def test_pixels_beyond_the_last_whole_patch_are_left_out(tmp_path):
    """As open_clip's patch embedding does, which does not read them."""
    model = models.wrap(open_clip.model.CLIP(8, {**VISION, "image_size": 90}, TEXT).eval())
    specs = ("grad_eclip", "edges", "rise(masks=4)", "occlusion", "integrated_gradients(steps=2)")
    for policy in RESIZE_POLICIES:
        request = Request(picture(), (Target("a cat"),), specs, resize=policy)
        found = explain(request, Store(tmp_path, shipped=None), loaded=model)
        assert not found.failures
        assert {m.values.shape for m in found.maps} == {found.grid}
    seen = prepare(picture(size=(90, 90)), model.info.preprocess, "crop")
    assert seen.grid == (5, 5) and seen.seen == (0, 0, 80, 80)
    whole = np.zeros((1, 3, 90, 90), np.float32)
    whole[..., :80, :80] = seen.pixels
    whole[..., 80:, :] = whole[..., 80:] = 9
    with torch.no_grad():
        theirs = model.clip.encode_image(torch.as_tensor(whole), normalize=True)
        torch.testing.assert_close(model.image.encode(model.pixels([seen])), theirs)


@pytest.mark.parametrize("change", [{"head_width": 0}, {"layers": -1}, {"width": "wide"}, {"width": -64}])
def test_a_config_that_builds_no_model_is_one_sentence(change, tmp_path):
    config = {"embed_dim": 8, "vision_cfg": {**VISION, **change}, "text_cfg": {"width": 64, "heads": 1}}
    (tmp_path / "mine.json").write_text(json.dumps(config))
    (tmp_path / "weights.pt").write_text("no weights")
    with pytest.raises(SidelightError, match=r"does not describe a model|is not a weights file"):
        models.load(str(tmp_path / "mine.json"), str(tmp_path / "weights.pt"), "cpu")


@pytest.mark.parametrize("name", ["ViT-B-16-SigLIP", "coca_ViT-B-32", "roberta-ViT-B-32"])
def test_other_architectures_are_refused_with_the_reason(name):
    with pytest.raises(Unsupported, match=r"Sidelight reads open_clip's own"):
        catalog.describe(name, "any")
    assert name not in catalog.names()


@pytest.mark.parametrize("name", ["tpu", "cpu:abc", "cuda:99", "mps:", ""])
def test_devices_that_are_not_here_are_refused(name):
    with pytest.raises(SidelightError, match=r"use .*cpu"):
        models.resolve_device(name)


def test_the_same_weights_in_another_architecture_are_another_model(tmp_path):
    vision = {"image_size": 64, "patch_size": 16, "layers": 3, "width": 128, "head_width": 64}
    text = {"context_length": 16, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2}
    config = {"embed_dim": 48, "vision_cfg": vision, "text_cfg": text}
    torch.save(tiny_clip().state_dict(), tmp_path / "small.pt")
    store, scores, digests = Store(tmp_path / "cache", shipped=None), [], set()
    for change in ({}, {"quick_gelu": True}, {"vision_cfg": {**vision, "head_width": 32}}, {}):
        (tmp_path / "small.json").write_text(json.dumps({**config, **change}))
        files = str(tmp_path / "small.json"), str(tmp_path / "small.pt")
        found = explain(Request(picture(), (Target("a cat"),), ("grad_eclip",), *files, device="cpu"), store)
        scores.append(found.maps[0].score)
        digests.add(found.model.digest)
    assert scores[0] == scores[3] and found.computed == 0
    assert len(set(scores)) == 3 == len(digests) and found.model.weights not in digests


def test_a_model_in_memory_is_told_by_its_structure_and_keeps_its_preprocessing():
    clip = copy.deepcopy(tiny_clip())
    before = models.wrap(clip).info
    assert before.preprocess.mean == catalog.CLIP_MEAN
    clip.visual.preprocess_cfg = {"mean": (0.5,) * 3, "std": (0.25,) * 3, "interpolation": "bilinear"}
    told = models.wrap(clip).info
    assert (told.preprocess.mean, told.preprocess.std) == ((0.5,) * 3, (0.25,) * 3)
    assert told.preprocess.interpolation == "bilinear" and told.digest == before.digest
    clip.visual.transformer.resblocks[0].attn.num_heads = 4
    assert models.wrap(clip).info.digest != before.digest
