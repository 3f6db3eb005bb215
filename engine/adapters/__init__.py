"""One file a model family: how to embed, attend, pool, project and read the grid.

This file loads no torch: it says from an open_clip config whether a family reads it, and what it offers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine.types import FEATURES

if TYPE_CHECKING:
    from torch import nn

    from engine.encoder import Encoder

SUPPORTED = (
    "open_clip's own vision transformers that pool the class token, and its ResNets, with a causal text "
    "transformer"
)
STRIDE = 32  # pixels between neighbouring cells of a ResNet's last feature map
RESNET_OFFERS = frozenset({"gradients"})


def refusal(config: Mapping[str, Any]) -> str | None:
    """Why an open_clip config (`embed_dim`, `vision_cfg`, `text_cfg`) is read by no adapter, or None."""
    vision, text = config.get("vision_cfg", {}), config.get("text_cfg", {})
    reasons = [
        ("timm_model_name" in vision, f"its image tower is timm's {vision.get('timm_model_name')}"),
        (bool(vision.get("attentional_pool")), "its image tower pools by attention over learned queries"),
        (vision.get("pool_type", "tok") != "tok", "its image tower does not pool the class token"),
        (any(d.get("block_type") == "custom" for d in (vision, text)), "it has custom attention blocks"),
        ("hf_model_name" in text, f"its text tower is {text.get('hf_model_name')}"),
        ("hf_tokenizer_name" in text, f"its tokenizer {text.get('hf_tokenizer_name')} is not CLIP's"),
        (bool(text.get("no_causal_mask")), "its text tower is not causal"),
        (bool(text.get("embed_cls")), "its text tower appends a class token"),
        ("multimodal_cfg" in config, "it is a captioning model"),
    ]
    return next((reason for holds, reason in reasons if holds), None)


def offers(config: Mapping[str, Any]) -> frozenset[str]:
    """What the image tower of an open_clip config has of engine.types.FEATURES."""
    is_resnet = isinstance(config["vision_cfg"].get("layers"), (list, tuple))
    return RESNET_OFFERS if is_resnet else FEATURES


def encoders(clip: nn.Module) -> tuple[Encoder, Encoder]:
    """Image and text encoder of a loaded open_clip model; Unsupported where no adapter reads its modules."""
    from engine.adapters import open_clip_resnet, open_clip_vit

    adapter = open_clip_resnet if hasattr(clip.visual, "attnpool") else open_clip_vit
    return adapter.encoders(clip)
