"""Twins of engine.methods.integrated: one step, one gradient."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tests.engine.twins import Case, twin
from tests.engine.twins.plain import embed_text, image_head, patch_tokens, signed, through, unit

PATCH = 16


def _slope(case: Case, pixels: Tensor) -> Tensor:
    pixels = pixels.detach().requires_grad_()
    x, _ = patch_tokens(case.clip, pixels)
    x = through(case.clip.visual.transformer.resblocks, x, None, 0)[1]
    score = unit(image_head(case.clip, x[0])) @ embed_text(case.clip, case.prompts[case.index])
    return torch.autograd.grad(score, pixels)[0]


def _blurred(pixels: Tensor) -> Tensor:
    """Gaussian of a twentieth of the shorter side, cut at three deviations, mirrored edges."""
    deviation = min(pixels.shape[1:]) / 20
    reach = round(3 * deviation)
    weights = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * deviation**2))
    weights /= weights.sum()
    found = pixels.numpy()
    for axis in (1, 2):
        padded = np.pad(found, [(reach, reach) if a == axis else (0, 0) for a in range(3)], mode="reflect")
        size = found.shape[axis]
        found = sum(w * padded.take(range(i, i + size), axis) for i, w in enumerate(weights))
    return torch.as_tensor(found)


def _as_asked(case: Case, total: Tensor) -> Tensor:
    if case.params["pixels"]:
        return total
    height, width = total.shape
    sums = [
        total[r : r + PATCH, c : c + PATCH].sum()
        for r in range(0, height, PATCH)
        for c in range(0, width, PATCH)
    ]
    return torch.stack([torch.zeros(()).double(), *sums])


@twin(
    "integrated_gradients(steps=4)",
    "integrated_gradients(baseline='blur', steps=3)",
    "integrated_gradients(pixels=True, sign='positive', steps=3)",
)
def integrated_gradients(case: Case) -> Tensor:
    x, steps = case.pixels, case.params["steps"]
    start = torch.zeros_like(x) if case.params["baseline"] == "mean" else _blurred(x)
    places, weights = np.polynomial.legendre.leggauss(steps)
    mean = sum(
        w / 2 * _slope(case, start + (p + 1) / 2 * (x - start)) for p, w in zip(places, weights, strict=True)
    )
    return signed(_as_asked(case, ((x - start) * mean).sum(0)), case.params["sign"])


@twin("smooth_grad(samples=4)", "smooth_grad(pixels=True, samples=3, seed=2, sigma=0.05)")
def smooth_grad(case: Case) -> Tensor:
    x, p = case.pixels, case.params
    generator = torch.Generator().manual_seed(p["seed"])
    deviation = p["sigma"] * (x.max() - x.min())
    slopes = [
        _slope(case, x + deviation * torch.empty(x.shape, dtype=torch.float32).normal_(generator=generator))
        for _ in range(p["samples"])
    ]
    return _as_asked(case, (sum(slopes) / len(slopes)).abs().sum(0))
