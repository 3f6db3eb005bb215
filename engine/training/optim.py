"""Muon for the blocks' matrices, AdamW for everything else.

Muon: K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024): the momentum of a
matrix is made nearly orthogonal by a Newton-Schulz iteration before it is applied.
"""

import torch
from torch import Tensor, nn

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic iteration, from the source above
STEPS = 5


def orthogonalise(matrices: Tensor) -> Tensor:
    """Nearest semi-orthogonal matrices, roughly (singular values in about 0.7..1.2) [k r c]."""
    a, b, c = COEFFICIENTS
    x = matrices.bfloat16()
    tall = x.shape[1] > x.shape[2]
    if tall:
        x = x.mT
    x = x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    for _ in range(STEPS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return (x.mT if tall else x).to(matrices.dtype)


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, made orthogonal; q, k and v of a joint projection count as three matrices."""

    def __init__(self, params, lr: float, momentum: float = 0.95):
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for shape in {p.shape for p in group["params"]}:
                params = [p for p in group["params"] if p.shape == shape and p.grad is not None]
                self._step_alike(params, group["lr"], group["momentum"])

    def _step_alike(self, params: list[Tensor], lr: float, momentum: float) -> None:
        updates = []
        for p in params:
            buffer = self.state[p].setdefault("momentum", torch.zeros_like(p))
            buffer.lerp_(p.grad, 1 - momentum)
            updates.append(p.grad.lerp(buffer, momentum))
        rows, columns = params[0].shape
        parts = 3 if rows == 3 * columns else 1
        stacked = torch.stack(updates).view(-1, rows // parts, columns)
        stacked = orthogonalise(stacked) * max(1, rows / parts / columns) ** 0.5
        for p, update in zip(params, stacked.view(-1, rows, columns), strict=True):
            p.sub_(update, alpha=lr)


def make_optimisers(model: nn.Module, lr_muon: float, lr_adam: float) -> list[torch.optim.Optimizer]:
    matrices, others = [], []
    for name, p in model.named_parameters():
        (matrices if p.ndim == 2 and "resblocks" in name else others).append(p)
    return [Muon(matrices, lr_muon), torch.optim.AdamW(others, lr_adam, betas=(0.9, 0.98), weight_decay=0.0)]
