"""The Layers page in the browser: layer and head changes, a new prompt, a stored page beside an empty rerun.

python -m benchmarks.layers --rounds 9

Budgets, with the bundled model on two cores: 50 ms from a key to the pixels of another layer or head; 2 s for
a new prompt's full page with the model loaded and nothing stored; a stored page within 3 times an empty rerun
of the same page in the same run. All by the clock on the wall, in Chromium.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from benchmarks.browser import APP, CLICK, FIND, WINDOW, chromium, report, served
from dashboard import gateway
from dashboard.choices import State
from dashboard.components import layers
from dashboard.views import layers_panels

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PROMPTS = ("a dog", "an airplane")
ADDRESS = "prompts=a+dog&layer=3"
CHANGE_BUDGET, NEW_BUDGET, RATIO_BUDGET = 50, 2000, 3  # milliseconds, milliseconds, empty reruns
# Presses a key or clicks, and waits for the pixels and for the frame after them; milliseconds.
CHANGE = f"""async ([target, key]) => {{
    const find = {FIND};
    const root = find(".sidelight-layers");
    const before = root.dataset.painted;
    const start = performance.now();
    const press = new KeyboardEvent("keydown", {{ key, bubbles: true, composed: true }});
    if (key) find(target).dispatchEvent(press);
    else find(target).click();
    while (root.dataset.painted === before) await new Promise(requestAnimationFrame);
    await new Promise(requestAnimationFrame);
    return performance.now() - start;
}}"""
# From now until the panel of a prompt is drawn; milliseconds.
ARRIVAL = f"""async (title) => {{
    const find = {FIND};
    const start = performance.now();
    while (find(".panel h3")?.textContent !== title || !find(".panel .charts svg")) {{
        await new Promise(requestAnimationFrame);
    }}
    await new Promise(requestAnimationFrame);
    return performance.now() - start;
}}"""


def page() -> None:
    """What the server draws: the layers for one of two prompts, or nothing but a number."""
    turn = st.session_state.get("turn", 0) + 1
    st.session_state["turn"] = turn
    st.button("Again", key="again")
    if st.query_params.get("draw") == "layers":
        shown = State(prompts=(PROMPTS[turn % 2],))
        panels, _ = layers_panels.panels(shown)
        view = {name: getattr(shown, name) for name in layers.VIEW}
        known = gateway.layers.quantities("image"), gateway.layers.shares()
        layers.layers(panels, *known, view, key="layers", on_view=lambda view: None)
        size = len(layers.payload(panels, *known, view, 1))
        st.html(f'<i class="facts" data-size="{size}"></i>')
    st.html(f'<i class="turn{turn}" data-torch="{"torch" in sys.modules}"></i>')


def fill() -> None:
    """Store both prompts' layers."""
    from engine import layers as engine
    from engine.types import Target

    for prompt in PROMPTS:
        asked = replace(gateway.maps.request(State(prompts=(prompt,))), targets=(Target(prompt),), specs=())
        engine.compute(asked)


def stored_page(browser: Browser, address: str, rounds: int) -> dict[str, float]:
    """Medians over rounds in which stored page and empty rerun take turns."""
    clicks: dict[str, list[float]] = {"layers": [], "empty": []}
    tabs = {}
    for name in clicks:
        tabs[name] = browser.new_page(viewport=WINDOW)
        tabs[name].goto(f"{address}/?draw={name}")
        tabs[name].locator(".turn1").wait_for(state="attached", timeout=120_000)
    tabs["layers"].locator(".sidelight-layers[data-painted]").wait_for()
    for turn in range(2, rounds + 4):  # the first two fill the caches of pictures
        for name, tab in tabs.items():
            tab.bring_to_front()
            clicks[name].append(tab.evaluate(CLICK, [".st-key-again button", f".turn{turn}"]))
    shown, empty = (statistics.median(clicks[name][2:]) for name in ("layers", "empty"))
    size = int(tabs["layers"].locator("i.facts").get_attribute("data-size"))
    torch = tabs["layers"].locator(f".turn{turn}").get_attribute("data-torch") == "True"
    return {
        "stored page, ms": shown,
        "empty rerun, ms": empty,
        "stored page, in empty reruns": shown / empty,
        "payload, kB": size / 1000,
        "torch loaded for a stored page": torch,
    }


def live_page(browser: Browser, address: str, rounds: int) -> dict[str, float]:
    """Medians of changes in the browser, and of prompts that were never asked, in the dashboard itself."""
    tab = browser.new_page(viewport=WINDOW)
    tab.set_default_timeout(300_000)
    tab.goto(f"{address}/layers?{ADDRESS}")
    tab.locator(".panel .charts svg").first.wait_for()
    tab.wait_for_timeout(1000)
    layer = [_change(tab, "[data-main]", ("PageUp", "PageDown")[turn % 2]) for turn in range(rounds)]
    head = [_change(tab, f'[data-head="{turn % 3 + 1}"]', "") for turn in range(rounds)]
    new = [_prompt(tab, f"a dog {turn}") for turn in range(rounds + 1)]
    return {
        "layer change, ms": statistics.median(layer),
        "head change, ms": statistics.median(head),
        "new prompt, ms": statistics.median(new[1:]),  # the first loads the model
    }


def _change(tab: Page, target: str, key: str) -> float:
    tab.wait_for_timeout(100)
    return tab.evaluate(CHANGE, [target, key])


def _prompt(tab: Page, prompt: str) -> float:
    box = tab.get_by_label("Prompts, one a line")
    box.fill(prompt)
    box.press("Control+Enter")
    return tab.evaluate(ARRIVAL, prompt)


def measure(rounds: int) -> dict[str, float]:
    fill()
    folder = Path(os.environ["SIDELIGHT_CACHE"])
    with chromium() as browser:
        with served(folder, __file__) as address:
            found = stored_page(browser, address, rounds)
        with served(folder, APP) as address:
            found |= live_page(browser, address, rounds)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SIDELIGHT_CACHE"] = folder
        found = measure(rounds)
    budgets = {
        "layer change, ms": CHANGE_BUDGET,
        "head change, ms": CHANGE_BUDGET,
        "new prompt, ms": NEW_BUDGET,
        "stored page, in empty reruns": RATIO_BUDGET,
    }
    kept = report("Layers page", found, budgets)
    return 0 if kept and not found["torch loaded for a stored page"] else 1


if __name__ == "__main__":
    if st.runtime.exists():
        page()
    else:
        sys.exit(main())
