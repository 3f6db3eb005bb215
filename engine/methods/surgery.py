"""CLIP Surgery: value-value attention beside the model's own path, and what all prompts share taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from engine.methods.common import SignOfSigned, rectified
from engine.methods.context_words import PASCAL_CONTEXT
from engine.registry import Help, Needs, method

if TYPE_CHECKING:
    from torch import Tensor

    from engine.trace import Trace

BLOCKS = 6
TEMPERATURE = 2.0  # of the softmax that weighs prompts: not the model's logit scale


@method(
    title="CLIP Surgery",
    year=2023,
    paper=(
        "Li et al., CLIP Surgery for Better Explainability with Enhancement in Open-Vocabulary Tasks, arXiv "
        "2023"
    ),
    url="https://arxiv.org/abs/2304.05653",
    family="similarity",
    signed=True,
    requires=("class token", "q, k, v", "transformer blocks"),
    cost="1 forward, shared by all prompts; 85 text forwards per prompt, once",
    unit="cosine above what prompts share",
    mixes_prompts=lambda p: p["features"] and p["against"] == "prompts",
    version=2,
    own_score="cosine of each patch's own feature and the prompt in 85 templates",
    needs=Needs(blocks=BLOCKS),
    formula=(
        r"R_{i,j} = w_j\, f_i \cdot t_j - \frac{1}{n} \sum_{k=1}^{n} w_k\, f_i \cdot t_k, \\"
        r"w_j = n\, \mathrm{softmax}_j(2\, f_0 \cdot t_j), \\"
        r"f_i = \mathrm{project}(z_{L,i}), \quad z_{L-6} = x_{L-6}, \quad z_{l+1} = z_l + \tilde u_l, \\"
        r"u_l = \mathrm{softmax}\Big(\tfrac{v_l v_l^\top}{\sqrt d}\Big)\, v_l"
    ),
    departures=(
        "With several prompts a map depends on all of them. Grad-ECLIP's evaluation sets one prompt before "
        "59 fixed words (against='words') and takes the unit length along the wrong axis (unit='tokens'). "
        "Models of fewer than 6 blocks use all of theirs; the authors' code raises."
    ),
    bibtex="""@article{li2023clipsurgery,
  title={{CLIP} Surgery for Better Explainability with Enhancement in Open-Vocabulary Tasks},
  author={Li, Yi and Wang, Hualiang and Duan, Yiqun and Li, Xiaomeng},
  journal={arXiv preprint arXiv:2304.05653},
  year={2023}
}""",
)
def clip_surgery(
    trace: Trace,
    *,
    against: Annotated[
        Literal["prompts", "empty", "words"],
        Help(
            "what a prompt is compared with. 'prompts': the others asked for, a lone one with the empty "
            "prompt; 'empty': the empty prompt; 'words': 59 fixed words, as in Grad-ECLIP's evaluation"
        ),
    ] = "prompts",
    features: Annotated[bool, Help("take away what the prompts share (feature surgery)")] = True,
    architecture: Annotated[
        bool, Help("patch features from value-value attention (architecture surgery), else the model's own")
    ] = True,
    unit: Annotated[
        Literal["channels", "tokens"],
        Help(
            "'channels': each token has unit length; 'tokens': each channel has, as in Grad-ECLIP's wrapper"
        ),
    ] = "channels",
    sign: SignOfSigned = "signed",
) -> Tensor:
    """Cosine of patch and prompt, less what the patch has in common with all prompts.

    f_i is the unit feature of token i, t_j the unit mean of prompt j over 85 templates. Against several
    prompts, with w_j = softmax_j(2 f_0 . t_j) over its mean: map_ij = w_j f_i . t_j - mean_k(w_k f_i . t_k).
    Against the empty prompt: f_i . (t_j - t_empty), of a difference f_i . (t_j - t_k). Grad-ECLIP's
    evaluation compares with 59 fixed words (against='words') and takes the unit length over tokens
    (unit='tokens').
    """
    from engine.templates import surgery

    tokens = token_features(trace, architecture=architecture, unit=unit)  # [b n e]
    prompts = trace.reword(surgery())  # [t e]
    if not features:
        relevance = _cosines(tokens, prompts)
    elif against == "words":
        relevance = _against_each(tokens, prompts, _words(trace))
    elif against == "empty" or len(prompts) == 1:
        relevance = _cosines(tokens, prompts - _empty(trace, prompts))
    else:
        weighted = _cosines(tokens, prompts) * _weights(tokens, prompts)[..., None]
        relevance = weighted - weighted.mean(0)
    return rectified(relevance, sign)


def token_features(trace: Trace, *, architecture: bool = True, unit: str = "channels") -> Tensor:
    """Features of all tokens in the embedding's space, [b n e]; the pooled token's is the model's own.

    architecture: from the sum of the last blocks' value-value attention (v of the model's own path, no MLP),
    else from the model's last block. unit: see `clip_surgery`.
    """
    import torch
    from torch.nn.functional import normalize, scaled_dot_product_attention

    from engine.encoder import join_heads, split_heads

    last = trace.layers[-1]
    with torch.no_grad():
        if architecture:
            layers = trace.layers[-BLOCKS:]
            x = layers[0].x
            for layer in layers:
                v = split_heads(layer.v, layer.block.heads)
                out = join_heads(scaled_dot_product_attention(v, v, v))
                x = layer.block.residual(x, layer.block.output(out))
        else:
            x = last.block.finish(last.x, last.out)
        pooled = last.block.finish(trace.at_row(last.x), trace.at_row(last.out))
        is_pooled = torch.arange(x.shape[1], device=x.device) == trace.row[:, None]  # [b n]
        features = trace.encoder.head(torch.where(is_pooled[..., None], pooled[:, None], x))
        return normalize(features, dim=-1 if unit == "channels" else 1)


def _cosines(tokens: Tensor, prompts: Tensor) -> Tensor:
    """[b n e], [t e] -> [t b n]"""
    return (tokens @ prompts.T).permute(2, 0, 1)


def _weights(tokens: Tensor, prompts: Tensor) -> Tensor:
    """How much each prompt fits the whole image, relative to the prompts' mean. [b n e], [t e] -> [t b]"""
    fit = (TEMPERATURE * tokens[:, 0] @ prompts.T).softmax(-1).T
    return fit / fit.mean(0)


def _empty(trace: Trace, prompts: Tensor) -> Tensor:
    """The empty prompt in the place of each target's texts, [t e]: zero for a difference, which has lost
    already what both have in common. An image has no text, and is compared with the empty prompt as it is."""
    from engine.templates import ensemble, surgery

    blank = [template.replace("{}", "") for template in surgery()]
    found = trace.reword(blank)
    textless = (found == prompts).all(-1, keepdim=True)
    return found.where(~textless, ensemble(trace.embed, blank, [""]))


def _words(trace: Trace) -> Tensor:
    """The fixed words' embeddings, [59 e]; the first time in a model's life this is the long part."""
    import torch

    from engine.templates import ensemble, surgery

    parts = []
    for word in PASCAL_CONTEXT:
        trace.check(f"clip_surgery, the word {word}")
        parts.append(ensemble(trace.embed, surgery(), [word]))
    return torch.cat(parts)


def _against_each(tokens: Tensor, prompts: Tensor, words: Tensor) -> Tensor:
    """Feature surgery of each prompt by itself, set before the same words. -> [t b n]"""
    import torch

    common = _cosines(tokens, words)  # [w b n]
    parts = []
    for prompt, own in zip(prompts, _cosines(tokens, prompts), strict=True):
        fits = _weights(tokens, torch.cat([prompt[None], words]))[..., None]  # [1 + w b 1]
        weighted = fits[0] * own
        parts.append(weighted - (weighted + (fits[1:] * common).sum(0)) / len(fits))
    return torch.stack(parts)
