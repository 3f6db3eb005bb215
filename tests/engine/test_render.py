"""Scales, colours, overlays and the figure; and that the browser's numbers are the same."""

import io
import json
import shutil
import subprocess
import warnings
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image as Pillow

from engine import images
from engine.render import (
    COLORMAPS,
    DIVERGING,
    SCALES,
    Outline,
    colormap,
    colours,
    enlarge,
    figure_png,
    kept_from,
    overlay,
    page,
    scale,
)
from engine.render.figure import _numeral
from engine.types import Explanation, Failure, Image, Map, ModelInfo, Preprocess, SidelightError, Target
from tests.patience import PATIENCE

VALUES_JS = Path(__file__).resolve().parents[2] / "dashboard" / "components" / "grid" / "values.js"
RAMP = np.arange(12, dtype=np.float32).reshape(3, 4)

finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
any_map = hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=finite)


# --- scales ---


@given(st.lists(any_map, min_size=1, max_size=3), st.sampled_from(SCALES), st.booleans())
def test_a_field_is_finite_within_bounds_and_in_the_order_of_its_values(maps, mode, signed):
    for values, drawn in zip(maps, scale(maps, mode, signed), strict=True):
        least = -1 if drawn.signed else 0
        assert drawn.field.dtype == np.float32 and drawn.field.shape == values.shape
        assert np.isfinite(drawn.field).all() and least <= drawn.field.min() and drawn.field.max() <= 1
        assert drawn.signed == (signed and mode != "rank")
        assert (np.diff(drawn.field.ravel()[np.argsort(values, axis=None, kind="stable")]) >= 0).all()
        if drawn.signed:
            assert drawn.low == -drawn.high and (drawn.field[values == 0] == 0).all()


@given(any_map, st.sampled_from(["map", "clip"]), st.floats(0.125, 8), st.booleans())
def test_a_scale_does_not_depend_on_the_unit(values, mode, factor, signed):
    values, factor = np.clip(values, -1e6, 1e6), np.float32(2 ** round(np.log2(factor)))
    values[np.abs(values) < 1e-6] = 0
    (one,), (other,) = scale([values], mode, signed), scale([values * factor], mode, signed)
    np.testing.assert_array_equal(one.field, other.field)


def test_each_map_by_itself_and_shared():
    alone, shared = scale([RAMP, 2 * RAMP]), scale([RAMP, 2 * RAMP], "shared")
    assert [(s.low, s.high) for s in alone] == [(0, 11), (0, 11 * 2)]
    np.testing.assert_array_equal(alone[0].field, alone[1].field)
    assert [(s.low, s.high) for s in shared] == [(0, 22), (0, 22)]
    np.testing.assert_allclose(shared[0].field, RAMP / 22, rtol=1e-6)
    assert scale([], "shared") == ()


def test_signed_maps_keep_zero_in_the_middle():
    (drawn,) = scale([np.array([[-1, 0, 4]], np.float32)], signed=True)
    assert (drawn.low, drawn.high) == (-4, 4)
    np.testing.assert_array_equal(drawn.field, np.array([[-0.25, 0, 1]], np.float32))


def test_clipped_scale_leaves_out_two_per_cent_at_each_end():
    values = np.arange(101, dtype=np.float32).reshape(1, 101)
    values[0, 100] = 1e6
    (drawn,) = scale([values], "clip")
    assert (drawn.low, drawn.high) == (2, 98)
    assert drawn.field[0, 50] == 0.5 and drawn.field[0, 100] == 1 and drawn.field[0, 1] == 0
    assert scale([-values], "clip", signed=True)[0].high == 98


@pytest.mark.parametrize("signed", [False, True])
def test_clipped_scale_of_one_lone_patch_still_shows_it(signed):
    lone = np.zeros((14, 14), np.float32)
    lone[3, 4] = 5
    (drawn,) = scale([lone], "clip", signed)
    assert drawn.high == 5 and drawn.field[3, 4] == 1 and drawn.field.sum() == 1


def test_rank_is_the_share_of_weaker_patches():
    (drawn,) = scale([np.array([[5, 1, 1], [9, 3, 1]], np.float32)], "rank", signed=True)
    np.testing.assert_allclose(drawn.field, [[0.8, 0, 0], [1, 0.6, 0]], rtol=1e-6)
    assert (drawn.low, drawn.high, drawn.signed) == (6, 1, False)


@pytest.mark.parametrize("mode", SCALES)
@pytest.mark.parametrize("value", [0, 3, -3])
@pytest.mark.parametrize("shape", [(1, 1), (3, 5)])
def test_constant_maps_are_defined(mode, value, shape):
    (drawn,) = scale([np.full(shape, value, np.float32)], mode)
    assert (drawn.field == 0).all()
    (drawn,) = scale([np.zeros(shape, np.float32)], mode, signed=True)
    assert (drawn.field == 0).all()


def test_unknown_scale_is_named():
    with pytest.raises(SidelightError, match="'log'; the scales are map, shared, clip, rank"):
        scale([RAMP], "log")


# --- what is kept, and what lies between ---


def test_kept_from():
    field = np.array([[0.1, -0.9, 0.5, 0.7]])
    assert kept_from(field) == -np.inf and kept_from(field, above=30) == 0.3
    assert [kept_from(field, top=top) for top in (50, 25, 1)] == [0.7, 0.9, 0.9]


def plain_enlarge(field, factor):
    """Bilinear between patch centres, point by point."""
    rows, columns = field.shape
    out = np.zeros((rows * factor, columns * factor))
    for y in range(rows * factor):
        for x in range(columns * factor):
            v, u = (min(max((at + 0.5) / factor - 0.5, 0), n - 1) for at, n in ((y, rows), (x, columns)))
            r, c = int(v), int(u)
            a, b = v - r, u - c
            below, right = min(r + 1, rows - 1), min(c + 1, columns - 1)
            out[y, x] = (1 - a) * ((1 - b) * field[r, c] + b * field[r, right]) + a * (
                (1 - b) * field[below, c] + b * field[below, right]
            )
    return out


def test_enlarge():
    field = np.random.default_rng(0).random((3, 5)).astype(np.float32)
    np.testing.assert_allclose(enlarge(field, (40, 24)), plain_enlarge(field, 8), atol=1e-6)
    blocks = enlarge(field, (10, 6), smooth=False)
    np.testing.assert_array_equal(blocks, field.repeat(2, axis=0).repeat(2, axis=1))


# --- colours and overlays ---


@pytest.mark.parametrize("name", COLORMAPS)
def test_colormap_is_matplotlibs(name):
    table = colormap(name)
    assert table.shape == (256, 3) and table.dtype == np.uint8
    np.testing.assert_allclose(table / 255, matplotlib.colormaps[name](np.arange(256))[:, :3], atol=1 / 255)
    if name in DIVERGING:
        assert table[126:130].min() > 230  # pale in the middle, where zero is


def test_unknown_colormap_is_named():
    with pytest.raises(SidelightError, match="'<b>'; the colormaps are inferno, viridis"):
        colormap("<b>")


def test_colours():
    ends = np.array([0.0, 1.0])
    np.testing.assert_array_equal(colours(ends, False, "viridis"), colormap("viridis")[[0, 255]])
    signed = np.array([-1.0, 0.0, 1.0])
    np.testing.assert_array_equal(colours(signed, True, "viridis"), colormap(DIVERGING[0])[[0, 128, 255]])
    np.testing.assert_array_equal(colours(signed, True, "PuOr_r"), colormap("PuOr_r")[[0, 128, 255]])
    np.testing.assert_array_equal(colours(ends, False, "PuOr_r"), colormap("PuOr_r")[[128, 255]])


GREY = np.full((6, 8, 3), 100, np.uint8)
(DRAWN,) = scale([np.array([[0, 1], [2, 4]], np.float32)])


def test_overlay_blends_by_its_opacity():
    np.testing.assert_array_equal(overlay(GREY, DRAWN, opacity=0), GREY)
    full = overlay(GREY, DRAWN, opacity=1, smooth=False)
    np.testing.assert_array_equal(full[0, 0], colormap("inferno")[0])
    np.testing.assert_array_equal(full[5, 7], colormap("inferno")[255])
    half = overlay(GREY, DRAWN, opacity=0.5, smooth=False)
    np.testing.assert_allclose(half, (GREY + full.astype(float)) / 2, atol=0.5)


def test_overlay_draws_what_is_kept_and_darkens_what_was_not_seen():
    drawn = overlay(GREY, DRAWN, (2, 0, 6, 6), opacity=1, smooth=False, above=40)
    assert (drawn[:3, 2:6] == 100).all() and (drawn[3:, 2:6] != 100).any(axis=-1).all()
    np.testing.assert_array_equal(drawn[:, :2], np.broadcast_to([44, 47, 48], (6, 2, 3)))
    np.testing.assert_array_equal(drawn[:, 6:], np.broadcast_to([44, 47, 48], (6, 2, 3)))
    top = overlay(GREY, DRAWN, opacity=1, smooth=False, top=25)
    assert (top[3:, 4:] == colormap("inferno")[255]).all() and (top[:3] == 100).all()


def test_map_alone_and_masked_picture():
    alone = overlay(GREY, DRAWN, (2, 0, 6, 6), draw="map", opacity=0.2, smooth=False)
    assert (alone[:, :2] == 255).all()
    np.testing.assert_array_equal(alone[5, 5], colormap("inferno")[255])
    masked = overlay(GREY, DRAWN, draw="masked", opacity=1, smooth=False)
    assert (
        masked[0, 0].tolist() == [0] * 3
        and masked[5, 0].tolist() == [50] * 3
        and masked[5, 7].tolist() == [100] * 3
    )
    cut = overlay(GREY, DRAWN, draw="masked", opacity=1, smooth=False, above=50)
    assert (cut[:3] == 0).all() and (cut[3:] == 100).all()
    with pytest.raises(SidelightError, match="'jumble'; the ways are overlay, map, masked"):
        overlay(GREY, DRAWN, draw="jumble")


@pytest.mark.parametrize("seen", [(0, 0, 0.2, 0.2), (7.9, 5.9, 8, 6), (-0.4, 0, 8.4, 6)])
def test_overlay_of_a_sliver(seen):
    assert overlay(GREY, DRAWN, seen).shape == GREY.shape


# --- the browser ---


@pytest.mark.skipif(shutil.which("node") is None, reason="node runs the browser's numbers outside a browser")
@pytest.mark.parametrize("mode", SCALES)
@pytest.mark.parametrize("signed", [False, True])
def test_the_browser_scales_alike(mode, signed):
    rng = np.random.default_rng(5)
    maps = [rng.normal(size=(5, 7)).astype(np.float32).round(1) for _ in range(2)]
    maps += [np.zeros((5, 7), np.float32), np.eye(5, 7, 1, dtype=np.float32) * (np.arange(5) == 2)[:, None]]
    script = (
        VALUES_JS.read_text()
        + """
    const { maps, mode, signed } = JSON.parse(require("fs").readFileSync(0));
    const all = maps.map((values) => Float32Array.from(values));
    console.log(JSON.stringify(all.map((values) => {
      if (mode === "rank") return { field: Array.from(ranked(values)) };
      const [low, high] = limitsOf(mode === "shared" ? all : [values], signed, mode === "clip");
      const field = scaled(values, low, high, signed);
      return { low, high, field: Array.from(field), kept: keptFrom(field, { top: 30, above: 0 }),
        large: Array.from(enlarge(field, 5, 7, 4).field) };
    })));
    """
    )
    given = json.dumps({"maps": [m.ravel().tolist() for m in maps], "mode": mode, "signed": signed})
    done = subprocess.run(
        ["node", "-e", script], input=given, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    for theirs, ours in zip(json.loads(done.stdout), scale(maps, mode, signed), strict=True):
        np.testing.assert_allclose(theirs["field"], ours.field.ravel(), atol=1e-6)
        if mode != "rank":
            np.testing.assert_allclose((theirs["low"], theirs["high"]), (ours.low, ours.high), atol=1e-6)
            assert (theirs["kept"] or -np.inf) == pytest.approx(
                kept_from(ours.field, top=30) or -np.inf, abs=1e-6
            )
            np.testing.assert_allclose(theirs["large"], enlarge(ours.field, (28, 20)).ravel(), atol=1e-6)


# --- the figure ---

PREPROCESS = Preprocess((64, 64), 16, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
INFO = ModelInfo("bundled", "bundled", None, "ff", PREPROCESS, 32)


def explanation(specs=("grad_eclip", "maskclip"), targets=("a cat", "a dog"), size=(60, 40)):
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    plan = images.geometry(size, PREPROCESS, "crop")
    rng = np.random.default_rng(1)
    maps = [
        Map(spec, "image", target, rng.normal(size=plan.grid).astype(np.float32), 0.25, 0.25)
        for spec in specs
        for target in targets
    ]
    asked = tuple(Target(target) for target in targets)
    return Explanation(
        Image(noise, "aa"), INFO, "crop", asked, tuple(specs), plan.seen, plan.grid, tuple(maps)
    )


def opened(png):
    picture = Pillow.open(io.BytesIO(png))
    assert picture.format == "PNG"
    picture.load()
    return picture


def shown(*arguments, **options):
    """The figure at screen resolution, with every warning of matplotlib an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return np.asarray(opened(figure_png(*arguments, dpi=60, **options)).convert("RGB"))


def test_figure_is_of_print_resolution_and_grows_with_the_grid():
    small, large = opened(figure_png(explanation())), opened(figure_png(explanation(targets=tuple("abcde"))))
    assert small.info["dpi"][0] == pytest.approx(300, abs=1) and small.width > 1200
    assert small.width == large.width and large.height > 2 * small.height


def test_figure_says_which_of_several_models_a_row_is_of(monkeypatch):
    written = []
    monkeypatch.setattr(page.Page, "write", lambda self, text, *place, **how: written.append(text))
    one = explanation()
    figure_png([one, replace(one, model=replace(one.model, id="ViT-B-32/mine"))], dpi=60)
    scores = [text for text in written if "score" in text]
    assert [text.partition(": ")[0] for text in scores] == [one.model.id] * 2 + ["ViT-B-32/mine"] * 2
    written.clear()
    figure_png(one, dpi=60)
    assert all(text.startswith("score ") for text in written if "score" in text)


def test_figure_shows_its_maps():
    one = explanation()
    blank = replace(one, maps=tuple(replace(m, values=np.zeros_like(m.values)) for m in one.maps))
    assert not np.array_equal(shown(one), shown(blank))
    assert not np.array_equal(shown(one), shown(one, signed=()))
    for look in (
        {"colormap": "viridis"},
        {"opacity": 0.1},
        {"smooth": False},
        {"above": 50},
        {"draw": "map"},
    ):
        assert not np.array_equal(shown(one, signed=()), shown(one, signed=(), **look)), look
    for option in ({"scale_mode": "rank"}, {"contour": True}, {"titles": {"maskclip": "MaskCLIP"}}):
        assert not np.array_equal(shown(one), shown(one, **option)), option


def test_a_transposed_figure_has_the_same_tiles_elsewhere(monkeypatch):
    places = {}
    monkeypatch.setattr(
        page.Page, "write", lambda self, text, x, y, *how, **more: places.setdefault(text, []).append((x, y))
    )
    one = explanation(targets=("a cat", "a dog", "a fox"))
    upright, turned = (opened(figure_png(one, dpi=60, transpose=flag)) for flag in (False, True))
    assert upright.width == turned.width and upright.height == turned.height  # 3 tiles by 3 in both
    ((across, _), (left, _)) = places["maskclip"]
    ((aside, _), (above, high)) = places["a fox"]
    assert left == aside and high < places["grad_eclip"][1][1]
    assert above == pytest.approx(across)  # both head the last column


def test_figure_outlines_true_regions_and_faintly_what_the_prompt_does_not_name():
    one, square = explanation(), np.array([[10, 10], [30, 10], [30, 30], [10, 30], [10, 10]], float)

    def difference(name):
        regions = {one.image.digest: (Outline(name, (square,)),)}
        return np.abs(shown(one, outlines=regions).astype(int) - shown(one)).sum()

    assert difference("cat") > difference("bus") > 0
    assert np.array_equal(shown(one, outlines={"another image": (Outline("cat", (square,)),)}), shown(one))


def test_figure_of_constant_maps_with_contours():
    one = explanation()
    blank = replace(one, maps=tuple(replace(m, values=np.zeros_like(m.values)) for m in one.maps))
    assert shown(blank, contour=True).size and shown(blank, contour=True, above=40).size


@pytest.mark.parametrize(
    "text",
    [
        "$\\frac{a}{",
        "<script>alert(1)</script>",
        "猫 🐱 أهلا",
        "a\0b\nc",
        "x" * 10_000,
        " ",
        "\ud800",
        "a_b^c %d {0}",
    ],
)
def test_figure_takes_any_prompt(text):
    assert shown(explanation(targets=(text, "a dog"))).size


def test_figure_with_failures_gaps_words_and_several_images():
    one = explanation()
    words = Map(
        "game", "text", "a cat", np.array([0, 1, -2, 0], np.float32), 0.25, 0.2,
        content=np.array([False, True, True, False]), tokens=("<s>", "a", "$cat$", "</s>"),
    )  # fmt: skip
    failure = Failure("legrad", "image", "a cat", "legrad needs a class token, which this model lacks.")
    full = replace(
        one, specs=(*one.specs, "legrad", "game"), maps=(*one.maps[:3], words), failures=(failure,)
    )
    assert shown(full).shape[1] > shown(one).shape[1]
    both = shown([full, explanation(size=(30, 90))])
    assert both.shape[0] > 2 * shown(full).shape[0] - 60


def test_figure_of_nothing_is_refused():
    with pytest.raises(SidelightError, match="no map to draw"):
        figure_png(explanation(specs=()))
    with pytest.raises(SidelightError, match="no scale 'log'"):
        figure_png(explanation(), scale_mode="log")


def test_a_huge_figure_stays_within_memory(monkeypatch):
    monkeypatch.setattr(page, "PIXEL_LIMIT", 500_000)
    picture = opened(figure_png(explanation()))
    assert 480_000 < picture.width * picture.height < 510_000


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (-0.0, "0"),
        (1, "1"),
        (-196, "\N{MINUS SIGN}196"),
        (0.03294, "0.0329"),
        (3.6e-5, "3.6e\N{MINUS SIGN}5"),
        (123456, "1.2e5"),
    ],
)
def test_numerals(value, text):
    assert _numeral(value) == text
