"""open_clip's ModifiedResNet (RN50 and its kin) as an `Encoder` of one block, its attention pool.

The tokens are the cells of the last feature map, so what a method says of a block's input is said of
that map. The block attends from the cells' mean, and that token is pooled. Nothing is hooked or written.
"""

from __future__ import annotations

import torch
from open_clip.modified_resnet import ModifiedResNet
from torch import Tensor, nn

from engine.adapters import RESNET_OFFERS, STRIDE
from engine.adapters.open_clip_vit import UNREAD, text_encoder, text_tower
from engine.encoder import Block, Encoder, row_logits, row_mix
from engine.types import SidelightError, Unsupported


def encoders(clip: nn.Module) -> tuple[Encoder, Encoder]:
    """Image and text encoder of a loaded open_clip model; Unsupported where its image tower is not a
    ModifiedResNet."""
    if not isinstance(clip.visual, ModifiedResNet):
        raise Unsupported(UNREAD)
    return image_encoder(clip.visual), text_encoder(text_tower(clip))


def image_encoder(visual: ModifiedResNet) -> Encoder:
    """The image tower. Inputs: pixels [b 3 height width] of the model's own size; SidelightError for others,
    which its attention pool has no positions for."""

    def grid(pixels: Tensor) -> tuple[int, int]:
        return pixels.shape[-2] // STRIDE, pixels.shape[-1] // STRIDE

    def embed(pixels: Tensor) -> Tensor:
        if visual.training:
            raise SidelightError("This ResNet is in training mode, where a pass would alter it; call eval().")
        x = visual.stem(pixels.to(visual.conv1.weight.dtype))
        for stage in (visual.layer1, visual.layer2, visual.layer3, visual.layer4):
            x = stage(x)
        cells, (rows, columns) = x.flatten(2).transpose(1, 2), x.shape[-2:]
        # Positions stand row by row in a square, so a grid of as many cells but another shape is refused too.
        if rows != columns or 1 + cells.shape[1] != len(visual.attnpool.positional_embedding):
            raise SidelightError(
                f"A ResNet CLIP takes square images of its own size, not {pixels.shape[-1]} by "
                f"{pixels.shape[-2]}; use the resize policy crop or squash."
            )
        return cells

    def content(pixels: Tensor) -> Tensor:
        rows, columns = grid(pixels)
        return torch.ones(len(pixels), rows * columns, dtype=torch.bool, device=pixels.device)

    return Encoder(
        blocks=(_attention_pool(visual.attnpool),),
        embed=embed,
        row=lambda pixels: torch.zeros(len(pixels), dtype=torch.long, device=pixels.device),
        head=lambda x: x,
        projection=lambda x: x,
        mask=lambda n: None,
        content=content,
        grid=grid,
        offers=RESNET_OFFERS,
    )


def _attention_pool(pool: nn.Module) -> Block:
    """Cells [b n d] in, 1 + n tokens out, the first of which, asked from the cells' mean, is pooled."""

    def read(cells: Tensor) -> Tensor:
        x = torch.cat([cells.mean(1, keepdim=True), cells], dim=1)
        return x + pool.positional_embedding.to(x.dtype)

    return Block(
        heads=pool.num_heads,
        norm=read,
        query=pool.q_proj,
        together=lambda x: (pool.q_proj(x), pool.k_proj(x), pool.v_proj(x)),
        logits=lambda x, query, heads: row_logits(pool.k_proj.weight, x, query, heads),
        mix=lambda row, x: row_mix(pool.v_proj.weight, pool.v_proj.bias, row, x),
        output=pool.c_proj,
        hidden=lambda y: y,
        down=torch.zeros_like,
        residual=lambda cells, out: out,
    )
