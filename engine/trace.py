"""The recording: one forward pass of one branch, as a value that every method reads.

Axes: b inputs, t targets, h heads, n tokens, d width, e embedding, l blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

from engine.encoder import Block, Encoder, fused_attention, join_heads, pick, split_heads
from engine.types import Unsupported

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Layer:
    """What was recorded of one block: input, queries, keys, values, attention and joined heads."""

    x: Tensor  # [b n d]
    q: Tensor  # [b n d], heads side by side
    k: Tensor  # [b n d]
    v: Tensor  # [b n d]
    attn: Tensor  # probabilities the score flows through [b h n n]
    out: Tensor  # heads joined, before the output projection [b n d]
    block: Block

    @cached_property
    def projected_keys(self) -> Tensor:
        """Keys through the output projection, bias included, [b n d]; without a graph."""
        return self.block.output(self.k.detach()).detach()


@dataclass(frozen=True)
class Gradients:
    """Gradients of the score with respect to one recorded block, one per target; None where not asked for."""

    x: Tensor | None = None  # [t b n d]
    attn: Tensor | None = None  # [t b h n n]
    out: Tensor | None = None  # [t b n d]


@dataclass(frozen=True)
class Trace:
    """One batch through one branch, graph alive from the first block that a gradient was asked of.

    layers: the recorded blocks in order, the last block of the model last.
    wrt: Layer fields whose gradients were asked for, and of how many last blocks; grads: the most of them.
    """

    encoder: Encoder
    inputs: Tensor
    layers: tuple[Layer, ...]
    grads: int
    wrt: Mapping[str, int]
    row: Tensor  # [b]
    embedding: Tensor  # unit [b e]
    queries: Tensor  # what is explained: unit embeddings, or differences of them [t e]
    scores: Tensor  # [b t]
    logit_scale: float
    readout: Callable[[Tensor], Tensor]  # unit embeddings [b e] -> scores [b t]
    # Iterating methods call it with their stage at every step; it may raise Cancelled.
    check: Callable[[str], None]
    embed: Callable[[Sequence[str]], Tensor]  # texts beyond the targets -> unit embeddings [p e]
    reword: Callable[[Sequence[str]], Tensor]  # templates -> queries [t e] of the targets put into them
    # Another way to embed texts, (text encoder, token ids [p n]) -> [p e]  ->  queries [t e] made with it.
    requery: Callable[[Callable[[Encoder, Tensor], Tensor]], Tensor]

    @property
    def depth(self) -> int:
        """Number of blocks of the branch."""
        return len(self.encoder.blocks)

    @property
    def first(self) -> int:
        """Index of the block that `layers[0]` recorded."""
        return self.depth - len(self.layers)

    @cached_property
    def content(self) -> Tensor:
        """Which tokens are patches or words, bool [b n]."""
        return self.encoder.content(self.inputs)

    @cached_property
    def grid(self) -> tuple[int, int] | None:
        """(rows, columns) of patches; None for text."""
        return self.encoder.grid(self.inputs)

    @cached_property
    def gradients(self) -> tuple[Gradients, ...]:
        """Of the last `grads` blocks, in order, from one backward pass that carries all targets at once.

        Inputs of a batch do not meet in a forward pass, so each one's score reaches its own nodes only. Where
        the score cannot change (see `stationary`), the gradient is zero and not its rounding noise.
        """
        import torch

        layers = self.layers[len(self.layers) - self.grads :]
        wanted = [
            (number, name)
            for number in range(self.grads)
            for name, deep in self.wrt.items()
            if self.grads - number <= deep
        ]
        targets = self.scores.shape[1]
        one_each = torch.eye(targets, dtype=self.scores.dtype, device=self.scores.device)
        found = torch.autograd.grad(
            self.scores,
            [getattr(layers[number], name) for number, name in wanted],
            one_each[:, None] * ~self.stationary,  # [t b t]
            is_grads_batched=True,
            retain_graph=True,
        )
        each: list[dict[str, Tensor]] = [{} for _ in layers]
        for (number, name), gradient in zip(wanted, found, strict=True):
            each[number][name] = gradient
        return tuple(Gradients(**gradients) for gradients in each)

    @cached_property
    def stationary(self) -> Tensor:
        """Where no small turn of the embedding changes the score, bool [b t].

        An image explained for its own embedding is the case: the cosine is at its maximum. The limit is the
        angle whose cosine a number of this precision cannot tell from 1.
        """
        import torch

        with torch.enable_grad():
            e = self.embedding.detach().requires_grad_()
            scores = self.readout(e).sum(0)  # [t]
        one_each = torch.eye(len(scores), dtype=scores.dtype, device=scores.device)
        (slope,) = torch.autograd.grad(scores, e, one_each, is_grads_batched=True)  # [t b e]
        across = slope - (slope * e).sum(-1, keepdim=True) * e.detach()
        limit = torch.finfo(e.dtype).eps ** 0.5
        return (across.norm(dim=-1) <= limit * slope.norm(dim=-1)).T.detach()

    def at_row(self, x: Tensor) -> Tensor:
        """The pooled token's row of [... b n k] -> [... b k]."""
        index = self.row.view(-1, 1, 1).expand(-1, 1, x.shape[-1])
        return x.take_along_dim(index.expand(*x.shape[:-2], 1, x.shape[-1]), -2).squeeze(-2)

    def rescore(self, inputs: Tensor, batch: int = 64) -> Tensor:
        """Scores of changed inputs [m ...] by the model as it is, without a graph. -> [m t]"""
        import torch

        with torch.no_grad():
            parts = [self.readout(self.encoder.encode(part)) for part in inputs.split(batch)]
        return torch.cat(parts)


def recorded_attention(block: Block, x: Tensor, mask: Tensor | None, heads: int) -> Layer:
    """The same attention with every part kept as a node of the graph."""
    q, k, v = block.qkv(x)
    attn = _probabilities(split_heads(q, heads), split_heads(k, heads), mask)
    return Layer(x=x, q=q, k=k, v=v, attn=attn, out=join_heads(attn @ split_heads(v, heads)), block=block)


def recorded_pooling(block: Block, x: Tensor, mask: Tensor | None, heads: int, row: Tensor) -> Layer:
    """The last block's attention, of which the score sees row `row` [b] only.

    The graph goes through that row, and past keys and values, which makes its backward cheap; the other rows
    are kept beside it.
    """
    import torch

    read = block.norm(x)
    with torch.no_grad():
        q, k, v = block.together(read)
        rest = _probabilities(split_heads(q, heads), split_heads(k, heads), mask)
        rest_out = join_heads(rest @ split_heads(v, heads))
    pooled = torch.arange(q.shape[1], device=q.device) == row[:, None]  # [b n]
    logits = block.logits(read, block.query(pick(read, row)), heads)  # [b h n]
    own = (logits if mask is None else logits + mask[row][:, None]).softmax(-1)
    attn = torch.where(pooled[:, None, :, None], own[:, :, None], rest)
    # The row is taken by a product: its gradient costs less than that of an index.
    own_out = block.mix((pooled[:, None, None].to(attn.dtype) @ attn)[:, :, 0], read)
    out = torch.where(pooled[..., None], own_out[:, None], rest_out)
    return Layer(x=x, q=q, k=k, v=v, attn=attn, out=out, block=block)


def _probabilities(q: Tensor, k: Tensor, mask: Tensor | None) -> Tensor:
    """softmax(q k^T / sqrt(d/h) + mask): [b h t d/h], [b h n d/h] -> [b h t n]"""
    logits = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
    return (logits if mask is None else logits + mask).softmax(-1)


NOTHING: Mapping[str, int] = MappingProxyType({})


def no_text_tower(texts: object) -> Tensor:
    """Stands in where texts cannot be embedded."""
    raise Unsupported("This method embeds texts of its own, and there is no text tower to do it here.")


def record(
    encoder: Encoder,
    inputs: Tensor,
    queries: Tensor,
    *,
    blocks: int = 1,
    grads: Mapping[str, int] = NOTHING,
    single: int = 0,
    logit_scale: float = 1.0,
    readout: Callable[[Tensor], Tensor] | None = None,
    check: Callable[[str], None] = lambda stage: None,
    embed: Callable[[Sequence[str]], Tensor] = no_text_tower,
    reword: Callable[[Sequence[str]], Tensor] = no_text_tower,
    requery: Callable[[Callable[[Encoder, Tensor], Tensor]], Tensor] = no_text_tower,
) -> Trace:
    """Run `inputs` through `encoder` and keep what methods read.

    blocks: how many last blocks are recorded. grads: with respect to which Layer fields gradients are wanted,
    and of how many last blocks, e.g. {"attn": 12, "x": 1}; those blocks are recorded too. Both are cut to the
    model's depth. single: how many last blocks run with one head of full width (Grad-ECLIP's authors).
    queries: [t e]. readout: unit embeddings [b e] -> scores [b t], default the cosine.
    Blocks before the first recorded one run fused and without a graph.
    """
    import torch

    readout = readout or (lambda embedding: embedding @ queries.T)
    depth = len(encoder.blocks)
    wrt = {name: min(count, depth) for name, count in grads.items()}
    deepest = max(wrt.values(), default=0)
    blocks = min(max(blocks, deepest, 1), depth)
    row = encoder.row(inputs)
    layers = []
    with torch.no_grad():
        x = encoder.embed(inputs)
        mask = encoder.mask(x.shape[1])
    for index, block in enumerate(encoder.blocks):
        left = depth - index
        heads = 1 if left <= single else block.heads
        with torch.set_grad_enabled(left <= deepest):
            if left == deepest:
                x = x.detach().requires_grad_()
            if left > blocks:
                out = fused_attention(block, x, mask, heads)
            elif left == 1 and deepest:
                layers.append(recorded_pooling(block, x, mask, heads, row))
                out = layers[-1].out
            else:
                layers.append(recorded_attention(block, x, mask, heads))
                out = layers[-1].out
            # Past the last attention only the pooled token matters to the score.
            x = block.finish(x, out) if left > 1 else block.finish(pick(x, row), pick(out, row))
    with torch.set_grad_enabled(deepest > 0):
        embedding = encoder.project(x)
        scores = readout(embedding)
    return Trace(
        encoder=encoder, inputs=inputs, layers=tuple(layers), grads=deepest, wrt=wrt, row=row,
        embedding=embedding, queries=queries, scores=scores, logit_scale=logit_scale, readout=readout,
        check=check, embed=embed, reword=reword, requery=requery,
    )  # fmt: skip
