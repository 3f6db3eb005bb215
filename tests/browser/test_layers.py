"""The Layers page in a real browser: pointing, keys, heads, both towers, two prompts, the link."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.patience import PATIENCE

RESAMPLED = 8  # of 255
CORNERS = 1e-4  # share of the values that lies on the rounded corners, which blend with what was there
START = "/layers?prompts=a+dog&prompts=an+airplane"


@pytest.fixture
def drawn(visit: Callable[[str], Page]) -> Callable[..., Page]:
    """Open the page and wait for its panels and their pixels."""

    def go(more: str = "", panels: int = 1) -> Page:
        page = visit(START + more)
        expect(page.locator(".sidelight-layers .charts svg")).to_have_count(
            3 * panels, timeout=PATIENCE * 1000
        )
        page.locator(".sidelight-layers[data-painted]").wait_for()
        return page

    return go


def status(page: Page) -> Locator:
    return page.locator(".sidelight-layers .status")


def point(page: Page, row: int, column: int) -> tuple[float, float]:
    """The middle of a patch of the large picture, of 14 x 14, in the window."""
    picture = page.locator("[data-main]").first
    picture.scroll_into_view_if_needed()
    box = picture.bounding_box()
    return box["x"] + (column - 0.5) / 14 * box["width"], box["y"] + (row - 0.5) / 14 * box["height"]


def pixels(page: Page) -> list[int]:
    """The large picture after the next frames, as its canvas holds it."""
    return page.locator("[data-main]").first.evaluate(
        """async (canvas) => {
            await new Promise(requestAnimationFrame); await new Promise(requestAnimationFrame);
            return Array.from(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data);
        }"""
    )


def changed(before: list[int], after: list[int]) -> float:
    """Share of the values that differ by more than the browser's own resampling of one photograph does."""
    if len(before) != len(after):
        return 1.0
    return sum(abs(a - b) > RESAMPLED for a, b in zip(before, after, strict=True)) / len(before)


def expect_link(page: Page, **values: str) -> None:
    """The address comes to hold these values, after the moment of rest."""
    page.wait_for_function(
        """(values) => Object.entries(values).every(
            ([name, value]) => new URLSearchParams(location.search).get(name) === value)""",
        arg=values,
    )


def test_pointing_shows_a_patchs_row_and_a_click_keeps_it(drawn):
    page = drawn("&layer=3&scale=clip")
    expect(status(page)).to_contain_text("from the class token")
    before = pixels(page)
    page.mouse.move(*point(page, 10, 9))
    expect(status(page)).to_contain_text("from patch row 10, column 9")
    assert changed(before, pixels(page)) > 0.01
    page.mouse.move(2, 2)
    expect(status(page)).to_contain_text("from the class token")
    assert changed(before, pixels(page)) < CORNERS
    page.mouse.click(*point(page, 10, 9))
    page.mouse.move(2, 2)
    expect(status(page)).to_contain_text("from patch row 10, column 9")
    picture = page.locator("[data-main]")
    picture.press("ArrowLeft")
    picture.press("ArrowUp")
    expect(status(page)).to_contain_text("from patch row 9, column 8")
    expect_link(page, source="9,8")
    picture.press("Escape")
    expect(status(page)).to_contain_text("from the class token")


def test_while_a_source_is_kept_pointing_reads_values(drawn):
    page = drawn("&layer=2&source=5,5")
    page.mouse.move(*point(page, 3, 3))
    expect(page.locator(".chip")).to_contain_text("probability")
    expect(status(page)).to_contain_text("from patch row 5, column 5")


def test_layers_change_with_the_keyboard(drawn):
    page = drawn()
    expect(status(page)).to_contain_text("Layer 6 ")
    before = pixels(page)
    page.locator("[data-main]").press("PageUp")
    expect(status(page)).to_contain_text("Layer 5 ")
    assert changed(before, pixels(page)) > 0.01
    strip = page.get_by_role("radiogroup", name="Layers, a dog").get_by_role("radio")
    strip.nth(4).press("ArrowLeft")
    expect(strip.nth(3)).to_be_focused()
    expect(strip.nth(3)).to_have_attribute("aria-checked", "true")
    page.get_by_role("slider", name="Layer", exact=True).press("ArrowLeft")
    expect(status(page)).to_contain_text("Layer 3 ")
    expect_link(page, layer="3")


def test_a_head_is_chosen_from_the_strip_and_from_the_plot(drawn):
    page = drawn()
    page.get_by_role("radiogroup", name="Heads, a dog").get_by_role("radio").nth(1).click()
    expect(status(page)).to_contain_text("head 2")
    page.get_by_role("button", name=re.compile(r"^Layer 3, head 3: .* px$")).click()
    expect(status(page)).to_contain_text("Layer 3 · head 3")
    expect(page.get_by_label("Heads", exact=True)).to_have_value("3")
    expect_link(page, layer="3", head="3")


def test_every_quantity_is_drawn_from_any_source(drawn):
    page = drawn("&source=7,7&layer=2")
    menu = page.get_by_label("Quantity")
    slider = page.get_by_role("slider", name="Layer", exact=True).element_handle()
    for name in menu.locator("option").evaluate_all("options => options.map((o) => o.value)"):
        menu.select_option(name)
        expect(status(page)).to_contain_text(re.compile("Strongest at|Highest at|Zero everywhere"))
        expect_link(page, **({} if name == "attention" else {"quantity": name}))
    assert slider.evaluate("(slider) => slider.isConnected")  # a drag would have gone on while rows arrived


def test_the_link_shows_the_same_again(drawn):
    page = drawn("&layer=4&head=2&source=8,6&quantity=gradient_attention&sign=negative")
    said, shown = status(page).inner_text(), pixels(page)
    assert "Layer 4 · head 2 · from patch row 8, column 6" in said
    page.reload()
    expect(status(page)).to_have_text(said, timeout=PATIENCE * 1000)
    page.wait_for_timeout(300)
    assert changed(shown, pixels(page)) < CORNERS
    assert parse_qs(urlsplit(page.url).query)["source"] == ["8,6"]


def test_on_another_grid_the_kept_patch_is_the_one_of_the_link(drawn):
    page = drawn("&image_set=photos&image=cat&source=10,10")
    page.locator("[data-main]").press("ArrowLeft")
    expect_link(page, source="10,9")
    page.get_by_text("Fit", exact=True).click()
    place = re.compile(r"left: 47\.0.*top: 81\.8.*width: 5\.88")  # row 10, column 9 of 11 by 17
    expect(page.locator(".marker:not(.reading)")).to_have_attribute("style", place)
    expect(status(page)).to_contain_text("from patch row 10, column 9")


def test_what_this_model_has_not_is_not_said_to_be_shown(drawn):
    page = drawn("&head=7&source=99,99&layer=50")
    expect(status(page)).to_contain_text(re.compile("^Layer 6 · mean of 3 heads · from the class token"))
    expect(status(page)).to_contain_text("click to keep it")
    expect(page.get_by_label("Heads", exact=True)).to_have_value("mean")


def test_two_prompts_stand_beside_each_other_and_follow_one_source(drawn):
    page = drawn("&beside=an+airplane&quantity=relevance", panels=2)
    assert page.locator(".panel h3").all_inner_texts() == ["a dog", "an airplane"]
    page.mouse.move(*point(page, 4, 12))
    assert page.locator(".marker:not(.reading):visible").count() == 2


def test_another_image_is_a_target(drawn):
    page = drawn("&target=image:scene-01&quantity=similarity")
    expect(page.locator(".panel h3")).to_have_text("image scene-01")


def test_a_token_of_the_text_is_the_source(drawn):
    page = drawn("&tower=text")
    expect(status(page)).to_contain_text("from “<end>”")
    dog = page.get_by_role("radio", name="dog", exact=True)
    dog.hover()
    expect(status(page)).to_contain_text("from “dog”")
    dog.click()
    page.mouse.move(2, 2)
    dog.press("ArrowLeft")
    expect(status(page)).to_contain_text("from “a”")
    page.get_by_role("radio", name="Layer 1").click()
    expect(status(page)).to_contain_text("Layer 1 ")
    expect_link(page, source="2", layer="1")


def test_the_colour_bar_of_tokens_has_the_range_of_their_colours(drawn):
    page = drawn("&tower=text&scale=shared")
    cells = page.locator(".line:has([data-layer]) .cell:not([data-outside])")
    numbers = [title.split(": ")[1] for title in cells.evaluate_all("cells => cells.map((c) => c.title)")]
    largest = max(numbers, key=lambda text: float(text.replace("\N{MINUS SIGN}", "-")))
    for layer in page.locator(".line [data-layer]").all():
        layer.click()
        expect(layer).to_have_attribute("aria-checked", "true")
        assert page.locator(".scale .ends span").last.inner_text() == largest
