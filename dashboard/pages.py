"""The pages of the menu. A view is a module with a function `page()`."""

from __future__ import annotations

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from dashboard.navigation import BENCHMARK, COMPARE, CURVES, GALLERY, LAYERS, METHODS, WORDS
from dashboard.views import benchmark, compare, curves, gallery, layers, methods, words


def pages() -> dict[str, StreamlitPage]:
    """Every page by name; the first is where one arrives."""
    return {
        COMPARE: st.Page(compare.page, title="Compare", url_path=COMPARE, default=True),
        LAYERS: st.Page(layers.page, title="Layers", url_path=LAYERS),
        WORDS: st.Page(words.page, title="Words", url_path=WORDS),
        CURVES: st.Page(curves.page, title="Curves", url_path=CURVES),
        GALLERY: st.Page(gallery.page, title="Gallery", url_path=GALLERY),
        BENCHMARK: st.Page(benchmark.page, title="Benchmark", url_path=BENCHMARK),
        METHODS: st.Page(methods.page, title="Methods", url_path=METHODS),
    }
