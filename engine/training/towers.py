"""open_clip's CLIP, with a forward pass for training on a CPU: bfloat16 products, windows, short texts.

The arithmetic is open_clip's; only the matrix products are in bfloat16. Evaluation and the product use
open_clip's own forward.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from open_clip.model import CLIP
from torch import Tensor, nn

from engine.training.batches import GRID, PATCH, Stage
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
    blocks in which the class token does not attend; patches: their embeddings are wanted too; far: how
    far a token is from another [n n], where attention is to be measured."""

    kept: Mapping[int, Tensor] = field(default_factory=dict)
    silent: frozenset[int] = frozenset()
    patches: bool = False
    far: Tensor | None = None

    @property
    def shown(self) -> Tensor | slice:
        """Which of all patches are embedded, where none drops out after the first block."""
        return self.kept[0][1:] - 1 if 0 in self.kept else slice(None)


PLAIN = Plan()


def make_plan(rng: np.random.Generator, patches: int, stage: Stage) -> Plan:
    """shown: only a random share of the patches, within these limits, goes in (FLIP: Li et al., CVPR 2023).

    drops: from block FIRST_DROP on, a block sees the class token and a random share of the patches left.

    late: the class token skips the attention of random blocks, but never of the last. Without it the model
    reads its objects in the middle blocks and the last one adds nothing: Grad-ECLIP, which looks there, then
    gave maps that were zero everywhere for a third of the prompts.

    near: the mean distance of attention between patches (Dosovitskiy et al., ICLR 2021, appendix D.7) is kept
    small. Without it patches attend everywhere, and what is known of an object comes to lie elsewhere.

    even: the class token's attention is kept from piling up on single patches. The divergence is that of the
    even distribution from the attention, whose gradient, unlike the attention's own, does not fade where a
    softmax is saturated.
    """
    last = MODEL["vision_cfg"]["layers"] - 1
    silent, share = frozenset(), rng.uniform(*KEPT)
    shares = {0: rng.uniform(*stage.shown)} if stage.shown else {}
    shares |= dict.fromkeys(range(FIRST_DROP, last + 1), share) if stage.drops else {}
    kept = {}
    for block, share in shares.items():
        left = max(1, round(patches * share))
        tokens = np.sort(rng.choice(patches, left, replace=False)) + 1
        kept[block] = torch.from_numpy(np.concatenate([[0], tokens]))
        patches = left
    if stage.late:
        silent = frozenset(np.flatnonzero(rng.random(last) < rng.random()).tolist())
    seen = kept[0][1:] - 1 if 0 in kept else torch.arange(patches)
    far = _distances(seen, stage.side // PATCH) if stage.near or stage.even else None
    return Plan(kept, silent, bool(stage.patches), far)


def _distances(patches: Tensor, side: int) -> Tensor:
    """How much farther apart than NEAR the centres of these patches are, in patches, after a class token that
    is near to all [1 + k 1 + k]."""
    places = torch.stack([patches // side, patches % side], 1).float()
    return F.pad((torch.cdist(places, places) - NEAR).clamp(min=0), (1, 0, 1, 0))


def embed_images(model: CLIP, images: Tensor, positions: Tensor, plan: Plan = PLAIN) -> tuple[Tensor, ...]:
    """Normalised images [b 3 s s] to unit embeddings [b 1 e] of the class token, or [b 1 + k e] with those of
    the k patches that are left; with plan.far also two means over blocks, heads and scenes [2]: the distance
    beyond NEAR of a patch's attention, and the divergence of an even one from the class token's, in nats.
    """
    visual = model.visual
    patches = F.unfold(images, PATCH, stride=PATCH).transpose(1, 2)  # [b n 3*p*p], channels first as in conv1
    x = _product(patches, visual.conv1.weight.flatten(1))
    x = torch.cat([visual.class_embedding.bfloat16().expand(len(x), 1, -1), x], 1).float() + positions
    costs: list[Tensor] = []
    x = _blocks(visual.transformer.resblocks, visual.ln_pre(x), plan=plan, costs=costs)
    read = x if plan.patches else x[:, :1]
    tokens = F.normalize(visual.ln_post(read) @ visual.proj, dim=-1)
    return (tokens, torch.stack(costs).mean(0)) if costs else (tokens,)


def embed_texts(model: CLIP, ids: Tensor) -> Tensor:
    """Row numbers [t context] to unit embeddings [t e]; columns that are all padding are left out."""
    ends = ids.argmax(-1)
    ids = ids[:, : int(ends.max()) + 1]
    x = model.token_embedding(ids) + model.positional_embedding[: ids.shape[1]]
    x = _blocks(model.transformer.resblocks, x, causal=True)
    x = model.ln_final(x[torch.arange(len(x)), ends])
    return F.normalize(x @ model.text_projection, dim=-1)


def _blocks(
    blocks: nn.ModuleList, x: Tensor, causal: bool = False, plan: Plan = PLAIN, costs: list | None = None
) -> Tensor:
    """costs: takes the two measures of each block's attention, where the plan has distances."""
    n = x.shape[1]
    mask = torch.full((n, n), -torch.inf, dtype=torch.bfloat16).triu(1) if causal else None
    for i, block in enumerate(blocks):
        if i in plan.kept:
            x = x[:, plan.kept[i]]
        attended = _attend(block.attn, block.ln_1(x), mask, plan.far, costs)
        if i in plan.silent:
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
