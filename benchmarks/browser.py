"""What the benchmarks of pages share: a server of its own, Chromium, and finding elements in shadow roots."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parents[1]
APP = ROOT / "dashboard" / "app.py"
WINDOW = {"width": 1440, "height": 1000}
# A function of a selector: the first element that matches it, in shadow roots too.
FIND = """(selector) => {
    const all = function* (root) {
        for (const element of root.querySelectorAll("*")) {
            yield element;
            if (element.shadowRoot) yield* all(element.shadowRoot);
        }
    };
    for (const element of all(document)) if (element.matches(selector)) return element;
}"""
# Clicks a button, waits for what it brings and for the frame after it; milliseconds.
CLICK = f"""async ([button, wanted]) => {{
    const find = {FIND};
    const painted = () => find(".sidelight-grid")?.dataset.painted;
    const before = painted();
    const start = performance.now();
    find(button).click();
    while (!find(wanted) || (before && painted() === before)) await new Promise(requestAnimationFrame);
    await new Promise(requestAnimationFrame);
    return performance.now() - start;
}}"""


@contextmanager
def served(folder: Path, script: Path | str) -> Iterator[str]:
    """A server of a page of its own, with its log in `folder`; its address."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    words = [sys.executable, "-m", "streamlit", "run", str(script), "--server.headless", "true"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([*words, "--server.port", str(port)], cwd=ROOT, stdout=log, stderr=log)
        try:
            for _ in range(300):
                try:
                    urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=2).close()
                    break
                except OSError:
                    time.sleep(0.2)
            yield f"http://localhost:{port}"
        finally:
            server.terminate()
            server.wait(20)


@contextmanager
def chromium() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield browser
        browser.close()


def report(title: str, found: Mapping[str, float | bool], budgets: Mapping[str, float]) -> bool:
    """Print a table of what was measured beside its budgets; whether all of them are kept."""
    print(f"| {title} | measured | budget |\n|---|---|---|")
    for name, value in found.items():
        shown = value if isinstance(value, bool) else f"{value:.1f}"
        print(f"| {name} | {shown} | {budgets.get(name, '')} |")
    return all(found[name] <= budget for name, budget in budgets.items())
