"""Gradient-weighted features: Grad-ECLIP, the same through the attention, and Grad-CAM on tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from engine.methods.common import Heads, Sign, rectified, unit_range
from engine.registry import Help, Needs, Range, method

if TYPE_CHECKING:
    from torch import Tensor

    from engine.trace import Gradients, Layer, Trace


def _eclip_needs(params: Mapping[str, Any]) -> Needs:
    n = params["layers"]
    return Needs(blocks=n, grads=n, wrt=("out",), single=n if params["heads"] == "single" else 0)


@method(
    title="Grad-ECLIP",
    year=2024,
    paper="Zhao et al., Gradient-based Visual Explanation for Transformer-based CLIP, ICML 2024",
    url="https://arxiv.org/abs/2502.18816",
    family="gradient",
    branches=("image", "text"),
    signed=True,
    requires=("class token", "q, k, v", "gradients"),
    cost="1 forward, 1 backward to the last block",
    unit="cosine per patch",
    needs=_eclip_needs,
    formula=(
        r"R_i = \mathrm{relu}\Big(\lambda_i \sum_w \frac{\partial c}{\partial o_{0,w}}\, v_{i,w}\Big), \\"
        r"\lambda_i = \mathrm{mm}_{01}\big(\cos(\tilde q_0, \tilde k_i)\big)"
    ),
    departures=(
        "The authors' code recomputes the last block with one head of full width (heads='single'), so it "
        "explains a slightly different model; their notebook uses raw queries and keys (projected=False)."
    ),
    bibtex="""@inproceedings{zhao2024gradeclip,
  title={Gradient-based Visual Explanation for Transformer-based {CLIP}},
  author={Zhao, Chenyang and Wang, Kun and Zeng, Xingyu and Zhao, Rui and Chan, Antoni B.},
  booktitle={International Conference on Machine Learning},
  year={2024}
}""",
)
def grad_eclip(
    trace: Trace,
    *,
    heads: Heads = "model",
    layers: Annotated[int, Range(1, 64, "how many last blocks are summed")] = 1,
    key_similarity: Annotated[
        bool, Help("weigh each token by its key's likeness to the pooled query")
    ] = True,
    projected: Annotated[bool, Help("push queries and keys through the output projection first")] = True,
    sign: Sign = "positive",
) -> Tensor:
    """Values of the tokens, weighted by the gradient at the pooled token and by the likeness of key and
    query.

    With g the gradient of the cosine at the pooled token's joined heads: r_i = lam_i * sum_w g_w v_iw. The
    image branch sums relu(r) over blocks, the text branch applies relu to the sum, as the authors' notebooks
    do. Their code runs these blocks with one head of full width (heads='single'), their notebooks compare raw
    queries and keys (projected=False).
    """
    pairs = zip(trace.layers[-layers:], trace.gradients[-layers:], strict=True)
    parts = [block_relevance(trace, *pair, key_similarity, projected) for pair in pairs]
    if trace.grid is None:
        return rectified(sum(parts), sign)
    return sum(rectified(part, sign) for part in parts)


def block_relevance(
    trace: Trace, layer: Layer, gradients: Gradients, key_similarity: bool = True, projected: bool = True
) -> Tensor:
    """r of one block, signed: [t b n]."""
    weight = trace.at_row(gradients.out)[:, :, None]  # [t b 1 d]
    relevance = (weight * layer.v).sum(-1)
    return relevance * _key_likeness(trace, layer, projected) if key_similarity else relevance


def _key_likeness(trace: Trace, layer: Layer, projected: bool) -> Tensor:
    """lam [b n] in 0..1: over the patches for an image, over all positions, padding included, for text."""
    from torch.nn.functional import cosine_similarity

    q, k = trace.at_row(layer.q)[:, None], layer.k
    if projected:
        q, k = layer.block.output(q), layer.projected_keys
    among = trace.content if trace.grid else trace.content.new_ones(trace.content.shape)
    return unit_range(cosine_similarity(q, k, dim=-1), among).detach()


@method(
    title="Attention-ECLIP",
    year=2026,
    paper=(
        "Cui and Fan, Debunking Grad-ECLIP: A Comprehensive Study on Its Incorrectness and Fundamental "
        "Principles for Model Interpretation, arXiv 2026"
    ),
    url="https://arxiv.org/abs/2605.12952",
    family="gradient",
    branches=("image", "text"),
    signed=True,
    requires=("class token", "attention", "q, k, v", "gradients"),
    cost="1 forward, 1 backward to the last block",
    unit="cosine per unit of attention",
    needs=lambda p: Needs(blocks=1, grads=1, wrt=("attn",), single=int(p["heads"] == "single")),
    formula=(
        r"R_i = \mathrm{relu}\Big(\lambda_i \sum_{m=1}^{h} \frac{\partial c}{\partial A^{(m)}_{0,i}}\Big), \\"
        r"\lambda_i = \mathrm{mm}_{01}\big(\cos(\tilde q_0, \tilde k_i)\big)"
    ),
    departures=(
        "Written from the paper's statement that it equals Grad-ECLIP, which the chain rule then fixes; its "
        "own code was not seen. Attention values do not enter: times them, it would be another map."
    ),
    bibtex="""@article{cui2026debunking,
  title={Debunking Grad-{ECLIP}: A Comprehensive Study on Its Incorrectness and Fundamental Principles for
         Model Interpretation},
  author={Cui, Yongjin and Fan, Xiaohui},
  journal={arXiv preprint arXiv:2605.12952},
  year={2026}
}""",
)
def attention_eclip(trace: Trace, *, heads: Heads = "model", sign: Sign = "positive") -> Tensor:
    """The pooled token's row of dc/dA in the last block, summed over heads and weighted by key similarity.

    r_i = lam_i * sum_h (dc/dA_h)_0i. Joined heads are o_0 = sum_i A_0i v_i, head by head, so that
    (dc/dA_h)_0i = g_h . v_hi and the sum over heads is Grad-ECLIP's sum_w g_w v_iw. With heads='single' it
    equals the map of Grad-ECLIP's own code.
    """
    relevance = trace.at_row(trace.gradients[-1].attn.sum(2))  # [t b n]
    return rectified(relevance * _key_likeness(trace, trace.layers[-1], projected=True), sign)


@method(
    title="Grad-CAM",
    year=2017,
    paper="Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks, ICCV 2017",
    url="https://arxiv.org/abs/1610.02391",
    family="gradient",
    signed=True,
    requires=("gradients",),
    cost="1 forward, 1 backward to the last block",
    unit="cosine per patch, up to the number of tokens",
    needs=lambda p: Needs(blocks=1, grads=1, wrt=("x",), single=int(p["heads"] == "single")),
    formula=(
        r"R_i = \mathrm{relu}\Big(\sum_w \bar g_w\, x_{i,w}\Big), \\"
        r"\bar g_w = \frac{1}{N} \sum_{j=0}^{N-1} \frac{\partial c}{\partial x_{j,w}}"
    ),
    departures="Grad-ECLIP's evaluation computes it in the single-head forward pass (heads='single').",
    bibtex="""@inproceedings{selvaraju2017gradcam,
  title={Grad-{CAM}: Visual Explanations from Deep Networks via Gradient-based Localization},
  author={Selvaraju, Ramprasaath R. and Cogswell, Michael and Das, Abhishek and Vedantam, Ramakrishna and
          Parikh, Devi and Batra, Dhruv},
  booktitle={IEEE International Conference on Computer Vision},
  year={2017}
}""",
)
def grad_cam(trace: Trace, *, heads: Heads = "model", sign: Sign = "positive") -> Tensor:
    """Input of the last block, weighted by its gradient averaged over all tokens, the class token included.

    Grad-ECLIP's evaluation runs the last block with one head of full width (heads='single').
    """
    weight = trace.gradients[-1].x.mean(2, keepdim=True)  # [t b 1 d]
    return rectified((weight * trace.layers[-1].x).sum(-1), sign)
