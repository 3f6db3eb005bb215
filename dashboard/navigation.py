"""The names of the pages, their menu, and how to go to one."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from dashboard import state
from dashboard.callbacks import alone

COMPARE, LAYERS, WORDS, CURVES = "compare", "layers", "words", "curves"
GALLERY, BENCHMARK, METHODS = "gallery", "benchmark", "methods"
OF_AN_IMAGE = (COMPARE, LAYERS, WORDS, CURVES)
_PAGES = "pages"  # of this session, which `go` may ask for


def chosen(pages: Mapping[str, StreamlitPage]) -> tuple[str, StreamlitPage]:
    """Draw the menu; name and page of what is open."""
    st.session_state[_PAGES] = pages
    # The query goes out before the menu: the browser notes a page with the query that it knows by then, and
    # Back would lead to one without. What was clicked before this run ends first.
    with alone():
        state.show()
    page = st.navigation(list(pages.values()), position="top")
    return next(name for name, other in pages.items() if other.title == page.title), page


def go(name: str) -> None:
    """Leave for another page; the state goes along, in the address too, as Back may lead there."""
    st.switch_page(st.session_state[_PAGES][name], query_params=state.query())
