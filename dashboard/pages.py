"""The pages of the menu. A view is a module of `dashboard.views` with a function `page()`."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from dashboard.navigation import BENCHMARK, COMPARE, CURVES, GALLERY, LAYERS, METHODS, WORDS

VIEWS = (COMPARE, LAYERS, WORDS, CURVES, GALLERY, BENCHMARK, METHODS)  # in the order of the menu


def pages() -> dict[str, StreamlitPage]:
    """Every page by name; the first is where one arrives."""
    return {
        name: st.Page(_view(name), title=name.capitalize(), url_path=name, default=name == VIEWS[0])
        for name in VIEWS
    }


def _view(name: str) -> Callable[[], None]:
    """Draws a view, which is imported when it is opened: where one arrives does without pandas, whose import
    would take a good part of the first second."""

    def page() -> None:
        import_module(f"dashboard.views.{name}").page()

    return page
