"""open_clip's own class-token vision transformers and causal text transformers, as `Encoder`s.

The modules' parameters are read and their norms and MLPs called; nothing is hooked, patched or written.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.adapters import SUPPORTED, VOCABULARY
from engine.encoder import Block, Encoder, row_logits, row_mix
from engine.types import Unsupported

UNREAD = f"This model is built in a way Sidelight cannot read; it reads {SUPPORTED}."


def encoders(clip: nn.Module) -> tuple[Encoder, Encoder]:
    """Image and text encoder of a loaded open_clip model; Unsupported where its modules are of another
    kind."""
    visual = clip.visual
    plain = (
        getattr(visual, "pool_type", None) == "tok"
        and getattr(visual, "attn_pool", True) is None
        and visual.conv1.kernel_size[0] == visual.conv1.kernel_size[1]
        and all(map(_is_plain, visual.transformer.resblocks))
    )
    if not plain:
        raise Unsupported(UNREAD)
    return image_encoder(visual), text_encoder(text_tower(clip))


def text_tower(clip: nn.Module) -> nn.Module:
    """The module that holds the token embedding and the text transformer; Unsupported where it is of another
    kind."""
    text = clip if hasattr(clip, "token_embedding") else getattr(clip, "text", None)
    plain = (
        hasattr(text, "token_embedding")
        and text.token_embedding.num_embeddings >= VOCABULARY
        and getattr(text, "cls_emb", None) is None
        and text.attn_mask is not None
        and all(map(_is_plain, text.transformer.resblocks))
    )
    if not plain:
        raise Unsupported(UNREAD)
    return text


def _is_plain(block: nn.Module) -> bool:
    attn = getattr(block, "attn", None)
    return (
        isinstance(attn, nn.MultiheadAttention)
        and attn.in_proj_weight is not None
        and attn.bias_k is None
        and all(hasattr(block, name) for name in ("ln_1", "ls_1", "ln_2", "ls_2"))
        and isinstance(getattr(block, "mlp", None), nn.Sequential)
        and isinstance(block.mlp[-1], nn.Linear)
    )


def _block(module: nn.Module) -> Block:
    attn, inner, outer = module.attn, module.mlp[:-1], module.mlp[-1]

    def third(number: int) -> tuple[Tensor, Tensor | None]:
        """Weight and bias of queries, keys or values: one third of the joint input projection."""
        bias = None if attn.in_proj_bias is None else attn.in_proj_bias.chunk(3)[number]
        return attn.in_proj_weight.chunk(3)[number], bias

    return Block(
        heads=attn.num_heads,
        norm=module.ln_1,
        query=lambda read: F.linear(read, *third(0)),
        together=lambda read: F.linear(read, attn.in_proj_weight, attn.in_proj_bias).chunk(3, dim=-1),
        logits=lambda read, query, heads: row_logits(third(1)[0], read, query, heads),
        mix=lambda row, read: row_mix(*third(2), row, read),
        output=attn.out_proj,
        hidden=lambda y: inner(module.ln_2(y)),
        down=lambda z: module.ls_2(outer(z)),
        residual=lambda x, out: x + module.ls_1(out),
    )


def resized_positions(positions: Tensor, grid: tuple[int, int], trained: tuple[int, int]) -> Tensor:
    """Position embedding [1 + trained patches, d] for another grid: bicubic, corners not aligned, no
    antialias (Grad-ECLIP's code does the same). The class token's row is kept."""
    if grid == trained:
        return positions
    patches = positions[1:].T.unflatten(1, trained)[None]
    patches = F.interpolate(patches.float(), size=grid, mode="bicubic", align_corners=False)
    return torch.cat([positions[:1], patches[0].flatten(1).T.to(positions.dtype)])


def image_encoder(visual: nn.Module) -> Encoder:
    """The image tower. Inputs: pixels [b 3 height width], sides that are multiples of the patch."""
    patch = visual.conv1.kernel_size

    def grid(pixels: Tensor) -> tuple[int, int]:
        return pixels.shape[-2] // patch[0], pixels.shape[-1] // patch[1]

    def embed(pixels: Tensor) -> Tensor:
        pixels = pixels.to(visual.conv1.weight.dtype)
        patches = visual.conv1(pixels).flatten(2).transpose(1, 2)
        first = visual.class_embedding.to(patches.dtype).expand(len(patches), 1, -1)
        positions = resized_positions(visual.positional_embedding, grid(pixels), visual.grid_size)
        return visual.ln_pre(torch.cat([first, patches], dim=1) + positions.to(patches.dtype))

    def content(pixels: Tensor) -> Tensor:
        rows, columns = grid(pixels)
        keep = torch.ones(len(pixels), 1 + rows * columns, dtype=torch.bool, device=pixels.device)
        keep[:, 0] = False
        return keep

    return Encoder(
        blocks=tuple(map(_block, visual.transformer.resblocks)),
        embed=embed,
        row=lambda pixels: torch.zeros(len(pixels), dtype=torch.long, device=pixels.device),
        head=lambda x: _through(visual.ln_post(x), visual.proj),
        projection=lambda x: _through(x, visual.proj),
        mask=lambda n: None,
        content=content,
        grid=grid,
    )


def text_encoder(text: nn.Module) -> Encoder:
    """The text tower. Inputs: token ids [b n], start and end token included, padded."""
    pool = getattr(text, "text_pool_type", None) or text.pool_type
    end = getattr(text, "text_eos_id", None) or getattr(text, "eos_id", None)
    if pool not in ("argmax", "eos"):
        raise Unsupported(f"This model's text tower pools {pool!r}; Sidelight reads the end-of-text token.")

    def row(ids: Tensor) -> Tensor:
        # The end-of-text token has the highest id of CLIP's vocabulary.
        return ids.argmax(-1) if pool == "argmax" else (ids == end).int().argmax(-1)

    def embed(ids: Tensor) -> Tensor:
        x = text.token_embedding(ids).to(text.transformer.get_cast_dtype())
        return x + text.positional_embedding[: ids.shape[1]].to(x.dtype)

    def content(ids: Tensor) -> Tensor:
        place = torch.arange(ids.shape[1], device=ids.device)
        return (place > 0) & (place < row(ids)[:, None])

    return Encoder(
        blocks=tuple(map(_block, text.transformer.resblocks)),
        embed=embed,
        row=row,
        head=lambda x: _through(text.ln_final(x), text.text_projection),
        projection=lambda x: _through(x, text.text_projection),
        mask=lambda n: text.attn_mask[:n, :n],
        content=content,
        grid=lambda ids: None,
    )


def _through(x: Tensor, projection: Tensor | nn.Module | None) -> Tensor:
    if projection is None:
        return x
    return projection(x) if isinstance(projection, nn.Module) else x @ projection
