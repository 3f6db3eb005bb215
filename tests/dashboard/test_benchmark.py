"""The Benchmark page under AppTest: the real worker and run folders, a stand-in for measuring an image."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from dashboard import gateway
from dashboard.choices import State
from dashboard.views import (
    benchmark_charts,
    benchmark_images,
    benchmark_ranks,
    benchmark_take,
    benchmark_view,
)
from dashboard.views import benchmark_text as text
from engine import datasets
from engine.curves import Protocol
from engine.runs import Measured, Row
from engine.runs.subject import specs_of
from engine.types import SidelightError, Target
from tests.dashboard.conftest import BUNDLED
from tests.patience import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
MODEL = SimpleNamespace(info=BUNDLED, device="cpu")
ASKED = {"methods": ["grad_eclip", "game"], "metrics": ["deletion", "energy", "milliseconds"]}
VALUES = {"grad_eclip": 0.1, "game": 0.2, "random": 0.5, "center": 0.4, "edges": 0.3}


@pytest.fixture
def measured(standin, tmp_path, monkeypatch):
    """Runs in a folder of the test; what was measured, and events: it has begun, and it may go on."""
    for cache in (gateway.benchmark.jobs, gateway.benchmark._started, gateway.run_cost._paces):
        cache.clear()
    gateway.runs._found.clear()
    gateway.runs._against.clear()
    made = SimpleNamespace(images=[], begun=threading.Event(), go=threading.Event(), folder=tmp_path / "runs")
    made.go.set()

    def measure(request, item, vocabulary, model, cancelled=None):
        made.begun.set()
        made.go.wait(PATIENCE)
        made.images.append(item.id)
        if item.id == "s1":
            raise SidelightError("s1.png is cut off.")
        place = len(made.images)
        rows = (
            Row(item.id, item.prompts[0], spec, metric, VALUES[spec] + place / 100)
            for spec in specs_of(request)
            for metric in request.metrics
        )
        return Measured(tuple(rows), {"game": "GAME needs **blocks**."} if item.id == "s2" else {})

    monkeypatch.setattr(gateway.runs, "root", lambda: made.folder)
    monkeypatch.setattr("engine.runs.runner.measure", measure)
    monkeypatch.setattr("engine.runs.runner.open_set", lambda name: datasets.find(name, tmp_path / "sets"))
    monkeypatch.setattr("engine.models.load", lambda *how: MODEL)
    monkeypatch.setattr("engine.runs.cost.seconds_a_pass", lambda model: 0.01)
    return made


def finished(id: str) -> None:
    end = time.monotonic() + PATIENCE
    while gateway.benchmark.is_active(id):
        assert time.monotonic() < end, "the run did not end"
        time.sleep(0.02)


def a_run(**changes) -> str:
    """A finished run."""
    id = gateway.benchmark.start(gateway.benchmark.request(some_state(**changes)))
    finished(id)
    return id


def some_state(**changes) -> State:
    return replace(State(methods=("grad_eclip", "game"), metrics=tuple(ASKED["metrics"])), **changes)


def table(test) -> dict:
    """What the table was sent."""
    sent = [json.loads(e.proto.json) for e in test.main if e.type == "bidi_component" and e.proto.json]
    return next(data for data in sent if "heads" in data)


def written(test) -> str:
    return "\n".join(e.value for e in (*test.markdown, *test.caption, *test.info, *test.warning))


def run_of(test) -> str:
    """The run that the link names."""
    named = test.query_params["run"]
    return named if isinstance(named, str) else named[0]


def pressed(test, label: str):
    return next(button for button in test.button if button.label == label)


def test_a_new_run_says_what_it_costs_and_leaves_its_results(opened, measured):
    test = opened("benchmark", **ASKED)
    assert not test.exception
    assert re.search(r"3 images, 2 methods and 3 controls: \*\*about \d+ \w+\*\*", written(test))
    assert "passes of the model **bundled**." in written(test)
    pressed(test, "Start").click()
    test.run()
    id = run_of(test)
    finished(id)
    test.run()
    assert not test.exception
    sent = table(test)
    assert [head["name"] for head in sent["heads"]] == ASKED["metrics"]
    assert [line["name"] for line in sent["lines"]] == ["grad_eclip", "game", "edges", "center", "random"]
    assert [line["quiet"] for line in sent["lines"]] == [False, False, True, True, True]
    assert sent["lines"][0]["cells"][0]["before"] == "1"
    assert "rank 1" in sent["lines"][0]["cells"][0]["said"]
    assert any(e.label == "1 image or file was left out" for e in test.expander)
    said = written(test).replace("\\", "")
    assert "s1: s1.png is cut off" in said and "game, 1 of 2 images: GAME needs **blocks**." in said


def test_what_is_under_way_can_be_cancelled_and_continued(opened, measured):
    measured.go.clear()
    test = opened("benchmark", **ASKED)
    pressed(test, "Start").click()
    test.run()
    id = run_of(test)
    assert measured.begun.wait(PATIENCE)
    pressed(test, "Cancel").click()
    test.run()
    measured.go.set()
    finished(id)
    test.run()
    assert "Stopped at 1 of 3 images" in written(test)
    assert table(test)["lines"]
    pressed(test, "Continue").click()
    test.run()
    finished(id)
    test.run()
    assert sorted(measured.images) == ["s0", "s1", "s2"]
    assert "Stopped" not in written(test)


def test_a_run_of_an_earlier_server_is_listed_and_goes_on(opened, measured):
    id = a_run()
    last = measured.folder / id / "results" / "000002.json"
    last.unlink()
    gateway.benchmark._started.clear()
    test = opened("benchmark", **ASKED)
    assert "2 of 3 images" in written(test)
    pressed(test, "Open").click()
    test.run()
    assert "Stopped at 2 of 3 images" in written(test)
    pressed(test, "Continue").click()
    test.run()
    finished(id)
    assert last.exists()


def test_equal_requests_share_a_run_and_others_do_not(measured):
    first = a_run()
    assert a_run() == first and len(measured.images) == 3
    assert a_run(first=2) != first
    assert a_run(metrics=("deletion",)) != first


def test_a_run_has_the_chosen_protocol(opened, measured):
    test = opened("benchmark", **ASKED, fill=["blur"], steps=["10"], score=["probability"])
    assert any(e.label.endswith("blur, patches, 10 steps, probability") for e in test.expander)
    pressed(test, "Start").click()
    test.run()
    id = run_of(test)
    finished(id)
    test.run()
    assert "curves: blur, patches, 10 steps, probability" in written(test)
    found = gateway.runs.found(id)
    protocol = found.request.protocol
    assert (protocol.hide, len(protocol.insertion), protocol.classes[:2]) == (
        "blur",
        11,
        ("a dog", "a red wall"),
    )
    a_run()
    listed = written(opened("benchmark", **ASKED))
    assert listed.count("curves: blur, patches, 10 steps, probability") == listed.count("curves:") == 1
    command = benchmark_take.command_line(found.request, found.manifest)
    assert "--fill blur --steps 10 --score probability --classes classes.txt" in command


def test_the_protocol_of_the_curves_page_changes_no_run_without_curves(measured):
    asked = gateway.benchmark.request(some_state(metrics=("energy",), fill="blur"))
    assert asked == gateway.benchmark.request(some_state(metrics=("energy",)))
    usual = gateway.benchmark.request(some_state(among="list"))
    assert usual.protocol == Protocol()
    with pytest.raises(SidelightError, match="list of classes is empty"):
        gateway.benchmark.request(some_state(among="list", score="top-1"))


def test_a_changed_set_is_not_continued(measured, tmp_path):
    id = a_run()
    lines = (tmp_path / "sets" / "scenes" / "metadata.jsonl").read_text().splitlines()
    (tmp_path / "sets" / "scenes" / "metadata.jsonl").write_text("\n".join(lines[:2]))
    with pytest.raises(SidelightError, match="has changed since this run began"):
        gateway.benchmark.go_on(id)


@pytest.mark.parametrize("run", ["f" * 16, "../../etc", "<b>", "0" * 15])
def test_a_run_that_is_not_here_is_one_sentence(opened, measured, run):
    test = opened("benchmark", run=[run], **ASKED)
    assert not test.exception
    assert "not on this server" in written(test)
    assert any(button.label == "Start" for button in test.button)


def test_an_unknown_metric_of_a_link_is_named(opened, measured):
    test = opened("benchmark", metrics=["deletion", "<b>nonsense"])
    assert not test.exception
    assert "There is no metric" in written(test)


def test_what_fails_is_one_sentence(opened, measured, monkeypatch):
    def load(*how):
        raise SidelightError("The weights cannot be downloaded; try again.")

    monkeypatch.setattr("engine.models.load", load)
    test = opened("benchmark", **ASKED)
    pressed(test, "Start").click()
    test.run()
    finished(run_of(test))
    test.run()
    assert not test.exception
    assert "The weights cannot be downloaded" in written(test)


def test_differences_to_the_best_control_and_to_a_method(opened, measured):
    id = a_run(image_set="scenes")
    for against, reference in (("controls", "edges"), ("game", "game")):
        sent = table(opened("benchmark", run=[id], against=[against], **ASKED))
        by_name = {line["name"]: line["cells"][0] for line in sent["lines"]}
        assert by_name[reference]["below"] == "the reference"
        wanted = VALUES["grad_eclip"] - VALUES[reference]
        assert by_name["grad_eclip"]["value"] == text.number(wanted, signed=True)
        assert by_name["grad_eclip"]["before"].startswith("p ")


def test_links_choose_metric_and_method(opened, measured):
    id = a_run()
    sent = table(opened("benchmark", run=[id], run_metric=["energy"], run_method=["random"], **ASKED))
    assert (sent["metric"], sent["method"]) == ("energy", "random")
    assert sent["lines"][0]["name"] == "random"  # more energy is better
    sent = table(opened("benchmark", run=[id], run_metric=["nonsense"], run_method=["<b>"], **ASKED))
    assert (sent["metric"], sent["method"]) == ("deletion", "grad_eclip")


def looked_at(**changes) -> benchmark_view.View:
    id = a_run()
    return benchmark_view.view(some_state(run=id, **changes), gateway.runs.found(id))


def test_an_image_opens_on_the_compare_page(measured, monkeypatch):
    looked, taken = looked_at(run_method="random"), {}
    rows = benchmark_images.ordered(looked)
    assert [row.image for row in rows] == ["s0", "s2"]  # less deletion is better
    monkeypatch.setattr(benchmark_images.state, "current", lambda: some_state())
    monkeypatch.setattr(benchmark_images.state, "update", lambda **values: taken.update(values))
    monkeypatch.setattr(benchmark_images.navigation, "go", lambda name: taken.update(page=name))
    benchmark_images._open(looked, rows[1])
    assert taken["page"] == "compare"
    assert (taken["image_set"], taken["image"], taken["prompts"]) == ("scenes", "s2", ("a tree",))
    assert (taken["reading"], taken["minus"], taken["rows"]) == ("texts", "", "prompts")
    assert taken["sign"] == "default"
    assert taken["methods"] == ("random", "grad_eclip", "game")
    benchmark_images._open(looked, replace(rows[1], target=Target("tree", "ensemble").label))
    assert (taken["prompts"], taken["reading"]) == (("tree",), "templates")


def test_charts_say_what_they_show(measured):
    looked = looked_at()
    for drawn in (
        benchmark_charts.forest(looked),
        benchmark_charts.cost(looked),
        benchmark_ranks.ranks(looked),
    ):
        assert all(title in drawn.alt for title in ("Grad-ECLIP", "GAME", "Random", "Deletion"))
        assert drawn.figure.data
    differences = benchmark_charts.forest(looked_at(against="game"))
    assert "Difference in Deletion" in differences.alt and "GAME" not in differences.alt


def test_a_run_without_cost_has_no_cost_chart(measured):
    id = a_run(metrics=("deletion",))
    assert benchmark_charts.cost(benchmark_view.view(some_state(run=id), gateway.runs.found(id))) is None


def test_what_no_other_beats_in_cost_and_quality():
    pairs = {"cheap": (1.0, 0.2), "good": (5.0, 0.9), "poor": (6.0, 0.5)}
    assert benchmark_charts.unbeaten(pairs, True) == {"cheap", "good"}
    assert benchmark_charts.unbeaten(pairs, False) == {"cheap"}


def test_tables_and_figures_to_take_away(measured):
    id = a_run()
    titles = {spec: f"{spec} & <b>" for spec in VALUES}
    assert gateway.runs.table(id, "csv").startswith(b'"image","target","spec","metric","value"')
    assert gateway.runs.table(id, "parquet")[:4] == b"PAR1"
    assert b"p_holm" in gateway.runs.table(id, "summary") and b"p_holm" in gateway.runs.table(id, "controls")
    assert r"grad\_eclip \& <b>" in gateway.runs.latex(id, titles)
    starts = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}
    for kind, start in starts.items():
        assert gateway.runs.figure(id, titles, kind).startswith(start)


def test_the_command_of_a_run_is_safe_to_paste(measured):
    found = gateway.runs.found(a_run(first=2))
    asked = replace(found.request, set="a set; rm -rf ~", specs=("game(layers=2)",))
    command = benchmark_take.command_line(asked, found.manifest)
    assert "--set 'a set; rm -rf ~' -m 'game(layers=2)'" in command
    assert "--metric energy" in command and "--first 2" in command


def test_a_run_can_be_removed_but_not_while_it_is_under_way(measured):
    measured.go.clear()
    id = gateway.benchmark.start(gateway.benchmark.request(some_state()))
    with pytest.raises(SidelightError, match="under way"):
        gateway.benchmark.remove(id)
    measured.go.set()
    finished(id)
    gateway.benchmark.remove(id)
    assert not gateway.runs.exists(id) and gateway.runs.listed() == ()


def test_a_run_is_removed_from_its_page_and_the_list_comes_back(opened, measured):
    id = a_run()
    test = opened("benchmark", run=[id], **ASKED)
    button = pressed(test, "Remove this run")
    assert button.proto.type == "secondary"  # a popover would show it white on bright
    button.click().run()
    assert not test.exception and "run" not in test.query_params
    assert not gateway.runs.exists(id)


def test_a_path_is_made_of_an_id_alone():
    with pytest.raises(ValueError):
        gateway.runs.folder("../elsewhere")


def test_a_finished_run_is_shown_without_torch(measured, tmp_path):
    id = a_run()
    code = (
        "import sys; from pathlib import Path; from dashboard import gateway\n"
        f"gateway.runs.root = lambda: Path({str(measured.folder)!r})\n"
        f"found = gateway.runs.found({id!r}); gateway.runs.beaten({id!r})\n"
        "print(len(found.rows), 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.stdout.split() == ["30", "False"], done.stderr


@pytest.mark.parametrize(
    ("made", "wanted"),
    [
        (text.number(0.12345), "0.123"),
        (text.number(-12.345), "\N{MINUS SIGN}12.3"),
        (text.number(1234.5, signed=True), "+1,234"),
        (text.p_value(0.0004), "p < .001"),
        (text.p_value(0.0304), "p .030"),
        (text.p_value(1.0), "p 1"),
        (text.interval(0.1, float("nan")), ""),
        (text.duration(0.2), "1 s"),
        (text.duration(600), "10 min"),
        (text.duration(7500), "2 h 5 min"),
        (text.count(1, "image"), "1 image"),
    ],
)
def test_numbers_for_reading(made, wanted):
    assert made == wanted
