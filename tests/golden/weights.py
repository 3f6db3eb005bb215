"""Models rebuilt from the rule of README.md: weights that depend on parameter name, shape and seed only."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

HEAD_WIDTH = 64


def noise(name: str, shape: Sequence[int], seed: int) -> np.ndarray:
    """Standard normal float64 numbers, the same wherever they are drawn."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())]).standard_normal(shape)


def value(name: str, shape: Sequence[int], seed: int) -> np.ndarray:
    """One parameter or buffer of open_clip's state dict, float64."""
    last = name.split(".")[-1]
    fan = int(np.prod(shape[1:]))
    if last == "num_batches_tracked":
        return np.zeros(shape)
    if last == "logit_scale":
        return np.full(shape, np.log(100.0))
    n = noise(name, shape, seed)
    if last == "running_mean":
        return 0.1 * n
    if last == "running_var":
        return 1.0 + 0.5 * abs(n)
    if "token_embedding" in name:
        return 0.6 * n
    if last == "positional_embedding":
        return (0.5 if "attnpool" in name else 0.4) * n
    if last == "class_embedding":
        return n
    if last in ("bias", "in_proj_bias"):
        return 0.05 * n
    if last in ("proj", "text_projection"):
        return n / shape[0] ** 0.5
    if name == "visual.conv1.weight" and shape[-1] > 3:  # patch embedding: mostly without its mean
        return 4.2 / fan**0.5 * (n - 0.9 * n.mean(axis=(2, 3), keepdims=True))
    if len(shape) < 2:
        return 1.0 + 0.1 * n  # gains of norms
    return _gain(name, last, len(shape)) / fan**0.5 * n


def _gain(name: str, last: str, dimensions: int) -> float:
    """Scale of a weight matrix or kernel, before division by the root of its fan-in."""
    if last == "in_proj_weight":
        return 1.6
    for ending, gain in (("attn.out_proj", 0.5), ("mlp.c_fc", 1.0), ("mlp.c_proj", 0.4)):
        if name.endswith(f"{ending}.weight"):
            return gain
    return 1.4 if dimensions == 4 else 1.3


def build(config: Mapping[str, Any], seed: int) -> Any:
    """The open_clip CLIP of a config of meta.json, in evaluation mode, float32."""
    import torch
    from open_clip.model import CLIP

    vision = {
        "image_size": _frozen(config["image_size"]),
        "layers": _frozen(config["vision_layers"]),
        "width": config["vision_width"],
        "patch_size": config["vision_patch"],
        "head_width": HEAD_WIDTH,
    }
    text = {
        "context_length": config["ctx"],
        "vocab_size": config["vocab"],
        "width": config["text_width"],
        "heads": config["text_heads"],
        "layers": config["text_layers"],
    }
    clip = CLIP(config["embed_dim"], vision, text, quick_gelu=True).eval()
    state = {
        name: torch.as_tensor(value(name, tuple(old.shape), seed)).to(old.dtype)
        for name, old in clip.state_dict().items()
    }
    clip.load_state_dict(state)
    return clip.requires_grad_(False)


def _frozen(value: Any) -> Any:
    """JSON's lists as the tuples that open_clip tells a ResNet's layers by."""
    return tuple(value) if isinstance(value, list) else value


def check(clip: Any, fingerprints: Mapping[str, Sequence[Any]]) -> None:
    """AssertionError names the first parameter that is not as recorded: [shape, sum, first, last]."""
    state = clip.state_dict()
    for name, (shape, total, first, last) in fingerprints.items():
        found = state[name].double().numpy()
        assert list(found.shape) == shape, f"{name} has shape {list(found.shape)}, recorded was {shape}"
        ours = [found.sum(), found.flat[0], found.flat[-1]]
        assert np.allclose(ours, [total, first, last], rtol=1e-6, atol=1e-9), (
            f"{name} was not rebuilt as recorded"
        )
