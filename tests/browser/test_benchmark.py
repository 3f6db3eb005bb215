"""The Benchmark page in a real browser: a run from start to end, its table, images, charts and files."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import settled
from tests.patience import PATIENCE

START = (
    "/benchmark?most_prompts=1&methods=grad_eclip&methods=maskclip"
    "&metrics=deletion&metrics=energy&metrics=milliseconds&first="
)


def table(page: Page) -> Locator:
    return page.get_by_role("table", name="Methods by metrics")


def link(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def link_has(page: Page, **values: str) -> None:
    page.wait_for_function(
        """(values) => Object.entries(values).every(
            ([name, value]) => new URLSearchParams(location.search).get(name) === value)""",
        arg=values,
    )


def whole(page: Page, images: int) -> None:
    """Wait until the run has ended with all of its images."""
    expect(page.get_by_text(re.compile(rf"^{images} images · "))).to_be_visible(timeout=PATIENCE * 1000)
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0, timeout=PATIENCE * 1000)
    expect(page.get_by_role("progressbar")).to_have_count(0)


@pytest.fixture
def finished(visit: Callable[[str], Page]) -> Page:
    """The page of a finished run of three images."""
    page = visit(START + "3")
    page.get_by_role("button", name=re.compile("^(Start|Continue|Open its results)$")).click()
    whole(page, 3)
    table(page).wait_for()
    return settled(page)


def test_a_run_is_cancelled_reloaded_continued_and_finished(visit):
    page = visit(START + "6")
    expect(
        page.get_by_text(re.compile("6 images, 2 methods and 3 controls: .*passes of the model"))
    ).to_be_visible()
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_text(re.compile(r"^[1-9]\d* of 6 images · .* left$"))).to_be_visible(
        timeout=PATIENCE * 1000
    )
    page.get_by_role("button", name="Cancel").click()
    stopped = page.get_by_text(re.compile(r"^Stopped at \d+ of 6 images"))
    expect(stopped).to_be_visible(timeout=PATIENCE * 1000)
    said, run = stopped.inner_text(), link(page)["run"]
    page.reload()
    expect(page.get_by_text(said)).to_be_visible()
    expect(table(page)).to_be_visible()
    assert link(page)["run"] == run
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible(timeout=PATIENCE * 1000)
    page.reload()  # while it goes on
    whole(page, 6)
    page.get_by_role("button", name="All runs").click()
    row = page.get_by_text(re.compile("6 of 6 images"))
    expect(row.first).to_be_visible()
    expect(page.get_by_role("button", name="Open its results")).to_be_visible()


def test_the_table_is_sorted_by_a_head_and_a_value_shows_its_images(finished):
    page = finished
    expect(table(page).locator("thead th")).to_have_count(3)
    expect(table(page).locator("tbody tr")).to_have_count(5)
    table(page).get_by_role("button", name=re.compile("^Energy in mask")).click()
    link_has(page, run_metric="energy")
    expect(table(page).locator("thead th").nth(1)).to_have_class("chosen")
    ranks = [int(float(r)) for r in table(page).locator("tbody td:nth-of-type(2) .before").all_inner_texts()]
    assert ranks == sorted(ranks)
    table(page).get_by_role("button", name=re.compile("^MaskCLIP , Deletion:")).press("Enter")
    link_has(page, run_metric="deletion", run_method="maskclip")
    expect(page.get_by_role("heading", name="Images of MaskCLIP, by Deletion")).to_be_visible()
    wall = page.get_by_role("list", name="Best first images")
    expect(wall.get_by_role("button")).to_have_count(3)
    picked = wall.get_by_role("button").first
    image = picked.locator("img").get_attribute("alt").split(",")[0]
    picked.click()
    page.wait_for_url(re.compile(r"^[^?]*/\?"))
    expect(page.locator(".stage, canvas").first).to_be_visible(timeout=PATIENCE * 1000)
    found = link(page)
    assert found.get("image", ["scene-00"]) == [image]
    assert found["methods"][0] == "maskclip"
    page.go_back()
    expect(page.get_by_role("heading", name="Images of MaskCLIP, by Deletion")).to_be_visible()


def test_differences_and_charts(finished):
    page = finished
    charts = page.locator(".stPlotlyChart .main-svg:first-child")
    expect(charts).to_have_count(3)
    page.get_by_role("combobox", name="Table of").click()
    page.get_by_role("option", name="Differences to the best control").click()
    link_has(page, against="controls")
    expect(table(page).get_by_text("the reference").first).to_be_visible()
    expect(page.get_by_text("Difference in Deletion", exact=False).first).to_be_attached()
    page.get_by_text("Published figures").click()
    expect(page.get_by_text("0.2464")).to_be_visible()
    expect(page.get_by_text("not verified")).to_be_visible()


@pytest.mark.parametrize(
    ("label", "start"),
    [
        ("Every value (CSV)", b'"image"'),
        ("Every value (Parquet)", b"PAR1"),
        ("Table for a paper (LaTeX)", b"\\begin{table}"),
        ("Forest plots (PDF)", b"%PDF"),
    ],
)
def test_files_to_take_away(finished, label, start):
    page = finished
    page.get_by_role("button", name="Download").click()
    with page.expect_download() as download:
        page.get_by_role("button", name=label).click()
    with open(download.value.path(), "rb") as file:
        assert file.read(len(start)) == start


def test_a_run_of_another_server_is_a_sentence(visit):
    page = visit("/benchmark?run=0123456789abcdef")
    expect(page.get_by_text("The run of this link is not on this server")).to_be_visible()


@pytest.mark.parametrize("width", [800, 1440])
def test_nothing_is_wider_than_the_window(finished, width):
    page = finished
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_timeout(500)
    over = page.locator('[data-testid="stMain"]').evaluate("(main) => main.scrollWidth - main.clientWidth")
    assert over <= 0


def test_every_chart_has_a_text_for_those_who_do_not_see_it(finished):
    page = finished
    for start in ("Deletion (area under the curve)", "Time in a shared grid", "Methods in order"):
        expect(page.get_by_role("figure", name=re.compile("^" + re.escape(start)))).to_have_count(1)
