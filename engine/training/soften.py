"""Attention that goes to one patch alone is made to go to several."""

import torch
from open_clip.model import CLIP
from torch import Tensor

FIRST = 2  # block


@torch.no_grad()
def soften(model: CLIP, images: Tensor, most: float) -> None:
    """Scale the queries of each head down until its class token's logits have at most the standard deviation
    `most` over the patches, on average over normalised images [b 3 s s].

    Nothing in a softmax keeps its logits from growing: in long training they did, until each head read one
    patch, and a map by attention showed that patch, be the prompt about it or not. The order of the patches
    stays, and what the model names hardly changes. The first blocks stay as they are: the patches need them.
    """
    blocks = model.visual.transformer.resblocks[FIRST:]
    read: list[Tensor] = []
    hooks = [block.ln_1.register_forward_hook(lambda *call: read.append(call[-1])) for block in blocks]
    model.visual(images)
    for hook in hooks:
        hook.remove()
    for block, x in zip(blocks, read, strict=True):
        attn = block.attn
        for head, spread in enumerate(class_logits(attn, x).std(-1).mean(0)):
            rows = slice(head * attn.head_dim, (head + 1) * attn.head_dim)  # queries come first
            scale = min(1.0, most / max(spread.item(), 1e-12))
            attn.in_proj_weight[rows] *= scale
            attn.in_proj_bias[rows] *= scale


def class_logits(attn: torch.nn.MultiheadAttention, x: Tensor) -> Tensor:
    """Of normed tokens [b n d], what each head's softmax takes from class token to patches [b h n-1]."""
    q, k, _ = torch.nn.functional.linear(x, attn.in_proj_weight, attn.in_proj_bias).chunk(3, -1)
    q, k = (part.unflatten(-1, (attn.num_heads, attn.head_dim)) for part in (q[:, :1], k[:, 1:]))
    return torch.einsum("bqhd,bkhd->bhk", q, k) * attn.head_dim**-0.5
