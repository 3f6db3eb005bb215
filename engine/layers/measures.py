"""From one full recording to what each block and head did. One input, one target; everything is torch.

Axes: l blocks, h heads, n tokens (text cut after its end token), p patches or words, d width.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from engine.methods.gradient import block_relevance
from engine.methods.legrad import head_sensitivity
from engine.trace import Layer, Trace


def length(trace: Trace) -> int:
    """Tokens that matter: all of an image; of a text those up to its end token."""
    return trace.content.shape[1] if trace.grid else int(trace.row[0]) + 1


def matrices(trace: Trace) -> Iterator[tuple[str, int, Tensor]]:
    """Every quantity that has a row for each source: its name, the block, and [h or 1, n, n]."""
    n = length(trace)
    attention = [layer.attn[0, :, :n, :n].detach() for layer in trace.layers]
    gradient = [g.attn[0, 0, :, :n, :n] for g in trace.gradients]
    identity = torch.eye(n, device=attention[0].device)
    flow = identity
    for block, (a, g) in enumerate(zip(attention, gradient, strict=True)):
        yield "attention", block, a
        yield "gradient", block, g
        yield "gradient_attention", block, a * g
        flow = (flow + a.mean(0) @ flow) / 2  # a row of A sums to 1, of A + I to 2
        yield "rollout", block, flow[None]
    relevance = identity
    for block in reversed(range(trace.depth)):
        change = (trace.logit_scale * attention[block] * gradient[block]).relu().mean(0)
        relevance = relevance + relevance @ change
        yield "relevance", block, (relevance - identity)[None]


def vectors(trace: Trace) -> Iterator[tuple[str, int, Tensor]]:
    """Every quantity that has one row for all sources: its name, the block, and [h or 1, n]."""
    n, query = length(trace), trace.queries[0]
    for block, layer in enumerate(trace.layers):
        if trace.grid:
            yield "legrad", block, head_sensitivity(trace, layer)[0, 0]
        with torch.no_grad():
            for name, heads in (("similarity", layer.out), ("maskclip", layer.v)):
                tokens = layer.block.finish(layer.x[:, :n], heads[:, :n])
                yield name, block, (trace.encoder.project(tokens) @ query)


def grad_eclip_gains(trace: Trace) -> Tensor:
    """Sum over patches or words of each block's relevance in Grad-ECLIP, after the relu. -> [l]"""
    content = trace.content[0]
    pairs = zip(trace.layers, trace.gradients, strict=True)
    parts = [block_relevance(trace, *pair)[0, 0].detach().relu() for pair in pairs]
    return torch.stack([part[content].sum() for part in parts])


def entropy(attention: Tensor) -> Tensor:
    """Bits of the rows of [h n n], averaged over the n sources. -> [h], from 0 to log2 of n"""
    return torch.special.entr(attention).sum(-1).mean(-1) / torch.log(torch.tensor(2.0))


def distance(attention: Tensor, places: Tensor, content: Tensor) -> Tensor:
    """Attention-weighted mean distance of query and key, averaged over the queries. -> [h], in the unit of
    `places`.

    attention: [h n n]; content: bool [n], which tokens are patches or words, and places: [p k], where these
    are. Attention to other tokens is left out and the rest scaled to sum to 1; a query with none counts 0.
    """
    among = attention[:, content][:, :, content]
    if among.shape[-1] == 0:
        return attention.new_zeros(len(attention))
    apart = torch.cdist(places, places)
    total = among.sum(-1)
    return ((among * apart).sum(-1) / total.where(total > 0, 1)).mean(-1)


def places(trace: Trace, patch: int) -> Tensor:
    """Where patches or words are: [p 2] in pixels of the model's input, or [p 1] in tokens."""
    device = trace.content.device
    if trace.grid is None:
        return torch.arange(int(trace.content[0].sum()), device=device)[:, None].float()
    rows, columns = (torch.arange(side, device=device) for side in trace.grid)
    return patch * torch.cartesian_prod(rows, columns).float()


def statistics(trace: Trace, patch: int) -> tuple[Tensor, Tensor]:
    """Entropy and mean attention distance of every head, [l h] each. patch: side of a patch in pixels."""
    n = length(trace)
    where, content = places(trace, patch), trace.content[0, :n]

    def of(layer: Layer) -> tuple[Tensor, Tensor]:
        attention = layer.attn[0, :, :n, :n].detach()
        return entropy(attention), distance(attention, where, content)

    bits, apart = zip(*map(of, trace.layers), strict=True)
    return torch.stack(bits), torch.stack(apart)
