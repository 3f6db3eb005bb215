"""One branch of a model as plain functions of tensors.

Axes: b inputs, h heads, n tokens, d width, m hidden width of the MLP, e embedding.
Adapters make `Encoder`s and never patch, hook or alter the model, so concurrent passes cannot meet and
nothing has to be undone after an exception.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.types import FEATURES

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Block:
    """One transformer block as functions. heads: its number of attention heads.

    norm: block input [b n d] -> what the attention reads, after its layer norm [b n d].
    query: of what the attention reads, [... d] -> [... d], heads side by side.
    together: queries, keys and values at once.
    logits: (what the attention reads [b n d], one query per input [b d], heads) -> its logits [b h n], up to
    a constant per head; see row_logits.
    mix: (one row of attention per input [b h n], what it reads [b n d]) -> joined heads [b d]; see row_mix.
    output: the attention's output projection, bias included, [... d] -> [... d].
    hidden: the MLP with its norm up to its last linear map, [... d] -> [... m].
    down: that map, with layer scale where the model has it, [... m] -> [... d]; affine.
    residual: (block input, projected attention) -> their sum, with layer scale where the model has it.
    """

    heads: int
    norm: Callable[[Tensor], Tensor]
    query: Callable[[Tensor], Tensor]
    together: Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]
    logits: Callable[[Tensor, Tensor, int], Tensor]
    mix: Callable[[Tensor, Tensor], Tensor]
    output: Callable[[Tensor], Tensor]
    hidden: Callable[[Tensor], Tensor]
    down: Callable[[Tensor], Tensor]
    residual: Callable[[Tensor, Tensor], Tensor]

    def qkv(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, each [b n d], of a block input [b n d]."""
        return self.together(self.norm(x))

    def finish(self, x: Tensor, out: Tensor) -> Tensor:
        """Block input and joined heads, both [... d], to the block's output [... d]; each token by itself."""
        y = self.residual(x, self.output(out))
        return y + self.down(self.hidden(y))

    def finish_mean(self, x: Tensor, out: Tensor) -> Tensor:
        """Mean over tokens of `finish`: [b n d] -> [b d]. What is affine is done once, on the mean."""
        y = self.residual(x, self.output(out))
        return y.mean(1) + self.down(self.hidden(y).mean(1))


@dataclass(frozen=True)
class Encoder:
    """One branch of a model.

    embed: inputs (pixels [b 3 height width] or token ids [b n]) -> tokens before the first block [b n d].
    row: inputs -> index of the token that is pooled, [b] (class token 0; end of text).
    head: tokens after the last block [... d] -> embeddings [... e], final norm included.
    projection: the last linear map of `head` by itself, [... d] -> [... e].
    mask: n -> additive attention mask [n n], or None.
    content: inputs -> bool [b n], which tokens are patches or words.
    grid: inputs -> (rows, columns) of patches, None for text.
    offers: what methods may ask of it, out of engine.types.FEATURES.
    """

    blocks: tuple[Block, ...]
    embed: Callable[[Tensor], Tensor]
    row: Callable[[Tensor], Tensor]
    head: Callable[[Tensor], Tensor]
    projection: Callable[[Tensor], Tensor]
    mask: Callable[[int], Tensor | None]
    content: Callable[[Tensor], Tensor]
    grid: Callable[[Tensor], tuple[int, int] | None]
    offers: frozenset[str] = FEATURES

    def project(self, x: Tensor) -> Tensor:
        """Tokens after the last block [... d] -> unit embeddings [... e]."""
        from torch.nn.functional import normalize

        return normalize(self.head(x), dim=-1)

    def advance(self, x: Tensor, start: int, stop: int | None = None) -> Tensor:
        """Tokens before block `start` to tokens before block `stop` (default: after the last), with fused
        attention. [b n d] -> [b n d]"""
        for block in self.blocks[start:stop]:
            x = block.finish(x, fused_attention(block, x, self.mask(x.shape[1])))
        return x

    def encode(self, inputs: Tensor) -> Tensor:
        """Unit embeddings [b e] of the model as it is, by the cheapest path."""
        return self.resume(self.embed(inputs), 0, self.row(inputs))

    def resume(self, x: Tensor, start: int, row: Tensor) -> Tensor:
        """Tokens [b n d] before block `start` (after the last one, where it is the depth) to the unit
        embeddings [b e] of their rows `row` [b]."""
        if start == len(self.blocks):
            return self.project(pick(x, row))
        x, block = self.advance(x, start, len(self.blocks) - 1), self.blocks[-1]
        out = fused_attention(block, x, self.mask(x.shape[1]))
        # Past the last attention only the pooled token matters.
        return self.project(block.finish(pick(x, row), pick(out, row)))


def pick(x: Tensor, row: Tensor) -> Tensor:
    """Row `row[b]` of every input: [b n d], [b] -> [b d]."""
    return x.take_along_dim(row.view(-1, 1, 1), 1).squeeze(1)


def split_heads(x: Tensor, heads: int) -> Tensor:
    """[b n d] -> [b h n d/h]"""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def join_heads(x: Tensor) -> Tensor:
    """[b h n d/h] -> [b n d]"""
    return x.transpose(1, 2).flatten(2)


def row_logits(weight: Tensor, read: Tensor, query: Tensor, heads: int) -> Tensor:
    """q k^T / sqrt(d/h) of one query per input [b d], with keys of weight [d d]: [b h n].

    The query goes through the weight instead of every token, so that a backward pass costs little. A bias of
    the keys adds the same to all tokens, which softmax does not see, and is left out.
    """
    query, weight = query.unflatten(-1, (heads, -1)), weight.unflatten(0, (heads, -1))
    return (query[:, :, None] * query.shape[-1] ** -0.5 @ weight)[:, :, 0] @ read.mT


def row_mix(weight: Tensor, bias: Tensor | None, attn: Tensor, read: Tensor) -> Tensor:
    """Joined heads [b d] of one row of attention [b h n], with values of weight [d d] and bias [d].

    Tokens are mixed before they go through the weight. The bias counts once per token, as in every value.
    """
    heads = attn.shape[1]
    out = ((attn @ read)[:, :, None] @ weight.unflatten(0, (heads, -1)).mT)[:, :, 0]  # [b h d/h]
    if bias is not None:
        out = out + attn.sum(-1, keepdim=True) * bias.unflatten(0, (heads, -1))
    return out.flatten(1)


def fused_attention(block: Block, x: Tensor, mask: Tensor | None, heads: int | None = None) -> Tensor:
    """Joined heads [b n d] of a block's attention on its input, without keeping the probabilities."""
    from torch.nn.functional import scaled_dot_product_attention

    q, k, v = (split_heads(part, heads or block.heads) for part in block.qkv(x))
    return join_heads(scaled_dot_product_attention(q, k, v, attn_mask=mask))
