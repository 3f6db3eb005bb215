"""The only caller of the engine: what the pages may ask, in terms of the session's state.

Everything here returns frozen values or bytes and raises `SidelightError` with one clear sentence. Torch is
never imported by a page: stored maps are read without it, the others are computed by the engine's worker.
"""

from dashboard.gateway import (
    benchmark,
    collection,
    curves,
    exports,
    layers,
    maps,
    models,
    pictures,
    prompts,
    run_cost,
    runs,
    session,
    targets,
    uploads,
    words,
    work,
)

__all__ = [
    "benchmark",
    "collection",
    "curves",
    "exports",
    "layers",
    "maps",
    "models",
    "pictures",
    "prompts",
    "run_cost",
    "runs",
    "session",
    "targets",
    "uploads",
    "words",
    "work",
]
