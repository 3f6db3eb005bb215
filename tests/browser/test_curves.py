"""The Curves page in a real browser: scrubbing by pointer and keys, the pixels, fills, sorting, the link."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, WebSocket, expect

from engine.curves import CurveRequest, Protocol, perturbed, stored
from engine.images import load
from engine.store import Store
from engine.types import Request, Target
from tests.browser.conftest import settled
from tests.patience import PATIENCE

START = "/curves?methods=grad_eclip&methods=maskclip&prompts=a+dog"
IMAGE = Path(__file__).resolve().parents[2] / "data/sets/scenes/scene-00.webp"
LINES = ["Grad-ECLIP", "MaskCLIP", "Random", "Centre", "Edges"]


@pytest.fixture
def drawn(visit: Callable[[str], Page]) -> Callable[..., Page]:
    """Open the page and wait for the numbers of all lines."""

    def go(more: str = "") -> Page:
        page = visit(START + more)
        return whole(page)

    return go


def whole(page: Page) -> Page:
    expect(page.locator(".sidelight-curves tbody tr")).to_have_count(len(LINES), timeout=PATIENCE * 1000)
    page.locator(".sidelight-curves[data-point]").wait_for()
    return page


def status(page: Page) -> Locator:
    return page.locator(".sidelight-curves .status")


def plot(page: Page, curve: str) -> Locator:
    return page.locator(f'[data-plot="{curve}"]')


def at(page: Page, curve: str, share: float) -> tuple[float, float]:
    """A place in a plot, in the window."""
    ground = plot(page, curve).locator(".ground").bounding_box()
    return ground["x"] + share * ground["width"], ground["y"] + ground["height"] / 2


def pixels(page: Page, label: str) -> np.ndarray:
    """What a method's canvas holds, uint8 (height, width, 4)."""
    values, width = page.locator(f'canvas[data-shot="{label}"]').evaluate(
        """async (canvas) => {
            await new Promise(requestAnimationFrame); await new Promise(requestAnimationFrame);
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            return [Array.from(data), canvas.width];
        }"""
    )
    return np.array(values, np.uint8).reshape(-1, width, 4)


def engines(cache: Path, kind: str, index: int, spec: str = "grad_eclip", fill: str = "mean") -> np.ndarray:
    """The engine's own picture, from the server's store, for default choices but for the fill."""
    from engine import datasets

    scenes = datasets.find("scenes")
    classes = tuple(dict.fromkeys((*(p for i in scenes.items for p in i.prompts), "a dog")))
    maps = Request(load(IMAGE), (Target("a dog"),), ("grad_eclip", "maskclip"))
    protocol = Protocol(hide=fill, reveal=fill, classes=classes)
    found = stored(CurveRequest(maps, protocol, only="a dog"), Store(cache))
    return perturbed(found, found.get(spec, "a dog"), index, kind)


def expect_link(page: Page, **values: str) -> None:
    """The address comes to hold these values, after the moment of rest."""
    page.wait_for_function(
        """(values) => Object.entries(values).every(
            ([name, value]) => new URLSearchParams(location.search).get(name) === value)""",
        arg=values,
    )


def test_pointing_previews_a_point_and_a_click_keeps_it(drawn, cache):
    page = drawn()
    assert page.locator(".shots figcaption .title").all_inner_texts() == ["Untouched", *LINES]
    expect(status(page)).to_contain_text("Deletion: 30 %, 59 of 196 patches deleted")
    page.mouse.move(*at(page, "deletion", 0.5))
    expect(status(page)).to_contain_text("Deletion: 50 %, 98 of 196 patches deleted")
    np.testing.assert_array_equal(pixels(page, "Grad-ECLIP")[..., :3], engines(cache, "deletion", 10))
    page.mouse.move(*at(page, "insertion", 0.25))
    expect(status(page)).to_contain_text("Insertion: 25 %, 49 of 196 patches inserted")
    np.testing.assert_array_equal(
        pixels(page, "MaskCLIP")[..., :3], engines(cache, "insertion", 5, "maskclip")
    )
    page.mouse.move(2, 2)
    expect(status(page)).to_contain_text("Deletion: 30 %")
    page.mouse.click(*at(page, "insertion", 0.6))
    page.mouse.move(2, 2)
    expect(status(page)).to_contain_text("Insertion: 60 %")
    expect_link(page, mark="60", curve="insertion")


def test_a_point_is_drawn_within_two_frames(drawn):
    page = drawn()
    points = plot(page, "deletion").evaluate(
        """async (plot) => {
            const { left, width, top } = plot.querySelector(".ground").getBoundingClientRect();
            const seen = [];
            for (const share of [0.1, 0.5, 0.9]) {
              const clientX = left + share * width;
              plot.dispatchEvent(new PointerEvent("pointermove", { clientX, clientY: top + 50 }));
              await new Promise(requestAnimationFrame); await new Promise(requestAnimationFrame);
              seen.push(plot.getRootNode().querySelector(".sidelight-curves").dataset.point);
            }
            return seen;
        }"""
    )
    assert points == [f"deletion most {index} drawn" for index in (2, 10, 18)]


def test_dragging_scrubs(drawn):
    page = drawn()
    page.mouse.move(*at(page, "deletion", 0.2))
    page.mouse.down()
    for share in (0.4, 0.6, 0.8):
        page.mouse.move(*at(page, "deletion", share))
        expect(status(page)).to_contain_text(f"Deletion: {100 * share:.0f} %")
    page.mouse.up()
    page.mouse.move(2, 2)
    expect(status(page)).to_contain_text("Deletion: 80 %")
    expect(page.get_by_role("slider", name="Marked point", exact=True)).to_have_value("16")


def test_keys_scrub_and_turn_the_order(drawn, cache):
    page = drawn()
    plot(page, "deletion").press("ArrowRight")
    expect(status(page)).to_contain_text("Deletion: 35 %")
    expect(plot(page, "deletion")).to_have_attribute("aria-valuenow", "7")
    for key, said in (("End", "100 %"), ("ArrowLeft", "95 %"), ("PageDown", "85 %"), ("Home", "0 %")):
        plot(page, "deletion").press(key)
        expect(status(page)).to_contain_text(f"Deletion: {said}")
    np.testing.assert_array_equal(pixels(page, "Random"), pixels(page, "Untouched"))
    page.get_by_role("button", name="Least relevant first").click()
    page.get_by_role("button", name="Least relevant first").press("ArrowRight")
    expect(status(page)).to_contain_text("5 %, 10 of 196 patches deleted, least relevant first")
    np.testing.assert_array_equal(pixels(page, "Grad-ECLIP")[..., :3], engines(cache, "deletion_least", 1))
    expect_link(page, mark="5", order="least")


def test_it_plays_to_the_end(drawn):
    page = drawn("&mark=85")
    page.get_by_role("button", name="Play").click()
    expect(status(page)).to_contain_text("Deletion: 100 %")
    expect(page.get_by_role("button", name="Play")).to_be_visible()


def test_it_stops_playing_when_the_page_is_left(page, drawn):
    # The player's clock is noted and never ticks, so that nothing but leaving the page can stop it.
    page.add_init_script(
        """const [begin, end] = [window.setInterval, window.clearInterval];
        window.going = new Set();
        window.setInterval = (act, time) => {
            if (time !== 140) return begin(act, time);
            window.going.add(-1 - window.going.size);
            return -window.going.size;
        };
        window.clearInterval = (name) => { if (!window.going.delete(name)) end(name); };"""
    )
    sockets: list[WebSocket] = []
    page.on("websocket", lambda socket: sockets.append(socket))
    drawn("&mark=0").get_by_role("button", name="Play").click()
    with sockets[-1].expect_event("framereceived"):
        page.keyboard.press("r")  # Streamlit runs the page again, and sends the same anew
    settled(page)
    assert page.evaluate("going.size") == 1
    page.get_by_role("link", name="Methods").click()
    page.locator(".sidelight-curves").wait_for(state="detached")
    page.wait_for_function("() => going.size === 0")


def test_another_fill_is_computed_and_drawn(drawn, cache):
    page = drawn()
    before = pixels(page, "Grad-ECLIP")
    page.get_by_role("combobox", name=re.compile("Fill")).click()
    page.get_by_role("option", name="Black").click()
    expect_link(page, fill="black")
    expect(page.locator('[data-plot="deletion"]').locator("xpath=..")).to_contain_text("to black")
    whole(page)
    settled(page)
    after = pixels(page, "Grad-ECLIP")
    assert (before != after).any()
    np.testing.assert_array_equal(after[..., :3], engines(cache, "deletion", 6, fill="black"))


def test_what_the_neighbours_give_comes_from_the_engine(drawn, cache):
    page = drawn("&fill=neighbours")
    expect(status(page)).to_contain_text("as the model saw it", timeout=PATIENCE * 1000)
    np.testing.assert_array_equal(
        pixels(page, "Grad-ECLIP")[..., :3], engines(cache, "deletion", 6, fill="neighbours")
    )
    held = [plot(page, "deletion"), page.get_by_role("slider", name="Marked point", exact=True)]
    held = [control.element_handle() for control in held]
    plot(page, "deletion").press("ArrowRight")
    expect(status(page)).to_contain_text("35 %")
    expect(status(page)).to_contain_text("as the model saw it")
    for control in held:  # a drag would have gone on while the pictures came
        assert control.evaluate("(control) => control.isConnected")
    np.testing.assert_array_equal(
        pixels(page, "Grad-ECLIP")[..., :3], engines(cache, "deletion", 7, fill="neighbours")
    )


def test_the_table_is_sorted_by_its_heads(drawn):
    page = drawn()
    head = page.locator('[data-sort="insertion"]')
    head.click()
    expect(page.locator("th[aria-sort=descending]")).to_have_text(re.compile("Insertion area"))
    cells = page.locator("tbody tr td:nth-child(5)")
    values = [float(text.replace("\N{MINUS SIGN}", "-")) for text in cells.all_inner_texts()]
    assert values == sorted(values, reverse=True)
    expect_link(page, sort="-insertion")
    page.locator('[data-sort="insertion"]').press("Enter")
    expect(page.locator("th[aria-sort=ascending]")).to_have_count(1)


def test_all_fills_are_compared(drawn):
    page = drawn("&fills=True")
    expect(page.locator(".sidelight-bump .fill")).to_have_text(
        ["mean", "blur", "black", "noise", "neighbours"], timeout=PATIENCE * 1000
    )
    expect(page.locator(".sidelight-bump g.method")).to_have_count(len(LINES))
    page.get_by_role("button", name="AID", exact=True).click()
    expect(page.locator(".sidelight-bump .status")).to_contain_text("1 pair of methods")


def test_the_link_shows_the_same_again_and_another_page_keeps_it(drawn):
    page = drawn("&fill=blur&order=least&curve=insertion&mark=65&sort=aid")
    expect(status(page)).to_contain_text("Insertion: 65 %, 127 of 196 patches inserted, least relevant first")
    said, shown = status(page).inner_text(), pixels(page, "Centre")
    page.reload()
    whole(page)
    expect(status(page)).to_have_text(said)
    np.testing.assert_array_equal(pixels(page, "Centre"), shown)
    page.get_by_role("link", name="Words").click()
    page.locator(".sidelight-words").wait_for()
    page.get_by_role("link", name="Curves").click()
    whole(page)
    expect(status(page)).to_have_text(said)
    expect_link(page, fill="blur", sort="aid")


def test_a_prompt_is_never_read_as_html(drawn):
    page = drawn("&prompts=%3Cimg+src%3Dx+onerror%3Dalert(1)%3E&target=%3Cimg+src%3Dx+onerror%3Dalert(1)%3E")
    assert page.locator("[data-testid=stMain] img[src=x]").count() == 0


def test_a_figure_is_downloaded(drawn):
    page = drawn()
    page.get_by_role("button", name="Download").click()
    with page.expect_download() as kept:
        page.get_by_role("button", name=re.compile("SVG")).click()
    assert kept.value.suggested_filename == "scene-00 curves.svg"
    assert Path(kept.value.path()).read_bytes().startswith(b"<?xml")
