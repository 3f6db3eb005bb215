"""Word clouds: what is drawn, and that a word stays text."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from engine import render
from engine.render import cloud
from engine.types import SidelightError

WEIGHTS = [("dog", 3.0), ("<b>&", 2.0), ("grass", -1.0), ("猫", 5.0), ("none", 0.0)]


def test_png_has_both_colours_on_white():
    image = np.asarray(Image.open(io.BytesIO(render.cloud_png(WEIGHTS))).convert("RGB"))
    assert image.shape == (*cloud.SIZE[::-1], 3)
    colours = {tuple(c) for c in image.reshape(-1, 3)}
    assert {(255, 255, 255), (0x0B, 0x72, 0x85), (0xB4, 0x53, 0x09)} <= colours


def test_svg_is_text_of_words_by_size():
    root = ET.fromstring(render.cloud_svg(WEIGHTS))
    texts = {e.text: e for e in root.iter("{http://www.w3.org/2000/svg}text")}
    assert set(texts) == {"dog", "<b>&", "grass"}
    assert "http" not in "".join(e.text or "" for e in root.iter("{http://www.w3.org/2000/svg}style"))


def test_a_cloud_is_the_same_every_time():
    assert render.cloud_png(WEIGHTS) == render.cloud_png(WEIGHTS)


def test_letters_that_the_font_lacks_are_named():
    assert render.undrawable(WEIGHTS) == ("猫",)


@pytest.mark.parametrize("weights", [[], [("猫", 1.0)], [("dog", 0.0)], [("dog", 1.0), ("dog", -1.0)]])
def test_nothing_to_draw_is_said(weights):
    with pytest.raises(SidelightError, match="No word has a weight"):
        render.cloud_svg(weights)
