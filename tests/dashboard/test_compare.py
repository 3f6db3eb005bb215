"""Compare page: rows, cards and texts from explanations, with a stand-in for the engine."""

from __future__ import annotations

import ast
import base64
import csv
import io
import json
import shlex
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.testing.v1 import AppTest

from dashboard import gateway, links
from dashboard.choices import State
from dashboard.components import grid
from dashboard.views import compare_agreement, compare_ranking, compare_rows, compare_take
from engine.cli import parser
from engine.render import Outline
from engine.types import Explanation, Failure, Image, Map, ModelInfo, Preprocess, SidelightError, Target
from tests.patience import PATIENCE

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
    monkeypatch.setattr(gateway.pictures, "outlines", lambda state: (Outline("dot", (np.eye(3, 2),)),))
    monkeypatch.setattr(gateway.prompts, "contrast", lambda state: ("a bus", "lorem"))
    monkeypatch.setattr(gateway.prompts, "photo_note", lambda state: ("Not trained on photographs.",))
    monkeypatch.setattr(gateway.collection, "file_name", lambda state: "dot.png")
    monkeypatch.setattr(gateway.curves, "areas", lambda state, targets: {})
    return answer


def test_rows_are_prompts_and_on_request_two_for_contrast(stand_in):
    shown = State(methods=SPECS)
    assert [line.target.label for line in compare_rows.lines(shown)] == ["a dog", "a cat"]
    lines = compare_rows.lines(replace(shown, contrast=True))
    assert [line.target.label for line in lines] == ["a dog", "a cat", "a bus", "lorem"]
    assert [line.own for line in lines] == [True, True, False, False]


def test_a_row_of_an_upload_is_not_named_after_the_image_before_it(stand_in):
    lines = compare_rows.lines(State(methods=SPECS, rows="images", image="s1", upload="a" * 64))
    assert [line.detail for line in lines] == ["your upload"]


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


def test_cards_carry_areas_of_curves_that_are_known(stand_in, monkeypatch):
    known = {("grad_eclip", "a cat"): (0.1, 0.3)}
    monkeypatch.setattr(gateway.curves, "areas", lambda state, targets: known)
    tiles = compare_rows.tiles(compare_rows.lines(State(methods=SPECS)))
    assert (tiles[1][0].deletion, tiles[1][0].insertion) == (0.1, 0.3)
    assert tiles[0][0].deletion is None and tiles[1][1].deletion is None


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
    specs, rank, overlap = compare_agreement.agreement(lines)
    assert specs == SPECS
    rows = [gateway.maps.agreement([line.get(s).values for s in SPECS]) for line in lines[:2]]
    np.testing.assert_allclose(rank, np.mean([r for r, _ in rows], axis=0))
    np.testing.assert_allclose(overlap, np.mean([o for _, o in rows], axis=0))


def test_difference_map_of_a_method_with_itself_is_zero(stand_in):
    lines = compare_rows.lines(State(methods=SPECS))
    some = compare_agreement.differences(lines, "grad_eclip", "grad_eclip")
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


def test_every_model_of_a_grid_has_its_command_and_rows_for_contrast_have_none_of_their_own(stand_in):
    shown = State(methods=SPECS, rows="models", second_model="ViT-B-32", second_pretrained="b.pt")
    commands, programs = compare_take.copies(compare_rows.lines(shown))
    asked = [parser().parse_args(shlex.split(command)[3:]) for command in commands]
    assert [(one.model, one.pretrained, one.out.name) for one in asked] == [
        ("bundled", None, "maps-1"),
        ("ViT-B-32", "b.pt", "maps-2"),
    ]
    assert all(one.prompt == ["a dog", "a cat"] for one in asked)
    assert "pretrained='b.pt'" not in programs[0] and "pretrained='b.pt'" in programs[1]
    (command,), _ = compare_take.copies(compare_rows.lines(State(methods=SPECS, contrast=True)))
    one = parser().parse_args(shlex.split(command)[3:])
    assert one.prompt == ["a dog", "a cat", "a bus", "lorem"] and one.out.name == "maps"


def test_python_code_means_the_same(stand_in):
    code = compare_take.python_code(State(), "a'b.png", [Target(NASTY)], ["grad_eclip(heads='single')"], {})
    literals = {node.value for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant)}
    assert {"a'b.png", NASTY, "grad_eclip(heads='single')", "bundled", "crop"} <= literals


def taken(shown: State, targets, others=()) -> tuple[str, str]:
    others = dict(others)
    return (
        compare_take.command_line(shown, "a.png", targets, ["game"], others),
        compare_take.python_code(shown, "a.png", targets, ["game"], others),
    )


def made(code: str) -> tuple[Target, ...]:
    """The targets that the copied Python asks for, without loading or computing anything."""
    tree = ast.parse(code)
    asked = next(node for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "targets")
    names = {"Target": Target, "load_image": lambda file: Image(IMAGE.pixels, "e" * 64, file)}
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "classes":
            names["classes"] = ast.literal_eval(node.value)
    return eval(compile(ast.Expression(asked.value), "copied", "eval"), names)


@pytest.mark.parametrize(
    "targets",
    [
        (Target("dog", "ensemble"), Target("-x", "ensemble")),
        (Target("a dog", "difference", minus="--minus"), Target(NASTY, "difference", minus="--minus")),
        (
            Target(NASTY, "class", classes=(NASTY, "-n", "%s")),
            Target("-n", "class", classes=(NASTY, "-n", "%s")),
        ),
    ],
)
def test_every_kind_of_target_is_copied_whole(targets, tmp_path):
    command, code = taken(State(), targets)
    assert made(code) == targets
    listing, _, last = command.rpartition("\n")
    arguments = parser().parse_args(shlex.split(last)[3:])
    assert tuple(arguments.prompt) == tuple(t.text for t in targets)
    assert arguments.templates == (targets[0].kind == "ensemble")
    assert (arguments.minus or "") == targets[0].minus
    if targets[0].kind == "class":
        subprocess.run(["bash", "-c", listing], cwd=tmp_path, check=True)
        written = (tmp_path / arguments.classes).read_text("utf-8").splitlines()
        assert tuple(written) == targets[0].classes


def test_another_image_is_copied_by_its_file():
    other = Target(kind="image", image=Image(IMAGE.pixels, "e" * 64, "other"))
    command, code = taken(State(), [Target("a dog"), other], {other.label: "-o'.png"})
    arguments = parser().parse_args(shlex.split(command)[3:])
    assert arguments.target_image == ["-o'.png"]
    assert [t.kind for t in made(code)] == ["text", "image"]
    assert made(code)[1].image.name == "-o'.png"


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


CHOICES = State(
    methods=SPECS, reading="choices", choices="list", classes=("a dog", "a cat", "a bus", "a tree", "a fox")
)


def labels(shown: State) -> list[str]:
    lines = compare_rows.lines(shown, compare_ranking.ranking(shown))
    return [row.label for row in compare_rows.pictures(lines)[1]]


def test_rows_of_choices_are_the_first_of_the_ranking_and_what_is_picked(stand_in):
    assert labels(CHOICES) == ["a cat", "a fox", "a bus"]
    assert labels(replace(CHOICES, picked=("a tree", "a cat", "not there"))) == [
        "a cat", "a fox", "a bus", "a tree",
    ]  # fmt: skip
    assert labels(replace(CHOICES, contrast=True)) == ["a cat", "a fox", "a bus"]  # no choice is meaningless
    assert list(compare_ranking.ranking(CHOICES).mean.items()) == [
        ("a cat", 0.4), ("a fox", 0.25), ("a bus", 0.2), ("a dog", 0.1), ("a tree", 0.05),
    ]  # fmt: skip


def test_prompts_are_read_in_templates_or_less_a_text(stand_in):
    assert labels(State(methods=SPECS, reading="templates"))[0] == "a dog in templates"
    less = State(methods=SPECS, minus="a cat", contrast=True)
    assert labels(less) == [f"{text} \N{MINUS SIGN} a cat" for text in ("a dog", "a cat", "a bus", "lorem")]
    assert labels(replace(less, minus=" "))[0] == "a dog"
    rows = compare_rows.pictures(compare_rows.lines(less))[1]
    assert {row.measure for row in rows} == {"difference of cosines"}


@pytest.mark.parametrize(
    ("classes", "rows", "named"),
    [
        ((), "prompts", "list of choices is empty"),
        (("a dog",), "prompts", "only choice"),
        (tuple(map(str, range(1001))), "prompts", "1001 choices"),
        (tuple(map(str, range(201))), "images", "several images"),
    ],
)
def test_a_list_with_nothing_to_choose_is_said_in_one_sentence(stand_in, classes, rows, named):
    with pytest.raises(SidelightError, match=named):
        compare_ranking.ranking(replace(CHOICES, classes=classes, rows=rows))


def test_rows_of_images_have_each_its_first_choice_and_a_table_with_the_mean(stand_in, monkeypatch):
    shares = {
        "one": {"a dog": 0.7, "a cat": 0.2, "a bus": 0.1},
        "two": {"a dog": 0.3, "a cat": 0.6, "a bus": 0.1},
    }
    shown = replace(CHOICES, classes=tuple(shares["one"]), rows="images", image="one")
    monkeypatch.setattr(
        compare_ranking, "images", lambda shown: tuple(replace(shown, image=name) for name in shares)
    )
    monkeypatch.setattr(
        gateway.maps, "scores", lambda state, ts: ({t.label: shares[state.image][t.text] for t in ts}, None)
    )
    assert labels(shown) == ["a dog", "a cat"]
    assert labels(replace(shown, picked=("a bus",))) == ["a bus", "a bus"]
    rows = list(
        csv.reader(io.StringIO(compare_ranking.table(compare_ranking.ranking(shown)).decode("utf-8-sig")))
    )
    assert rows[0] == ["choice", "mean", "one", "two"]
    assert [row[0] for row in rows[1:]] == ["a dog", "a cat", "a bus"]
    np.testing.assert_allclose(
        np.array([row[1:] for row in rows[1:]], float), [[0.5, 0.7, 0.3], [0.4, 0.2, 0.6], [0.1, 0.1, 0.1]]
    )


def test_a_ranking_that_is_under_way_is_not_whole(stand_in, monkeypatch):
    job = object()
    monkeypatch.setattr(gateway.maps, "scores", lambda state, targets: ({targets[0].label: 0.5}, job))
    ranked = compare_ranking.ranking(CHOICES)
    assert not ranked.whole and ranked.job is job


@pytest.mark.parametrize(
    ("spec", "evidence"),
    [
        ("grad_eclip", "evidence for; sign cut off"),
        ("grad_eclip(sign='negative')", "evidence against; sign cut off"),
        ("grad_eclip(sign='signed')", "evidence for and against"),
        ("game", "evidence for; sign cut off"),
        ("maskclip", "evidence for and against"),
        ("self_attention", "no sign"),
    ],
)
def test_a_column_says_what_sign_its_maps_have(stand_in, spec, evidence):
    (column,) = compare_rows.columns(compare_rows.lines(State(methods=(spec,))))
    assert column.evidence == evidence and column.meaning.endswith(".")


def page():
    from dashboard.views import compare

    compare.page()


def test_page_draws_the_grid_and_takes_its_choices(stand_in):
    app = AppTest.from_function(page, default_timeout=PATIENCE).run()
    assert not app.exception
    assert "Agreement of the methods" in app.markdown[0].value
    assert any("photographs" in caption.value for caption in app.caption)
    app.toggle[0].set_value(True).run()
    assert not app.exception and app.query_params["contrast"] == "True"
    app.segmented_control[0].set_value("models").run()
    assert any("Choose a second model" in caption.value for caption in app.caption)


def test_page_copies_what_is_typed_as_text(stand_in):
    app = AppTest.from_function(page, default_timeout=PATIENCE)
    app.query_params["prompts"] = [NASTY]
    app.run()
    assert not app.exception
    assert shlex.split(app.code[0].value)[6] == NASTY


def field(widgets, label):
    return next(widget for widget in widgets if widget.label == label)


def test_page_ranks_a_list_of_ones_own(stand_in):
    app = AppTest.from_function(page, default_timeout=PATIENCE).run()
    field(app.segmented_control, "Prompts are read").set_value("choices").run()
    assert not app.exception and app.query_params["reading"] == "choices"
    assert "Contrast" not in [toggle.label for toggle in app.toggle]
    field(app.selectbox, "Among").set_value("list").run()
    field(app.text_area, "Choices, one a line").set_value("a fox\n a cat \n\na fox\na tree").run()
    assert app.query_params["classes"] == ["a fox", "a cat", "a tree"]
    assert not app.exception
    assert any("among 3 choices" in caption.value for caption in app.caption)
    assert "printf '%s\\n' 'a fox' 'a cat' 'a tree' > classes.txt" in app.code[0].value


@pytest.mark.parametrize("picked", [(), ("a bus",)])
def test_page_tells_picked_choices_from_the_first_of_each_image(stand_in, monkeypatch, picked):
    monkeypatch.setattr(compare_ranking, "images", lambda shown: (shown, shown))
    app = AppTest.from_function(page, default_timeout=PATIENCE)
    for name, values in links.to_query(replace(CHOICES, rows="images", picked=picked)).items():
        app.query_params[name] = values
    app.run()
    sent = [json.loads(e.proto.json) for e in app.main if e.type == "bidi_component" and e.proto.json]
    choices = next(data["choices"] for data in sent if "choices" in data)
    assert [choice["name"] for choice in choices if choice["drawn"]] == list(picked or ["a cat"])
    assert [choice["name"] for choice in choices if choice["picked"]] == list(picked)


def test_page_takes_a_text_less(stand_in):
    app = AppTest.from_function(page, default_timeout=PATIENCE).run()
    field(app.text_input, "Less the text").set_value("  a dog ").run()
    assert not app.exception and app.query_params["minus"] == "a dog"
    assert any("less itself" in caption.value for caption in app.caption)
    assert "--minus=a dog" in shlex.split(app.code[0].value)


def test_another_image_is_a_target_unless_it_is_the_one_looked_at(standin):
    like = gateway.targets.like(State(like=("s1", "s0", "nowhere")))
    assert {id: target.image.name for id, target in like.items()} == {"s1": "s1"}
    assert gateway.collection.other_images(State(upload="a" * 64)) == ("s0", "s1", "s2")


def test_one_of_two_images_whose_names_begin_alike_is_chosen(opened, monkeypatch):
    names = ("x" * 50 + "1", "x" * 50 + "2")
    monkeypatch.setattr(gateway.collection, "other_images", lambda shown: names)
    monkeypatch.setattr(gateway.targets, "like", lambda shown: {})
    app = opened("compare")
    field(app.multiselect, "Like an image").set_value([names[1]]).run()
    assert not app.exception and app.query_params["like"] == names[1]


def waiting_page():
    import streamlit as st

    from dashboard import progress

    class Job:
        state = "done"

    st.session_state["runs"] = st.session_state.get("runs", 0) + 1
    progress.panel(st.session_state.setdefault("job", Job()))


def test_a_job_that_ends_while_the_page_is_drawn_draws_it_once_more():
    app = AppTest.from_function(waiting_page, default_timeout=PATIENCE).run()
    assert not app.exception and app.session_state["runs"] == 2
    app.run()
    assert app.session_state["runs"] == 3


def watching_page():
    import threading

    import streamlit as st

    from dashboard import progress
    from engine.types import Progress

    class Job:
        state, progress, stop = "running", Progress(1, 4, "loading"), threading.Event()

    progress.panel(Job())
    st.write("after it")


def test_the_page_stands_without_what_the_progress_panel_has_sent(monkeypatch):
    """A turn of a fragment takes its earlier messages out of the queue, and the browser refuses a message
    whose place lies behind a gap."""
    sent = []
    monkeypatch.setattr(ForwardMsgQueue, "_before_enqueue_msg", sent.append)
    AppTest.from_function(watching_page, default_timeout=PATIENCE).run()
    changes = [message for message in sent if message.HasField("delta")]
    assert any(message.delta.fragment_id for message in changes)
    drawn = {(0,): 0}  # by place: how many children
    for message in changes:
        if not message.delta.fragment_id:
            *around, place = message.metadata.delta_path
            assert place <= drawn[tuple(around)]
            drawn[tuple(around)] = max(drawn[tuple(around)], place + 1)
            drawn[(*around, place)] = 0
