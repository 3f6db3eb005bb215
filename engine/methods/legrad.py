"""LeGrad: how sensitive each block's own embedding is to its own attention."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from engine.methods.common import CutSign
from engine.registry import Needs, Range, method

if TYPE_CHECKING:
    from torch import Tensor

    from engine.trace import Layer, Trace

EVERY_BLOCK = 64


def _needs(params: Mapping[str, Any]) -> Needs:
    return Needs(blocks=params["layers"])


@method(
    title="LeGrad",
    year=2024,
    paper=(
        "Bousselham et al., LeGrad: An Explainability Method for Vision Transformers via Feature Formation "
        "Sensitivity, ICCV 2025"
    ),
    url="https://arxiv.org/abs/2404.03214",
    family="gradient",
    requires=("transformer blocks", "attention", "gradients"),
    cost="1 forward, 1 backward of one block's MLP per block and prompt",
    unit="cosine per unit of attention",
    own_score="cosine of the prompt and the mean of all tokens after the block, for each block its own",
    needs=_needs,
    formula=(
        r"R_i = \sum_l \frac{1}{h N} \sum_{m=1}^{h} \sum_{j=0}^{N-1} "
        r"\mathrm{relu}\Big(\frac{\partial S_l}{\partial A^{(m)}_{l,j,i}}\Big), \\"
        r"S_l = \cos\Big(f_T, \mathrm{project}\Big(\frac{1}{N} \sum_{j=0}^{N-1} x_{l+1,j}\Big)\Big)"
    ),
    departures=(
        "The authors' package gives other maps on open_clip newer than 2.23, where its own forward pass is "
        "wrong; this is the formula on the model as it is. It resizes the position embedding with "
        "antialiasing."
    ),
    bibtex="""@inproceedings{bousselham2025legrad,
  title={{LeGrad}: An Explainability Method for Vision Transformers via Feature Formation Sensitivity},
  author={Bousselham, Walid and Boggust, Angie and Chaybouti, Sofian and Strobelt, Hendrik and Kuehne, Hilde},
  booktitle={IEEE/CVF International Conference on Computer Vision},
  year={2025}
}""",
)
def legrad(
    trace: Trace,
    *,
    layers: Annotated[
        int, Range(1, EVERY_BLOCK, "how many last blocks are summed; more than there are means all")
    ] = 2,
    sign: CutSign = "positive",
) -> Tensor:
    """Sum over blocks of the mean over heads and rows of relu(dS_l/dA_l).

    S_l is block l's own score: the cosine of the prompt and the head applied to the mean of all tokens after
    the block, the class token among them. The gradient reaches that block's attention only; attention values
    do not enter.
    """
    parts = []
    for layer in trace.layers[-layers:]:
        trace.check(f"legrad, block {trace.depth - len(trace.layers) + len(parts)}")
        parts.append(head_sensitivity(trace, layer, -1.0 if sign == "negative" else 1.0).mean(2))
    return sum(parts)


def head_sensitivity(trace: Trace, layer: Layer, factor: float = 1.0) -> Tensor:
    """Mean over rows of relu(factor * dS_l/dA_l), [t b h n]."""
    import torch

    from engine.encoder import split_heads

    with torch.enable_grad():
        out = layer.out.detach().requires_grad_()
        mean = layer.block.finish_mean(layer.x.detach(), out)  # [b d]
        scores = trace.readout(trace.encoder.project(mean)).sum(0)  # [t]
    targets = torch.eye(len(scores), dtype=scores.dtype, device=scores.device)
    (slope,) = torch.autograd.grad(scores, out, targets, is_grads_batched=True)  # [t b n d]
    heads = layer.attn.shape[1]
    values = split_heads(layer.v.detach(), heads)  # [b h n d/h]
    # out is attention times values, so the gradient of the attention is that of out times values.
    gradient = split_heads(factor * slope.flatten(0, 1), heads).unflatten(0, slope.shape[:2])
    return (gradient @ values.transpose(-2, -1)).relu_().mean(3)
