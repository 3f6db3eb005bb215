"""The frame in a real browser: menu, sidebar, links, uploads, Gallery and Methods."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image as Pillow
from playwright.sync_api import Page, expect

from dashboard.text import WORD_JOINER
from tests.browser.conftest import DRAWN_WITHIN, settled

Visit = Callable[[str], Page]
WIDTHS = (800, 1440)


def link(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def arrives(page: Page, **query: list[str] | None) -> None:
    """Wait until the link says so; None for a key that must be gone."""
    wanted = json.dumps(query)
    page.wait_for_function(
        """(wanted) => {
            const query = new URLSearchParams(location.search);
            return Object.entries(JSON.parse(wanted)).every(([key, values]) =>
                JSON.stringify(query.getAll(key)) === JSON.stringify(values ?? []));
        }""",
        arg=wanted,
    )
    settled(page)


def prompts(page: Page):
    return page.get_by_label("Prompts, one a line")


def dropped(page: Page):
    """The file input of the open popover."""
    return page.get_by_test_id("stPopoverBody").get_by_test_id("stFileUploaderDropzoneInput")


def png(width: int, height: int) -> dict:
    file = io.BytesIO()
    Pillow.effect_noise((width, height), 80).convert("RGB").save(file, "PNG")
    return {"name": "../<b>mine</b>.png", "mimeType": "image/png", "buffer": file.getvalue()}


def test_keys_go_to_the_next_image_and_back(visit: Visit):
    page = visit("/")
    expect(prompts(page)).to_have_value("a dog\nan airplane")
    page.keyboard.press("n")
    arrives(page, image=["scene-01"])
    expect(prompts(page)).not_to_have_value("a dog\nan airplane")
    page.keyboard.press("p")
    arrives(page, image=["scene-00"])
    expect(prompts(page)).to_have_value("a dog\nan airplane")


def after_a_run(page: Page, act: Callable[[], object]) -> None:
    """Wait until the run that an act asks for has begun and ended."""
    page.evaluate(
        """() => {
            const app = document.querySelector('[data-testid="stApp"]');
            window.begun = false;
            new MutationObserver(() => { window.begun ||= app.dataset.testScriptState !== "notRunning"; })
                .observe(app, { attributeFilter: ["data-test-script-state"] });
        }"""
    )
    act()
    page.wait_for_function("() => window.begun")
    settled(page)


def test_a_thumbnail_of_the_strip_opens_its_image(visit: Visit):
    page = visit("/")
    strip = page.get_by_role("list", name="Images of the set")
    strip.get_by_role("button").nth(2).click()
    arrives(page, image=["scene-02"])
    expect(strip.locator("[aria-current]")).to_have_count(1)


def test_a_link_shows_the_same_elsewhere_and_after_a_reload(visit: Visit, browser, server):
    page = visit("/?image_set=photos&image=cat&resize=fit")
    prompts(page).fill("a cat\n<script>alert(1)</script> & 🦄\n日本")
    prompts(page).press("Control+Enter")
    wanted = ["a cat", "<script>alert(1)</script> & 🦄", "日本"]
    arrives(page, image_set=["photos"], image=["cat"], resize=["fit"], prompts=wanted)
    page.reload()
    settled(page)
    expect(prompts(page)).to_have_value("\n".join(wanted))
    with browser.new_context(base_url=server) as elsewhere:
        elsewhere.set_default_timeout(DRAWN_WITHIN)
        other = elsewhere.new_page()
        other.goto(page.url)
        settled(other)
        expect(prompts(other)).to_have_value("\n".join(wanted))
        expect(other.get_by_role("radio", name="Fit")).to_be_checked()


def test_the_state_goes_along_to_other_pages(visit: Visit):
    page = visit("/?image=scene-03&prompts=an+airplane&methods=game")
    page.get_by_role("link", name="Methods").click()  # its maps are shipped: no computation redraws the page
    page.get_by_role("heading", name="Attention rollout").wait_for()
    arrives(page, image=["scene-03"], prompts=["an airplane"], methods=["game"])
    expect(page.get_by_test_id("stSidebar")).to_be_hidden()  # it has nothing for this page
    page.get_by_role("link", name="Compare").click()
    expect(page.get_by_test_id("stSidebar")).to_be_visible()
    expect(prompts(page)).to_have_value("an airplane")
    arrives(page, image=["scene-03"], prompts=["an airplane"], methods=["game"])


def test_back_and_forward_lead_through_the_images_at_once(visit: Visit):
    page = visit("/")
    for image in ("scene-01", "scene-02"):
        page.get_by_role("button", name="Next").click()
        page.get_by_text(re.compile(f"^{image} ")).wait_for()
        arrives(page, image=[image])
    for step, image, text, query in (
        (page.go_back, "scene-01", "a lollipop\na lobster", ["scene-01"]),
        (page.go_back, "scene-00", "a dog\nan airplane", None),
        (page.go_forward, "scene-01", "a lollipop\na lobster", ["scene-01"]),
    ):
        step()
        page.get_by_text(re.compile(f"^{image} ")).wait_for()
        arrives(page, image=query)
        expect(prompts(page)).to_have_value(text)


def test_back_leads_through_the_pages_and_their_state_at_once(visit: Visit):
    page = visit("/?image=scene-03&methods=edges")
    before = page.evaluate("history.length")
    page.get_by_role("link", name="Gallery").click()
    page.wait_for_url("**/gallery?*")
    main = page.get_by_test_id("stMain")
    main.get_by_role("button", name="a palm tree").first.click()
    page.wait_for_url(lambda url: urlsplit(url).path == "/")
    arrives(page, image=["scene-04"], methods=["edges"])
    settled(page)
    assert page.evaluate("history.length") == before + 3  # Gallery, its new image, Compare
    for image, path in (("scene-04", "/gallery"), ("scene-03", "/gallery"), ("scene-03", "/")):
        after_a_run(page, page.go_back)  # pressed sooner, Streamlit's own menu may note the page once more
        page.wait_for_url(lambda url, path=path: urlsplit(url).path == path)
        arrives(page, image=[image], methods=["edges"])
    page.get_by_text(re.compile("^scene-03 ")).wait_for()


def test_an_upload_is_explained_kept_and_forgotten(visit: Visit):
    page = visit("/?methods=edges")
    page.get_by_role("button", name="Upload").click()
    dropped(page).set_input_files(png(90, 60))
    page.wait_for_function("() => new URLSearchParams(location.search).has('upload')")
    settled(page)
    assert re.fullmatch("[0-9a-f]{64}", link(page)["upload"][0])
    expect(page.get_by_test_id("stPopoverBody")).to_have_count(0)
    expect(page.get_by_text("not on photographs")).to_be_visible()
    expect(page.get_by_text("90 x 60")).to_be_visible()
    page.reload()
    settled(page)
    expect(page.get_by_text("90 x 60")).to_be_visible()
    page.get_by_role("button", name="Forget this image").click()
    arrives(page, upload=None)
    expect(page.get_by_text("The image is forgotten")).to_be_visible()


def test_a_text_renamed_to_png_is_refused_in_one_sentence(visit: Visit):
    page = visit("/")
    page.get_by_role("button", name="Upload").click()
    fake = {"name": "fake.png", "mimeType": "image/png", "buffer": b"this is a text"}
    dropped(page).set_input_files(fake)
    expect(page.get_by_text("fake.png is a text file")).to_be_visible()
    assert "upload" not in link(page)


def test_a_bad_link_gets_sentences_and_a_page(visit: Visit):
    page = visit("/?image_set=nowhere&methods=nope&model=%3Cb%3Ex&prompts=a+dog")
    for part in ("no image set 'nowhere'", "no method 'nope'", "no model '<b>x'"):
        expect(page.get_by_text(part)).to_be_visible()
    expect(prompts(page)).to_have_value("a dog")
    assert page.locator('[data-testid="stException"]').count() == 0


def test_a_model_that_cannot_be_had_is_a_sentence_and_the_page_goes_on(visit: Visit):
    page = visit("/?model=ViT-B-16&pretrained=openai&methods=game")
    expect(page.get_by_text("The weights of ViT-B-16/openai could not be downloaded").first).to_be_visible()
    expect(page.get_by_role("button", name="Compute again")).to_be_visible()
    settled(page)
    models = page.get_by_role("combobox", name="Model")
    models.click()
    models.press_sequentially("bundled")
    expect(page.get_by_role("listbox").get_by_role("option")).to_have_text(["bundled"])
    models.press("Enter")
    arrives(page, model=None, pretrained=None)
    expect(page.get_by_text("could not be downloaded")).to_have_count(0)
    expect(page.get_by_role("button", name="Compute again")).to_have_count(0)


def test_the_gallery_filters_and_opens_an_image(visit: Visit):
    page = visit("/gallery")
    wall = page.get_by_role("list", name="Images of Scenes")
    expect(wall.get_by_role("button")).to_have_count(40)
    page.get_by_label("Filter").fill("lobster lollipop")
    page.get_by_label("Filter").press("Enter")
    expect(wall.get_by_role("button")).to_have_count(1)
    wall.get_by_role("button").click()
    expect(prompts(page)).to_have_value("a lollipop\na lobster")
    arrives(page, image=["scene-01"])
    page.get_by_role("link", name="Gallery").click()
    page.get_by_role("radio", name="Words").click()
    wall.get_by_role("button").click()
    page.wait_for_url(re.compile("/words"))
    arrives(page, image=["scene-01"])


def test_what_a_person_types_is_shown_as_it_is(visit: Visit):
    page = visit("/gallery")
    typed = "<img src=x> **b** [l](http://example.org) $x$ www.example.org a@example.org"
    page.get_by_label("Filter").fill(typed)
    page.get_by_label("Filter").press("Enter")
    said = page.get_by_text("No image of Scenes has")
    said.wait_for()
    assert typed in said.inner_text().replace(WORD_JOINER, "")
    assert said.locator("a, strong, img, .katex").count() == 0


def test_a_method_is_added_from_its_card(visit: Visit):
    page = visit("/methods")
    card = page.locator(".st-key-card_rollout")
    expect(card.locator(".katex-display")).to_be_visible()
    card.get_by_role("button", name="Add to the grid").click()
    expect(card.get_by_role("button", name="In the grid")).to_be_disabled()
    assert link(page)["methods"][-1] == "rollout"


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("path", ["/", "/gallery", "/methods"])
def test_no_page_is_wider_than_the_window(visit: Visit, page: Page, path: str, width: int):
    page.set_viewport_size({"width": width, "height": 900})
    visit(path)
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= width
    assert page.locator('[data-testid="stException"], [data-testid="stAlertContentError"]').count() == 0


def test_pictures_have_a_text(visit: Visit):
    for path in ("/", "/gallery"):
        page = visit(path)
        page.locator("img").first.wait_for()
        assert page.eval_on_selector_all("img", "all => all.filter(i => !i.alt.trim()).map(i => i.src)") == []
