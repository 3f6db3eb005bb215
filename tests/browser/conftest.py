"""A server of its own, and pages that must end without a console error or a request to another host."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.patience import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
DRAWN_WITHIN = 240_000  # milliseconds, where nothing loads torch
expect.set_options(timeout=DRAWN_WITHIN)
# Streamlit looks for its server below the path of the page first, and logs a 404 where it is not there.
PROBE = re.compile(r"/[a-z]+/_stcore/(health|host-config)$")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def cache(tmp_path_factory) -> Path:
    """The folder of the server's store, empty at the start."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def server(tmp_path_factory, cache: Path) -> Iterator[str]:
    """The dashboard on a free port, with an empty cache; its address."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("browser")
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "dashboard/app.py",
             "--server.port", str(port), "--server.headless", "true"],
            cwd=ROOT,
            # Offline, so that a test never waits for a hub or loads half a gigabyte from it.
            env=os.environ | {"SIDELIGHT_CACHE": str(cache), "HF_HUB_OFFLINE": "1"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        address = f"http://localhost:{port}"
        try:
            _wait_for(address, process, folder / "server.log")
            yield address
        finally:
            process.terminate()
            process.wait(20)


def _wait_for(address: str, process: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"the server did not start:\n{log.read_text(errors='replace')}")


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser, server: str) -> Iterator[Page]:
    """An empty tab, 1440 x 900. It must end without a console error or a foreign request."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, base_url=server)
    context.set_default_timeout(DRAWN_WITHIN)
    tab = context.new_page()
    faults: list[str] = []

    def said(message: ConsoleMessage) -> None:
        probe = PROBE.search(urlsplit(message.location.get("url", "")).path)
        if message.type == "error" and not (probe and "404" in message.text):
            faults.append(f"console: {message.text} {message.location.get('url', '')}")

    def foreign(kind: str, address: str) -> None:
        url = urlsplit(address)
        if url.scheme not in ("data", "blob") and url.netloc != urlsplit(server).netloc:
            faults.append(f"{kind}: {address}")

    tab.on("console", said)
    tab.on("pageerror", lambda error: faults.append(f"exception: {error}"))
    tab.on("request", lambda request: foreign("request", request.url))
    tab.on("websocket", lambda socket: foreign("socket", socket.url))
    yield tab
    context.close()
    assert faults == []


@pytest.fixture
def visit(page: Page) -> Callable[[str], Page]:
    """Open a path of the dashboard and wait until it is drawn."""

    def go(path: str = "/") -> Page:
        page.goto(path)
        return settled(page)

    return go


def settled(page: Page) -> Page:
    """Wait until the server has nothing left to send to the page."""
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
    page.locator('[data-testid="stMain"] [data-testid="stVerticalBlock"]').first.wait_for()
    return page
