"""open_clip's ResNets: the same numbers as the model, Grad-CAM on the last feature map, the rest refused."""

from __future__ import annotations

import copy
import json
from functools import cache

import pytest
import torch

from engine import Request, Target, missing, stored
from engine import explain as ask
from engine.catalog import describe, names
from engine.compute import relevances
from engine.models import wrap
from engine.registry import METHODS
from engine.specs import parse
from engine.store import Store
from engine.types import FEATURES, SidelightError
from tests.engine.questions import image_question
from tests.engine.tiny import PROMPTS, picture, pixels

VISION = {"image_size": 64, "layers": [1, 2, 1, 1], "width": 16, "head_width": 64, "patch_size": None}
TEXT = {"context_length": 16, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 1}
CONFIG = {"embed_dim": 48, "vision_cfg": VISION, "text_cfg": TEXT}
CHEAP = {"rise": "rise(masks=8)", "smooth_grad": "smooth_grad(samples=2)"}


@cache
def _clip():
    import open_clip

    with torch.random.fork_rng():
        torch.manual_seed(3)
        clip = open_clip.model.CLIP(**CONFIG).eval()
        for name, value in clip.visual.named_buffers():
            if name.endswith("running_var"):  # statistics that differ from channel to channel
                value.uniform_(0.5, 1.5)
        for name, value in clip.visual.named_parameters():
            if name.endswith("bn3.weight"):  # zero at first, which would switch the blocks off
                value.data.uniform_(0.5, 1.5)
    return clip


@cache
def _model():
    return wrap(_clip())


def _grad_cam(clip, one, prompt):
    """sum_c mean_xy(dS/dF_c) F_c of the last feature map F, [2 2], from open_clip's own modules."""
    visual = clip.visual
    x = visual.stem(one[None])
    feature = visual.layer4(visual.layer3(visual.layer2(visual.layer1(x)))).detach().requires_grad_()
    embedding = visual.attnpool(feature)[0]
    query = clip.encode_text(_model().token_ids([prompt]), normalize=True)[0]
    (slope,) = torch.autograd.grad(embedding @ query / embedding.norm(), feature)
    return (slope.mean((2, 3), keepdim=True) * feature).sum(1)[0].detach()


def test_the_encoders_equal_the_model():
    x, ids = pixels(1), _model().token_ids(PROMPTS)
    with torch.no_grad():
        torch.testing.assert_close(_model().image.encode(x), _clip().encode_image(x, normalize=True))
        torch.testing.assert_close(_model().text.encode(ids), _clip().encode_text(ids, normalize=True))


def test_grad_cam_equals_its_formula_in_float64():
    x = pixels(2)
    (result,) = relevances(image_question(_model(), x, PROMPTS), [parse("grad_cam(sign='signed')")])
    double = copy.deepcopy(_clip()).double()
    for t, prompt in enumerate(PROMPTS):
        for b in range(2):
            twin = _grad_cam(double, x[b].double(), prompt)
            error = (result.values[t, b].reshape(2, 2) - twin).abs().max() / twin.abs().max()
            assert error < 1e-4


def test_what_it_offers_runs_and_leaves_the_model_as_it_was():
    before = {name: value.clone() for name, value in _clip().state_dict().items()}
    able = [
        name for name, m in METHODS.items() if "image" in m.branches and not m.refusal(_model().image.offers)
    ]
    assert {"grad_cam", "rise", "occlusion", "integrated_gradients", "smooth_grad", "random"} <= set(able)
    specs = [parse(CHEAP.get(name, name)) for name in able]
    found = list(relevances(image_question(_model(), pixels(3), PROMPTS), specs))
    assert {str(result.spec) for result in found} == {str(spec) for spec in specs}
    assert all(result.values[..., -4:].isfinite().all() for result in found)
    after = _clip().state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


@pytest.fixture
def files(tmp_path):
    config, weights = tmp_path / "small.json", tmp_path / "weights.pt"
    config.write_text(json.dumps(CONFIG))
    torch.save(_clip().state_dict(), weights)
    return str(config), str(weights)


def test_unsupported_methods_are_refused_without_loading_anything(files, tmp_path):
    request = Request(picture(), (Target("a cat"),), ("grad_eclip", "grad_cam"), *files)
    store = Store(tmp_path / "cache", shipped=None)
    (failure,) = stored(request, store).failures
    assert failure.unsupported and failure.spec == "grad_eclip"
    assert failure.reason.startswith("Grad-ECLIP needs class token") and "does not offer" in failure.reason
    assert missing(request, store) == 1
    found = ask(request, store)
    assert [m.spec for m in found.maps] == ["grad_cam"] and found.failures == (failure,)
    assert found.maps[0].values.shape == found.grid == (2, 2)


def test_the_text_branch_of_a_resnet_offers_everything(files, tmp_path):
    request = Request(picture(), (Target("a cat"),), ("grad_eclip", "leave_one_out"), *files, branch="text")
    found = ask(request, Store(tmp_path / "cache", shipped=None))
    assert len(found.maps) == 2 and not found.failures


def test_what_is_known_without_loading(files):
    info = describe(*files)
    assert info.preprocess.patch == 32 and info.preprocess.size == (64, 64)
    assert info.offers == _model().info.offers == _model().image.offers < FEATURES
    assert "RN50" in names() and "RN50x4" in names()


def test_a_size_without_positions_is_refused_in_one_sentence(files, tmp_path):
    request = Request(picture(size=(200, 70)), (Target("a cat"),), ("grad_cam",), *files, resize="fit")
    with pytest.raises(SidelightError, match="square images of its own size"):
        ask(request, Store(tmp_path / "cache", shipped=None))


def test_training_mode_is_refused_before_it_alters_the_statistics():
    clip = copy.deepcopy(_clip()).train()
    before = clip.visual.bn1.running_mean.clone()
    with pytest.raises(SidelightError, match=r"call eval\(\)"):
        wrap(clip).image.encode(pixels(4))
    assert torch.equal(clip.visual.bn1.running_mean, before)
