"""Likeness of patch features to the target, without gradients: MaskCLIP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.methods.common import SignOfSigned, rectified
from engine.registry import Needs, method

if TYPE_CHECKING:
    from torch import Tensor

    from engine.trace import Trace


@method(
    title="MaskCLIP",
    year=2022,
    paper=(
        "Zhou, Loy and Dai, Extract Free Dense Labels from CLIP, ECCV 2022, as Grad-ECLIP's authors adapt it"
    ),
    url="https://arxiv.org/abs/2112.01071",
    family="similarity",
    signed=True,
    requires=("class token", "q, k, v"),
    cost="1 forward, shared by all prompts",
    unit="cosine times key similarity",
    needs=Needs(blocks=1),
    formula=(
        r"R_i = \cos\big(f_T, \mathrm{project}(\mathrm{finish}(x_i, v_i))\big)\, "
        r"\cos(\tilde k_0, \tilde k_i)"
    ),
    departures=(
        "The paper has neither the residual, nor the MLP, nor the weighting by the class token's key; "
        "Grad-ECLIP's authors added them, and the published comparison uses them."
    ),
    bibtex="""@inproceedings{zhou2022extract,
  title={Extract Free Dense Labels from {CLIP}},
  author={Zhou, Chong and Loy, Chen Change and Dai, Bo},
  booktitle={European Conference on Computer Vision},
  year={2022}
}""",
)
def maskclip(trace: Trace, *, sign: SignOfSigned = "signed") -> Tensor:
    """Cosine of target and patch features, the last attention replaced by each patch's own value, times the
    cosine of the pooled token's and the patch's projected keys. Signed by nature.

    So Grad-ECLIP's authors have it; the paper has no residual, no MLP and no weight from keys.
    """
    import torch
    from torch.nn.functional import cosine_similarity

    layer, block = trace.layers[-1], trace.layers[-1].block
    with torch.no_grad():
        features = trace.encoder.project(block.finish(layer.x, layer.v))  # [b n e]
        keys = layer.projected_keys
        weight = cosine_similarity(trace.at_row(keys)[:, None], keys, dim=-1)  # [b n]
        return rectified(torch.einsum("bne,te->tbn", features, trace.queries) * weight, sign)
