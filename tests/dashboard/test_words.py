"""The Words page with a stand-in engine: rows of weights, maps of words and phrases, regions, downloads."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from dashboard import gateway
from dashboard.choices import State
from dashboard.text import plain
from dashboard.views import words_maps, words_parts, words_take
from engine.types import Explanation, Failure, Map, Target
from tests.dashboard.conftest import ALIKE, BUNDLED, Job

PROMPT = "a <b>red</b> dog"
WORDS = ["a", "<", "b", ">", "red", "</", "b", ">", "dog"]
GRID = (14, 14)


def weights_of(prompt: str, scale: float = 1.0) -> Map:
    """A token a word, as long as the context has room; values 1, -2, 3, -4 ..."""
    words = gateway.words.words_in(prompt)[: BUNDLED.context - 2]
    pad = BUNDLED.context - len(words) - 2
    values = [9.0, *(scale * (n + 1) * (-1) ** n for n in range(len(words))), 6.0, *[0.0] * pad]
    content = np.zeros(BUNDLED.context, bool)
    content[1 : 1 + len(words)] = True
    return Map(
        "grad_eclip", "text", prompt, np.array(values, np.float32), 0.2, 0.2, content=content,
        tokens=("<start>", *(w.text for w in words), "<end>", *[""] * pad),
        spans=((0, 0), *(w.span for w in words), (0, 0), *[(0, 0)] * pad),
    )  # fmt: skip


def score_of(target: Target) -> float:
    return round(0.01 * len(target.text) - 0.02 * len(target.minus), 6)


def map_of(target: Target) -> np.ndarray:
    """All mass in one patch, which the target's own text chooses."""
    values = np.zeros(GRID, np.float32)
    values.flat[(len(target.text) + 3 * len(target.minus)) % values.size] = 2.0
    return values


class Engine:
    """What the page asks of the engine. job: of everything, when nothing is there yet."""

    def __init__(self) -> None:
        self.job: Job | None = None
        self.asked: list[tuple[Target, ...]] = []
        self.refused = ""

    def token_weights(self, state, prompt):
        if self.refused:
            return Failure(state.text_method, "text", prompt, self.refused), None
        return (None, self.job) if self.job else (weights_of(prompt), None)

    def scores(self, state, targets):
        return ({}, self.job) if self.job else ({t.label: score_of(t) for t in targets}, None)

    def maps(self, state, targets):
        self.asked.append(tuple(targets))
        image, specs = gateway.collection.image(state), state.methods
        there = [] if self.job else targets
        found = Explanation(
            image=image, model=BUNDLED, resize=state.resize, targets=tuple(targets), specs=specs,
            seen=(0.0, 0.0, *map(float, image.size)), grid=GRID,
            maps=tuple(Map(s, "image", t.label, map_of(t), score_of(t), 0.1) for s in specs for t in there),
        )  # fmt: skip
        return found, self.job


@pytest.fixture
def engine(standin, monkeypatch) -> Engine:
    made = Engine()
    for home, name in ((gateway.words, "token_weights"), (gateway.maps, "scores"), (gateway.maps, "maps")):
        monkeypatch.setattr(home, name, getattr(made, name))
    return made


def sent(test) -> dict:
    """What the component of words was given."""
    found = [json.loads(e.proto.json) for e in test.main if e.type == "bidi_component"]
    return next(data for data in found if "measures" in data)


def written(test) -> str:
    return "\n".join(e.value for kind in (test.markdown, test.caption, test.info) for e in kind)


SHOWN = State(prompts=(PROMPT,), methods=("grad_eclip", "game"))


def test_three_measures_stand_in_rows_of_their_own(engine):
    found = words_parts.parts(SHOWN)
    assert [word.text for word in found.words] == WORDS
    by_tokens, left_out, alone = found.measures
    assert by_tokens.values == (1, -2, 3, -4, 5, -6, 7, -8, 9)
    assert by_tokens.outside == pytest.approx((9 / 60, 6 / 60))
    assert left_out.values[-1] == score_of(Target(PROMPT, kind="difference", minus="a <b>red</b>"))
    assert alone.values == tuple(score_of(Target(word)) for word in WORDS)
    assert len({row.title for row in found.measures}) == 3 and not found.jobs


@pytest.mark.parametrize(
    ("text", "count", "span"),
    [("2", 3, (1, 1)), ("1-3", 3, (0, 2)), ("", 3, None), ("4", 3, None), ("3-2", 3, None), ("0", 3, None),
     ("1-9", 3, None), ("x", 3, None), ("-1", 3, None), ("99999999999", 3, None)],
)  # fmt: skip
def test_a_selection_names_words_of_the_prompt_or_nothing(text, count, span):
    assert words_parts.selected(text, count) == span


def test_a_phrase_is_explained_as_one(engine):
    found = words_parts.parts(replace(SHOWN, words="5-9"))
    target = Target(PROMPT, kind="difference", minus="a <b>")
    assert found.chosen == (4, 8) and found.text(found.chosen) == "red</b> dog"
    assert found.targets[4, 8] == target and target in engine.asked[-1]
    assert found.measures[0].phrase == 5 - 6 + 7 - 8 + 9
    assert found.measures[1].phrase == score_of(target)
    shown = words_maps.rows(SHOWN, found)
    assert shown[:2] == [None, (4, 8)] and len(shown) == 2 + len(WORDS)
    marked = [words_maps.row(SHOWN, found, span).marked for span in shown]
    assert marked == [False, True, *[False] * 4, *[True] * 5]


@pytest.mark.parametrize(
    ("kind", "target"),
    [("difference", Target("a dog", kind="difference", minus="a")), ("alone", Target("dog"))],
)
def test_the_kind_of_map_decides_what_is_explained(engine, kind, target):
    shown = replace(SHOWN, prompts=("a dog",), word_map=kind)
    assert words_parts.parts(shown).targets == {
        None: Target("a dog"),
        (0, 0): replace(target, minus="dog") if target.minus else Target("a"),
        (1, 1): target,
    }


def test_the_whole_prompt_has_one_map(engine):
    shown = replace(SHOWN, word_map="whole")
    found = words_parts.parts(shown)
    assert words_maps.rows(shown, found) == [None] and set(found.targets.values()) == {Target(PROMPT)}


def test_a_region_ranks_words_by_the_mass_inside(engine):
    shown = replace(SHOWN, prompts=("a dog",), word_map="alone", region="1,2-2")  # the patch of "a"
    found = words_parts.parts(shown)
    assert words_maps.ranking(shown, found) == (((0, 0), 1.0), (None, 0.0), ((1, 1), 0.0))
    assert words_maps.ranking(replace(shown, region=""), found) == ()
    assert words_maps.ranking(replace(shown, region="99,1-1"), found) == ()


def test_the_large_map_is_by_the_chosen_method_or_the_first_that_can(engine):
    found = words_parts.parts(SHOWN)
    assert words_maps.large_method(SHOWN, found) == "grad_eclip"
    refused = Failure("grad_eclip", "image", PROMPT, "It has no attention.")
    there = tuple(m for m in found.explanation.maps if m.spec == "game")
    found = replace(found, explanation=replace(found.explanation, maps=there, failures=(refused,)))
    assert words_maps.large_method(SHOWN, found) == "game"
    assert words_maps.large_method(replace(SHOWN, word_method="grad_eclip"), found) == "grad_eclip"


def test_patches_outside_of_the_grid_are_left_out():
    inside = words_maps.patches("1,2-3;2,1-1;9,1-1;1,0-1;0,1-1;2,3-99", (2, 3))
    assert inside.tolist() == [[False, True, True], [True, False, True]]


def test_words_beyond_the_context_are_said_and_not_read(opened, engine):
    prompt = " ".join(f"w{n}" for n in range(40))
    test = opened("words", prompts=[prompt])
    assert not test.exception
    assert plain("reads 30 tokens, 30 of these 40 words") in written(test)
    assert sent(test)["measures"][0]["values"][29:31] == [-30, None]
    assert {t.text for t in engine.asked[-1]} == {" ".join(f"w{n}" for n in range(30))}


@pytest.mark.parametrize("prompt", ["dog", "D.O.G!!", "собака", "猫", "😀 ❤️", "हिन्दी", "'", "a a a"])
def test_any_prompt_is_taken_apart(opened, engine, prompt):
    test = opened("words", prompts=[prompt], words=["1"])
    assert not test.exception and not test.warning
    assert "".join(sent(test)["words"]) == prompt.replace(" ", "")
    assert all(value is not None for row in sent(test)["measures"] for value in row["values"])


def test_the_page_takes_selection_and_kind_from_the_link_and_back(opened, engine):
    test = opened("words", prompts=["a red dog"], words=["2-3"], word_map=["alone"], region=["1,1-2"])
    data = sent(test)
    assert data["choice"] == {"words": "2-3", "region": "1,1-2"}
    assert data["places"] == ["", "2-3", "1", "2", "3"]
    assert data["area"] == pytest.approx(2 / 196) and len(data["ranking"]) == 5
    kind = next(w for w in test.main.get("button_group") if "word map" in w.key)
    kind.set_value("whole").run()
    assert test.query_params["word_map"] == "whole" and sent(test)["places"] == [""]


def test_a_refused_method_leaves_the_other_rows(opened, engine):
    engine.refused = "grad_cam has no text branch."
    test = opened("words", prompts=["a dog"])
    rows = sent(test)["measures"]
    assert rows[0]["reason"] == engine.refused
    assert None not in rows[1]["values"]


def test_what_is_computed_shows_the_words_and_how_far_it_is(opened, engine):
    engine.job = Job()
    test = opened("words", prompts=["a dog"])
    assert not test.exception and "Loading" in sent(test)["measures"][0]["waiting"]
    assert sent(test)["words"] == ["a", "dog"]


def test_the_table_has_a_line_a_word(engine):
    found = words_parts.parts(SHOWN)
    rows = list(csv.reader(io.StringIO(words_take.table(found).decode("utf-8-sig"))))
    assert [row[0] for row in rows] == ["word", *WORDS]
    assert [float(row[3]) for row in rows[1:]] == list(found.measures[0].values)
    assert rows[1][-1] == "a:1.0"


def test_cloud_weights_leave_case_aside(engine):
    found = words_parts.parts(replace(SHOWN, prompts=("Dog dog 猫",)))
    assert words_take.cloud_weights(found, found.measures[0]) == [("dog", 1.0), ("dog", -2.0), ("猫", 3.0)]
    assert words_take.drawable([("dog", 1.0)]) and not words_take.drawable([("猫", 1.0), ("dog", 0.0)])


def test_one_of_two_prompts_that_begin_alike_is_chosen(opened, engine):
    test = opened("words", prompts=list(ALIKE), target=[ALIKE[1]])
    box = next(box for box in test.selectbox if box.label == "Prompt")
    assert box.value == ALIKE[1]
    box.set_value(ALIKE[0]).run()
    assert not test.exception and test.query_params["target"] == ALIKE[0]
