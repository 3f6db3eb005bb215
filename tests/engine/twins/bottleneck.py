"""Twin of engine.methods.bottleneck."""

from __future__ import annotations

import torch
from torch import Tensor

from tests.engine.twins import Case, twin
from tests.engine.twins.plain import (
    embed_image,
    embed_text,
    image_head,
    patch_tokens,
    through,
    token_ids,
    unit,
)


def _start(case: Case) -> tuple[list, Tensor, Tensor | None, Tensor]:
    """Blocks, tokens before the first, mask, and the other tower's embedding. Text ends at its end token."""
    clip = case.clip
    if case.branch == "image":
        query = embed_text(clip, case.prompts[case.index])
        return list(clip.visual.transformer.resblocks), patch_tokens(clip, case.pixels)[0], None, query
    ids = token_ids(clip, case.prompts[case.index])
    ids = ids[: int(ids.argmax()) + 1]
    x = clip.token_embedding(ids) + clip.positional_embedding[: len(ids)]
    mask = clip.attn_mask[: len(ids), : len(ids)]
    return list(clip.transformer.resblocks), x, mask, embed_image(clip, case.pixels)


@twin(
    "m2ib(steps=3)",
    "m2ib(layer=0, seed=4, steps=2)",
    "m2ib(layer=1, steps=2)",  # of text, behind the last block
    "m2ib(beta=2, steps=3)",
    "m2ib(steps=1)",
)
def m2ib(case: Case) -> Tensor:
    p = case.params
    blocks, x, mask, query = _start(case)
    after = (min(3 * len(blocks) // 4, len(blocks) - 2) if p["layer"] is None else p["layer"]) + 1
    x = through(blocks[:after], x, mask, 0)[1].detach()
    alpha, first, second = torch.full_like(x, 5.0), torch.zeros_like(x), torch.zeros_like(x)
    generator = torch.Generator().manual_seed(p["seed"])
    for step in range(1, p["steps"] + 1):
        alpha.requires_grad_()
        lam = 1 / (1 + (-alpha).exp())
        mean, variance = lam * x, (1 - lam) ** 2
        information = -(1 + variance.log() - mean**2 - variance) / 2
        noise = torch.empty(10, *x.shape).normal_(generator=generator).double()
        cosines = []
        for draw in noise:
            z = through(blocks[after:], mean + variance.sqrt() * draw, mask, 0)[1]
            if case.branch == "image":
                embedding = unit(image_head(case.clip, z[0]))
            else:
                embedding = unit(case.clip.ln_final(z[-1]) @ case.clip.text_projection)
            cosines.append(embedding @ query)
        loss = p["beta"] * information.mean() - sum(cosines) / 10
        slope = torch.autograd.grad(loss, alpha)[0]
        first, second = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope**2
        ratio = (first / (1 - 0.9**step)) / ((second / (1 - 0.999**step)).sqrt() + 1e-8)
        alpha = (alpha - ratio).detach()
    relevance = information.detach().sum(-1)
    if case.branch == "image":
        return relevance
    return torch.cat([relevance, relevance.new_zeros(case.clip.context_length - len(relevance))])
