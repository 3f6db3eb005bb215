"""Prompt templates, and the one embedding that a text has in an ensemble of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

SCENE = (
    "there is a {} in the scene.",
    "there is the {} in the scene.",
    "this is a {} in the scene.",
    "this is the {} in the scene.",
    "this is one {} in the scene.",
)


def imagenet() -> tuple[str, ...]:
    """The 80 templates of CLIP's zero-shot ImageNet classifier, kept by open_clip, which is imported."""
    from open_clip import OPENAI_IMAGENET_TEMPLATES

    return tuple(template("{}") for template in OPENAI_IMAGENET_TEMPLATES)


def surgery() -> tuple[str, ...]:
    """The 85 templates of CLIP Surgery: ImageNet's and five of scenes. Imports open_clip."""
    return imagenet() + SCENE


def ensemble(
    embed: Callable[[Sequence[str]], Tensor], templates: Sequence[str], texts: Sequence[str]
) -> Tensor:
    """Unit mean of the unit embeddings of each text in every template.

    embed: texts -> unit embeddings [p e]. -> [len(texts) e]
    """
    from torch.nn.functional import normalize

    # Plain replacement: a prompt may hold braces.
    phrases = [template.replace("{}", text) for text in texts for template in templates]
    return normalize(embed(phrases).unflatten(0, (len(texts), len(templates))).mean(1), dim=-1)
