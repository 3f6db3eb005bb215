"""Models that have forgotten what they learned, from the top down (Adebayo et al., NeurIPS 2018)."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from engine.types import Unsupported

if TYPE_CHECKING:
    from engine.models import Model


@lru_cache(maxsize=4)
def randomised(model: Model, depth: int, seed: int = 0) -> Model:
    """A copy of the model whose image tower's final norm, projection and last `depth` blocks have random
    weights: normal, with each parameter's own mean and deviation. The text tower stays.

    Unsupported for towers without transformer blocks.
    """
    import torch

    from engine.models import wrap

    clip = copy.deepcopy(model.clip)
    transformer = getattr(clip.visual, "transformer", None)
    if transformer is None:
        raise Unsupported("Randomisation goes block by block; this model's image tower has no blocks.")
    generator = torch.Generator().manual_seed(seed)
    blocks = list(transformer.resblocks)[::-1][:depth]
    parts = [clip.visual.ln_post, *blocks]
    parameters = [p for part in parts for p in part.parameters()]
    parameters += [clip.visual.proj] if clip.visual.proj is not None else []
    with torch.no_grad():
        for parameter in parameters:
            noise = torch.randn(parameter.shape, generator=generator).to(parameter)
            spread = parameter.std() if parameter.numel() > 1 else parameter.abs().sum()
            parameter.copy_(parameter.mean() + spread * noise)
    digest = f"{model.info.digest} random {depth} seed {seed}"
    return replace(wrap(clip, model.info), info=replace(model.info, digest=digest), tokenizer=model.tokenizer)
