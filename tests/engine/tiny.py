"""Small random CLIPs with every part of the large ones, for tests that need numbers and not meaning."""

from __future__ import annotations

from functools import cache

import numpy as np


@cache
def tiny_clip(seed: int = 0, vision_layers: int = 3, text_layers: int = 2):
    """open_clip CLIP, 64x64 input, patch 16 (4x4 grid), width 128, 2 heads; text width 64, context 16.

    Weights are drawn larger than open_clip's initialisation, so that attention and gradients differ from
    place to place.
    """
    import open_clip
    import torch

    vision = {"image_size": 64, "patch_size": 16, "layers": vision_layers, "width": 128, "head_width": 64}
    text = {"context_length": 16, "vocab_size": 49408, "width": 64, "heads": 2, "layers": text_layers}
    clip = open_clip.model.CLIP(embed_dim=48, vision_cfg=vision, text_cfg=text).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in clip.named_parameters():
            if name == "logit_scale":
                continue
            noise = torch.randn(value.shape, generator=generator)
            if value.ndim < 2:
                scale = 0.1
            else:
                scale = 1.5 / value[0].numel() ** 0.5 if "embedding" not in name else 0.5
            value.copy_(noise * scale + (1.0 if name.endswith("weight") and value.ndim == 1 else 0.0))
    return clip


@cache
def tiny_model(seed: int = 0):
    """`tiny_clip` wrapped for the engine."""
    from engine.models import wrap

    return wrap(tiny_clip(seed))


def pixels(seed: int, batch: int = 2, height: int = 64, width: int = 64):
    """Random model input [batch 3 height width]."""
    import torch

    return torch.as_tensor(
        np.random.default_rng(seed).standard_normal((batch, 3, height, width)), dtype=torch.float32
    )


def picture(seed: int = 0, size: tuple[int, int] = (90, 70)):
    """A random engine Image of (width, height)."""
    from engine.images import load

    return load(png(seed, size), "picture")


def png(seed: int = 0, size: tuple[int, int] = (90, 70)) -> bytes:
    """The bytes of a random PNG file of (width, height)."""
    import io

    from PIL import Image

    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG")
    return file.getvalue()


PROMPTS = ["a cat", "two red dogs on a sofa", "unbelievable!"]
