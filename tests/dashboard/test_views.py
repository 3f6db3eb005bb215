"""Gallery and Methods under AppTest, and the text that must not become Markdown."""

from __future__ import annotations

import json
import os
import re
import string

import pytest
from PIL import Image as Pillow
from streamlit.testing.v1 import AppTest

from dashboard import gateway
from dashboard.text import WORD_JOINER, plain, shortened
from dashboard.views import gallery, methods
from engine.datasets import Item
from engine.objects import ObjectBox
from tests.patience import PATIENCE


def written(test) -> str:
    return "\n".join(e.value for kind in (test.markdown, test.caption, test.info) for e in kind)


def wall(test) -> list[dict]:
    """The pictures that the gallery's component was given."""
    found = next(e for e in test.main if e.type == "bidi_component")
    return json.loads(found.proto.json)["pictures"]


def test_the_gallery_shows_the_set_with_prompts_and_licence(opened):
    test = opened("gallery")
    assert not test.exception
    assert next(p for p in test.pills if p.label == "Image set").options == [
        "Plain \\(1\\)",
        "Some scenes \\(3\\)",
    ]
    assert "CC0\\-1\\.0" in written(test)


def test_the_gallery_opens_the_set_of_the_link_and_filters(opened):
    test = opened("gallery", image_set=["plain"])
    assert next(p for p in test.pills if p.label == "Image set").value == "plain"
    test.text_input(key="gallery_filter").set_value("<b>nothing</b>").run()
    assert not test.exception
    assert "No image of Plain" in test.info[0].value and "\\<b\\>nothing" in test.info[0].value


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("", True), ("dog", True), ("DOG red", True), ("dog green", False), ("s-1", True), ("tree", True)],
)
def test_the_filter_asks_for_every_word(tmp_path, wanted, found):
    item = Item("s-1", tmp_path, ("a dog", "a red wall"), (ObjectBox("tree"),))
    assert gallery.matches(item, wanted) is found


def test_an_image_file_that_was_changed_is_read_again(tmp_path):
    path = tmp_path / "x.png"
    seen = []
    for stamp, colour in enumerate(("red", "blue"), 1):
        Pillow.new("RGB", (20, 20), colour).save(path)
        os.utime(path, (stamp, stamp))
        seen.append(gateway.pictures.thumbnail(path, 16))
    assert seen[0] != seen[1]


def test_a_broken_image_has_a_grey_thumbnail(tmp_path):
    broken = tmp_path / "x.png"
    broken.write_bytes(b"no image")
    Pillow.new("RGB", (9, 9), "red").save(tmp_path / "y.png")
    assert gateway.pictures.thumbnail(broken, 16) != gateway.pictures.thumbnail(tmp_path / "y.png", 16)


def test_the_methods_page_has_a_card_for_every_method(opened):
    test = opened("methods")
    assert not test.exception
    text = written(test)
    for method in gateway.models.methods().values():
        assert f"`{method.name}`" in text
        assert plain(method.summary) in text
        assert not method.parameters or methods.parameter_table(method.parameters) in text
    assert sorted(c.value for c in test.code) == sorted(
        m.bibtex for m in gateway.models.methods().values() if m.bibtex
    )


def test_a_method_is_added_to_the_grid(opened):
    test = opened("methods", methods=["game"])
    assert test.button(key="add game").disabled
    test.button(key="add rollout").click().run()
    assert test.query_params["methods"] == ["game", "rollout"]


def test_plain_escapes_all_punctuation_and_keeps_the_text():
    text = "**b** [a](http://x) ![i](y) $x$ :red[z] <b> `c` # h 1. l a\\b"
    escaped = plain(text)
    assert re.sub(r"\\(.)", r"\1", escaped).replace(WORD_JOINER, "") == text
    assert all(f"\\{mark}" in escaped for mark in set(text) & set(string.punctuation))
    assert plain("a\nb") == "a b"


@pytest.mark.parametrize("address", ["http://x.org", "HTTPS://x.org", "www.x.org", "a@x.org"])
def test_plain_keeps_addresses_from_becoming_links(address):
    shown = re.sub(r"\\(.)", r"\1", plain(f"see {address}"))
    assert address not in shown
    assert shown.replace(WORD_JOINER, "") == f"see {address}"


def test_shortened_marks_the_cut():
    assert shortened("abcdef", 4) == "abc…"
    assert shortened("abcd", 4) == "abcd"


def test_what_goes_wrong_in_a_part_of_a_page_is_a_sentence_in_its_place(caplog):
    def script():
        import streamlit as st

        from dashboard import faults
        from engine.types import SidelightError

        @st.fragment
        @faults.told()
        def refused():
            raise SidelightError("There is **no** such thing.")

        @st.fragment
        @faults.told()
        def broken():
            raise ZeroDivisionError("secret")

        refused()
        broken()
        st.write("the rest")

    test = AppTest.from_function(script, default_timeout=PATIENCE).run()
    assert not test.exception
    assert [w.value for w in test.warning] == [plain("There is **no** such thing.")]
    assert len(test.error) == 1 and "secret" not in test.error[0].value
    assert test.markdown[0].value == "the rest"
    assert "ZeroDivisionError" in caplog.text
