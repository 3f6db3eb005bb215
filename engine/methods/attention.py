"""Attention itself: the pooled token's row, and rollout. The same for every target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from engine.methods.common import Heads, Layers, last_blocks, over_targets
from engine.registry import ALL, Needs, Range, method
from engine.types import SidelightError

if TYPE_CHECKING:
    from torch import Tensor

    from engine.trace import Trace


def _attention_needs(params: Mapping[str, Any]) -> Needs:
    layer = params["layer"]
    return Needs(blocks=-layer if layer < 0 else ALL, single=int(params["heads"] == "single"))


@method(
    title="Self-attention",
    year=2021,
    paper="Caron et al., Emerging Properties in Self-Supervised Vision Transformers, ICCV 2021",
    url="https://arxiv.org/abs/2104.14294",
    family="attention",
    branches=("image", "text"),
    text_specific=False,
    requires=("class token", "attention"),
    cost="1 forward",
    unit="attention probability",
    needs=_attention_needs,
    formula=r"R_i = \frac{1}{h} \sum_{m=1}^{h} A^{(m)}_{0,i}",
    departures="Grad-ECLIP's evaluation reads it from the single-head forward pass (heads='single').",
    bibtex="""@inproceedings{caron2021emerging,
  title={Emerging Properties in Self-Supervised Vision Transformers},
  author={Caron, Mathilde and Touvron, Hugo and Misra, Ishan and J{\\'e}gou, Herv{\\'e} and Mairal, Julien and
          Bojanowski, Piotr and Joulin, Armand},
  booktitle={IEEE/CVF International Conference on Computer Vision},
  year={2021}
}""",
)
def self_attention(
    trace: Trace,
    *,
    layer: Annotated[int, Range(-64, 63, "block, counted from 0, or from -1 for the last")] = -1,
    head: Annotated[int | None, Range(0, 63, "one head, counted from 0; None for their mean")] = None,
    heads: Heads = "model",
) -> Tensor:
    """The pooled token's row of one block's attention, averaged over heads or of one head.

    Grad-ECLIP's evaluation runs the last block with one head of full width (heads='single').
    """
    if not -trace.depth <= layer < trace.depth:
        raise SidelightError(
            f"self_attention: layer={layer} is not there; this branch takes {-trace.depth} to "
            f"{trace.depth - 1}."
        )
    attn = trace.layers[layer if layer < 0 else layer - trace.depth].attn
    if head is not None and head >= attn.shape[1]:
        raise SidelightError(
            f"self_attention: head={head} is not there; this block takes 0 to {attn.shape[1] - 1}."
        )
    attn = attn.mean(1) if head is None else attn[:, head]  # [b n n]
    return over_targets(trace.at_row(attn), len(trace.queries))


@method(
    title="Attention rollout",
    year=2020,
    paper="Abnar and Zuidema, Quantifying Attention Flow in Transformers, ACL 2020",
    url="https://arxiv.org/abs/2005.00928",
    family="attention",
    branches=("image", "text"),
    text_specific=False,
    requires=("class token", "attention"),
    cost="1 forward",
    unit="share of attention flow",
    needs=lambda p: Needs(blocks=last_blocks(p["layers"])),
    formula=(
        r"R_i = \Big[\prod_{l=L-1}^{0} \tfrac{1}{2}\big(\bar A_l + I\big)\Big]_{0,i}, \\"
        r"\bar A_l = \frac{1}{h} \sum_{m=1}^{h} A^{(m)}_l"
    ),
    departures="Grad-ECLIP's evaluation multiplies one block only (layers='last').",
    bibtex="""@inproceedings{abnar2020quantifying,
  title={Quantifying Attention Flow in Transformers},
  author={Abnar, Samira and Zuidema, Willem},
  booktitle={Annual Meeting of the Association for Computational Linguistics},
  year={2020}
}""",
)
def rollout(trace: Trace, *, layers: Layers = "all") -> Tensor:
    """The pooled token's row of the product over blocks of (head-mean attention + I), rows summing to 1.

    Grad-ECLIP's evaluation takes the last block only (layers='last'), which is its attention, halved.
    """
    flow = start_row(trace)
    for layer in reversed(trace.layers[-last_blocks(layers) :]):
        flow = (flow + (flow[:, None] @ layer.attn.mean(1))[:, 0]) / 2  # a row of A sums to 1, of A + I to 2
    return over_targets(flow, len(trace.queries))


def start_row(trace: Trace) -> Tensor:
    """One at each input's pooled token, zero elsewhere: [b n]. Products of [n n] matrices are needed at that
    row only, so families that multiply block by block carry this row from the last block down."""
    size = trace.content.shape
    return trace.embedding.new_zeros(size).scatter(1, trace.row[:, None], 1.0)
