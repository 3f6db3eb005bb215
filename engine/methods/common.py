"""Arithmetic that several families share, and the parameters that they spell alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from engine.registry import ALL, Help, Range

if TYPE_CHECKING:
    from torch import Tensor

Heads = Annotated[
    Literal["model", "single"],
    Help(
        "'model': heads as the model has them; 'single': one head of full width, as Grad-ECLIP's authors do"
    ),
]
Sign = Annotated[
    Literal["positive", "signed", "negative"],
    Help(
        "'positive': after the relu; 'signed': before it; 'negative': what lowers the score, after the relu"
    ),
]
SignOfSigned = Annotated[
    Literal["signed", "positive", "negative"],
    Help("'signed': as the method has it; 'positive' or 'negative': only what has this sign, after a relu"),
]
CutSign = Annotated[
    Literal["positive", "negative"],
    Help("'positive': what raises the score; 'negative': what lowers it. The method cuts the other sign off"),
]
Layers = Annotated[
    int | Literal["all", "last"],
    Range(
        2,
        64,
        "'all' blocks, the 'last' only, as Grad-ECLIP's evaluation calls it, or how many last blocks; more "
        "than there are means all",
    ),
]


def last_blocks(layers: int | str) -> int:
    """How many last blocks `Layers` means."""
    return {"all": ALL, "last": 1}.get(layers, layers)


def rectified(relevance: Tensor, sign: str) -> Tensor:
    """A linear relevance as `sign` asks for it."""
    if sign == "signed":
        return relevance
    return (-relevance if sign == "negative" else relevance).relu()


def over_targets(x: Tensor, targets: int) -> Tensor:
    """A target-independent relevance [b n], once for every target: [t b n]."""
    return x.expand(targets, *x.shape)


def unit_range(x: Tensor, among: Tensor) -> Tensor:
    """Min-max scaling of [b n] over the tokens that `among` (bool [b n]) marks; ones where they are all
    equal, since equal weights prefer nobody."""
    low = x.masked_fill(~among, float("inf")).amin(-1, keepdim=True)
    high = x.masked_fill(~among, float("-inf")).amax(-1, keepdim=True)
    span = high - low
    return ((x - low) / span.where(span > 0, 1)).where(span > 0, 1)
