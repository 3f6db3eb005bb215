"""Shared by all tests: a cache of their own, and the system's Chromium for the browser tests."""

from __future__ import annotations

import os
import shutil

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_tests(tmp_path_factory):
    """Keep the user's cache out of the tests, and the tests' entries out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIDELIGHT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the system's Chromium; its absence skips the test, or fails it where CI requires a browser."""
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    reason = f"no browser found: install one of {', '.join(BROWSERS)}"
    if os.environ.get("SIDELIGHT_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
