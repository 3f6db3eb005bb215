"""What is said of runs: meanings, cost before the start, the LaTeX table and the printed forest plots."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from engine.datasets import Item
from engine.objects import ObjectBox
from engine.runs import METRICS, RunRequest, RunResult, RunStatus, against_controls
from engine.runs.controls import FLAG, markdown
from engine.runs.cost import passes, seconds_an_image
from engine.runs.figures import FORMATS, forest
from engine.runs.latex import escaped, latex
from engine.runs.meanings import MEANINGS
from engine.runs.summary import summarise
from engine.runs.types import Row

SPECS = ("game", "random", "center", "edges")


def item(*prompts: str) -> Item:
    return Item(prompts[0] if prompts else "none", Path("x.png"), prompts, tuple(map(ObjectBox, prompts)))


def asked(*metrics: str, **changes) -> RunRequest:
    return RunRequest("scenes", **{"specs": ("game",), "metrics": metrics, **changes})


def found(metrics=("deletion", "gini", "milliseconds"), images=8) -> RunResult:
    rows = tuple(
        Row(f"i{n}", "a cat", spec, metric, (place + 1) / 10 + n / 100)
        for n in range(images)
        for place, spec in enumerate(SPECS)
        for metric in metrics
    )
    return RunResult(
        request=asked(*metrics),
        status=RunStatus(images, images, 0, 0.0, None),
        rows=rows,
        summary=summarise(rows, SPECS, metrics, "game"),
        manifest={"specs": list(SPECS), "set": {"title": "50% of_it"}, "model": "bundled"},
    )


def test_every_metric_has_a_meaning():
    assert set(MEANINGS) == set(METRICS)
    assert all(metric.meaning.endswith(".") for metric in METRICS.values())


def test_cost_grows_with_what_is_asked():
    one, two = item("a cat"), item("a cat", "a dog")
    assert passes(asked("gini"), [one]) == 3  # a recording and its way back; controls cost nothing
    assert passes(asked("gini"), [one, one]) == 6
    assert passes(asked("gini", targets=1), [two]) == 3 < passes(asked("gini"), [two])
    assert passes(asked("gini"), [item()]) == 0
    curves = passes(asked("deletion"), [one]) - passes(asked("gini"), [one])
    assert curves == 4 * 42  # maps by points; the other order asks for the same pictures
    assert passes(asked("deletion", "insertion"), [one]) == passes(asked("deletion"), [one])
    assert passes(asked("gini", specs=("rise(masks=100)",)), [two]) == 100


def test_seconds_an_image_leave_out_the_time_it_stood_still(tmp_path):
    (tmp_path / "results").mkdir()
    for n, when in enumerate((0, 2, 4, 1000, 1002)):
        path = tmp_path / "results" / f"{n:06d}.json"
        path.write_text("{}")
        os.utime(path, (when, when))
    assert seconds_an_image(tmp_path) == 2
    for path in list((tmp_path / "results").iterdir())[2:]:
        path.unlink()
    assert seconds_an_image(tmp_path) is None


def test_the_latex_table_escapes_marks_and_judges():
    made = latex(found(), {"game": r"GAME_\{}$&%#~^ <b>"})
    assert r"GAME\_\textbackslash{}\{\}\$\&\%\#\textasciitilde{}\textasciicircum{} <b>" in made
    assert r"50\% of\_it" in made and r"\toprule" in made
    row = next(line for line in made.splitlines() if line.startswith("GAME"))
    deletion, gini, milliseconds = row.split(" & ")[1:]
    assert r"\textbf{0.135}" in deletion and r"\dagger" not in deletion  # beats every control
    assert r"\dagger" not in gini and r"\textbf" not in gini  # has no better end
    assert r"\dagger" not in milliseconds  # a control ought to be quicker
    lost = latex(found(("insertion",)), {})
    assert r"\dagger" in next(line for line in lost.splitlines() if line.startswith("game"))


def test_the_latex_table_says_how_the_curves_were_made():
    assert "each patch by the fill mean, at 21 and 21 points; score: cosine." in latex(found(), {})
    assert "fill" not in latex(found(("gini",)), {})


def test_costs_are_not_judged():
    result = found(("milliseconds",))
    assert against_controls(result) == ()
    assert FLAG not in markdown(result)
    assert FLAG in markdown(found(("insertion",)))


def test_a_table_of_one_image_has_no_intervals():
    assert "scriptsize" not in latex(found(images=1), {})


def test_escaped_is_one_line():
    assert escaped("a\nb\t c") == "a b c"


@pytest.mark.parametrize("kind", FORMATS)
def test_forest_plots_for_print(kind):
    made = forest(found(), {"game": r"G $\frac$ <b>"}, kind)
    assert made.startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[kind])
    if kind == "svg":
        assert len(re.findall(rb"lower is better", made)) == 2
        assert rb"G $\frac$ &lt;b&gt;" in made
