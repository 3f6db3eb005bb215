"""The dashboard's entry: streamlit run dashboard/app.py. Page settings, menu, sidebar, the page itself."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
if str(HERE.parent) not in sys.path:  # Streamlit puts only this file's folder there
    sys.path.insert(0, str(HERE.parent))

import streamlit as st  # noqa: E402  after the path is set

from dashboard import frame, gateway, navigation, pages  # noqa: E402

st.set_page_config(
    page_title="Sidelight", page_icon=str(HERE / "icon.png"), layout="wide", initial_sidebar_state=330
)
frame.look()
frame.draw(*navigation.chosen(pages.pages()))
gateway.models.warm_up()
