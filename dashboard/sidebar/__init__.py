"""The choices of a session: image, prompts, methods, model, and the session itself.

Each section draws widgets from the state and writes changes to it; none keeps anything of its own.
"""

from __future__ import annotations

from dashboard.sidebar import image, methods, model, prompts, session


def draw() -> None:
    """Draw all sections where the caller is."""
    for section in (image, prompts, methods, model, session):
        section.draw()
