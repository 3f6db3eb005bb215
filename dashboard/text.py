"""Text that a person or a data set wrote, on its way into Streamlit's Markdown."""

from __future__ import annotations

import re


def plain(text: str) -> str:
    """`text` so that Markdown shows it as it is: no formatting, links, pictures, formulas or directives."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text).replace("\n", " ")


def shortened(text: str, most: int = 60) -> str:
    """At most `most` characters, the cut marked."""
    return text if len(text) <= most else text[: most - 1] + "…"
