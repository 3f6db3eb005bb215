"""One file a model family: how to embed, attend, pool, project and read the grid.

This file loads no torch: it says from an open_clip config whether a family reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SUPPORTED = "open_clip's own vision transformers that pool the class token, with a causal text transformer"


def refusal(config: Mapping[str, Any]) -> str | None:
    """Why an open_clip config (`embed_dim`, `vision_cfg`, `text_cfg`) is not of this family, or None."""
    vision, text = config.get("vision_cfg", {}), config.get("text_cfg", {})
    reasons = [
        ("timm_model_name" in vision, f"its image tower is timm's {vision.get('timm_model_name')}"),
        (isinstance(vision.get("layers"), (list, tuple)), "its image tower is a ResNet"),
        (bool(vision.get("attentional_pool")), "its image tower pools by attention"),
        (vision.get("pool_type", "tok") != "tok", "its image tower does not pool the class token"),
        (any(d.get("block_type") == "custom" for d in (vision, text)), "it has custom attention blocks"),
        ("hf_model_name" in text, f"its text tower is {text.get('hf_model_name')}"),
        ("hf_tokenizer_name" in text, f"its tokenizer {text.get('hf_tokenizer_name')} is not CLIP's"),
        (bool(text.get("no_causal_mask")), "its text tower is not causal"),
        (bool(text.get("embed_cls")), "its text tower appends a class token"),
        ("multimodal_cfg" in config, "it is a captioning model"),
    ]
    return next((reason for holds, reason in reasons if holds), None)
