"""Maps that know nothing of the model: what a method has to beat in every table and plot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from engine.methods.common import over_targets
from engine.registry import Needs, Range, method

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from engine.trace import Trace


def _from_grid(trace: Trace, grids: np.ndarray) -> Tensor:
    """Patch values [b rows columns] as relevance over all tokens [t b n]."""
    import torch

    flat = torch.as_tensor(grids, dtype=torch.float32, device=trace.inputs.device).flatten(1)
    return over_targets(torch.cat([flat.new_zeros(len(flat), 1), flat], dim=1), len(trace.queries))


@method(
    title="Random",
    family="control",
    text_specific=False,
    cost="none",
    unit="uniform in 0..1",
    needs=Needs(blocks=0),
    formula=r"R_i \sim U(0, 1)",
)
def random(trace: Trace, *, seed: Annotated[int, Range(0, 2**31 - 1, "seed of the generator")] = 0) -> Tensor:
    """Independent uniform values, another draw for every image, the same for every prompt."""
    import zlib

    import numpy as np

    draws = []
    for pixels in trace.inputs.detach().cpu().float().numpy():
        generator = np.random.default_rng([seed, zlib.crc32(pixels.tobytes())])
        draws.append(generator.random(trace.grid))
    return _from_grid(trace, np.stack(draws))


@method(
    title="Centre",
    family="control",
    text_specific=False,
    cost="none",
    unit="Gaussian, 1 at the centre",
    needs=Needs(blocks=0),
    formula=r"R_i = \exp\Big(-\frac{(y_i - \tfrac12)^2 + (x_i - \tfrac12)^2}{2 \sigma^2}\Big)",
)
def center(
    trace: Trace,
    *,
    sigma: Annotated[float, Range(0.01, 10, "standard deviation as a share of the image's side")] = 0.25,
) -> Tensor:
    """A Gaussian in the middle of the image."""
    import numpy as np

    rows, columns = ((np.arange(n) + 0.5) / n - 0.5 for n in trace.grid)
    one = np.exp(-(rows[:, None] ** 2 + columns**2) / (2 * sigma**2))
    return _from_grid(trace, np.broadcast_to(one, (len(trace.inputs), *one.shape)).copy())


@method(
    title="Edges",
    family="control",
    text_specific=False,
    cost="none",
    unit="mean gradient magnitude of the luminance",
    needs=Needs(blocks=0),
    formula=r"R_i = \frac{1}{|P_i|} \sum_{p \in P_i} \lVert \nabla Y_p \rVert",
)
def edges(trace: Trace) -> Tensor:
    """Sobel gradient magnitude of the model's input, averaged over each patch."""
    import numpy as np
    from scipy import ndimage

    # ITU-R BT.601 luma; the channel means and deviations of the preprocessing change it little.
    luma = np.tensordot(trace.inputs.detach().cpu().float().numpy(), [0.299, 0.587, 0.114], axes=([1], [0]))
    # One image at a time: SciPy's filter also smooths along every other axis.
    magnitude = np.stack([np.hypot(ndimage.sobel(x, axis=0), ndimage.sobel(x, axis=1)) for x in luma])
    rows, columns = trace.grid
    height, width = magnitude.shape[1] // rows, magnitude.shape[2] // columns
    return _from_grid(trace, magnitude.reshape(-1, rows, height, columns, width).mean((2, 4)))
