"""The session as a file: everything that the link holds, with the upload."""

from __future__ import annotations

import streamlit as st

from dashboard import gateway, links, notes, state
from dashboard.callbacks import unbroken
from engine.types import SidelightError


def draw() -> None:
    held = state.held()  # what changes in a part of a page does not draw the sidebar again
    with st.expander("Save or open a session"):
        st.caption("The address of this page is a link to what you see. A file also carries an upload.")
        st.download_button(
            "Save as JSON",
            data=lambda: _json(held.state),
            file_name="sidelight.json",
            mime="application/json",
            on_click="ignore",
            icon=":material/download:",
        )
        turn = st.session_state.setdefault("files", 0)
        st.file_uploader("Open a saved session", key=f"file{turn}", on_change=unbroken(_open), args=(turn,))
        notes.show("session")


def _json(shown: state.State) -> str:
    return links.to_json(shown, gateway.uploads.read(shown.upload) if shown.upload else None)


def _open(turn: int) -> None:
    file = st.session_state[f"file{turn}"]
    if file is None or turn != st.session_state["files"]:  # none, or opened already
        return
    st.session_state["files"] += 1
    try:
        text = file.getvalue()
        carried = links.upload_in(text)
        if carried is not None:
            gateway.uploads.keep(carried, "upload")
        state.open_json(text)
    except SidelightError as error:
        notes.say("session", str(error))
