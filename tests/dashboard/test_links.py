"""The state survives link and file whole, and anything else that arrives there becomes a sentence."""

from __future__ import annotations

import json
from dataclasses import fields
from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import links
from dashboard.choices import State
from dashboard.links import Vocabulary
from engine.types import SidelightError

SETS = {"scenes": ("scene-00", "scene-01"), "photos": ("cat", "sub/ünï")}
COLORMAPS = ("inferno", "viridis", "jet")
METHODS = ("grad_eclip", "game", "grad_cam", "maskclip", "self_attention", "grad_eclip(layers=2)")
MODELS = (("bundled", ""), ("ViT-B-16", "openai"), ("ViT-B-32", "weights/x.pt"))
HERE = "a" * 64


def spec(text):
    if text not in METHODS:
        raise SidelightError(f"There is no method {text!r}.")
    return text


def model(name, pretrained):
    if (name, pretrained) not in MODELS:
        raise SidelightError(f"There is no model {name!r}.")


VOCABULARY = Vocabulary(SETS, COLORMAPS, spec, model, lambda digest: digest == HERE)


def through_link(shown: State) -> links.Checked:
    """As a browser would send it back."""
    query = parse_qs(urlencode(links.to_query(shown), doseq=True), keep_blank_values=True)
    return links.from_query(query, VOCABULARY)


def one_of(item):
    low_high, options = item.metadata.get("range"), item.metadata.get("options")
    if low_high:
        return st.integers(*map(int, low_high)).map(float)
    if options:
        return st.sampled_from(options)
    return st.booleans() if isinstance(item.default, bool) else st.just(item.default)


prompt = st.text(min_size=1, max_size=40).map(lambda t: links.lines(t)[:1]).filter(bool).map(lambda t: t[0])


@st.composite
def states(draw):
    values = {item.name: draw(one_of(item)) for item in fields(State)}
    image_set = draw(st.sampled_from(list(SETS)))
    first, second = draw(st.sampled_from(MODELS)), draw(st.sampled_from([("", ""), *MODELS]))
    values |= {
        "image_set": image_set,
        "image": draw(st.sampled_from(["", *SETS[image_set]])),
        "upload": draw(st.sampled_from(["", HERE])),
        "prompts": tuple(draw(st.lists(prompt, max_size=6, unique=True))),
        "methods": tuple(draw(st.lists(st.sampled_from(METHODS), min_size=1, unique=True))),
        "model": first[0],
        "pretrained": first[1],
        "second_model": second[0],
        "second_pretrained": second[1],
        "colormap": draw(st.sampled_from(COLORMAPS)),
        "like": tuple(draw(st.lists(st.sampled_from(SETS[image_set]), unique=True))),
        "picked": tuple(draw(st.lists(prompt, max_size=3, unique=True))),
        "minus": draw(st.one_of(st.just(""), prompt)),
    }
    return State(**values)


@given(states())
def test_a_link_brings_the_state_back(shown):
    back, problems = through_link(shown)
    assert problems == ()
    assert links.linkable(shown)
    assert back == shown


@given(states(), st.none() | st.binary(max_size=100))
def test_a_file_brings_state_and_upload_back(shown, upload):
    text = links.to_json(shown, upload)
    assert links.from_json(text, VOCABULARY) == (shown, ())
    assert links.upload_in(text) == upload


@pytest.mark.parametrize(
    "text",
    [
        "🦄 шаг אבג مرحبا 日本",
        "<script>alert(1)</script>",
        "../../etc/passwd",
        "nul\0byte",
        "a & b = c # d ? e % f + g",
        "[x](http://y) **bold** $z$ :smile:",
        "‮reversed",
    ],
)
def test_any_text_is_a_prompt(text):
    shown = State(prompts=(text,))
    assert through_link(shown) == (shown, ())
    assert links.from_json(links.to_json(shown), VOCABULARY) == (shown, ())


def test_a_prompt_of_ten_thousand_characters_is_kept_in_a_file_and_left_out_of_the_link():
    shown = State(prompts=("é" * links.LONGEST_PROMPT,), resize="fit")
    assert links.from_json(links.to_json(shown), VOCABULARY) == (shown, ())
    assert not links.linkable(shown)
    back, problems = through_link(shown)
    assert back == State(resize="fit") and problems == ()


def test_a_list_that_is_too_long_for_a_link_leaves_the_rest_there():
    classes = tuple(f"class {number}" for number in range(1000))
    shown = State(prompts=("a dog",), reading="choices", choices="list", classes=classes, picked=classes[:2])
    assert not links.linkable(shown)
    back, problems = through_link(shown)
    assert back == State(prompts=("a dog",), reading="choices", choices="list", picked=classes[:2])
    assert problems == ()
    assert links.from_json(links.to_json(shown), VOCABULARY) == (shown, ())


def test_lines_are_trimmed_and_blank_or_repeated_ones_dropped():
    assert links.lines("  a dog \r\n\n   \na cat\na dog\n") == ("a dog", "a cat")
    assert links.lines(" \n\t\n") == ()
    assert links.lines("x" * 20_000) == ("x" * links.LONGEST_PROMPT,)


def test_half_a_character_does_not_break_link_or_file():
    back, _ = links.from_json('{"sidelight": 1, "state": {"prompts": ["a\\ud800b"]}}', VOCABULARY)
    assert back.prompts == ("a?b",)
    assert through_link(back) == (back, ())


@pytest.mark.parametrize(
    ("query", "expected", "named"),
    [
        ({"image_set": ["../x"]}, State(), "'../x'"),
        ({"image_set": ["photos"], "image": ["nobody"]}, State(image_set="photos"), "'nobody'"),
        ({"methods": ["nope", "game"]}, State(methods=("game",)), "'nope'"),
        ({"methods": ["nope"]}, State(), "'nope'"),
        ({"model": ["resnet"]}, State(), "'resnet'"),
        ({"second_model": ["resnet"], "second_pretrained": ["x"]}, State(), "'resnet'"),
        ({"upload": ["../../secret"]}, State(), "not valid"),
        ({"upload": ["b" * 64]}, State(), "not on this server"),
        ({"resize": ["stretch"]}, State(), "crop, fit, squash"),
        ({"colormap": ["rainbow"]}, State(), "inferno, viridis, jet"),
        ({"opacity": ["2"]}, State(), "from 0 to 1"),
        ({"opacity": ["nan"]}, State(), "from 0 to 1"),
        ({"opacity": ["<b>"]}, State(), "from 0 to 1"),
        ({"contrast": ["perhaps"]}, State(), "True or False"),
        ({"reading": ["runes"]}, State(), "texts, templates, choices"),
        ({"like": ["scene-01", "../x"]}, State(like=("scene-01",)), "'../x'"),
    ],
)
def test_what_a_link_gets_wrong_is_named_in_one_sentence_and_replaced(query, expected, named):
    shown, problems = links.from_query(query, VOCABULARY)
    assert shown == expected
    assert len(problems) == 1
    assert named in problems[0] and problems[0].endswith(".") and "\n" not in problems[0]


def test_the_rest_of_a_bad_link_is_kept():
    query = {"image_set": ["scenes"], "image": ["scene-01"], "model": ["?"], "prompts": ["x"], "foo": ["bar"]}
    shown, problems = links.from_query(query, VOCABULARY)
    assert shown == State(image="scene-01", prompts=("x",))
    assert len(problems) == 1


any_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([f.name for f in fields(State)]), any_json))
def test_any_values_in_a_file_give_a_usable_state(values):
    text = json.dumps({"sidelight": 1, "state": values})
    shown, problems = links.from_json(text, VOCABULARY)
    assert all(problem.endswith(".") for problem in problems)
    assert links.from_json(links.to_json(shown), VOCABULARY) == (shown, ())


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (b"", "no saved state"),
        (b"\xff\xfe\x00", "no saved state"),
        (b"[" * 100_000, "no saved state"),
        (b"[1, 2]", "no saved state"),
        (b'{"state": 3, "sidelight": 1}', "no saved state"),
        (b'{"state": {}, "sidelight": 2}', "newer"),
    ],
)
def test_a_file_that_is_no_state_is_refused_in_one_sentence(text, named):
    with pytest.raises(SidelightError, match=named):
        links.from_json(text, VOCABULARY)


@pytest.mark.parametrize("carried", ["***", 3, ["x"]])
def test_a_damaged_upload_in_a_file_is_refused(carried):
    with pytest.raises(SidelightError, match="damaged"):
        links.upload_in(json.dumps({"sidelight": 1, "state": {}, "upload": carried}))


def test_without_any_set_the_state_is_still_usable():
    empty = Vocabulary({}, COLORMAPS, spec, model, lambda digest: False)
    shown, problems = links.from_query({"image": ["x"]}, empty)
    assert shown == State() and len(problems) == 1
