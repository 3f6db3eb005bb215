"""Gradient times attention: GAME."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from engine.methods.attention import start_row
from engine.methods.common import CutSign, Layers
from engine.registry import ALL, Help, Needs, method

if TYPE_CHECKING:
    from torch import Tensor

    from engine.trace import Trace


@method(
    title="GAME",
    year=2021,
    paper=(
        "Chefer, Gur and Wolf, Generic Attention-model Explainability for Interpreting Bi-Modal and "
        "Encoder-Decoder Transformers, ICCV 2021"
    ),
    url="https://arxiv.org/abs/2103.15679",
    family="gradient times attention",
    branches=("image", "text"),
    requires=("class token", "attention", "gradients"),
    cost="1 forward, 1 backward",
    unit="relevance",
    needs=lambda p: Needs(
        blocks=ALL if p["layers"] == "all" else 1, grads=ALL if p["layers"] == "all" else 1, wrt=("attn",)
    ),
    formula=(
        r"R_i = \Big[\prod_{l=L-1}^{0} \big(I + C_l\big)\Big]_{0,i}, \quad "
        r"C_l = \frac{1}{h} \sum_{m=1}^{h} \mathrm{relu}\Big(A^{(m)}_l "
        r"\odot \frac{\partial S}{\partial A^{(m)}_l}\Big)"
    ),
    departures=(
        "Grad-ECLIP's evaluation uses the last block only (layers='last'). With all blocks the logit scale "
        "changes the map, not only its size (scale='cosine' leaves it out)."
    ),
    bibtex="""@inproceedings{chefer2021generic,
  title={Generic Attention-model Explainability for Interpreting Bi-Modal and Encoder-Decoder Transformers},
  author={Chefer, Hila and Gur, Shir and Wolf, Lior},
  booktitle={IEEE/CVF International Conference on Computer Vision},
  year={2021}
}""",
)
def game(
    trace: Trace,
    *,
    layers: Layers = "all",
    scale: Annotated[
        Literal["logit", "cosine"], Help("the score: the cosine times the model's logit scale, or the cosine")
    ] = "logit",
    sign: CutSign = "positive",
) -> Tensor:
    """The pooled token's row of the product over blocks of (I + C), with C the head mean of relu(A dS/dA)."""
    factor = (trace.logit_scale if scale == "logit" else 1.0) * (-1 if sign == "negative" else 1)
    count = trace.grads if layers == "all" else 1
    pairs = zip(reversed(trace.layers[-count:]), reversed(trace.gradients[-count:]), strict=True)
    flow = start_row(trace)  # [b n], then [t b n]
    for layer, gradients in pairs:
        change = (factor * layer.attn * gradients.attn).relu().mean(2)  # [t b n n]
        flow = flow + (flow[..., None, :] @ change)[..., 0, :]
    return flow
