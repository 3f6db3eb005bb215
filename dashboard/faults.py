"""What goes wrong while a page or a part of it is drawn becomes one sentence in its place."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st
from streamlit.errors import FragmentHandledException

from dashboard.text import plain
from engine.types import SidelightError

log = logging.getLogger(__name__)


@contextmanager
def told() -> Iterator[None]:
    """Use around a page, and around the body of a fragment, which runs again without its page."""
    try:
        yield
    except SidelightError as error:
        st.warning(plain(str(error)), icon=":material/info:")
    except FragmentHandledException:
        raise  # a fragment of the page, whose own fault Streamlit has shown and logged
    except Exception:  # a fault of ours: the log has the traceback, the person a sentence, the rest is drawn
        log.exception("a part of the page failed")
        st.error("Something went wrong here; the server's log says what. The rest still works.")
