"""What can be said of a model that someone made or trained in memory: read off the model itself."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from engine.adapters import STRIDE, pair
from engine.catalog import CLIP_MEAN, CLIP_STD
from engine.types import ModelInfo, Preprocess

if TYPE_CHECKING:
    from torch import nn


def info_of(clip: nn.Module, offers: frozenset[str]) -> ModelInfo:
    """The description of an open_clip model, as 'custom'; its digest is of weights and structure."""
    return ModelInfo(
        id="custom",
        name="custom",
        pretrained=None,
        digest=_digest(clip),
        preprocess=_preprocess(clip.visual),
        context=clip.context_length,
        offers=offers,
    )


def _digest(clip: nn.Module) -> str:
    found = hashlib.sha256()
    for name, module in clip.named_modules():  # heads and activations are in no weight
        found.update(f"{name} {type(module).__name__} {getattr(module, 'num_heads', '')}".encode())
    for name, value in sorted(clip.state_dict().items()):
        found.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        found.update(value.detach().cpu().float().numpy().tobytes())
    return found.hexdigest()


def _preprocess(visual: Any) -> Preprocess:
    """open_clip leaves what a model was trained with at its image tower; CLIP's own where it did not."""
    wanted = getattr(visual, "preprocess_cfg", None) or {}
    return Preprocess(
        size=pair(visual.image_size),
        patch=visual.patch_size[0] if hasattr(visual, "patch_size") else STRIDE,
        mean=tuple(wanted.get("mean") or getattr(visual, "image_mean", None) or CLIP_MEAN),
        std=tuple(wanted.get("std") or getattr(visual, "image_std", None) or CLIP_STD),
        interpolation="bilinear" if wanted.get("interpolation") == "bilinear" else "bicubic",
    )
