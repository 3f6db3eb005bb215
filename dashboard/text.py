"""Text that a person or a data set wrote, on its way into Streamlit's Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

WORD_JOINER = "\u2060"  # invisible; Streamlit makes links of addresses, even where all marks are escaped


def plain(text: str) -> str:
    """`text` so that Markdown shows it as it is: no formatting, links, pictures, formulas or directives."""
    apart = re.sub(r"(?i)(https?|www|ftp)(?=[:.])|(?=@)", f"\\g<0>{WORD_JOINER}", text)
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", apart).replace("\n", " ")


def shortened(text: str, most: int = 60) -> str:
    """At most `most` characters, the cut marked."""
    return text if len(text) <= most else text[: most - 1] + "…"


def labels(options: Iterable[str], most: int, named: Callable[[str], str] = str) -> dict[str, str]:
    """A label for each option, its name at most `most` characters long, with a number where it repeats.

    Streamlit knows an option by its label alone, so with equal ones another would be chosen.
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for option in dict.fromkeys(options):
        short = label = shortened(named(option), most)
        number = 1
        while label in taken:
            number += 1
            label = f"{short} ({number})"
        taken.add(label)
        found[option] = label
    return found
