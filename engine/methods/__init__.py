"""Every explanation method: one file a family, one function a method. Importing this registers them.

A method takes a `Trace` and keyword-only parameters and returns raw relevance [t b n] over all tokens, or
[t b height width] in model pixels where it says so. It knows nothing of files, pages, sizes or colours.
"""

from engine.methods import (
    attention,
    bottleneck,
    controls,
    gradient,
    integrated,
    legrad,
    perturbation,
    relevance,
    self_self,
    similarity,
    surgery,
)

__all__ = [
    "attention",
    "bottleneck",
    "controls",
    "gradient",
    "integrated",
    "legrad",
    "perturbation",
    "relevance",
    "self_self",
    "similarity",
    "surgery",
]
