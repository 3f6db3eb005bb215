"""Gradient times attention: GAME, its last-gradient variant, and their plain product."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from engine.methods.attention import start_row
from engine.methods.common import CutSign, Layers, last_blocks
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
    needs=lambda p: Needs(blocks=last_blocks(p["layers"]), grads=last_blocks(p["layers"]), wrt=("attn",)),
    formula=(
        r"R_i = \Big[\prod_{l=L-1}^{0} \big(I + C_l\big)\Big]_{0,i}, \\"
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
    """The pooled token's row of the product over blocks of (I + C), with C the head mean of relu(A dS/dA).

    S is the cosine times the logit scale, as the authors have it; without it (scale='cosine') the map of all
    blocks is another one. Grad-ECLIP's evaluation takes the last block only (layers='last').
    """
    factor = (trace.logit_scale if scale == "logit" else 1.0) * (-1 if sign == "negative" else 1)
    count = min(last_blocks(layers), trace.grads)
    pairs = zip(reversed(trace.layers[-count:]), reversed(trace.gradients[-count:]), strict=True)
    flow = start_row(trace)  # [b n], then [t b n]
    for layer, gradients in pairs:
        flow = flow + _carried(flow, factor, layer.attn, gradients.attn)
    return flow


def _carried(flow: Tensor, factor: float, attn: Tensor, gradient: Tensor) -> Tensor:
    """Relevance [b n] or [t b n] through the head mean of relu(factor * A dS/dA): [t b n]"""
    heads, n = attn.shape[1], attn.shape[-1]
    # Probabilities are not negative, so the relu needs the gradient only, and its copy can be written over.
    weighted = (gradient.relu() if factor > 0 else (-gradient).relu_()).mul_(attn)  # [t b h n n]
    rows = flow[..., None, :].expand(*gradient.shape[:2], heads, n) * (abs(factor) / heads)
    return (rows.flatten(2)[..., None, :] @ weighted.flatten(2, 3))[..., 0, :]


@method(
    title="Last-gradient relevance",
    year=2022,
    paper="Mamooler, CLIP Explainability, 2022 (code and report), after Chefer et al., ICCV 2021",
    url="https://github.com/sMamooler/CLIP_Explainability",
    family="gradient times attention",
    requires=("class token", "attention", "gradients"),
    cost="1 forward, 1 backward to the last block",
    unit="relevance",
    needs=Needs(blocks=ALL, grads=1, wrt=("attn",)),
    formula=(
        r"R_i = \Big[\prod_{l=L-1}^{0} \big(I + C_l\big)\Big]_{0,i}, \\"
        r"C_l = \frac{1}{h} \sum_{m=1}^{h} \mathrm{relu}\Big(A^{(m)}_l "
        r"\odot \frac{\partial c}{\partial A^{(m)}_{L-1}}\Big)"
    ),
    departures=(
        "The gradient of the last block weighs the attention of every block, head by head, although heads of"
        " different blocks have nothing in common. The project's 'all grads' is game(scale='cosine'), its "
        "'gradcam' game(layers='last', scale='cosine')."
    ),
    bibtex="""@misc{mamooler2022clipexplainability,
  title={{CLIP} Explainability},
  author={Mamooler, Sepideh},
  howpublished={\\url{https://github.com/sMamooler/CLIP_Explainability}},
  year={2022}
}""",
)
def last_grad(trace: Trace, *, sign: CutSign = "positive") -> Tensor:
    """The pooled token's row of the product over blocks of (I + C_l), C_l the head mean of relu(A_l dc/dA_L).

    dc/dA_L is the gradient of the cosine c with respect to the last block's attention, in every block l. Only
    its row of the pooled token is not zero, since no other row of the last block reaches the score.
    """
    gradient = _row_of_heads(trace, trace.gradients[-1].attn)  # [t h b n]
    gradient = (-gradient if sign == "negative" else gradient).relu()
    flow = start_row(trace)
    for layer in reversed(trace.layers):
        change = (_row_of_heads(trace, layer.attn) * gradient).mean(1)  # [t b n], the pooled row of C_l
        flow = flow + trace.at_row(flow[..., None]) * change
    return flow


def _row_of_heads(trace: Trace, attn: Tensor) -> Tensor:
    """The pooled token's row of every head: [... b h n n] -> [... h b n]"""
    return trace.at_row(attn.transpose(-4, -3))


@method(
    title="Gradient times attention",
    family="gradient times attention",
    paper=(
        "A plain product, printed as pseudo-code of Grad-ECLIP in reproductions of it; it is not Grad-ECLIP"
    ),
    branches=("image", "text"),
    requires=("class token", "attention", "gradients"),
    cost="1 forward, 1 backward",
    unit="relevance",
    needs=Needs(blocks=ALL, grads=ALL, wrt=("attn",)),
    formula=(
        r"R_i = \sum_{l=0}^{L-1} \sum_{m=1}^{h} "
        r"\Big|\frac{\partial c}{\partial A^{(m)}_{l,0,i}}\Big|\, A^{(m)}_{l,0,i}"
    ),
    departures=(
        "How the matrix becomes a map is not said there; the pooled token's row and the mean row are offered."
    ),
)
def attention_gradient(
    trace: Trace,
    *,
    score: Annotated[
        Literal["cosine", "negative log"],
        Help("the score c, or -log c, which divides the map by c and has none where c is not above zero"),
    ] = "cosine",
    rows: Annotated[
        Literal["pooled", "mean"], Help("the pooled token's row of the matrix, or the mean of all its rows")
    ] = "pooled",
) -> Tensor:
    """M = sum over blocks and heads of |dS/dA| A, as the pooled token's row or the mean over rows."""
    total = 0
    for layer, gradients in zip(trace.layers[-trace.grads :], trace.gradients, strict=True):
        attn, gradient = layer.attn, gradients.attn  # [b h n n], [t b h n n]
        if rows == "pooled":
            total = total + (_row_of_heads(trace, gradient).abs() * _row_of_heads(trace, attn)).sum(1)
        else:
            total = total + (gradient.abs() * attn).sum(2).mean(-2)
    if score == "cosine":
        return total
    c = trace.scores.T[..., None]  # [t b 1]
    return (total / c.where(c > 0, 1)).where(c > 0, 0)
