"""The sidebar on the Compare page: every widget writes the one state, and bad input becomes a sentence."""

from __future__ import annotations

import hashlib
import io
import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image as Pillow
from streamlit.testing.v1 import AppTest

from dashboard import gateway, links, state
from engine import catalog
from engine.types import SidelightError
from tests.dashboard.conftest import ALIKE
from tests.patience import PATIENCE


def png(size=(30, 20), colour="yellow") -> bytes:
    file = io.BytesIO()
    Pillow.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


def link(test) -> dict[str, list[str]]:
    return {key: value if isinstance(value, list) else [value] for key, value in test.query_params.items()}


def field(widgets, label):
    return next(w for w in widgets if w.label == label)


def button(test, label):
    return field(test.button, label)


def written(test) -> str:
    """What the page says in captions and boxes, as a reader sees it."""
    text = "\n".join(e.value for kind in (test.caption, test.warning, test.info) for e in kind)
    return re.sub(r"\\([^A-Za-z0-9\s])", r"\1", text)


def test_without_a_link_the_first_scene_and_its_own_prompts_are_shown(opened, standin):
    test = opened("compare")
    assert not test.exception
    assert field(test.text_area, "Prompts, one a line").value == "a dog\na red wall"
    assert link(test) == {}
    assert standin.asked[-1] == state.State()


@pytest.mark.parametrize(
    ("name", "methods", "second"),
    [("compare", True, True), ("layers", False, True), ("words", True, False), ("curves", True, False)],
)
def test_a_page_has_the_sections_that_change_what_it_shows(standin, name, methods, second):
    test = AppTest.from_string(
        f"from dashboard import sidebar\nsidebar.draw({name!r})", default_timeout=PATIENCE
    )
    test.run()
    assert not test.exception
    assert ("Methods" in [w.label for w in test.multiselect]) is methods
    assert ("Second model" in [w.label for w in test.expander]) is second
    assert "Prompts, one a line" in [w.label for w in test.text_area]


def test_next_and_previous_go_round_the_set(opened, standin):
    test = opened("compare")
    button(test, "Next").click().run()
    assert link(test)["image"] == ["s1"]
    assert field(test.text_area, "Prompts, one a line").value == "a cat\na blue wall"
    button(test, "Previous").click().run()
    button(test, "Previous").click().run()
    assert link(test)["image"] == ["s2"]


def test_typed_prompts_stay_when_the_image_changes(opened):
    test = opened("compare")
    field(test.text_area, "Prompts, one a line").set_value("a dog\n\n  a zebra  ").run()
    assert link(test)["prompts"] == ["a dog", "a zebra"]
    assert "never saw zebra" in written(test)
    button(test, "Next").click().run()
    assert field(test.text_area, "Prompts, one a line").value == "a dog\na zebra"


def test_emptied_prompts_become_the_images_own_again(opened):
    test = opened("compare", prompts=["a cat"])
    field(test.text_area, "Prompts, one a line").set_value(" \n ").run()
    assert "prompts" not in link(test)
    assert field(test.text_area, "Prompts, one a line").value == "a dog\na red wall"


def test_chips_add_and_remove_prompts(opened):
    test = opened("compare", prompts=["a dog", "a cat"])
    field(test.pills, "Prompts of this image").set_value(["a red wall"]).run()
    assert link(test)["prompts"] == ["a cat", "a red wall"]
    field(test.selectbox, "Add a concept").set_value("a dog").run()
    assert link(test)["prompts"] == ["a cat", "a red wall", "a dog"]
    assert field(test.selectbox, "Add a concept").value is None


def test_one_of_two_chips_that_begin_alike_is_chosen(opened, monkeypatch):
    monkeypatch.setattr(gateway.prompts, "own_prompts", lambda shown: ALIKE)
    test = opened("compare", prompts=["a cat"])
    field(test.pills, "Prompts of this image").set_value([ALIKE[0]]).run()
    assert link(test)["prompts"] == ["a cat", ALIKE[0]]


@pytest.mark.parametrize("text", ["🦄 مرحبا", "<script>alert(1)</script>", "../../x", "a\0b", "x" * 10_000])
def test_any_prompt_is_taken(opened, standin, text):
    test = opened("compare")
    field(test.text_area, "Prompts, one a line").set_value(text).run()
    assert not test.exception
    assert standin.asked[-1].prompts == (text,)
    assert ("too long for a link" in written(test)) == (len(text) > 5000)


def test_typed_specs_are_checked(opened):
    test = opened("compare")
    field(test.multiselect, "Methods").set_value(["game", "grad_eclip( layers = 2 )", "grad_eclipse"]).run()
    assert link(test)["methods"] == ["game", "grad_eclip(layers=2)"]
    assert "grad_eclipse" in written(test) and "did you mean" in written(test)
    field(test.multiselect, "Methods").set_value([]).run()
    assert link(test)["methods"] == ["game", "grad_eclip(layers=2)"]
    assert "one method is needed" in written(test)


def test_parameters_of_the_registry_become_widgets(opened):
    test = opened("compare", methods=["game"])
    test.selectbox(key="parameters_of").set_value("grad_eclip").run()
    assert [n.label for n in test.number_input] == ["layers"]
    test.number_input(key="parameter grad_eclip layers").set_value(3).run()
    assert (
        button(test, "Add to the grid").proto.type == "secondary"
    )  # a popover would show it white on bright
    button(test, "Add to the grid").click().run()
    assert link(test)["methods"] == ["game", "grad_eclip(layers=3)"]


def test_the_sign_reaches_the_specs_that_take_it(opened):
    test = opened("compare", methods=["grad_eclip", "self_attention"])
    field(test.selectbox, "Evidence").set_value("negative").run()
    specs = [gateway.models.signed(spec, "negative") for spec in ("grad_eclip", "self_attention")]
    assert specs == ["grad_eclip(sign='negative')", "self_attention"]
    assert link(test)["sign"] == ["negative"]


def test_a_model_is_taken_once_it_has_weights(opened):
    test = opened("compare")
    field(test.selectbox, "Model").set_value("ViT-B-16").run()
    assert "model" not in link(test)
    waiting = "ViT-B-16 needs weights, a tag or a file; bundled is still used."
    assert waiting in written(test)
    button(test, "Next").click().run()
    assert field(test.selectbox, "Model").value == "ViT-B-16" and waiting in written(test)
    field(test.text_input, "Weights").set_value("nowhere").run()
    assert "model" not in link(test)
    assert "nowhere" in written(test)
    field(test.text_input, "Weights").set_value("openai").run()
    assert (link(test)["model"], link(test)["pretrained"]) == (["ViT-B-16"], ["openai"])
    assert "needs weights" not in written(test)
    field(test.selectbox, "Model").set_value("bundled").run()
    assert "model" not in link(test) and "pretrained" not in link(test)


def test_a_second_model_without_weights_is_said_to_be_none_yet(opened):
    test = opened("compare")
    field(test.selectbox, "Compare with").set_value("ViT-B-16").run()
    button(test, "Next").click().run()
    assert "second_model" not in link(test)
    assert "ViT-B-16 needs weights, a tag or a file; there is no second model yet." in written(test)


def test_nothing_typed_as_a_model_becomes_a_path(tmp_path, monkeypatch):
    monkeypatch.undo()  # the gateway itself, without the stand-in
    config, weights = tmp_path / "mine.json", tmp_path / "mine.safetensors"
    config.write_text((catalog.FOLDER / "config.json").read_text())
    weights.write_bytes(b"weights")
    for model, pretrained in (
        (str(config), "mine.safetensors"),
        ("../mine.json", "openai"),
        ("ViT-B-16", str(weights)),
        ("ViT-B-16", "../mine.safetensors"),
        ("ViT-B-16", "requirements.txt"),
        ("mine.json", "mine.safetensors"),
    ):
        with pytest.raises(SidelightError, match=r"goes into the folder data/models"):
            gateway.models.describe(model, pretrained)
    monkeypatch.setenv("SIDELIGHT_MODELS", str(tmp_path))
    assert "mine.json" in gateway.models.models()
    assert gateway.models.weights_files() == ("mine.safetensors",)
    described = gateway.models.describe("mine.json", "mine.safetensors")
    assert (described.id, described.weights) == ("mine/mine", hashlib.sha256(b"weights").hexdigest())
    assert gateway.models.describe("ViT-B-16", "mine.safetensors").id == "ViT-B-16/mine"


def test_an_upload_is_shown_kept_by_digest_and_forgotten(opened, standin, tmp_path):
    test = opened("compare")
    test.file_uploader(key="upload0").upload("../../evil<b>.png", png()).run()
    assert not test.exception
    digest = link(test)["upload"][0]
    assert [path.name for path in (tmp_path / "uploads").iterdir()] == [digest]
    assert standin.asked[-1].prompts == ("a dog", "a red wall")
    assert "Trained on scenes" in written(test)
    elsewhere = opened("compare", upload=[digest])
    assert not elsewhere.warning and link(elsewhere)["upload"] == [digest]
    button(test, "Forget this image").click().run()
    assert "upload" not in link(test)
    assert list((tmp_path / "uploads").iterdir()) == []
    assert "is forgotten" in written(test)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("empty.png", b""),
        ("cut.png", png((300, 300))[:60]),
        ("text.png", b"just a text"),
        ("drawing.png", b"<svg xmlns='http://www.w3.org/2000/svg'></svg>"),
        ("<script>.png", b"\0\1\2"),
    ],
)
def test_a_file_that_is_no_image_is_refused_in_one_sentence(opened, name, data):
    test = opened("compare")
    test.file_uploader(key="upload0").upload(name, data).run()
    assert not test.exception
    assert link(test) == {}
    assert len(test.warning) == 1
    assert field(test.text_area, "Prompts, one a line").value == "a dog\na red wall"


def test_a_session_file_brings_state_and_upload_back(opened, tmp_path):
    data = png((25, 25))
    digest = gateway.uploads.keep(data, "x.png")
    text = links.to_json(state.State(upload=digest, prompts=("a cat",), resize="fit"), data)
    gateway.uploads.kept().forget(digest)
    test = opened("compare")
    test.file_uploader(key="file0").upload("session.json", text.encode()).run()
    assert link(test) == {"upload": [digest], "prompts": ["a cat"], "resize": ["fit"]}
    assert gateway.uploads.read(digest) == data


def saving_page():
    from dashboard import state
    from dashboard.sidebar import session

    session.draw()
    state.update(opacity=0.25)  # as a part of a page does, which does not draw the sidebar again


def test_a_session_is_saved_as_it_is_when_the_file_is_made(standin, monkeypatch):
    asked = {}
    monkeypatch.setattr("streamlit.download_button", lambda label, data, **how: asked.update({label: data}))
    test = AppTest.from_function(saving_page, default_timeout=PATIENCE).run()
    assert not test.exception
    with ThreadPoolExecutor(1) as thread:  # Streamlit makes the file where it knows of no session
        text = thread.submit(asked["Save as JSON"]).result()
    assert json.loads(text)["state"]["opacity"] == 0.25


@pytest.mark.parametrize("text", [b"", b"{}", b"\xff", json.dumps({"sidelight": 9, "state": {}}).encode()])
def test_a_file_that_is_no_session_is_refused_in_one_sentence(opened, text):
    test = opened("compare")
    test.file_uploader(key="file0").upload("session.json", text).run()
    assert not test.exception
    assert len(test.warning) == 1 and link(test) == {}


def test_a_bad_link_is_answered_in_sentences_and_the_page_is_drawn(opened, standin):
    test = opened("compare", image_set=["../etc"], methods=["nope", "game"], upload=["a" * 64], opacity=["7"])
    assert not test.exception
    assert len(test.info) == 1
    for part in ("etc", "nope", "not on this server", "from 0 to 1"):
        assert part in written(test)
    assert standin.asked[-1] == state.State(methods=("game",))


def test_a_running_job_shows_what_happens_and_a_failed_one_why(opened, standin):
    from tests.dashboard.conftest import Job

    standin.job = Job()
    test = opened("compare")
    assert [b.label for b in test.button if b.label == "Cancel"] == ["Cancel"]
    standin.job = Job(state="failed", error="The weights could not be downloaded.")
    test = opened("compare")
    assert "could not be downloaded" in written(test)
    assert button(test, "Compute again")


def test_a_folder_without_images_leaves_the_page_on_its_feet(opened, tmp_path):
    (tmp_path / "sets" / "bare").mkdir()
    test = opened("compare", image_set=["bare"])
    assert not test.exception
    assert "has no images" in written(test)
    field(test.text_area, "Prompts, one a line").set_value("a fish").run()
    button(test, "Next").click().run()
    assert not test.exception
    assert link(test) == {"image_set": ["bare"], "prompts": ["a fish"]}
    test.file_uploader(key="upload0").upload("mine.png", png()).run()
    assert "upload" in link(test)


def test_a_click_on_the_way_with_the_last_link_does_not_undo_the_last_change(opened, monkeypatch):
    test = opened("compare", image=["s1"])
    button(test, "Next").click().run()
    test.query_params["image"] = "s1"  # as a browser sends that has not heard of s2 yet
    button(test, "Next").click().run()
    assert link(test) == {"image": ["s0"]}

    monkeypatch.setattr(state, "ON_ITS_WAY", 0)
    test.query_params["image"] = "s1"  # the person went back
    test.run()
    assert link(test)["image"] == ["s1"]
    assert field(test.text_area, "Prompts, one a line").value == "a cat\na blue wall"


def test_a_message_on_the_way_with_old_values_does_not_undo_the_last_change(opened):
    test = opened("compare", prompts=["a dog", "a red wall"])
    old = field(test.pills, "Prompts of this image")
    field(test.text_area, "Prompts, one a line").set_value("a dog").run()
    assert link(test)["prompts"] == ["a dog"]
    assert field(test.pills, "Prompts of this image").value == ["a dog"]
    assert field(test.pills, "Prompts of this image").id != old.id
