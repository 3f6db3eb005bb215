"""The loss of a batch, from its similarities and the table of what is true."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.training.batches import NEITHER

WEIGHTS = {
    "concepts": 1.0,
    "colours": 0.1,
    "patterns": 0.1,
    "categories": 0.15,
    "captions": 0.3,
    "images": 0.3,
    "contrasts": 0.15,
    "patches": 0.5,
    "centred": 2.0,
    "near": 0.4,
    "even": 1.0,
}


def several_true(logits: Tensor, truth: Tensor) -> Tensor:
    """Softmax loss where several columns of a row are true: each competes with the false ones only.

    logits, truth: [rows columns]; the mean over all true entries of -log(e^true / (e^true + sum e^false)).
    """
    rivals = logits.masked_fill(truth, -torch.inf).logsumexp(-1, keepdim=True)
    return F.softplus(rivals - logits)[truth].mean()


def told_apart(logits: Tensor, right: Tensor, wrong: Tensor) -> Tensor:
    """Softmax loss of pairs: scene i prefers text right[i] to text wrong[i]. logits: [scenes texts]."""
    scenes = torch.arange(len(right))
    return F.softplus(logits[scenes, wrong] - logits[scenes, right]).mean()


def some_patch_fits(logits: Tensor, truth: Tensor) -> Tensor:
    """`several_true` of a soft maximum over the patches: each true text finds a patch, no matter which.

    logits: [rows patches columns], truth: [rows columns]. The maximum is the log of the mean exponential:
    P. Pinheiro and R. Collobert, "From image-level to pixel-level labeling with convolutional networks"
    (CVPR 2015), section 3.
    """
    return several_true(logits.logsumexp(1) - math.log(logits.shape[1]), truth)


def patch_loss(
    patches: Tensor, texts: Tensor, scale: Tensor, truth: Tensor, labels: Tensor | None = None
) -> Tensor:
    """What the patches of some scenes learn beside the class token.

    Unit embeddings of patches [b k e] and of the concepts' and colours' texts [c e]; truth: bool [b c], which
    text is true of which scene; labels: [b k], the text that is true of a patch, or `NEITHER`; without them
    `some_patch_fits`.
    """
    logits = scale * patches @ texts.T
    if labels is None:
        return some_patch_fits(logits, truth)
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=NEITHER)


def off_centre(texts: Tensor) -> Tensor:
    """Squared length of the mean of unit embeddings [t e].

    Texts in a narrow cone (Liang et al., "Mind the gap", NeurIPS 2022, section 2) make every object speak for
    every prompt, in the cosine though not in the softmax, and maps that keep what is positive then show it.
    """
    return texts.mean(0).square().sum()


def batch_loss(images: Tensor, texts: Tensor, scale: Tensor, truth: Tensor, groups: list[int]) -> Tensor:
    """Unit embeddings of images [b e] and texts [t e]; groups: sizes of runs of texts, as in `batches`."""
    logits = scale * images @ texts.T
    runs = torch.arange(len(texts)).split(groups)
    concepts, colours, patterns, categories, captions, twins, rights, wrongs = runs
    either = torch.cat([captions, twins])
    parts = {
        "concepts": several_true(logits[:, concepts], truth[:, concepts]),
        "colours": several_true(logits[:, colours], truth[:, colours]),
        "patterns": several_true(logits[:, patterns], truth[:, patterns]),
        "categories": several_true(logits[:, categories], truth[:, categories]),
        "captions": several_true(logits[:, either], truth[:, either]),
        "images": several_true(logits[:, captions].T, truth[:, captions].T),
        "contrasts": told_apart(logits, captions, twins) + told_apart(logits, rights, wrongs),
        "centred": off_centre(texts[concepts]),
    }
    return sum(WEIGHTS[name] * part for name, part in parts.items())
