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
VOCABULARY = 49408  # tokens of CLIP's tokenizer
OWN_SIZE, OWN_PATCH = 224, 16  # of open_clip's image towers whose config names none
RESNET_OFFERS = frozenset({"gradients"})


def refusal(config: Mapping[str, Any]) -> str | None:
    """Why an open_clip config (`embed_dim`, `vision_cfg`, `text_cfg`) is read by no adapter, or None."""
    vision, text = config.get("vision_cfg", {}), config.get("text_cfg", {})
    height, width = patch(vision)
    reasons = [
        ("timm_model_name" in vision, f"its image tower is timm's {vision.get('timm_model_name')}"),
        (bool(vision.get("attentional_pool")), "its image tower pools by attention over learned queries"),
        (vision.get("pool_type", "tok") != "tok", "its image tower does not pool the class token"),
        (height != width, "its patches are not square"),
        (any(d.get("block_type") == "custom" for d in (vision, text)), "it has custom attention blocks"),
        ("hf_model_name" in text, f"its text tower is {text.get('hf_model_name')}"),
        ("hf_tokenizer_name" in text, f"its tokenizer {text.get('hf_tokenizer_name')} is not CLIP's"),
        (text.get("vocab_size", VOCABULARY) < VOCABULARY, "its vocabulary is smaller than CLIP's"),
        (bool(text.get("no_causal_mask")), "its text tower is not causal"),
        (bool(text.get("embed_cls")), "its text tower appends a class token"),
        ("multimodal_cfg" in config, "it is a captioning model"),
    ]
    return next((reason for holds, reason in reasons if holds), None)


def offers(config: Mapping[str, Any]) -> frozenset[str]:
    """What the image tower of an open_clip config has of engine.types.FEATURES."""
    return RESNET_OFFERS if _is_resnet(config["vision_cfg"]) else FEATURES


def size(vision: Mapping[str, Any]) -> tuple[Any, Any]:
    """(height, width) in pixels of the input that a `vision_cfg` has; of what is no size, what is none."""
    return pair(vision.get("image_size", OWN_SIZE))


def patch(vision: Mapping[str, Any]) -> tuple[Any, Any]:
    """(height, width) in pixels of what one cell of the grid covers, as a `vision_cfg` has it; of what is no
    size, what is none."""
    return pair(STRIDE if _is_resnet(vision) else vision.get("patch_size", OWN_PATCH))


def pair(value: Any) -> tuple[Any, Any]:
    """(height, width), of one number or of two; of anything else what is no size."""
    if isinstance(value, (list, tuple)):
        return tuple(value) if len(value) == 2 else (0, 0)
    return (value, value)


def _is_resnet(vision: Mapping[str, Any]) -> bool:
    """open_clip tells them apart by this too."""
    return isinstance(vision.get("layers"), (list, tuple))


def encoders(clip: nn.Module) -> tuple[Encoder, Encoder]:
    """Image and text encoder of a loaded open_clip model; Unsupported where no adapter reads its modules."""
    from engine.adapters import open_clip_resnet, open_clip_vit

    adapter = open_clip_resnet if hasattr(clip.visual, "attnpool") else open_clip_vit
    return adapter.encoders(clip)
