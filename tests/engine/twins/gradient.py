"""Twins of engine.methods.gradient and engine.methods.legrad."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from tests.engine.twins import Case, twin
from tests.engine.twins.plain import Part, Run, finish, image_head, join, run, signed, slope, unit


def _likeness(done: Run, part: Part, projected: bool) -> Tensor:
    """Likeness of each token's key to the pooled token's query, min-max scaled. [n]"""
    project = part.module.attn.out_proj if projected else (lambda x: x)
    query = project(part.q[done.row])
    each = torch.stack([cosine_similarity(query, project(key), dim=0) for key in part.k])
    among = each[1:] if done.patches else each
    return (each - among.min()) / (among.max() - among.min())


@twin(
    "grad_eclip",
    "grad_eclip(layers=3)",
    "grad_eclip(heads='single')",
    "grad_eclip(heads='single', layers=2, projected=False)",
    "grad_eclip(key_similarity=False, sign='signed')",
    "grad_eclip(layers=2, sign='negative')",
)
def grad_eclip(case: Case) -> Tensor:
    p = case.params
    done = run(case, single=p["layers"] if p["heads"] == "single" else 0)
    layers = []
    for part in done.parts[-p["layers"] :]:
        weight = slope(done.score, part.out)[done.row]
        relevance = torch.stack([(weight * value).sum() for value in part.v])
        layers.append(relevance * _likeness(done, part, p["projected"]) if p["key_similarity"] else relevance)
    if case.branch == "text":
        return signed(sum(layers), p["sign"])
    return sum(signed(layer, p["sign"]) for layer in layers)


@twin("attention_eclip", "attention_eclip(heads='single')", "attention_eclip(sign='negative')")
def attention_eclip(case: Case) -> Tensor:
    done = run(case, single=int(case.params["heads"] == "single"))
    part = done.parts[-1]
    total = sum(slope(done.score, part.attn)[:, done.row])
    return signed(total * _likeness(done, part, True), case.params["sign"])


@twin("grad_cam", "grad_cam(heads='single')", "grad_cam(sign='signed')")
def grad_cam(case: Case) -> Tensor:
    done = run(case, single=int(case.params["heads"] == "single"))
    part = done.parts[-1]
    weight = slope(done.score, part.x).mean(0)
    return signed(torch.stack([(weight * token).sum() for token in part.x]), case.params["sign"])


@twin("legrad", "legrad(layers=1)", "legrad(layers=64)", "legrad(sign='negative')")
def legrad(case: Case) -> Tensor:
    done, total = run(case), 0
    for part in done.parts[-case.params["layers"] :]:
        attn = part.attn.detach().requires_grad_()
        tokens = finish(part.module, part.x.detach(), join(attn, part.v.detach()))
        score = unit(image_head(case.clip, tokens.mean(0))) @ done.query
        total = total + signed(slope(score, attn), case.params["sign"]).mean((0, 1))
    return total
