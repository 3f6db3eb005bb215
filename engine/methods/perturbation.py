"""What happens to the score when parts of the input are hidden: RISE, occlusion, leave-one-out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

from engine.methods.batching import inputs_per_pass
from engine.methods.common import SignOfSigned, rectified
from engine.methods.masks import draw, render
from engine.methods.patches import as_tokens, patch_means
from engine.registry import Help, Needs, Range, method
from engine.types import SidelightError

if TYPE_CHECKING:
    from torch import Tensor

    from engine.trace import Trace


@method(
    title="RISE",
    year=2018,
    paper=(
        "Petsiuk, Das and Saenko, RISE: Randomized Input Sampling for Explanation of Black-box Models, "
        "BMVC 2018"
    ),
    url="https://arxiv.org/abs/1806.07421",
    family="perturbation",
    cost="2000 forwards, shared by all prompts",
    unit="mean score while the place is shown",
    needs=Needs(blocks=0),
    formula=(
        r"R_i = \frac{1}{|P_i|} \sum_{p \in P_i} \frac{1}{n \rho} \sum_{k=1}^{n} c(X \odot M_k)\, M_{k,p}, \\"
        r"\rho\text{: the share of cells that a mask shows}"
    ),
    departures=(
        "As in the authors' code the normalised input is multiplied, so that the mean colour of the training "
        "images hides a place, not black. The masks come from a seeded generator of their own, the same on "
        "every machine."
    ),
    bibtex="""@inproceedings{petsiuk2018rise,
  title={{RISE}: Randomized Input Sampling for Explanation of Black-box Models},
  author={Petsiuk, Vitali and Das, Abir and Saenko, Kate},
  booktitle={British Machine Vision Conference},
  year={2018}
}""",
)
def rise(
    trace: Trace,
    *,
    masks: Annotated[int, Range(1, 100_000, "number of random masks")] = 2000,
    cells: Annotated[int, Range(1, 64, "cells of a mask along each side")] = 8,
    probability: Annotated[float, Range(0.01, 1, "share of the cells that are shown")] = 0.5,
    pixels: Annotated[bool, Help("the map over pixels instead of its means over patches")] = False,
    seed: Annotated[int, Range(0, 2**31 - 1, "seed of the masks")] = 0,
) -> Tensor:
    """1 / (N p) * sum_n score(x * M_n) M_n over N random masks M_n with values in 0..1.

    A mask is a grid of cells, each shown with probability p, enlarged with smooth edges and shifted at
    random. What the scores have in common leaves a flat, slightly noisy ground: only differences count.
    """
    drawn = draw(masks, cells, probability, tuple(trace.inputs.shape[-2:]), seed)
    step = inputs_per_pass(trace.inputs)
    parts = (render(drawn, slice(i, i + step), trace.inputs.device) for i in range(0, masks, step))
    return masked_relevance(trace, parts, masks, probability, pixels=pixels)


def masked_relevance(
    trace: Trace, masks: Iterable[Tensor], count: int, probability: float, *, pixels: bool = False
) -> Tensor:
    """RISE with given masks: parts [m height width] of the `count` masks, float32 in 0..1.

    -> [t b height width], or its means over patches [t b n].
    """
    import torch

    total, done = 0, 0
    for part in masks:
        trace.check(f"rise, mask {done} of {count}")
        places = (part if pixels else patch_means(part, trace.grid)).flatten(1)  # [m places]
        scores = torch.stack([trace.rescore(x * part[:, None], len(part)) for x in trace.inputs])  # [b m t]
        total = total + torch.einsum("bmt,mp->tbp", scores.float(), places)
        done += len(part)
    relevance = total / (count * probability)
    return relevance.unflatten(-1, trace.inputs.shape[-2:]) if pixels else as_tokens(trace, relevance)


@method(
    title="Occlusion",
    year=2014,
    paper="Zeiler and Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014",
    url="https://arxiv.org/abs/1311.2901",
    family="perturbation",
    signed=True,
    cost="1 forward per position of the window, shared by all prompts",
    unit="cosine lost when the place is hidden",
    needs=Needs(blocks=0),
    formula=(
        r"R_i = \frac{1}{|W_i|} \sum_{w \in W_i} \big(c(X) - c(X \odot (1 - w))\big), \\"
        r"W_i\text{: the windows that hide patch } i"
    ),
    departures="The paper slides a grey square over pixels; here it steps from patch to patch of the model.",
    bibtex="""@inproceedings{zeiler2014visualizing,
  title={Visualizing and Understanding Convolutional Networks},
  author={Zeiler, Matthew D. and Fergus, Rob},
  booktitle={European Conference on Computer Vision},
  year={2014}
}""",
)
def occlusion(
    trace: Trace,
    *,
    window: Annotated[int, Range(1, 64, "side of the hidden square, in patches")] = 1,
    stride: Annotated[int, Range(1, 64, "patches from one position to the next; at most the window")] = 1,
    sign: SignOfSigned = "signed",
) -> Tensor:
    """score(x) - score(x with a square of patches hidden), for each patch the mean over squares that hide it.

    Hidden is what has the mean colour of the training images, zero in the normalised input.
    """
    import torch

    if stride > window:
        raise SidelightError(
            f"occlusion: stride={stride} leaves gaps between windows of {window}; make it less."
        )
    hidden = _windows(trace.grid, window, stride).to(trace.inputs)  # [w rows columns]
    height, width = (side // count for side, count in zip(trace.inputs.shape[-2:], trace.grid, strict=True))
    shown = 1 - hidden.repeat_interleave(height, 1).repeat_interleave(width, 2)  # [w height width]
    whole = trace.rescore(trace.inputs)  # [b t]
    drops = []
    for part in shown.split(inputs_per_pass(trace.inputs)):
        trace.check(f"occlusion, {sum(map(len, drops))} of {len(hidden)}")
        scores = torch.stack([trace.rescore(x * part[:, None], len(part)) for x in trace.inputs])  # [b m t]
        drops.append((whole[:, None] - scores).transpose(0, 1))
    times = hidden.flatten(1)  # [w places]
    relevance = torch.einsum("wbt,wp->tbp", torch.cat(drops).to(times), times / times.sum(0))
    return rectified(as_tokens(trace, relevance), sign)


def _windows(grid: tuple[int, int], window: int, stride: int) -> Tensor:
    """Every position of the window, float [w rows columns]; the last of a row or column ends at the edge."""
    import torch

    axes = []
    for count in grid:
        last = max(count - window, 0)
        starts = torch.tensor(sorted({*range(0, last, stride), last}))
        place = torch.arange(count)
        axes.append(((place >= starts[:, None]) & (place < starts[:, None] + window)).float())  # [w count]
    rows, columns = axes
    return (rows[:, None, :, None] * columns[None, :, None, :]).flatten(0, 1)


@method(
    title="Leave one out",
    year=2016,
    paper="Li, Monroe and Jurafsky, Understanding Neural Networks through Representation Erasure, arXiv 2016",
    url="https://arxiv.org/abs/1612.08220",
    family="perturbation",
    branches=("text",),
    signed=True,
    cost="1 forward per token",
    unit="cosine lost without the token",
    needs=Needs(blocks=0),
    formula=(
        r"R_i = c(X) - c(X_{\setminus i}), \\"
        r"X_{\setminus i}\text{: the prompt without token } i"
    ),
    departures="The paper erases a word's vector; here the token itself goes and those behind it move up.",
    bibtex="""@article{li2016understanding,
  title={Understanding Neural Networks through Representation Erasure},
  author={Li, Jiwei and Monroe, Will and Jurafsky, Dan},
  journal={arXiv preprint arXiv:1612.08220},
  year={2016}
}""",
)
def leave_one_out(trace: Trace, *, sign: SignOfSigned = "signed") -> Tensor:
    """score(prompt) - score(prompt without token i), by position, so that equal words are told apart.

    The token is really removed: the rest closes up and the end token moves with it. Sub-words go one at a
    time.
    """
    import torch

    ids, whole = trace.inputs, trace.rescore(trace.inputs)  # [b n], [b t]
    prompt, place = trace.content.nonzero(as_tuple=True)  # [m], [m]
    relevance = whole.new_zeros(whole.shape[1], *ids.shape)
    step = inputs_per_pass(ids)
    for start in range(0, len(place), step):
        trace.check(f"leave_one_out, token {start} of {len(place)}")
        row, gone = prompt[start : start + step], place[start : start + step]
        source = torch.arange(ids.shape[1] - 1, device=ids.device)
        rest = ids[row].gather(1, source + (source >= gone[:, None]))
        padded = torch.cat([rest, torch.zeros_like(rest[:, :1])], dim=1)
        relevance[:, row, gone] = (whole[row] - trace.rescore(padded, step)).T
    return rectified(relevance, sign)
