"""One input through one tower of an open_clip model, block by block and head by head, everything kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from open_clip.tokenizer import SimpleTokenizer
from torch import Tensor, nn
from torch.nn.functional import interpolate, linear

from tests.engine.twins import Case


@dataclass(frozen=True)
class Part:
    """One block. x: its input [n d]; q, k, v: [n d]; attn: [h n n]; out: heads joined [n d]."""

    module: nn.Module
    x: Tensor
    q: Tensor
    k: Tensor
    v: Tensor
    attn: Tensor
    out: Tensor


@dataclass(frozen=True)
class Run:
    """parts: the blocks in order. row: index of the pooled token. embedding: unit [e]. query: unit [e] of the
    other tower. score: their cosine. patches: (rows, columns), or None for text."""

    parts: list[Part]
    row: int
    embedding: Tensor
    query: Tensor
    score: Tensor
    patches: tuple[int, int] | None


def unit(x: Tensor) -> Tensor:
    return x / x.norm(dim=-1, keepdim=True)


@cache
def _tokenizer(context: int) -> SimpleTokenizer:
    return SimpleTokenizer(context_length=context)


def token_ids(clip: nn.Module, text: str) -> Tensor:
    """[n] with padding."""
    return _tokenizer(clip.context_length)([text])[0]


def embed_text(clip: nn.Module, text: str) -> Tensor:
    """Unit embedding [e] by open_clip's own code."""
    with torch.no_grad():
        return clip.encode_text(token_ids(clip, text)[None], normalize=True)[0]


def attend(q: Tensor, k: Tensor, heads: int, mask: Tensor | None = None) -> Tensor:
    """softmax(q k^T / sqrt(d / h) + mask), head by head: [h n n]."""
    size = q.shape[-1] // heads
    each = []
    for h in range(heads):
        part = slice(h * size, (h + 1) * size)
        logits = q[:, part] @ k[:, part].T / size**0.5
        each.append((logits if mask is None else logits + mask).softmax(-1))
    return torch.stack(each)


def join(attn: Tensor, v: Tensor) -> Tensor:
    """Attention [h n n] times each head's values: [n d]."""
    size = v.shape[-1] // len(attn)
    return torch.cat([attn[h] @ v[:, h * size : (h + 1) * size] for h in range(len(attn))], dim=-1)


def finish(module: nn.Module, x: Tensor, out: Tensor) -> Tensor:
    """Block input and joined heads to block output."""
    y = x + module.ls_1(module.attn.out_proj(out))
    return y + module.ls_2(module.mlp(module.ln_2(y)))


def part_of(module: nn.Module, x: Tensor, mask: Tensor | None, heads: int) -> Part:
    q, k, v = linear(module.ln_1(x), module.attn.in_proj_weight, module.attn.in_proj_bias).chunk(3, dim=-1)
    attn = attend(q, k, heads, mask)
    return Part(module, x, q, k, v, attn, join(attn, v))


def through(blocks: nn.ModuleList, x: Tensor, mask: Tensor | None, single: int) -> tuple[list[Part], Tensor]:
    """Every block; the last `single` with one head."""
    parts = []
    for number, module in enumerate(blocks):
        heads = 1 if number >= len(blocks) - single else module.attn.num_heads
        parts.append(part_of(module, x, mask, heads))
        x = finish(module, x, parts[-1].out)
    return parts, x


def patch_tokens(clip: nn.Module, pixels: Tensor) -> tuple[Tensor, tuple[int, int]]:
    """Tokens before the first block [n d], and (rows, columns)."""
    visual = clip.visual
    patches = visual.conv1(pixels[None])[0]
    rows, columns = patches.shape[1:]
    positions = visual.positional_embedding
    if (rows, columns) != tuple(visual.grid_size):
        square = positions[1:].T.reshape(1, -1, *visual.grid_size)
        square = interpolate(square, size=(rows, columns), mode="bicubic", align_corners=False)
        positions = torch.cat([positions[:1], square[0].flatten(1).T])
    x = torch.cat([visual.class_embedding[None], patches.flatten(1).T]) + positions
    return visual.ln_pre(x), (rows, columns)


def image_head(clip: nn.Module, x: Tensor) -> Tensor:
    """Tokens after the last block to embeddings, not yet of unit length."""
    return clip.visual.ln_post(x) @ clip.visual.proj


def embed_image(clip: nn.Module, pixels: Tensor) -> Tensor:
    """Unit embedding [e]."""
    with torch.no_grad():
        x, _ = patch_tokens(clip, pixels)
        return unit(image_head(clip, through(clip.visual.transformer.resblocks, x, None, 0)[1][0]))


def run(case: Case, single: int = 0) -> Run:
    """The case's tower with a graph from its first block on."""
    return _run(case.clip, case.branch, case.pixels, case.prompts[case.index], single)


@cache
def _run(clip: nn.Module, branch: str, pixels: Tensor, prompt: str, single: int) -> Run:
    if branch == "image":
        x, patches = patch_tokens(clip, pixels)
        parts, x = through(clip.visual.transformer.resblocks, x.detach().requires_grad_(), None, single)
        row, embedding = 0, unit(image_head(clip, x[0]))
        query = embed_text(clip, prompt)
    else:
        ids, patches = token_ids(clip, prompt), None
        x = clip.token_embedding(ids) + clip.positional_embedding
        parts, x = through(clip.transformer.resblocks, x.detach().requires_grad_(), clip.attn_mask, single)
        row = int(ids.argmax())
        embedding = unit(clip.ln_final(x[row]) @ clip.text_projection)
        query = embed_image(clip, pixels)
    return Run(parts, row, embedding, query, embedding @ query, patches)


def slope(score: Tensor, node: Tensor) -> Tensor:
    """Gradient of a score, the graph kept."""
    return torch.autograd.grad(score, node, retain_graph=True)[0]


def signed(x: Tensor, sign: str) -> Tensor:
    """'signed' x itself, 'positive' its positive part, 'negative' the positive part of its negation."""
    return x if sign == "signed" else (x if sign == "positive" else -x).clamp(min=0)
