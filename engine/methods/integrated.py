"""Gradients with respect to the pixels, averaged: integrated gradients and SmoothGrad.

Captum has both, but asks for one target a pass; here all targets share every forward pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Literal

from engine.methods.batching import FLOATS_PER_BLOCK, graph_parts
from engine.methods.common import SignOfSigned, rectified
from engine.methods.patches import as_tokens, patch_sums
from engine.registry import Help, Needs, Range, method

if TYPE_CHECKING:
    from torch import Tensor

    from engine.trace import Trace

Pixels = Annotated[bool, Help("the map over pixels instead of its sums over patches")]


@method(
    title="Integrated gradients",
    year=2017,
    paper="Sundararajan, Taly and Yan, Axiomatic Attribution for Deep Networks, ICML 2017",
    url="https://arxiv.org/abs/1703.01365",
    family="pixel gradient",
    signed=True,
    requires=("gradients",),
    cost="32 forwards, 32 backwards to the pixels per prompt",
    unit="cosine gained over the baseline",
    needs=Needs(blocks=0),
    formula=(
        r"R_i = \sum_{p \in P_i} (X_p - X'_p) \int_0^1 "
        r"\frac{\partial c}{\partial X_p}\big(X' + t\,(X - X')\big)\, \mathrm{d}t"
    ),
    departures="The integral is taken by Gauss-Legendre quadrature, where the paper sums equal steps.",
    bibtex="""@inproceedings{sundararajan2017axiomatic,
  title={Axiomatic Attribution for Deep Networks},
  author={Sundararajan, Mukund and Taly, Ankur and Yan, Qiqi},
  booktitle={International Conference on Machine Learning},
  year={2017}
}""",
)
def integrated_gradients(
    trace: Trace,
    *,
    steps: Annotated[int, Range(1, 1000, "points on the way from the baseline to the image")] = 32,
    baseline: Annotated[
        Literal["mean", "blur"],
        Help(
            "'mean': the mean colour of the training images; 'blur': the image, blurred by a twentieth of "
            "its shorter side"
        ),
    ] = "mean",
    pixels: Pixels = False,
    sign: SignOfSigned = "signed",
) -> Tensor:
    """(x - x0) times the mean gradient of the score on the straight way from x0 to x, summed over channels.

    The sum of a signed map is score(x) - score(x0), up to the error of the quadrature.
    """
    import numpy as np

    x = trace.inputs
    start = x.new_zeros(x.shape) if baseline == "mean" else _blurred(x)
    places, weights = np.polynomial.legendre.leggauss(steps)  # on -1..1
    points = [start + (1 + float(p)) / 2 * (x - start) for p in places]
    mean = _mean_gradient(trace, points, [float(w) / 2 for w in weights], "integrated_gradients")
    return _as_map(trace, ((x - start) * mean).sum(2), pixels, sign)


@method(
    title="SmoothGrad",
    year=2017,
    paper="Smilkov et al., SmoothGrad: removing noise by adding noise, arXiv 2017",
    url="https://arxiv.org/abs/1706.03825",
    family="pixel gradient",
    requires=("gradients",),
    cost="25 forwards, 25 backwards to the pixels per prompt",
    unit="slope of the cosine",
    needs=Needs(blocks=0),
    formula=(
        r"R_i = \sum_{p \in P_i} \Big|\frac{1}{n} \sum_{k=1}^{n} "
        r"\frac{\partial c}{\partial X_p}(X + s\, \varepsilon_k)\Big|, \\"
        r"s = \sigma\, (\max X - \min X), \quad \varepsilon_k \sim \mathcal{N}(0, 1)"
    ),
    departures=(
        "The paper shows the largest channel's magnitude; here a patch has the sum over its pixels' channels."
    ),
    bibtex="""@article{smilkov2017smoothgrad,
  title={{SmoothGrad}: removing noise by adding noise},
  author={Smilkov, Daniel and Thorat, Nikhil and Kim, Been and Vi{\\'e}gas, Fernanda and Wattenberg, Martin},
  journal={arXiv preprint arXiv:1706.03825},
  year={2017}
}""",
)
def smooth_grad(
    trace: Trace,
    *,
    samples: Annotated[int, Range(1, 1000, "noisy copies of the image")] = 25,
    sigma: Annotated[float, Range(0, 10, "deviation of the noise, as a share of the image's range")] = 0.15,
    pixels: Pixels = False,
    seed: Annotated[int, Range(0, 2**31 - 1, "seed of the noise")] = 0,
) -> Tensor:
    """Magnitude of the score's gradient at the pixels, averaged over noisy copies of the image.

    |1/n sum_k dS/dx (x + sigma (max x - min x) eps_k)|, summed over channels. It has no sign: where the score
    falls fast counts like where it rises fast.
    """
    import torch

    x = trace.inputs
    spread = sigma * (x.amax((1, 2, 3), keepdim=True) - x.amin((1, 2, 3), keepdim=True))
    generator = torch.Generator().manual_seed(seed)  # on the CPU, so that every device has the same noise
    draws = (torch.empty(x.shape[1:]).normal_(generator=generator).to(x) for _ in range(samples))
    points = (x + spread * noise for noise in draws)
    mean = _mean_gradient(trace, points, [1 / samples] * samples, "smooth_grad")
    return _as_map(trace, mean.abs().sum(2), pixels, "signed")


def _mean_gradient(trace: Trace, points: Iterable[Tensor], weights: Sequence[float], name: str) -> Tensor:
    """Weighted sum of the scores' gradients at points [b 3 height width]: [t b 3 height width]."""
    import torch

    total = trace.inputs.new_zeros(trace.scores.shape[1], *trace.inputs.shape, dtype=torch.float32)
    points, done = iter(points), 0
    for part in graph_parts(len(weights), _graph_bytes(trace)):
        inputs = torch.stack(
            list(islice(points, part.stop - part.start))
        ).requires_grad_()  # [k b 3 height width]
        with torch.enable_grad():
            scores = trace.readout(trace.encoder.encode(inputs.flatten(0, 1))).sum(0).unbind()  # t of []
        share = torch.tensor(weights[part], device=total.device)
        for target in range(len(scores)):
            trace.check(f"{name}, step {done} of {len(weights)}")
            (slope,) = torch.autograd.grad(scores[target], inputs, retain_graph=target + 1 < len(scores))
            total[target] += torch.einsum("k,kbchw->bchw", share, slope.float())
        done = part.stop
    return total


def _graph_bytes(trace: Trace) -> int:
    """What one point's graph takes, over all inputs: by a transformer's blocks, or by a ResNet's stages."""
    blocks = trace.depth * FLOATS_PER_BLOCK * trace.layers[0].x.numel()
    return 4 * max(blocks, 200 * trace.inputs.numel())


def _blurred(x: Tensor) -> Tensor:
    from torchvision.transforms.functional import gaussian_blur

    sigma = min(x.shape[-2:]) / 20
    return gaussian_blur(x, 2 * round(3 * sigma) + 1, sigma)


def _as_map(trace: Trace, relevance: Tensor, pixels: bool, sign: str) -> Tensor:
    """Pixel relevance [t b height width] as it was asked for."""
    if not pixels:
        relevance = as_tokens(trace, patch_sums(relevance, trace.grid).flatten(2))
    return rectified(relevance, sign)
