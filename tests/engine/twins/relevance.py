"""Twins of engine.methods.relevance."""

from __future__ import annotations

import torch
from torch import Tensor

from tests.engine.twins import Case, twin
from tests.engine.twins.plain import run, slope


@twin(
    "game",
    "game(layers='last')",
    "game(layers=2)",
    "game(scale='cosine')",
    "game(scale='cosine', sign='negative')",
)
def game(case: Case) -> Tensor:
    done, p = run(case), case.params
    score = done.score * (case.clip.logit_scale.exp().detach() if p["scale"] == "logit" else 1)
    score = -score if p["sign"] == "negative" else score
    relevance = torch.eye(len(done.parts[0].x), dtype=torch.float64)
    for part in done.parts[-{"all": 99, "last": 1}.get(p["layers"], p["layers"]) :]:
        relevance = relevance + (part.attn * slope(score, part.attn)).clamp(min=0).mean(0) @ relevance
    return relevance[done.row]


@twin("last_grad", "last_grad(sign='negative')")
def last_grad(case: Case) -> Tensor:
    done = run(case)
    last = slope(-done.score if case.params["sign"] == "negative" else done.score, done.parts[-1].attn)
    relevance = torch.eye(len(done.parts[0].x), dtype=torch.float64)
    for part in done.parts:
        relevance = relevance + (part.attn * last).clamp(min=0).mean(0) @ relevance
    return relevance[done.row]


@twin(
    "attention_gradient",
    "attention_gradient(rows='mean')",
    "attention_gradient(score='negative log')",
)
def attention_gradient(case: Case) -> Tensor:
    done = run(case)
    score = done.score
    if case.params["score"] == "negative log":
        if score <= 0:
            return torch.zeros(len(done.parts[0].x), dtype=torch.float64)
        score = -score.log()
    matrix = sum((slope(score, part.attn).abs() * part.attn).sum(0) for part in done.parts)
    return matrix[done.row] if case.params["rows"] == "pooled" else matrix.mean(0)
