"""The Curves page under AppTest, with made-up curves; its protocol; and the pixels that its script draws."""

from __future__ import annotations

import json
import shlex
import shutil
import struct
import subprocess
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from dashboard import gateway
from dashboard.choices import State
from dashboard.components.curves import Line, payload
from dashboard.components.packing import MAGIC
from dashboard.views import curves as view
from dashboard.views import curves_parts, curves_protocol, curves_take
from engine import curves as engine_curves
from engine.cli import parser
from engine.cli.protocol import protocol_of
from engine.curves import KINDS, PRESETS, Curve, Curves, Protocol, perturbed
from engine.curves.pictures import as_picture, ground
from engine.jobs import of_maps
from engine.types import Failure, Image, ModelInfo, Preprocess, Request, SidelightError, Target
from tests.dashboard.conftest import ALIKE, BUNDLED, Job
from tests.patience import PATIENCE

COMPONENTS = Path(view.__file__).resolve().parents[1] / "components"
SPECS = ("grad_eclip", "game", "random", "center", "edges")
# Runs the page's own scripts on a payload, and writes the pixels of every point that it is asked for.
DRAW = """
const [, scripts, file, wanted] = process.argv;
const { opened, pictureAt } = new Function(scripts + "; return { opened, pictureAt };")();
const { head, array } = opened(new Uint8Array(require("fs").readFileSync(file)));
const data = { ...head, base: array(head.base),
  instead: { deletion: array(head.instead.deletion), insertion: array(head.instead.insertion) } };
for (const [curve, order, index] of JSON.parse(wanted)) {
  for (const line of head.lines) {
    const ranks = array(line.curve.ranks).values;
    process.stdout.write(pictureAt(data, ranks, head.changed[curve][index], curve, order));
  }
}
"""


def made(
    prompt: str = "a dog",
    protocol: Protocol | None = None,
    specs: tuple[str, ...] = SPECS,
    info: ModelInfo = BUNDLED,
    image: Image | None = None,
    lacking: tuple[str, ...] = (),
) -> Curves:
    """Curves of random numbers and random ranks, with the true picture and fills."""
    rng = np.random.default_rng(0)
    protocol = protocol or Protocol()
    image = image or Image(rng.integers(0, 256, (90, 130, 3), dtype=np.uint8), "d" * 64, "noise")
    place = ground(image, info.preprocess, "crop", protocol)
    found = [
        Curve(
            spec=spec,
            target=prompt,
            ranks=rng.permutation(np.prod(place.units)).reshape(place.units).astype(np.int32),
            **{kind: rng.random(len(getattr(protocol, kind.partition("_")[0]))) for kind in KINDS},
            score=0.3,
            empty=0.1,
            auc=(float(rng.random()), float(rng.random())),
            least=(0.5, 0.6),
            slope=0.02,
            share90=float("nan"),
            aid=float(rng.random()),
        )
        for spec in specs
        if spec not in lacking
    ]
    return Curves(
        image=image,
        model=info,
        resize="crop",
        protocol=protocol,
        targets=(Target(prompt),),
        specs=specs,
        curves=tuple(found),
        failures=(),
        base=as_picture(place.base),
        hidden=as_picture(place.hidden),
        revealed=as_picture(place.revealed),
        units=place.units,
    )


@pytest.fixture
def asked(standin, monkeypatch) -> list[tuple[State, str]]:
    """What the page asks of the engine, answered with made-up numbers; standin.failing lack a curve."""
    calls: list[tuple[State, str]] = []

    def curves(shown, prompt):
        calls.append((shown, prompt))
        protocol = gateway.curves.protocol(shown, prompt)
        return made(prompt, protocol, lacking=standin.failing), standin.job

    monkeypatch.setattr(gateway.curves, "curves", curves)
    return calls


def sent(test) -> dict:
    """The JSON part of what the component of the curves was sent."""
    return header(next(e for e in test.main if e.type == "bidi_component").proto.bytes)


def header(data: bytes) -> dict:
    assert data[:4] == MAGIC
    (length,) = struct.unpack("<I", data[4:8])
    return json.loads(data[8 : 8 + length])


def test_all_methods_and_the_controls_in_grey_are_sent(opened, asked):
    head = sent(opened("curves", prompts=["a dog", "a cat"], target=["a cat"], mark=["45"]))
    assert [line["label"] for line in head["lines"]] == ["Grad-ECLIP", "GAME", "Random", "Centre", "Edges"]
    assert [bool(line["colour"]) for line in head["lines"]] == [True, True, False, False, False]
    assert head["view"] == {"order": "most", "curve": "deletion", "mark": 45, "sort": ""}
    assert head["lines"][0]["curve"]["share90"] is None
    assert head["drawn"] is None
    assert {prompt for _, prompt in asked} == {"a cat"}


def test_the_choices_are_the_engines():
    options = {f.name: f.metadata.get("options") for f in fields(State)}
    assert options["fill"] == ("preset", *engine_curves.FILLS)
    assert options["unit"] == ("preset", *engine_curves.UNITS)
    assert options["score"] == ("preset", *engine_curves.SCORES)
    assert options["preset"] == tuple(PRESETS) == tuple(curves_protocol.PRESETS)
    for named, known in (
        (curves_protocol.FILLS, "fill"),
        (curves_protocol.UNITS, "unit"),
        (curves_protocol.SCORES, "score"),
    ):
        assert ("preset", *named) == options[known]


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_taken_as_it_is(standin, preset):
    found = gateway.curves.protocol(State(preset=preset), "a dog")
    assert replace(found, classes=()) == replace(PRESETS[preset], classes=())
    if PRESETS[preset].classes:
        assert found.classes == PRESETS[preset].classes


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"preset": "rise"},
        {"preset": "grad-eclip-imagenet", "unit": "patch", "steps": 4.0},
        {"fill": "blur", "score": "top-5", "among": "list", "classes": ("it's", "a dog")},
    ],
)
def test_what_is_copied_makes_the_same_curves(standin, chosen, tmp_path, monkeypatch):
    shown = State(prompts=("a dog", "-a cat'"), methods=("game", "rise(masks=9)"), resize="fit", **chosen)
    asked, protocol = gateway.maps.request(shown), gateway.curves.protocol(shown, "a dog")
    words = shlex.split(curves_take.command_line(asked, protocol, "a b.png").split("\n")[-1])
    if chosen.get("among") == "list":
        (tmp_path / curves_take.CLASSES).write_text("it's\na dog\n")
        assert curves_take.command_line(asked, protocol, "x").startswith(
            "printf '%s\\n' 'it'\"'\"'s' 'a dog' > classes.txt\n"
        )
    monkeypatch.chdir(tmp_path)
    read = parser().parse_args(words[3:])
    assert (read.image, read.prompt, read.method) == (["a b.png"], ["a dog", "-a cat'"], list(asked.specs))
    assert read.resize == "fit" and compared(protocol_of(read)) == compared(protocol)

    made = {}
    code = curves_take.python_code(asked, protocol, "a dog", "a b.png")
    monkeypatch.setattr("engine.load_image", lambda file: asked.image)
    monkeypatch.setattr("engine.curves.compute", lambda of: made.update(of=of) or SimpleNamespace(curves=()))
    exec(compile(code, "copied", "exec"), {})
    assert compared(made["of"].protocol) == compared(protocol) and made["of"].only == "a dog"
    assert made["of"].maps == asked


def compared(protocol: Protocol) -> Protocol:
    """A protocol without the classes that the cosine does not choose among."""
    return replace(protocol, classes=()) if protocol.score == "cosine" else protocol


def test_what_is_changed_of_a_preset(standin):
    found = gateway.curves.protocol(
        State(preset="grad-eclip-imagenet", fill="black", steps=4.0, score="cosine", among="prompts"), "a dog"
    )
    assert (found.hide, found.reveal, found.space, found.steps) == ("black", "black", "image", 0)
    assert found.deletion == found.insertion == (0, 0.25, 0.5, 0.75, 1)
    assert (found.score, found.classes) == ("cosine", ("a dog", "a red wall"))
    for change in ({"unit": "patch"}, {"fill": "neighbours"}):
        assert gateway.curves.protocol(State(preset="grad-eclip-imagenet", **change), "").space == "input"


def test_an_empty_list_of_classes_is_in_the_way_of_scores_by_class_alone(standin):
    with pytest.raises(SidelightError, match="list of classes is empty"):
        gateway.curves.request(State(among="list", score="top-1"), "a dog")
    assert gateway.curves.request(State(among="list"), "a dog").protocol.score == "cosine"


def test_classes_are_the_sets_prompts_with_the_shown_one(standin):
    found = gateway.curves.protocol(State(prompts=("a green dog", "a cat")), "a green dog")
    assert found.classes == (
        "a dog", "a red wall", "a cat", "a blue wall", "a tree", "a green wall", "a green dog",
    )  # fmt: skip
    assert gateway.curves.protocol(State(among="list", classes=("x", "y")), "x").classes == ("x", "y")


def test_one_prompt_of_all_is_asked_for(standin):
    asked = gateway.curves.request(State(prompts=("a dog", "a cat")), "a cat")
    assert [target.label for target in asked.maps.targets] == ["a dog", "a cat"]
    assert [target.label for target in asked.targets] == ["a cat"]


def test_what_is_computed_is_waited_for(opened, asked, standin):
    standin.job, standin.failing = Job(), ("game",)
    test = opened("curves", prompts=["a dog"])
    lines = {line["label"]: line for line in sent(test)["lines"]}
    assert lines["GAME"]["waiting"] == "Loading ViT-B-16/openai"
    assert lines["Grad-ECLIP"]["curve"]["deletion"]
    assert any(button.label == "Cancel" for button in test.button)


def test_a_computation_that_failed_is_one_sentence(opened, asked, standin):
    standin.job, standin.failing = Job(state="failed", error="No weights here."), SPECS
    test = opened("curves", prompts=["a dog"])
    assert {line["reason"] for line in sent(test)["lines"]} == {"Not computed."}
    assert [info.value for info in test.info] == ["No weights here\\."]
    assert any(button.label == "Compute again" for button in test.button)


def test_a_method_without_a_map_says_why(opened, standin, monkeypatch):
    failure = Failure("game", "image", "a dog", "GAME needs attention.", unsupported=True)
    found = replace(made(lacking=("game",)), failures=(failure,))
    monkeypatch.setattr(gateway.curves, "curves", lambda shown, prompt: (found, None))
    head = sent(opened("curves", prompts=["a dog"]))
    assert head["lines"][1]["reason"] == "GAME needs attention."


def test_a_score_without_its_class_is_one_sentence_among_the_choices(opened, standin, monkeypatch):
    def refused(shown, prompt):
        raise SidelightError("The score top-1 needs a class; choose another.")

    monkeypatch.setattr(gateway.curves, "curves", refused)
    test = opened("curves", score=["top-1"], among=["list"])
    assert not test.exception
    assert any("needs a class" in warning.value for warning in test.warning)
    assert {"Prompt", "Protocol", "Fill", "Unit", "Steps", "Score", "Among"} <= {
        b.label for b in test.selectbox
    }
    assert any(area.label.startswith("Classes") for area in test.text_area)


def test_a_stored_curve_without_the_scores_class_is_one_sentence(standin, monkeypatch):
    lost = replace(made(), curves=tuple(replace(c, score=float("nan")) for c in made().curves))
    monkeypatch.setattr(engine_curves, "stored", lambda asked: lost)
    with pytest.raises(SidelightError, match="'a dog' is none of those"):
        gateway.curves.curves(State(score="top-1", among="imagenet"), "a dog")


def test_the_one_queue_answers_curves_too(monkeypatch):
    monkeypatch.setattr(engine_curves, "compute", lambda asked, **how: "curves")
    asked = engine_curves.CurveRequest(Request(made().image, (Target("a"),), ("game",), device="cpu"))
    assert gateway.work._answer(asked) == "curves"
    assert gateway.work._lane(asked) == "cpu"
    assert gateway.work._question(asked) == engine_curves.question(asked)
    assert gateway.work._question(asked.maps) == of_maps(asked.maps)


def test_another_preset_forgets_what_was_changed(opened, asked):
    test = opened("curves", prompts=["a dog"], fill=["black"], steps=["10"])
    box = next(box for box in test.selectbox if box.label == "Protocol")
    box.select("rise").run()
    shown = asked[-1][0]
    assert (shown.preset, shown.fill, shown.steps) == ("rise", "preset", 0)
    assert next(box for box in test.selectbox if box.label == "Fill").value == "preset"


def test_neighbours_are_drawn_by_the_engine_for_the_marked_point(standin, asked):
    shown = State(prompts=("a dog",), fill="neighbours", mark=31, order="least", curve="insertion")
    of = curves_parts.parts(shown)
    drawn = curves_parts.drawn(shown, of)
    assert (drawn.curve, drawn.order, drawn.index) == ("insertion", "least", 6)
    for place, curve in enumerate(of.found.curves):
        np.testing.assert_array_equal(drawn.pictures[place], perturbed(of.found, curve, 6, "insertion_least"))
    assert (
        curves_parts.drawn(replace(shown, fill="blur"), curves_parts.parts(replace(shown, fill="blur")))
        is None
    )


def test_fills_are_compared_where_it_is_asked(opened, asked, monkeypatch):
    test = opened("curves", prompts=["a dog"])
    assert sum(e.type == "bidi_component" for e in test.main) == 1
    test = opened("curves", prompts=["a dog"], fills=["True"])
    (told,) = [json.loads(e.proto.json) for e in test.main if e.type == "bidi_component" and e.proto.json]
    assert (told["fills"], told["current"]) == (list(engine_curves.FILLS), "mean")
    assert [bool(line["colour"]) for line in told["lines"]] == [True, True, False, False, False]
    assert {shown.fill for shown, _ in asked} >= set(engine_curves.FILLS)


def test_a_fill_that_is_computed_holds_back_the_next(standin, monkeypatch):
    def curves(shown, prompt):
        protocol = gateway.curves.protocol(shown, prompt)
        lacking, job = (("game",), Job()) if shown.fill == "black" else ((), None)
        return made(prompt, protocol, lacking=lacking), job

    monkeypatch.setattr(gateway.curves, "curves", curves)
    by_fill, job = gateway.curves.across(State(), "a dog")
    assert tuple(by_fill) == ("mean", "blur")
    assert job is not None


def test_ranked_methods_have_a_number_for_every_fill():
    by_fill = {"mean": made(), "blur": made(lacking=("game",))}
    ranked = curves_parts.ranked(by_fill, "a dog")
    assert [line.label for line in ranked] == ["Grad-ECLIP", "Random", "Centre", "Edges"]
    first = by_fill["mean"].curves[0]
    assert ranked[0].deletion == (first.auc[0], by_fill["blur"].curves[0].auc[0])
    assert ranked[0].insertion[0] == first.auc[1]
    assert ranked[0].aid[0] == first.aid


def test_the_view_from_the_browser_is_checked(standin, monkeypatch):
    taken = {}
    monkeypatch.setattr(view.state, "update", lambda **values: taken.update(values))
    view._told({"mark": 400, "order": "least", "curve": "<b>", "sort": "-aid", "fill": "black"})
    assert taken == {"mark": State.mark, "order": "least", "curve": State.curve, "sort": "-aid"}


def test_figures_and_data_are_files_of_their_kind():
    found = made()
    starts = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    assert set(starts) == set(engine_curves.FORMATS)
    for form, start in starts.items():
        assert gateway.curves.figure(found, form).startswith(start)
    assert gateway.curves.table(found).startswith(b"prompt,method,curve,share,score")
    assert gateway.curves.arrays(found).startswith(b"PK")


NON_SQUARE = replace(BUNDLED, preprocess=Preprocess((48, 80), 16, (0.5, 0.4, 0.3), (0.5,) * 3))
TENTHS = tuple(n / 10 for n in range(11))


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node to run the page's scripts")
@pytest.mark.parametrize(
    "protocol",
    [
        Protocol(hide="noise", reveal="blur", deletion=TENTHS, insertion=TENTHS),
        Protocol(unit="pixel", hide="black", reveal="noise", deletion=TENTHS, insertion=TENTHS[1:]),
        PRESETS["grad-eclip-imagenet"],
    ],
    ids=["patches", "pixels", "grad-eclip"],
)
def test_the_browser_draws_the_engines_pictures(tmp_path, protocol):
    found = made(protocol=protocol, info=NON_SQUARE)
    changed = {kind: gateway.curves.counts(found, kind) for kind in ("deletion", "insertion")}
    lines = [Line(curve.spec, curve=curve) for curve in found.curves]
    file = tmp_path / "payload"
    file.write_bytes(payload(found, lines, changed, {}, 1))
    wanted = [(c, o, i) for c in ("deletion", "insertion") for o in ("most", "least") for i in (0, 1, 5, 9)]
    scripts = "\n".join((COMPONENTS / name).read_text() for name in ("packing.js", "curves/pictures.js"))
    done = subprocess.run(
        ["node", "-e", DRAW, scripts, str(file), json.dumps(wanted)],
        capture_output=True,
        check=True,
        timeout=PATIENCE,
    )
    shape = (len(wanted), len(lines), *found.base.shape[:2], 4)
    pictures = np.frombuffer(done.stdout, np.uint8).reshape(shape)
    assert (pictures[..., 3] == 255).all()
    for pixels, (curve, order, index) in zip(pictures, wanted, strict=True):
        kind = curve if order == "most" else f"{curve}_least"
        for own, made_curve in zip(pixels, found.curves, strict=True):
            np.testing.assert_array_equal(own[..., :3], perturbed(found, made_curve, index, kind))


def test_of_a_large_picture_every_other_pixel_is_sent():
    image = Image(np.random.default_rng(1).integers(0, 256, (500, 700, 3), dtype=np.uint8), "e" * 64)
    found = made(protocol=PRESETS["grad-eclip-imagenet"], image=image, specs=("game",))
    changed = {kind: gateway.curves.counts(found, kind) for kind in ("deletion", "insertion")}
    data = payload(found, [Line("GAME", curve=found.curves[0])], changed, {}, 1)
    head = header(data)
    assert (head["every"], head["base"]["shape"], head["units"]) == (2, [250, 350, 3], [500, 700])
    place = head["lines"][0]["curve"]["ranks"]
    start = 8 + struct.unpack("<I", data[4:8])[0] + place["at"]
    ranks = np.frombuffer(data, place["type"], np.prod(place["shape"]), start).reshape(place["shape"])
    np.testing.assert_array_equal(ranks, found.curves[0].ranks[::2, ::2])


def test_one_of_two_prompts_that_begin_alike_is_chosen(opened, asked):
    test = opened("curves", prompts=list(ALIKE), target=[ALIKE[1]])
    box = next(box for box in test.selectbox if box.label == "Prompt")
    assert box.value == ALIKE[1]
    box.set_value(ALIKE[0]).run()
    assert not test.exception and test.query_params["target"] == ALIKE[0]
