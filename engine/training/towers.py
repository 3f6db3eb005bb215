"""open_clip's CLIP, with a forward pass for training on a CPU: bfloat16 products, windows, short texts.

The arithmetic is open_clip's; only the matrix products are in bfloat16. Evaluation and the product use
open_clip's own forward.
"""

import math
from dataclasses import dataclass

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
NEAR = 2  # patches; attention within this distance costs nothing
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
    """How one piece of a batch goes through the blocks. shown: the patches that go in [k]; silent: blocks in
    which the class token does not attend; far: how far a token is from another [1 + k 1 + k]."""

    shown: Tensor
    silent: frozenset[int]
    far: Tensor


def make_plan(rng: np.random.Generator, side: int, shown: tuple[float, float] = (1.0, 1.0)) -> Plan:
    """For scenes of side x side patches.

    shown: limits of the share of the patches, chosen at random, that goes in (FLIP: Li et al., CVPR 2023).

    The class token skips the attention of random blocks, but never of the last. Without it the model reads
    its objects in the middle blocks and the last one adds nothing: Grad-ECLIP, which looks there, then gave
    maps that were zero everywhere for a third of the prompts.
    """
    number = max(1, round(side * side * rng.uniform(*shown)))
    patches = torch.from_numpy(np.sort(rng.choice(side * side, number, replace=False)))
    last = MODEL["vision_cfg"]["layers"] - 1
    silent = frozenset(np.flatnonzero(rng.random(last) < rng.random()).tolist())
    return Plan(patches, silent, _distances(patches, side))


def _distances(patches: Tensor, side: int) -> Tensor:
    """How much farther apart than NEAR the centres of these patches are, in patches, after a class token that
    is near to all [1 + k 1 + k]."""
    places = torch.stack([patches // side, patches % side], 1).float()
    return F.pad((torch.cdist(places, places) - NEAR).clamp(min=0), (1, 0, 1, 0))


def embed_images(model: CLIP, images: Tensor, positions: Tensor, plan: Plan) -> tuple[Tensor, Tensor]:
    """Normalised images [b 3 s s], of which the plan's k patches go in.

    Unit embeddings [b 1 + k e] of class token and patches; and two means over blocks, heads and scenes [2] of
    what is to be small (`losses.WEIGHTS`):

    near: the distance of attention between patches beyond NEAR (Dosovitskiy et al., ICLR 2021, appendix D.7),
    in patches. Without it patches attend everywhere, and what is known of an object comes to lie elsewhere.

    even: how the class token's attention piles up on single patches, in nats: the divergence of the even
    distribution from it, whose gradient, unlike the attention's own, does not fade where a softmax is
    saturated. Without it each head came to read one patch, whatever the prompt.
    """
    visual = model.visual
    pixels = F.unfold(images, PATCH, stride=PATCH).transpose(1, 2)  # [b n 3*p*p], channels first as in conv1
    x = _product(pixels[:, plan.shown], visual.conv1.weight.flatten(1))
    x = torch.cat([visual.class_embedding.bfloat16().expand(len(x), 1, -1), x], 1).float()
    x = visual.ln_pre(x + torch.cat([positions[:1], positions[1:][plan.shown]]))
    costs: list[Tensor] = []
    x = _blocks(visual.transformer.resblocks, x, plan=plan, costs=costs)
    return F.normalize(visual.ln_post(x) @ visual.proj, dim=-1), torch.stack(costs).mean(0)


def embed_texts(model: CLIP, ids: Tensor) -> Tensor:
    """Row numbers [t context] to unit embeddings [t e]; columns that are all padding are left out."""
    ends = ids.argmax(-1)
    ids = ids[:, : int(ends.max()) + 1]
    x = model.token_embedding(ids) + model.positional_embedding[: ids.shape[1]]
    x = _blocks(model.transformer.resblocks, x, causal=True)
    x = model.ln_final(x[torch.arange(len(x)), ends])
    return F.normalize(x @ model.text_projection, dim=-1)


def _blocks(
    blocks: nn.ModuleList,
    x: Tensor,
    causal: bool = False,
    plan: Plan | None = None,
    costs: list | None = None,
) -> Tensor:
    """costs: takes the two measures of each block's attention, where there is a plan."""
    n = x.shape[1]
    mask = torch.full((n, n), -torch.inf, dtype=torch.bfloat16).triu(1) if causal else None
    for i, block in enumerate(blocks):
        attended = _attend(block.attn, block.ln_1(x), mask, plan and plan.far, costs)
        if plan and i in plan.silent:
            attended = F.pad(attended[:, 1:], (0, 0, 1, 0))
        x = x + attended
        hidden = F.gelu(_product(block.ln_2(x), block.mlp.c_fc.weight, block.mlp.c_fc.bias))
        x = x + _product(hidden, block.mlp.c_proj.weight, block.mlp.c_proj.bias)
    return x


def _attend(attn, x: Tensor, mask: Tensor | None, far: Tensor | None, costs: list | None) -> Tensor:
    """Self-attention as plain products: on CPUs their backward is faster than the fused kernel's."""
    b, n, d = x.shape
    h = attn.num_heads
    qkv = _product(x, attn.in_proj_weight, attn.in_proj_bias).view(b, n, 3, h, d // h)
    q, k, v = qkv.permute(2, 0, 3, 1, 4).flatten(1, 2)  # [b*h n d/h] each
    scores = (q * (d // h) ** -0.5) @ k.transpose(1, 2)  # [b*h n n]
    if mask is not None:
        scores = scores + mask
    weights = scores.softmax(-1)
    if far is not None:
        exact = weights.float()
        distance = (exact.mean(0) * far).sum() / (n - 1)
        row = scores[:, 0, 1:].float()
        uneven = (row.logsumexp(-1) - row.mean(-1)).mean() - math.log(n - 1)
        costs.append(torch.stack([distance, uneven]))
    joined = (weights @ v).view(b, h, n, d // h).transpose(1, 2).reshape(b, n, d)
    return _product(joined, attn.out_proj.weight, attn.out_proj.bias)


def _product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return F.linear(x.bfloat16(), weight.bfloat16(), None if bias is None else bias.bfloat16())
