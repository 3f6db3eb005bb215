"""Sidelight's engine: every explanation method of CLIP, cached on disk. Importing it loads no torch.

>>> from engine import Request, Target, explain, load_image          # doctest: +SKIP
>>> image = load_image("photo.jpg")                                   # doctest: +SKIP
>>> explain(Request(image, (Target("a dog"),), ("grad_eclip",)))      # doctest: +SKIP
"""

from engine.explain import explain, missing, stored
from engine.images import load as load_image
from engine.types import Explanation, Failure, Image, Map, Progress, Request, SidelightError, Target

__all__ = [
    "Explanation",
    "Failure",
    "Image",
    "Map",
    "Progress",
    "Request",
    "SidelightError",
    "Target",
    "explain",
    "load_image",
    "missing",
    "stored",
]
