"""The Words page in a browser: new prompts with the model loaded, and stored ones beside an empty rerun.

python -m benchmarks.words --rounds 9

Budgets: 2 s from the click to all rows, maps and the grid of a new prompt, with the bundled model loaded and
nothing stored; for a stored prompt 3 times the click-to-pixels of an empty rerun, without torch. The clock is
the browser's.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

import streamlit as st

from benchmarks.browser import FIND, WINDOW, chromium, report, served
from dashboard import state
from dashboard.views import words

THINGS = ("dog", "cat", "tree", "lobster", "airplane", "pineapple", "rocket", "guitar", "whale", "bicycle")
NEW_BUDGET, RATIO_BUDGET = 2000, 3  # milliseconds; click-to-pixels in empty reruns
LOADING = 300_000  # milliseconds that torch and the model may take
# Clicks, and waits until the page of that turn is whole and painted; milliseconds.
CLICK = f"""async ([turn, whole]) => {{
    const find = {FIND};
    const here = () => {{
        const mark = find(`.turn${{turn}}`);
        if (!mark || !whole) return Boolean(mark);
        const titles = [find(".large h4"), find(".head.side .title")];
        const shown = titles.every((title) => title?.textContent === mark.dataset.prompt);
        return shown && !find(".sidelight-grid .track");
    }};
    const start = performance.now();
    find(".st-key-again button").click();
    while (!here()) await new Promise(requestAnimationFrame);
    await new Promise(requestAnimationFrame);
    await new Promise(requestAnimationFrame);
    return performance.now() - start;
}}"""


def prompts() -> list[str]:
    """As many as there are pairs of things."""
    return [f"a {a} and a {b}" for a in THINGS for b in THINGS if a != b]


def page() -> None:
    """What the server draws: the page for the next prompt, or nothing but a number."""
    turn = (
        st.session_state.get("turn", 0) + 1
        if st.session_state.get("clicked", True)
        else st.session_state["turn"]
    )
    st.session_state["turn"], st.session_state["clicked"] = turn, False
    drawn = st.session_state.setdefault("drawn", st.query_params.get("draw"))
    st.button("Again", key="again", on_click=lambda: st.session_state.update(clicked=True))
    prompt = prompts()[turn]
    if drawn == "words":
        state.update(prompts=(prompt,))
        words.page()
    torch = "torch" in sys.modules
    st.html(f'<i class="turn{turn}" data-prompt="{prompt}" data-torch="{torch}"></i>')


def timed(folder: Path, rounds: int, names: tuple[str, ...]) -> tuple[dict[str, float], bool]:
    """Median click-to-pixels of each page in milliseconds, taking turns on a server of their own, and whether
    the server has loaded torch."""
    clicks: dict[str, list[float]] = {name: [] for name in names}
    with served(folder, __file__) as address, chromium() as browser:
        tabs = {}
        for name in names:
            tabs[name] = browser.new_page(viewport=WINDOW)
            tabs[name].set_default_timeout(LOADING)
            tabs[name].goto(f"{address}/?draw={name}")
            tabs[name].locator(".turn1").wait_for(state="attached")
            if name == "words":
                tabs[name].locator(".box canvas.map[tabindex]").first.wait_for()
        for turn in range(2, rounds + 4):  # the first two fill the caches of pictures
            for name, tab in tabs.items():
                tab.bring_to_front()
                clicks[name].append(tab.evaluate(CLICK, [turn, name == "words"]))
        torch = tabs["words"].locator(f".turn{turn}").get_attribute("data-torch") == "True"
    return {name: statistics.median(times[2:]) for name, times in clicks.items()}, torch


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SIDELIGHT_CACHE"] = folder
        new, _ = timed(Path(folder), rounds, ("words",))
        stored, torch = timed(Path(folder), rounds, ("words", "empty"))
    found = {
        "new prompt, ms": new["words"],
        "stored prompt, ms": stored["words"],
        "empty rerun, ms": stored["empty"],
        "stored prompt, in empty reruns": stored["words"] / stored["empty"],
        "torch loaded for stored prompts": torch,
    }
    budgets = {"new prompt, ms": NEW_BUDGET, "stored prompt, in empty reruns": RATIO_BUDGET}
    return 0 if report("Words page", found, budgets) and not torch else 1


if __name__ == "__main__":
    if st.runtime.exists():
        page()
    else:
        sys.exit(main())
