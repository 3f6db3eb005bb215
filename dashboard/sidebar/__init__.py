"""The choices of a session: image, prompts, methods, model, and the session itself.

Each section draws widgets from the state and writes changes to it; none keeps anything of its own.
"""

from __future__ import annotations

import streamlit as st

from dashboard.sidebar import image, methods, model, prompts, session


def draw() -> None:
    """Draw all sections in the sidebar."""
    with st.sidebar:
        image.draw()
        prompts.draw()
        methods.draw()
        model.draw()
        session.draw()
