"""Self-self attention: patch features from how queries, keys or values resemble each other, no gradients.

Trained for nothing and meant for open-vocabulary segmentation: SCLIP, ClearCLIP, NACLIP and GEM. Each map is
the cosine of target and patch feature. The authors average each prompt over templates and slide a window over
large images; here the prompt is taken as it is, and the image as the model sees it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from engine.methods.common import SignOfSigned, rectified
from engine.registry import Needs, Range, method

if TYPE_CHECKING:
    from torch import Tensor

    from engine.trace import Layer, Trace

SHARED = {
    "family": "similarity",
    "signed": True,
    "requires": ("class token", "q, k, v", "transformer blocks"),
    "cost": "1 forward, shared by all prompts",
    "unit": "cosine",
    "own_score": "cosine of each patch's own feature and the prompt",
}
GEM_BLOCKS = 6
AS_IT_IS = "The prompt is taken as it is; the authors average it over templates. No sliding window."


@method(
    title="SCLIP",
    year=2024,
    paper=(
        "Wang, Mei and Yuille, SCLIP: Rethinking Self-Attention for Dense Vision-Language Inference, ECCV "
        "2024"
    ),
    url="https://arxiv.org/abs/2312.01597",
    needs=Needs(blocks=1),
    formula=(
        r"R_i = \cos\big(f_T, \mathrm{project}(\mathrm{finish}(x_i, u_i))\big), \\"
        r"u = \Big[\mathrm{softmax}\Big(\tfrac{q q^\top}{\sqrt d}\Big) "
        r"+ \mathrm{softmax}\Big(\tfrac{k k^\top}{\sqrt d}\Big)\Big]\, v"
    ),
    departures=AS_IT_IS,
    bibtex="""@inproceedings{wang2024sclip,
  title={{SCLIP}: Rethinking Self-Attention for Dense Vision-Language Inference},
  author={Wang, Feng and Mei, Jieru and Yuille, Alan},
  booktitle={European Conference on Computer Vision},
  year={2024}
}""",
    **SHARED,
)
def sclip(trace: Trace, *, sign: SignOfSigned = "signed") -> Tensor:
    """The last block with attention softmax(q q^T / sqrt d) + softmax(k k^T / sqrt d) instead of its own.

    The two are added, not averaged; residual and MLP stay.
    """
    layer = trace.layers[-1]
    out = _attend(layer, layer.q, layer.v) + _attend(layer, layer.k, layer.v)
    return _cosines(trace, layer.block.finish(layer.x, out), sign)


@method(
    title="ClearCLIP",
    year=2024,
    paper=(
        "Lan et al., ClearCLIP: Decomposing CLIP Representations for Dense Vision-Language Inference, ECCV "
        "2024"
    ),
    url="https://arxiv.org/abs/2407.12442",
    needs=Needs(blocks=1),
    formula=(
        r"R_i = \cos\big(f_T, \mathrm{project}(\tilde u_i)\big), \\"
        r"u = \mathrm{softmax}\Big(\tfrac{q q^\top}{\sqrt d}\Big)\, v"
    ),
    departures=AS_IT_IS,
    bibtex="""@inproceedings{lan2024clearclip,
  title={{ClearCLIP}: Decomposing {CLIP} Representations for Dense Vision-Language Inference},
  author={Lan, Mengcheng and Chen, Chaofeng and Ke, Yiping and Wang, Xinjiang and Feng, Litong and
          Zhang, Wayne},
  booktitle={European Conference on Computer Vision},
  year={2024}
}""",
    **SHARED,
)
def clearclip(trace: Trace, *, sign: SignOfSigned = "signed") -> Tensor:
    """The last block's projected attention alone, with softmax(q q^T / sqrt d): no residual, no MLP."""
    layer = trace.layers[-1]
    return _cosines(trace, _branch(layer, _attend(layer, layer.q, layer.v)), sign)


@method(
    title="NACLIP",
    year=2025,
    paper=(
        "Hajimiri, Ben Ayed and Dolz, Pay Attention to Your Neighbours: Training-Free Open-Vocabulary "
        "Semantic Segmentation, WACV 2025"
    ),
    url="https://arxiv.org/abs/2404.08181",
    needs=Needs(blocks=1),
    formula=(
        r"R_i = \cos\big(f_T, \mathrm{project}(\tilde u_i)\big), \\"
        r"u = \mathrm{softmax}\Big(\tfrac{k k^\top}{\sqrt d} + w\Big)\, v, \\"
        r"w_{ij} = \exp\Big(-\frac{\lVert i - j \rVert^2}{2 \sigma^2}\Big)"
    ),
    departures=AS_IT_IS + " The refinement by pixel-adaptive masks is left out.",
    bibtex="""@inproceedings{hajimiri2025naclip,
  title={Pay Attention to Your Neighbours: Training-Free Open-Vocabulary Semantic Segmentation},
  author={Hajimiri, Sina and Ben Ayed, Ismail and Dolz, Jose},
  booktitle={IEEE/CVF Winter Conference on Applications of Computer Vision},
  year={2025}
}""",
    **SHARED,
)
def naclip(
    trace: Trace,
    *,
    sigma: Annotated[float, Range(0.1, 100, "standard deviation of the neighbourhood, in patches")] = 5.0,
    sign: SignOfSigned = "signed",
) -> Tensor:
    """The last block's projected attention alone, with softmax(k k^T / sqrt d + w): no residual, no MLP.

    w_ij = exp(-|i - j|^2 / (2 sigma^2)) between patches, 0 for the class token.
    """
    layer = trace.layers[-1]
    near = _neighbourhood(trace.grid, sigma).to(layer.k)
    return _cosines(trace, _branch(layer, _attend(layer, layer.k, layer.v, near)), sign)


@method(
    title="GEM",
    year=2024,
    paper=(
        "Bousselham et al., Grounding Everything: Emerging Localization Properties in Vision-Language "
        "Transformers, CVPR 2024"
    ),
    url="https://arxiv.org/abs/2312.00878",
    needs=Needs(blocks=GEM_BLOCKS),
    formula=(
        r"R_i = \cos\big(f_T, \mathrm{project}(z_{L,i})\big), \\"
        r"z_{L-6} = x_{L-6}, \quad z_{l+1} = z_l + \tilde u_l, \\"
        r"u_l = \frac{1}{3} \sum_{p \in \{q, k, v\}} \mathrm{softmax}(\tau\, \hat p_l \hat p_l^\top)\, v_l"
    ),
    departures=(
        "The prompt is taken as it is; the authors write 'a photo of a' before it. Models of fewer than 6 "
        "blocks use all of theirs."
    ),
    bibtex="""@inproceedings{bousselham2024gem,
  title={Grounding Everything: Emerging Localization Properties in Vision-Language Transformers},
  author={Bousselham, Walid and Petersen, Felix and Ferrari, Vittorio and Kuehne, Hilde},
  booktitle={IEEE/CVF Conference on Computer Vision and Pattern Recognition},
  year={2024}
}""",
    **SHARED,
)
def gem(
    trace: Trace,
    *,
    iterations: Annotated[int, Range(0, 10, "how often tokens are replaced by their neighbours' mean")] = 1,
    sign: SignOfSigned = "signed",
) -> Tensor:
    """A path beside the last 6 blocks that adds up each block's projected self-self attention, without MLPs.

    For each of p = q, k, v: `iterations` times p <- softmax(tau u u^T) u with u = p / |p|, then softmax(tau u
    u^T) v; the three are averaged. tau is the mean norm of the block's normed tokens over sqrt d.
    """
    x = trace.layers[-GEM_BLOCKS:][0].x
    for layer in trace.layers[-GEM_BLOCKS:]:
        norm = layer.block.norm(layer.x).norm(dim=-1).mean(-1)[:, None, None]  # [b 1 1]
        out = sum(_grouped(layer, p, norm, iterations) for p in (layer.v, layer.k, layer.q)) / 3
        x = layer.block.residual(x, layer.block.output(out))
    return _cosines(trace, x, sign)


def _grouped(layer: Layer, p: Tensor, norm: Tensor, iterations: int) -> Tensor:
    """GEM's attention of `p` with itself, on the values: joined heads [b n d]."""
    for _ in range(iterations):
        unit = _unit_heads(layer, p)
        p = _attend(layer, unit * norm**0.5, unit)
    return _attend(layer, _unit_heads(layer, p) * norm**0.5, layer.v)


def _unit_heads(layer: Layer, x: Tensor) -> Tensor:
    """[b n d] with each head's part at unit length."""
    from torch.nn.functional import normalize

    return normalize(x.unflatten(-1, (layer.block.heads, -1)), dim=-1).flatten(-2)


def _attend(layer: Layer, p: Tensor, v: Tensor, bias: Tensor | None = None) -> Tensor:
    """softmax(p p^T / sqrt d + bias) v, head by head: joined heads [b n d]."""
    from torch.nn.functional import scaled_dot_product_attention

    from engine.encoder import join_heads, split_heads

    p, v = (split_heads(x, layer.block.heads) for x in (p, v))
    return join_heads(scaled_dot_product_attention(p, p, v, attn_mask=bias))


def _branch(layer: Layer, out: Tensor) -> Tensor:
    """The attention branch alone, as it would be added to the residual stream. [b n d] -> [b n d]"""
    import torch

    return layer.block.residual(torch.zeros_like(layer.x), layer.block.output(out))


def _cosines(trace: Trace, x: Tensor, sign: str) -> Tensor:
    """Cosine of every token's feature and the targets: [b n d] -> [t b n]"""
    return rectified((trace.encoder.project(x) @ trace.queries.T).permute(2, 0, 1), sign)


def _neighbourhood(grid: tuple[int, int], sigma: float) -> Tensor:
    """NACLIP's bias [n n]: a Gaussian of the patches' distance, 0 in the class token's row and column."""
    import torch
    from torch.nn.functional import pad

    rows, columns = (torch.arange(n, dtype=torch.float32) for n in grid)
    # A Gaussian of the distance in the plane is the product of those along its axes.
    along = [torch.exp(-((x[:, None] - x) ** 2) / (2 * sigma**2)) for x in (rows, columns)]
    return pad(torch.kron(*along), (1, 0, 1, 0))
