"""The first visit: from opening the address to drawn maps, beside the same for a page with nothing on it.

python -m benchmarks.first_paint --rounds 5

Every visit is the first of a server that has just been started, with an empty cache and a browser that has
seen nothing yet. Budget: 3 s on two cores; the maps of the first scenes come with the project, so torch stays
unloaded. The clock is the one on the wall.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import streamlit as st

from benchmarks.browser import APP, WINDOW, chromium, report, served

BUDGET = 3  # seconds
DRAWN = ".sidelight-grid[data-painted]"


def page() -> None:
    st.html('<i class="drawn">nothing</i>')


def visit(script: Path | str, wanted: str) -> tuple[float, float]:
    """Seconds from opening the address until `wanted` is there: the first visit of a server, and another
    browser's visit after it."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SIDELIGHT_CACHE"] = folder
        times = []
        with served(Path(folder), script) as address, chromium() as browser:
            for _ in range(2):
                tab = browser.new_context(viewport=WINDOW).new_page()
                start = time.perf_counter()
                tab.goto(address)
                tab.locator(wanted).first.wait_for(state="attached", timeout=60_000)
                times.append(time.perf_counter() - start)
                tab.close()
    return times[0], times[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    grids, nothing = [], []
    for _ in range(rounds):
        grids.append(visit(APP, DRAWN))
        nothing.append(visit(__file__, "i.drawn"))
    first, second = (statistics.median(times) for times in zip(*grids, strict=True))
    empty, _ = (statistics.median(times) for times in zip(*nothing, strict=True))
    found = {
        "first visit of a server, s": first,
        "next visitor, s": second,
        "page with nothing on it, s": empty,
        "first visit, in pages with nothing": first / empty,
    }
    return 0 if report("Compare page", found, {"first visit of a server, s": BUDGET}) else 1


if __name__ == "__main__":
    if st.runtime.exists():
        page()
    else:
        sys.exit(main())
