"""The state of the store, and what a link may name."""

from dashboard.gateway import collection, models, uploads
from dashboard.links import Vocabulary


def store_problem() -> str:
    """One sentence when maps cannot be kept on disk, or ''."""
    from engine.store import default_store

    return default_store().problem


def vocabulary() -> Vocabulary:
    """What a link may name on this server."""
    from engine import render

    return Vocabulary(
        sets={s.name: tuple(i.id for i in s.items) for s in collection.sets()},
        colormaps=tuple(render.COLORMAPS),
        spec=models.canonical,
        model=models.describe,
        upload=uploads.kept().has,
    )
