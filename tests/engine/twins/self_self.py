"""Twins of engine.methods.self_self."""

from __future__ import annotations

import torch
from torch import Tensor

from tests.engine.twins import Case, twin
from tests.engine.twins.plain import Part, Run, attend, finish, image_head, join, run, signed, unit


def _cosines(case: Case, done: Run, tokens: Tensor) -> Tensor:
    features = unit(image_head(case.clip, tokens))
    return signed(torch.stack([feature @ done.query for feature in features]), case.params["sign"])


def _heads(part: Part) -> int:
    return part.module.attn.num_heads


@twin("sclip", "sclip(sign='negative')")
def sclip(case: Case) -> Tensor:
    done = run(case)
    part = done.parts[-1]
    attn = attend(part.q, part.q, _heads(part)) + attend(part.k, part.k, _heads(part))
    return _cosines(case, done, finish(part.module, part.x, join(attn, part.v)))


@twin()
def clearclip(case: Case) -> Tensor:
    done = run(case)
    part = done.parts[-1]
    out = join(attend(part.q, part.q, _heads(part)), part.v)
    return _cosines(case, done, part.module.attn.out_proj(out))


@twin("naclip", "naclip(sigma=1.5)")
def naclip(case: Case) -> Tensor:
    done = run(case)
    part, (_, columns) = done.parts[-1], done.patches
    near = torch.zeros(len(part.x), len(part.x), dtype=torch.float64)
    for i in range(len(near) - 1):
        for j in range(len(near) - 1):
            distance = (i // columns - j // columns) ** 2 + (i % columns - j % columns) ** 2
            near[1 + i, 1 + j] = torch.tensor(-distance / (2 * case.params["sigma"] ** 2)).exp()
    out = join(attend(part.k, part.k, _heads(part), near), part.v)
    return _cosines(case, done, part.module.attn.out_proj(out))


@twin("gem", "gem(iterations=0)", "gem(iterations=3)")
def gem(case: Case) -> Tensor:
    done = run(case)
    parts = done.parts[-6:]
    x = parts[0].x
    for part in parts:
        size = part.q.shape[-1] // _heads(part)
        heat = part.module.ln_1(part.x).norm(dim=-1).mean() / size**0.5
        joined = []
        for h in range(_heads(part)):
            span = slice(h * size, (h + 1) * size)
            outs = []
            for p in (part.q[:, span], part.k[:, span], part.v[:, span]):
                for _ in range(case.params["iterations"]):
                    p = (heat * unit(p) @ unit(p).T).softmax(-1) @ unit(p)
                outs.append((heat * unit(p) @ unit(p).T).softmax(-1) @ part.v[:, span])
            joined.append(sum(outs) / 3)
        x = x + part.module.attn.out_proj(torch.cat(joined, dim=-1))
    return _cosines(case, done, x)
