"""The pages and how to go to one. A view is a module with a function `page()`."""

from __future__ import annotations

import streamlit as st
from streamlit.navigation.page import StreamlitPage

COMPARE, LAYERS, WORDS, CURVES = "compare", "layers", "words", "curves"
GALLERY, BENCHMARK, METHODS = "gallery", "benchmark", "methods"


def pages() -> dict[str, StreamlitPage]:
    """The pages of the menu, by name."""
    # Here because views ask for other pages.
    from dashboard.views import benchmark, compare, curves, gallery, layers, methods, words

    return {
        COMPARE: st.Page(compare.page, title="Compare", url_path=COMPARE, default=True),
        LAYERS: st.Page(layers.page, title="Layers", url_path=LAYERS),
        WORDS: st.Page(words.page, title="Words", url_path=WORDS),
        CURVES: st.Page(curves.page, title="Curves", url_path=CURVES),
        GALLERY: st.Page(gallery.page, title="Gallery", url_path=GALLERY),
        BENCHMARK: st.Page(benchmark.page, title="Benchmark", url_path=BENCHMARK),
        METHODS: st.Page(methods.page, title="Methods", url_path=METHODS),
    }


def chosen() -> tuple[str, StreamlitPage]:
    """Draw the menu; name and page of what is open."""
    known = pages()
    page = st.navigation(list(known.values()), position="top")
    return next(name for name, other in known.items() if other.title == page.title), page


def go(name: str) -> None:
    """Leave for another page; the state goes along."""
    st.switch_page(pages()[name])
