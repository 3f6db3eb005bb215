"""The Words page in a real browser: a word, a phrase, a region, sub-words, the link."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

PAGE = "/words?methods=game&methods=maskclip&prompts=a+red+dog+and+an+airplane"
WORDS = ["a", "red", "dog", "and", "an", "airplane"]


@pytest.fixture
def drawn(visit):
    """Open the page and wait for the weights of all measures, the large map and the grid."""

    def go(path: str = PAGE, rows: int = 1 + len(WORDS)) -> Page:
        page = visit(path)
        for measure in ("tokens", "difference", "alone"):
            expect(words(page, measure)).to_have_count(len(WORDS))
        expect(page.locator(".large canvas.map[tabindex]")).to_have_count(1)
        expect(page.locator(".box canvas.map[tabindex]")).to_have_count(2 * rows)
        return page

    return go


def words(page: Page, measure: str = "tokens") -> Locator:
    return page.locator(f'[data-measure="{measure}"] button.word')


def selected(page: Page, measure: str = "tokens") -> list[str]:
    return page.locator(f'[data-measure="{measure}"] button.word[aria-pressed="true"]').all_text_contents()


def query(page: Page, name: str) -> str:
    return parse_qs(urlsplit(page.url).query).get(name, [""])[0]


def large(page: Page) -> Locator:
    return page.locator(".large canvas.map")


def test_a_word_is_read_selected_and_marked_everywhere(drawn):
    page = drawn()
    assert words(page).all_text_contents() == WORDS
    expect(page.locator('[data-measure="tokens"] .extras')).to_contain_text(
        re.compile(r"start token .+ end token")
    )
    status = page.locator(".sidelight-words .status")
    words(page, "alone").nth(2).hover()
    expect(status).to_contain_text(re.compile(r"^dog · Tokens by .+ · Left out .+ cosine · Alone .+ cosine$"))
    words(page, "alone").nth(2).click()
    for measure in ("tokens", "difference", "alone"):
        assert selected(page, measure) == ["dog"]
    expect(page.locator(".large h4")).to_have_text("dog")  # at once, before the page was told
    page.wait_for_url(re.compile("words=3"))
    marked = page.locator('.box [role="rowheader"][aria-current="true"] .title')
    expect(marked).to_have_text(["dog"])
    page.locator(".box").get_by_role("button", name="airplane", exact=True).click()
    expect(marked).to_have_text(["airplane"])
    assert selected(page, "alone") == ["airplane"]
    expect(page.locator(".large h4")).to_have_text("airplane")


def test_dragging_over_neighbours_explains_a_phrase(drawn):
    page = drawn()
    words(page).nth(1).hover()
    page.mouse.down()
    words(page).nth(2).hover()
    page.mouse.up()
    assert selected(page, "alone") == ["red", "dog"]
    page.wait_for_url(re.compile("words=2-3"))
    expect(page.locator(".large h4")).to_have_text("red dog")
    expect(page.locator(".box canvas.map[tabindex]")).to_have_count(2 * (2 + len(WORDS)))
    expect(page.locator(".sidelight-words .status")).to_contain_text(re.compile(r"^red dog|^dog"))
    rows = page.locator('.box [role="rowheader"][aria-current="true"] .title')
    expect(rows).to_have_text(["red dog", "red", "dog"])


def test_words_by_keyboard(drawn):
    page = drawn()
    words(page).first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert selected(page) == ["red"]
    page.keyboard.press("Shift+ArrowRight")
    assert selected(page, "difference") == ["red", "dog"]
    page.wait_for_url(re.compile("words=2-3"))
    page.keyboard.press("Escape")
    assert selected(page) == []
    page.wait_for_url(lambda url: "words=2" not in url)


def test_words_from_right_to_left(visit):
    page = visit("/words?methods=game&prompts=كلب+صغير+بجانب+شجرة")
    expect(words(page)).to_have_count(4)
    places = [words(page).nth(i).bounding_box()["x"] for i in range(4)]
    assert places == sorted(places, reverse=True)
    words(page).first.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    assert selected(page) == ["صغير"]
    words(page).nth(2).dispatch_event("click")  # as a screen reader does, without a pointer
    assert selected(page) == ["بجانب"]


def test_a_region_ranks_the_words(drawn):
    page = drawn()
    large(page).scroll_into_view_if_needed()
    box = large(page).bounding_box()
    page.mouse.move(box["x"] + 0.55 * box["width"], box["y"] + 0.55 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.9 * box["height"], steps=4)
    page.mouse.up()
    ranks = page.locator(".ranking .rank")
    expect(ranks).to_have_count(1 + len(WORDS))
    shares = [
        float(text.split()[0]) for text in page.locator(".rank .number").all_text_contents() if "%" in text
    ]
    assert shares == sorted(shares, reverse=True) and shares[0] > 0
    assert query(page, "region").startswith("8,8-")
    page.locator(".rank:not([data-whole])").first.click()
    assert len(selected(page)) == 1
    page.get_by_role("button", name="Clear region").click()
    expect(ranks).to_have_count(0)


def test_a_region_is_read_on_the_grid_that_is_there_and_stays_as_it_was_written(visit):
    page = visit("/words?methods=game&image_set=photos&image=cat&prompts=a+cat&region=5,1-99")
    ranking = page.locator(".ranking")
    expect(ranking.locator(".rank")).to_have_count(1 + 2)
    expect(ranking).to_contain_text("which is 7.1 % of the patches")  # one row of 14
    page.get_by_text("Fit", exact=True).click()
    expect(ranking).to_contain_text("which is 9.1 % of the patches")  # one row of 11
    expect(ranking.locator(".rank")).to_have_count(1 + 2)
    words(page, "alone").nth(1).click()
    page.wait_for_url(re.compile("words=2"))
    assert query(page, "region") == "5,1-99"


def test_a_region_stays_while_no_map_shows_it(visit):
    refused = "m2ib(layer=9)"  # the model has six layers
    page = visit(f"{PAGE}&methods={refused}&word_method={refused}&region=8,8-11")
    expect(page.locator(".large")).to_contain_text("layer=9 is not there")
    expect(words(page, "alone")).to_have_count(len(WORDS))
    words(page, "alone").nth(2).click()
    page.wait_for_url(re.compile("words=3"))
    assert query(page, "region") == "8,8-11"
    page.get_by_role("button", name="Clear region").click()
    page.wait_for_url(lambda url: "region" not in url)


def test_patches_by_keyboard(drawn):
    page = drawn()
    large(page).focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "Space"):
        page.keyboard.press(key)
    page.wait_for_url(re.compile("region=2%2C2-2"))
    page.keyboard.press("Shift+ArrowRight")
    page.wait_for_url(re.compile("region=2%2C2-3"))
    page.keyboard.press("Escape")
    page.wait_for_url(lambda url: "region" not in url)


def test_sub_words_are_shown_on_demand(drawn):
    page = drawn()
    button = page.get_by_role("button", name="Sub-words")
    expect(page.locator(".parts")).to_have_count(0)
    button.click()
    expect(page.locator(".part .word")).to_have_text(WORDS)
    expect(page.get_by_role("button", name="Hide sub-words")).to_have_attribute("aria-expanded", "true")
    words(page, "alone").nth(2).click()
    expect(page.locator(".part[data-chosen] .word")).to_have_text(["dog"])


def test_a_link_brings_everything_back_and_other_pages_keep_it(drawn):
    path = f"{PAGE}&words=2-3&region=8,8-11%3B9,8-11&word_map=alone&text_method=game"
    page = drawn(path, rows=2 + len(WORDS))
    assert selected(page) == ["red", "dog"]
    expect(page.locator(".ranking .rank")).to_have_count(2 + len(WORDS))
    expect(page.locator('[data-measure="tokens"] h4')).to_have_text("Tokens by GAME")
    page.reload()
    expect(page.locator(".ranking .rank")).to_have_count(2 + len(WORDS))
    assert selected(page) == ["red", "dog"]
    page.get_by_role("link", name="Gallery").click()
    page.wait_for_url(re.compile("/gallery"))
    page.get_by_role("link", name="Words").click()
    expect(page.locator(".ranking .rank")).to_have_count(2 + len(WORDS))
    assert (query(page, "words"), query(page, "region")) == ("2-3", "8,8-11;9,8-11")


def test_typed_text_stays_text(visit):
    page = visit("/words?methods=game&prompts=%3Cimg+src%3Dx+onerror%3Dalert(1)%3E+%26amp%3B")
    expect(page.locator('[data-measure="alone"] button.word').first).to_have_text("<")
    assert page.locator(".sidelight-words img").count() == 0


def test_a_page_that_is_left_no_longer_listens_to_the_window(page, drawn):
    page.add_init_script(
        """const listen = window.addEventListener;
        window.signals = [];
        window.addEventListener = (kind, act, options) => {
            if (kind === "pointerup" && options?.signal) window.signals.push(options.signal);
            listen.call(window, kind, act, options);
        };"""
    )
    drawn()
    listening = "() => signals.map((signal) => !signal.aborted)"
    assert page.evaluate(listening) == [True]
    words(page).nth(2).click()
    page.wait_for_url(re.compile("words=3"))  # new data came, and it still listens
    assert page.evaluate(listening) == [True]
    page.get_by_role("link", name="Methods").click()
    page.wait_for_function("() => signals.every((signal) => signal.aborted)")
