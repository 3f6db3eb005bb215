"""Twins of engine.methods.attention."""

from __future__ import annotations

import torch
from torch import Tensor

from tests.engine.twins import Case, twin
from tests.engine.twins.plain import run


@twin(
    "self_attention",
    "self_attention(layer=0)",
    "self_attention(layer=-2, head=0)",
    "self_attention(heads='single')",
)
def self_attention(case: Case) -> Tensor:
    done = run(case, single=int(case.params["heads"] == "single"))
    attn, head = done.parts[case.params["layer"]].attn, case.params["head"]
    return attn.mean(0)[done.row] if head is None else attn[head][done.row]


@twin("rollout", "rollout(layers='last')", "rollout(layers=2)")
def rollout(case: Case) -> Tensor:
    done = run(case)
    joint = torch.eye(len(done.parts[0].x), dtype=torch.float64)
    for part in done.parts[-{"all": 99, "last": 1}.get(case.params["layers"], case.params["layers"]) :]:
        step = part.attn.mean(0) + torch.eye(len(joint), dtype=torch.float64)
        joint = step / step.sum(-1, keepdim=True) @ joint
    return joint[done.row]
