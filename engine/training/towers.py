"""open_clip's CLIP, with a forward pass for training on a CPU: bfloat16 products, windows, short texts.

The arithmetic is open_clip's; only the matrix products are in bfloat16. Evaluation and the product use
open_clip's own forward.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from open_clip.model import CLIP
from torch import Tensor, nn

from engine.training.batches import GRID, PATCH
from engine.training.layout import CANVAS
from engine.training.tokens import CONTEXT

VOCABULARY = 49408  # rows of open_clip's token table
MODEL = {
    "embed_dim": 192,
    "vision_cfg": {
        "image_size": CANVAS, "patch_size": PATCH, "layers": 6, "width": 192, "head_width": 64,
        "mlp_ratio": 4.0,
    },
    "text_cfg": {
        "context_length": CONTEXT, "vocab_size": VOCABULARY, "width": 128, "heads": 2, "layers": 3,
    },
}  # fmt: skip
FIRST_DROP, KEPT = 2, (0.6, 1.0)  # block before which patches first drop out; range of the share kept
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
CONFIG = {
    "model_cfg": MODEL,
    "preprocess_cfg": {
        "size": CANVAS, "mode": "RGB", "mean": list(MEAN), "std": list(STD),
        "interpolation": "bicubic", "resize_mode": "shortest", "fill_color": 0,
    },
}  # fmt: skip


def build_model(rows: int = VOCABULARY) -> CLIP:
    """A fresh model whose token table has `rows` rows."""
    return CLIP(
        embed_dim=MODEL["embed_dim"],
        vision_cfg=MODEL["vision_cfg"],
        text_cfg={**MODEL["text_cfg"], "vocab_size": rows},
    )


def normalise(images: Tensor) -> Tensor:
    """uint8 [b s s 3] to float [b 3 s s], as preprocess_cfg has it."""
    return ((images / 255 - torch.tensor(MEAN)) / torch.tensor(STD)).permute(0, 3, 1, 2)


def window_positions(model: CLIP, corner: tuple[int, int], side: int) -> Tensor:
    """The class token's position and those of side x side patches from `corner` on [1 + side * side, d]."""
    table = model.visual.positional_embedding
    row, column = corner
    grid = table[1:].unflatten(0, (GRID, GRID))[row : row + side, column : column + side]
    return torch.cat([table[:1], grid.flatten(0, 1)])


@dataclass(frozen=True)
class Plan:
    """How one piece of a batch goes through the blocks. kept: the tokens that go on, from a block on; silent:
    blocks in which the class token does not attend."""

    kept: Mapping[int, Tensor] = field(default_factory=dict)
    silent: frozenset[int] = frozenset()


PLAIN = Plan()


def make_plan(rng: np.random.Generator, patches: int, drops: bool, late: bool) -> Plan:
    """drops: from block FIRST_DROP on, a block sees the class token and a random share of the patches left.

    late: the class token skips the attention of random blocks, but never of the last. Without it the model
    reads its objects in the middle blocks and the last one adds nothing: Grad-ECLIP, which looks there, then
    gave maps that were zero everywhere for a third of the prompts.
    """
    last = MODEL["vision_cfg"]["layers"] - 1
    kept, silent, share = {}, frozenset(), rng.uniform(*KEPT)
    for block in range(FIRST_DROP, last + 1) if drops else ():
        left = max(1, round(patches * share))
        tokens = np.sort(rng.choice(patches, left, replace=False)) + 1
        kept[block] = torch.from_numpy(np.concatenate([[0], tokens]))
        patches = left
    if late:
        silent = frozenset(np.flatnonzero(rng.random(last) < rng.random()).tolist())
    return Plan(kept, silent)


def embed_images(model: CLIP, images: Tensor, positions: Tensor, plan: Plan = PLAIN) -> Tensor:
    """Normalised images [b 3 s s] to unit embeddings [b e]."""
    visual = model.visual
    patches = F.unfold(images, PATCH, stride=PATCH).transpose(1, 2)  # [b n 3*p*p], channels first as in conv1
    x = _product(patches, visual.conv1.weight.flatten(1))
    x = torch.cat([visual.class_embedding.bfloat16().expand(len(x), 1, -1), x], 1).float() + positions
    x = _blocks(visual.transformer.resblocks, visual.ln_pre(x), plan=plan)
    return F.normalize(visual.ln_post(x[:, 0]) @ visual.proj, dim=-1)


def embed_texts(model: CLIP, ids: Tensor) -> Tensor:
    """Row numbers [t context] to unit embeddings [t e]; columns that are all padding are left out."""
    ends = ids.argmax(-1)
    ids = ids[:, : int(ends.max()) + 1]
    x = model.token_embedding(ids) + model.positional_embedding[: ids.shape[1]]
    x = _blocks(model.transformer.resblocks, x, causal=True)
    x = model.ln_final(x[torch.arange(len(x)), ends])
    return F.normalize(x @ model.text_projection, dim=-1)


def _blocks(blocks: nn.ModuleList, x: Tensor, causal: bool = False, plan: Plan = PLAIN) -> Tensor:
    n = x.shape[1]
    mask = torch.full((n, n), -torch.inf, dtype=torch.bfloat16).triu(1) if causal else None
    for i, block in enumerate(blocks):
        if i in plan.kept:
            x = x[:, plan.kept[i]]
        attended = _attend(block.attn, block.ln_1(x), mask)
        if i in plan.silent:
            attended = F.pad(attended[:, 1:], (0, 0, 1, 0))
        x = x + attended
        hidden = F.gelu(_product(block.ln_2(x), block.mlp.c_fc.weight, block.mlp.c_fc.bias))
        x = x + _product(hidden, block.mlp.c_proj.weight, block.mlp.c_proj.bias)
    return x


def _attend(attn: nn.MultiheadAttention, x: Tensor, mask: Tensor | None) -> Tensor:
    """Self-attention as plain products: on CPUs their backward is faster than the fused kernel's."""
    b, n, d = x.shape
    h = attn.num_heads
    qkv = _product(x, attn.in_proj_weight, attn.in_proj_bias).view(b, n, 3, h, d // h)
    q, k, v = qkv.permute(2, 0, 3, 1, 4).flatten(1, 2)  # [b*h n d/h] each
    scores = (q * (d // h) ** -0.5) @ k.transpose(1, 2)  # [b*h n n]
    if mask is not None:
        scores = scores + mask
    joined = (scores.softmax(-1) @ v).view(b, h, n, d // h).transpose(1, 2).reshape(b, n, d)
    return _product(joined, attn.out_proj.weight, attn.out_proj.bias)


def _product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return F.linear(x.bfloat16(), weight.bfloat16(), None if bias is None else bias.bfloat16())
