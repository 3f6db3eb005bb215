"""Compare page: rows, cards and texts from explanations, with a stand-in for the engine."""

from __future__ import annotations

import ast
import base64
import json
import shlex
from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import gateway
from dashboard.choices import State
from dashboard.components import grid
from dashboard.views import compare_rows, compare_take
from engine.cli import parser
from engine.types import Explanation, Failure, Image, Map, ModelInfo, Preprocess, Target

INFO = ModelInfo("toy", "toy", None, "0" * 64, Preprocess((28, 42), 14, (0, 0, 0), (1, 1, 1)), 77)
IMAGE = Image(np.zeros((28, 42, 3), np.uint8), "d" * 64, "dot")
SPECS = ("grad_eclip", "maskclip", "self_attention")
SHARES = {"a dog": 0.1, "a cat": 0.4, "a bus": 0.2, "a tree": 0.05, "a fox": 0.25}
NASTY = "it's; `rm -rf` $HOME <script>alert(1)</script> \u202e\N{PILE OF POO}"


def explanation(targets=("a dog", "a cat"), specs=SPECS, leave=()) -> Explanation:
    targets = tuple(t if isinstance(t, Target) else Target(t) for t in targets)
    rng = np.random.default_rng(0)
    maps = []
    for column, spec in enumerate(specs):
        same = rng.random((2, 3)).astype(np.float32)
        for row, prompt in enumerate(target.label for target in targets):
            values = same if spec == "self_attention" else (same * (-1) ** row - 0.1 * column)
            explained = 0.3 - 0.1 * (spec == "maskclip")
            if (spec, prompt) not in leave:
                maps.append(Map(spec, "image", prompt, values.astype(np.float32), 0.3, explained, 0.012))
    return Explanation(IMAGE, INFO, "crop", targets, specs, (0, 0, 42, 28), (2, 3), tuple(maps))


@pytest.fixture
def stand_in(monkeypatch):
    """The gateway without an engine behind it: every state has the same image, and all maps at once."""

    def answer(state: State, targets):
        return explanation(targets, state.methods), None

    def scores(state: State, targets):
        return {target.label: SHARES[target.text] for target in targets}, None

    monkeypatch.setattr(gateway.maps, "maps", answer)
    monkeypatch.setattr(gateway.maps, "scores", scores)
    monkeypatch.setattr(gateway.prompts, "prompts", lambda state: state.prompts or ("a dog", "a cat"))
    monkeypatch.setattr(gateway.collection, "image", lambda state: replace(IMAGE, name=state.image or "dot"))
    monkeypatch.setattr(gateway.pictures, "picture", lambda image, side: b"jpeg")
    monkeypatch.setattr(gateway.pictures, "outlines", lambda state: (grid.Outline("dot", (np.eye(3, 2),)),))
    monkeypatch.setattr(gateway.prompts, "contrast", lambda state: ("a bus", "lorem"))
    monkeypatch.setattr(gateway.prompts, "photo_note", lambda state: ("Not trained on photographs.",))
    monkeypatch.setattr(gateway.collection, "file_name", lambda state: "dot.png")
    return answer


def test_rows_are_prompts_and_on_request_two_for_contrast(stand_in):
    shown = State(methods=SPECS)
    assert [line.target.label for line in compare_rows.lines(shown)] == ["a dog", "a cat"]
    lines = compare_rows.lines(replace(shown, contrast=True))
    assert [line.target.label for line in lines] == ["a dog", "a cat", "a bus", "lorem"]
    assert [line.own for line in lines] == [True, True, False, False]


def test_rows_may_be_models_prompt_by_prompt(stand_in):
    shown = State(methods=SPECS, rows="models", second_model="ViT-B-32", second_pretrained="openai")
    lines = compare_rows.lines(shown)
    assert [(line.target.label, line.detail) for line in lines] == [
        ("a dog", "bundled"),
        ("a dog", "ViT-B-32 openai"),
        ("a cat", "bundled"),
        ("a cat", "ViT-B-32 openai"),
    ]


def test_cards_carry_scores_sparsity_and_specificity(stand_in):
    tiles = compare_rows.tiles(compare_rows.lines(State(methods=SPECS)))
    eclip, mask, attention = tiles[0]
    assert attention.specificity == pytest.approx(0)  # the same map for both prompts
    assert eclip.specificity == pytest.approx(2)  # the opposite ranking
    assert eclip.versus == "a cat"
    assert (mask.score, mask.explained) == (0.3, pytest.approx(0.2))
    assert eclip.gini == pytest.approx(gateway.maps.gini(eclip.values))
    assert mask.signed and not attention.signed  # zero is the middle only where values lie on both sides


def test_specificity_prefers_the_unrelated_prompt(stand_in):
    lines = compare_rows.lines(State(methods=SPECS, contrast=True))
    assert {tile.versus for tile in compare_rows.tiles(lines)[0]} == {"a bus"}


def test_what_is_missing_says_why(stand_in, monkeypatch):
    class Job:
        state, error = "failed", "The weights file is damaged; load it again."

    lost = explanation(leave=[("grad_eclip", "a dog"), ("maskclip", "a cat")])
    failed = replace(lost, failures=(Failure("maskclip", "image", "a cat", "It needs a class token."),))
    monkeypatch.setattr(gateway.maps, "maps", lambda state, targets: (failed, Job))
    tiles = compare_rows.tiles(compare_rows.lines(State(methods=SPECS)))
    assert tiles[0][0].values is None and tiles[0][0].reason == Job.error
    assert tiles[1][1].reason == "It needs a class token."
    assert tiles[0][2].values is not None  # nothing that was computed is lost


def test_agreement_is_the_mean_over_ones_own_rows(stand_in):
    lines = compare_rows.lines(State(methods=SPECS, contrast=True))
    specs, rank, overlap = compare_rows.agreement(lines)
    assert specs == SPECS
    rows = [gateway.maps.agreement([line.get(s).values for s in SPECS]) for line in lines[:2]]
    np.testing.assert_allclose(rank, np.mean([r for r, _ in rows], axis=0))
    np.testing.assert_allclose(overlap, np.mean([o for _, o in rows], axis=0))


def test_difference_map_of_a_method_with_itself_is_zero(stand_in):
    lines = compare_rows.lines(State(methods=SPECS))
    some = compare_rows.differences(lines, "grad_eclip", "grad_eclip")
    assert len(some) == 2 and not any(tile.values.any() for _, tile in some)


def test_command_line_survives_any_prompt():
    shown = State(model="ViT-B-16", pretrained="openai", resize="fit")
    targets = [Target(NASTY), Target("-h")]
    text = compare_take.command_line(shown, "a photo.png", targets, ["grad_eclip(heads='single')"], {})
    assert shlex.split(text) == [
        "python", "-m", "engine", "explain", "a photo.png", "-p", NASTY, "--prompt=-h",
        "-m", "grad_eclip(heads='single')", "--model", "ViT-B-16", "--pretrained", "openai",
        "--resize", "fit", "--out", "maps", "--png",
    ]  # fmt: skip


def test_command_line_is_one_that_the_engine_understands():
    text = compare_take.command_line(
        State(resize="fit"), "a.png", [Target("-x"), Target("a dog")], ["game"], {}
    )
    arguments = parser().parse_args(shlex.split(text)[3:])
    assert (arguments.image, arguments.prompt, arguments.method) == (["a.png"], ["-x", "a dog"], ["game"])
    assert (arguments.model, arguments.resize) == ("bundled", "fit")


def test_python_code_means_the_same(stand_in):
    code = compare_take.python_code(State(), "a'b.png", [Target(NASTY)], ["grad_eclip(heads='single')"], {})
    literals = {node.value for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant)}
    assert {"a'b.png", NASTY, "grad_eclip(heads='single')", "bundled", "crop"} <= literals


def test_references_name_each_paper_once():
    text = compare_take.references(["grad_eclip", "grad_eclip(heads='single')", "game"])
    assert text.count("@") == 2


def test_payload_carries_raw_values_and_is_small():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(6, 6, 14, 14)).astype(np.float32)
    facts = {"score": 0.2, "explained": 0.2, "seconds": 0.1, "gini": 0.5}
    tiles = [[grid.Tile(v, True, **facts) for v in row] for row in values]
    columns = [grid.Column("Grad-ECLIP", "cosine per patch")] * 6
    rows = [grid.Row("a dog", 0, score=0.2)] * 6
    picture = grid.Picture(b"", (448, 448), (0, 0, 448, 448), "dot")
    sent = json.loads(json.dumps(grid.payload([picture], columns, rows, tiles)))
    cell = sent["tiles"][4][2]
    raw = np.frombuffer(base64.b64decode(sent["values"]), "<f4")
    np.testing.assert_array_equal(raw[cell["offset"] : cell["offset"] + 196].reshape(14, 14), values[4, 2])
    assert len(json.dumps(sent)) < 60_000


def page():
    from dashboard.views import compare

    compare.page()


def test_page_draws_the_grid_and_takes_its_choices(stand_in):
    app = AppTest.from_function(page, default_timeout=60).run()
    assert not app.exception
    assert "Agreement of the methods" in app.markdown[0].value
    assert any("photographs" in caption.value for caption in app.caption)
    app.toggle[0].set_value(True).run()
    assert not app.exception and app.query_params["contrast"] == "True"
    app.segmented_control[0].set_value("models").run()
    assert any("Choose a second model" in caption.value for caption in app.caption)


def test_page_copies_what_is_typed_as_text(stand_in):
    app = AppTest.from_function(page, default_timeout=60)
    app.query_params["prompts"] = [NASTY]
    app.run()
    assert not app.exception
    assert shlex.split(app.code[0].value)[6] == NASTY
