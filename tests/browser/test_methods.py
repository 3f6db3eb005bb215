"""The Methods page in a real browser: every formula is typeset, at both widths."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

import engine.methods  # noqa: F401  registers them
from engine.registry import METHODS


@pytest.mark.parametrize("width", [1440, 800])
def test_every_formula_is_typeset_and_fits_its_card(visit: Callable[[str], Page], page: Page, width: int):
    page.set_viewport_size({"width": width, "height": 900})
    visit("/methods")
    formulas = page.locator(".katex-display")  # one that does not parse is its source in red instead
    expect(formulas).to_have_count(len(METHODS))
    expect(page.locator(".katex-error")).to_have_count(0)
    for formula in formulas.all():
        right = formula.evaluate("e => e.querySelector('.katex-html').getBoundingClientRect().right")
        card = formula.evaluate("e => e.closest('[data-testid=stColumn]').getBoundingClientRect().right")
        assert right <= card + 1, f"cut off at {width} pixels: {formula.text_content()}"
