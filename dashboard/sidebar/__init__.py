"""The choices of a session: image, prompts, methods, model, and the session itself.

Each section draws widgets from the state and writes changes to it; none keeps anything of its own. A page has
the sections that change what it shows.
"""

from __future__ import annotations

from dashboard import navigation
from dashboard.sidebar import image, methods, model, prompts, session

SECTIONS = {
    navigation.COMPARE: (image.draw, prompts.draw, methods.draw, model.draw, model.second, session.draw),
    navigation.LAYERS: (image.draw, prompts.draw, model.draw, model.second, session.draw),
    navigation.WORDS: (image.draw, prompts.draw, methods.draw, model.draw, session.draw),
    navigation.CURVES: (image.draw, prompts.draw, methods.draw, model.draw, session.draw),
}


def draw(page: str) -> None:
    """Draw the sections of a page that has some, where the caller is."""
    for section in SECTIONS[page]:
        section()
