"""How much iterating methods put into one pass: enough to keep the device busy, little enough for memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

GRAPH_BYTES = 1 << 30  # activations kept for one backward pass stay near this
FLOATS_PER_BLOCK = 20  # that a transformer block keeps for a backward pass, in multiples of its input


def inputs_per_pass(inputs: Tensor) -> int:
    """Inputs of one forward pass without a graph. A CPU is busy with few, and can be cancelled sooner."""
    return 16 if inputs.device.type == "cpu" else 256


def graph_parts(total: int, each: int) -> Iterator[slice]:
    """Slices of `total` samples whose graphs, of `each` bytes a sample, fit in memory together."""
    step = max(1, GRAPH_BYTES // max(each, 1))
    return (slice(i, min(i + step, total)) for i in range(0, total, step))
