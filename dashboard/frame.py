"""What surrounds every page: style, sidebar, what could not be used of a link, and the page."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from dashboard import faults, gateway, sidebar, state
from dashboard.text import plain

HERE = Path(__file__).parent


def look() -> None:
    """The logo and the few rules that Streamlit's theme has no setting for."""
    st.logo(str(HERE / "logo.svg"), size="large")
    st.html(HERE / "style.css")


def draw(name: str, page: StreamlitPage) -> None:
    """The page with all that surrounds it; what is wrong becomes one sentence."""
    if name in sidebar.SECTIONS:
        with st.sidebar, faults.told():
            sidebar.draw(name)
    problems = [*state.problems(), *filter(None, [gateway.session.store_problem()])]
    if problems:
        st.info("  \n".join(map(plain, problems)), icon=":material/info:")
    with faults.told():
        page.run()
