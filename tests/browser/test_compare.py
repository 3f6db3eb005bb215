"""The Compare page in a real browser: drawing, pointing, display options without a round trip, the link."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from engine import render
from tests.patience import PATIENCE

COMPONENT = Path(__file__).resolve().parents[2] / "dashboard" / "components" / "grid"
TWO = "/?methods=game&methods=self_attention&prompts=a+dog&prompts=an+airplane"


@pytest.fixture
def drawn(visit):
    """Open the page with two methods and two prompts, and wait for the four maps."""

    def go(path: str = TWO, maps: int = 4) -> Page:
        page = visit(path)
        expect(page.locator("canvas.map[tabindex]")).to_have_count(maps, timeout=PATIENCE * 1000)
        page.locator(".sidelight-grid[data-painted]").first.wait_for()
        return page

    return go


def grid(page: Page) -> Locator:
    return page.locator(".sidelight-grid").first


def maps(page: Page) -> Locator:
    return page.locator("canvas.map[tabindex]")


def pixels(page: Page, at: int = 0) -> list[int]:
    """One tile after the next frame, as the sheet under all tiles holds it: every sixth pixel of every sixth
    row."""
    return (
        maps(page)
        .nth(at)
        .evaluate(
            """async (tile) => {
            await new Promise(requestAnimationFrame); await new Promise(requestAnimationFrame);
            const sheet = tile.closest(".box").querySelector(".sheet");
            const [whole, part] = [sheet.getBoundingClientRect(), tile.getBoundingClientRect()];
            const [width, height] = [Math.floor(part.width), Math.floor(part.height)];
            const corner = [part.left - whole.left, part.top - whole.top].map(Math.ceil);
            const data = sheet.getContext("2d").getImageData(...corner, width, height).data;
            const some = [];
            for (let y = 0; y < height; y += 6) {
                for (let x = 0; x < width; x += 6) {
                    some.push(...data.slice(4 * (y * width + x), 4 * (y * width + x) + 4));
                }
            }
            return some;
        }"""
        )
    )


def changed(before: list[int], after: list[int]) -> float:
    """Share of the values that differ."""
    if len(before) != len(after):
        return 1.0
    return float(np.mean(np.array(before) != np.array(after)))


def test_first_visit_is_a_drawn_grid(drawn):
    page = drawn("/", maps=10)
    colours = {tuple(p) for p in np.reshape(pixels(page), (-1, 4))}
    assert len(colours) > 100  # a picture with a map over it, not an empty canvas
    expect(grid(page).get_by_role("columnheader")).to_have_count(5)
    assert maps(page).first.get_attribute("aria-label").startswith("Grad-ECLIP for")


def test_pointing_reads_the_same_patch_in_every_tile(drawn):
    page = drawn()
    maps(page).first.hover(position={"x": 40, "y": 40})
    chips = page.locator(".chip:visible")
    expect(chips).to_have_count(4)
    for text in chips.all_text_contents():
        assert re.fullmatch(r"[\u2212\d.e]+  #\d+", text), text
    places = {m.evaluate("m => m.style.left + m.style.top") for m in page.locator(".marker:visible").all()}
    assert len(places) == 1
    assert re.search(r"rank \d+ of 196", page.locator(".status").first.inner_text())


def test_arrow_keys_read_patches_and_escape_lets_go(drawn):
    page = drawn()
    maps(page).first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".status").first).to_contain_text("patch row 2, column 1")
    page.keyboard.press("Escape")
    expect(page.locator(".chip:visible")).to_have_count(0)


def test_opacity_repaints_before_the_server_hears_of_it(drawn):
    page = drawn()
    before = pixels(page)
    sent = page.evaluate(
        """async () => {
                const sent = [];
                const send = WebSocket.prototype.send;
                WebSocket.prototype.send = function (data) { sent.push(1); return send.call(this, data); };
                const within = (root) => {
                    for (const element of root.querySelectorAll("*")) {
                        if (element.matches(".sidelight-grid")) return element;
                        const found = element.shadowRoot && within(element.shadowRoot);
                        if (found) return found;
                    }
                };
                const grid = within(document);
                const slider = grid.querySelector("input[aria-label^=Opacity]");
                const painted = grid.dataset.painted;
                slider.value = 15;
                slider.dispatchEvent(new Event("input"));
                while (grid.dataset.painted === painted) await new Promise(requestAnimationFrame);
                WebSocket.prototype.send = send;
                return sent.length;
            }"""
    )
    assert sent == 0
    assert changed(before, pixels(page)) > 0.3
    page.wait_for_url(re.compile("opacity=0.15"))  # told afterwards, so that the link keeps it
    assert page.get_by_label("Opacity, per cent").input_value() == "15"


def test_an_option_that_back_undid_can_be_chosen_again(drawn):
    page = drawn(TWO + "&opacity=0.4")
    opacity = page.get_by_label("Opacity, per cent")
    opacity.fill("15")
    page.wait_for_url(re.compile("opacity=0.15"))
    page.go_back()
    page.wait_for_url(re.compile("opacity=0.4"))
    expect(opacity).to_have_value("40")
    opacity.fill("15")
    page.wait_for_url(re.compile("opacity=0.15"))


def test_every_option_changes_the_drawing(drawn):
    page = drawn()
    drawing = pixels(page)
    for name, value in (("Colours", "viridis"), ("Scale", "rank"), ("What is kept", "above")):
        page.locator(f'select[aria-label="{name}"]').select_option(value)
        before, drawing = drawing, pixels(page)
        assert changed(before, drawing) > 0.1, name
    for name in ("Contour", "Smooth", "Outlines", "Masked", "Map"):
        page.get_by_role("button", name=name, exact=True).click()
        before, drawing = drawing, pixels(page)
        assert changed(before, drawing) > 0.01, name


def test_top_patches_leave_the_picture_elsewhere(drawn):
    page = drawn()
    page.get_by_role("button", name="Map", exact=True).click()
    page.get_by_label("Strongest patches, per cent").fill("10")
    clear = np.reshape(pixels(page), (-1, 4))[:, 3] == 0
    assert 0.7 < clear.mean() < 0.98


def test_scale_is_shared_by_the_maps_of_a_method(drawn):
    page = drawn()
    page.locator('select[aria-label="Scale"]').select_option("shared")
    ends = page.locator(".tile .ends span:last-child").all_text_contents()
    assert ends[0] == ends[2] and ends[1] == ends[3]


def test_transposing_swaps_rows_and_columns(drawn):
    page = drawn()
    page.get_by_role("button", name="Transpose").click()
    heads = grid(page).get_by_role("columnheader").all_text_contents()
    assert [head.split("cosine")[0] for head in heads] == ["a dog", "an airplane"]
    page.wait_for_url(re.compile("transpose=True"))


def test_zoom_is_linked_and_double_click_ends_it(drawn):
    page = drawn()
    before = [pixels(page, at) for at in (0, 3)]
    maps(page).first.click(position={"x": 50, "y": 50})
    page.mouse.wheel(0, -400)
    expect(page.locator(".zoom .level").first).not_to_have_text("1\N{MULTIPLICATION SIGN}")
    assert all(changed(old, pixels(page, at)) > 0.3 for old, at in zip(before, (0, 3), strict=True))
    maps(page).first.dblclick(position={"x": 50, "y": 50})
    expect(page.locator(".zoom .level").first).to_have_text("1\N{MULTIPLICATION SIGN}")
    maps(page).first.focus()
    page.keyboard.press("+")
    expect(page.locator(".zoom .level").first).to_have_text("1.5\N{MULTIPLICATION SIGN}")
    page.keyboard.press("0")
    expect(page.locator(".zoom .level").first).to_have_text("1\N{MULTIPLICATION SIGN}")


def test_a_link_brings_the_display_back(drawn):
    page = drawn(TWO + "&opacity=0.25&colormap=jet&scale=rank&smooth=False&top=30")
    assert page.get_by_label("Opacity, per cent").input_value() == "25"
    assert page.locator('select[aria-label="Colours"]').input_value() == "jet"
    assert page.locator('select[aria-label="Scale"]').input_value() == "rank"
    expect(page.get_by_role("button", name="Smooth")).to_have_attribute("aria-pressed", "false")
    page.get_by_role("button", name="Smooth").click()
    page.wait_for_url(lambda url: "smooth" not in parse_qs(urlsplit(url).query))
    page.reload()
    expect(page.get_by_role("button", name="Smooth")).to_have_attribute("aria-pressed", "true")


def test_contrast_adds_two_rows(drawn):
    page = drawn()
    page.get_by_text("Contrast", exact=True).click()
    expect(grid(page).get_by_role("rowheader")).to_have_count(4)
    expect(maps(page)).to_have_count(8)
    expect(page.get_by_text("means nothing", exact=True)).to_be_visible()


def test_a_cell_of_the_agreement_opens_the_difference_map(drawn):
    page = drawn()
    page.locator('.sidelight-matrix button[data-pair="1,0"]').click()
    expect(page.get_by_text("Difference of ranks")).to_be_visible()
    expect(maps(page)).to_have_count(6)
    difference, before = page.locator(".sidelight-grid").last, pixels(page, 4)
    painted = difference.get_attribute("data-painted")
    page.get_by_role("button", name="Smooth", exact=True).click()
    expect(difference).not_to_have_attribute("data-painted", painted)  # it follows the toolbar of the grid
    assert changed(before, pixels(page, 4)) > 0.01
    page.locator('.sidelight-matrix button[data-pair="1,0"]').click()
    expect(maps(page)).to_have_count(4)


def test_figure_and_maps_can_be_taken_away(drawn, tmp_path):
    page = drawn()
    page.get_by_role("button", name="Download").click()
    with page.expect_download() as figure:
        page.get_by_role("button", name="Figure").click()
    figure.value.save_as(tmp_path / "figure.png")
    with Image.open(tmp_path / "figure.png") as image:
        assert image.width > 1500
    with page.expect_download() as raw:
        page.get_by_role("button", name="Raw maps").click()
    assert raw.value.suggested_filename.endswith(".zip")


def test_markup_in_a_prompt_stays_text(drawn):
    page = drawn("/?methods=game&prompts=%3Cimg+src%3Dx+onerror%3Dalert(1)%3E", maps=1)
    expect(page.get_by_role("rowheader").first).to_contain_text("<img src=x onerror=alert(1)>")


def test_the_grid_fits_800_pixels(drawn, page):
    page.set_viewport_size({"width": 800, "height": 1000})
    drawn("/", maps=10)
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 800  # the grid scrolls in its own box


def test_emotions_are_ranked_and_a_click_adds_a_row(drawn, tmp_path):
    page = drawn("/?image_set=emotions&reading=choices&choices=emotions&methods=game", maps=3)
    ranking = page.locator(".sidelight-ranking")
    expect(ranking.get_by_role("rowheader")).to_have_count(18)
    expect(ranking.locator("button")).to_have_count(15)  # the first three have maps whatever is picked
    ranking.locator("button").last.click()
    expect(maps(page)).to_have_count(4)
    (picked,) = parse_qs(urlsplit(page.url).query)["picked"]
    expect(grid(page).get_by_role("rowheader").last).to_contain_text(picked)
    page.reload()
    expect(maps(page)).to_have_count(4)
    expect(ranking.locator("button[aria-pressed=true]")).to_have_text(picked)
    with page.expect_download() as table:
        page.get_by_role("button", name="Probabilities (CSV)").click()
    table.value.save_as(tmp_path / "choices.csv")
    lines = (tmp_path / "choices.csv").read_text("utf-8-sig").splitlines()
    assert sum(float(line.rsplit(",", 1)[1]) for line in lines[1:]) == pytest.approx(1, abs=1e-4)


def test_a_list_is_ranked_for_several_images_as_text(drawn):
    page = drawn(
        "/?reading=choices&choices=list&rows=images&methods=self_attention"
        "&classes=%3Cimg+src%3Dx+onerror%3Dalert(1)%3E&classes=a+dog",
        maps=8,
    )
    ranking = page.locator(".sidelight-ranking")
    expect(ranking.get_by_role("columnheader")).to_have_count(9)  # the mean and eight images
    expect(ranking).to_contain_text("<img src=x onerror=alert(1)>")
    pressed = ranking.locator("button[aria-pressed=true]")
    expect(pressed).to_have_count(0)  # the maps are those of each image's first, and a click adds
    ranking.get_by_role("button", name="a dog").click()
    expect(pressed).to_have_text("a dog")


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("mode", render.SCALES)
def test_browser_and_figure_scale_alike(page, mode, signed):
    """values.js and engine.render draw from the same numbers: fields, ends of the bar, and what is kept."""
    rng = np.random.default_rng(3)
    values = [np.maximum(rng.normal(size=(5, 7)), 0 if not signed else -9).astype(np.float32) for _ in "ab"]
    display = {"scale": mode, "top": 30, "above": 0}
    script = "\n".join((COMPONENT / name).read_text("utf-8") for name in ("values.js", "paint.js"))
    raw = json.dumps([v.ravel().tolist() for v in values])
    found = page.evaluate(
        f"""() => {{ {script}
            const signed = {json.dumps(signed)};
            const tiles = {raw}.map((v) => ({{ values: Float32Array.from(v), signed }}));
            const display = {json.dumps(display)};
            return tiles.map((tile) => {{
                const scale = scaleTile(tile, tiles, display);
                return {{ ...scale, field: Array.from(scale.field), from: keptFrom(scale.field, display),
                    large: Array.from(enlarge(scale.field, 5, 7, 4).field) }};
            }});
        }}"""
    )
    for ours, theirs in zip(render.scale(values, mode, signed), found, strict=True):
        np.testing.assert_allclose(np.reshape(theirs["field"], (5, 7)), ours.field, atol=1e-6)
        np.testing.assert_allclose([theirs["low"], theirs["high"]], [ours.low, ours.high], rtol=1e-6)
        assert theirs["signed"] == ours.signed
        assert theirs["from"] == pytest.approx(render.kept_from(ours.field, 30, 0), abs=1e-6)
        large = render.enlarge(ours.field, (28, 20))
        np.testing.assert_allclose(np.reshape(theirs["large"], (20, 28)), large, atol=1e-5)
