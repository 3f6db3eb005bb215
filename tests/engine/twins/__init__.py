"""A slow, obvious twin of every method: loops over the plain open_clip modules in float64.

`TWINS` is keyed by method name. Every file of this package is imported: a new family needs a new file only.
Nothing here may use engine.trace or engine.methods: agreement would prove nothing.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Case:
    """One map to compute.

    clip: open_clip model in float64. branch: 'image' or 'text'. pixels: [3 height width].
    index: which of `prompts` is explained; only methods that mix prompts look at the others.
    params: every parameter of the method.
    """

    clip: nn.Module
    branch: str
    pixels: Tensor
    prompts: tuple[str, ...]
    index: int
    params: Mapping[str, Any]


@dataclass(frozen=True)
class Twin:
    """run: a case -> relevance of all tokens [n], or of all pixels [height width].

    specs: what is compared. The other tests of the suite use the first, so let it be cheap.
    """

    run: Callable[[Case], Tensor]
    specs: tuple[str, ...]


TWINS: dict[str, Twin] = {}


def twin(*specs: str) -> Callable[[Callable[[Case], Tensor]], Callable[[Case], Tensor]]:
    """Register the function as the twin of the method of its name, compared on these specs."""

    def register(run: Callable[[Case], Tensor]) -> Callable[[Case], Tensor]:
        TWINS[run.__name__] = Twin(run, specs or (run.__name__,))
        return run

    return register


for _file in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_file.name}")
