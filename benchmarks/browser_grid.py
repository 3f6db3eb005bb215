"""A stored grid of 36 maps in the browser, beside an empty rerun of the same page in the same run.

python -m benchmarks.browser_grid --rounds 9

Budgets (DESIGN: Speed): 30 ms of server work, 2.5 times the click-to-pixels of an empty rerun, no torch. Maps
of random numbers lie in a store of their own under the keys of the real ones. Server work is the time of the
page's own thread, so that other load on the machine does not count; what the browser waits is the clock on
the wall.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import streamlit as st

from benchmarks.browser import CLICK, WINDOW, chromium, report, served
from dashboard import gateway
from dashboard.components import grid
from dashboard.state import State
from dashboard.views import compare_rows

METHODS = ("grad_eclip", "game", "grad_cam", "maskclip", "self_attention", "rollout")
PROMPTS = ("a dog", "an airplane", "a tree", "a lobster", "a lollipop", "a cat")
WORK_BUDGET, RATIO_BUDGET = 30, 2.5  # milliseconds; click-to-pixels in empty reruns


def states() -> list[State]:
    """Two images, to go back and forth between."""
    asked = State(methods=METHODS, prompts=PROMPTS, sign="positive")
    return [replace(asked, image=item.id) for item in gateway.collection.image_set(asked.image_set).items[:2]]


def fill() -> None:
    """Put random maps under the keys of the real ones."""
    from engine.explain import keys, stored
    from engine.store import default_store

    rng = np.random.default_rng(0)
    for state in states():
        request = gateway.maps.request(state)
        shape = stored(request).grid
        for key in keys(request):
            facts = {"score": 0.3, "explained_score": 0.3, "seconds": 0.01, "note": ""}
            default_store().put(key, {"map": rng.random(shape).astype(np.float32)}, facts)


def page() -> None:
    """What the server draws: the grid of one of the two images, or nothing but a number."""
    turn = st.session_state.get("turn", 0) + 1
    st.session_state["turn"] = turn
    st.button("Again", key="again")
    if st.query_params.get("draw") == "grid":
        start = time.thread_time()
        found = compare_rows.lines(states()[turn % 2])
        pictures, rows = compare_rows.pictures(found)
        display = {name: getattr(State(), name) for name in grid.DISPLAY}
        grid.grid(pictures, compare_rows.columns(found), rows, compare_rows.tiles(found), display, key="grid")
        work = 1000 * (time.thread_time() - start)
        payload = grid.payload((), compare_rows.columns(found), rows, compare_rows.tiles(found))
        sizes = f"{len(json.dumps(payload))} {sum(len(p.jpeg) for p in pictures)}"
        st.html(f'<i class="facts" data-work="{work}" data-sizes="{sizes}"></i>')
    torch = "torch" in sys.modules
    st.html(f'<i class="turn{turn}" data-torch="{torch}"></i>')


def measure(rounds: int) -> dict[str, float]:
    """Medians over rounds in which grid and empty rerun take turns."""
    fill()
    folder = Path(os.environ["SIDELIGHT_CACHE"])
    clicks: dict[str, list[float]] = {"grid": [], "empty": []}
    work = []
    with served(folder, __file__) as address, chromium() as browser:
        tabs = {}
        for name in clicks:
            tabs[name] = browser.new_page(viewport=WINDOW)
            tabs[name].goto(f"{address}/?draw={name}")
            tabs[name].locator(".turn1").wait_for(state="attached", timeout=60_000)
        tabs["grid"].locator(".sidelight-grid[data-painted]").wait_for()
        for turn in range(2, rounds + 4):  # the first two fill the caches of pictures
            for name, tab in tabs.items():
                tab.bring_to_front()
                clicks[name].append(tab.evaluate(CLICK, [".st-key-again button", f".turn{turn}"]))
            work.append(float(tabs["grid"].locator("i.facts").get_attribute("data-work")))
        sizes = tabs["grid"].locator("i.facts").get_attribute("data-sizes").split()
        torch = tabs["grid"].locator(f".turn{turn}").get_attribute("data-torch") == "True"
    grid_ms, empty_ms = (statistics.median(clicks[name][2:]) for name in ("grid", "empty"))
    return {
        "server work, ms": statistics.median(work[2:]),
        "click to pixels, ms": grid_ms,
        "empty rerun, ms": empty_ms,
        "ratio": grid_ms / empty_ms,
        "payload without pictures, kB": int(sizes[0]) / 1000,
        "pictures, kB": int(sizes[1]) / 1000,
        "torch loaded": torch,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SIDELIGHT_CACHE"] = folder
        found = measure(rounds)
    kept = report("36 stored maps", found, {"server work, ms": WORK_BUDGET, "ratio": RATIO_BUDGET})
    return 0 if kept and not found["torch loaded"] else 1


if __name__ == "__main__":
    if st.runtime.exists():
        page()
    else:
        sys.exit(main())
