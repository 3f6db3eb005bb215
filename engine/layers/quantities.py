"""What can be looked at in a block, and how a method's map divides among the blocks: definitions in words.

Loads no torch.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.types import Branch


@dataclass(frozen=True)
class Quantity:
    """One number a token, for every block and, where `heads`, for every head.

    sources: whether each token has a row of its own, from it to all tokens; else one row serves.
    signed: whether values below zero mean something. shared: the same for every target of an image.
    about: the definition, in words.
    """

    name: str
    title: str
    unit: str
    about: str
    heads: bool = True
    sources: bool = True
    signed: bool = False
    shared: bool = False
    branches: tuple[Branch, ...] = ("image", "text")


QUANTITIES = {
    q.name: q
    for q in (
        Quantity(
            "attention",
            "Attention",
            "probability",
            "Softmax of queries and keys: how much of each token the source reads in this block.",
            shared=True,
        ),
        Quantity(
            "gradient",
            "Gradient",
            "score per unit of attention",
            "Slope of the score with respect to the attention of this block. In the last block only the "
            "pooled token's row reaches the score; the others are zero.",
            signed=True,
        ),
        Quantity(
            "gradient_attention",
            "Gradient \N{MULTIPLICATION SIGN} attention",
            "score",
            "The product of the two, token by token: to first order, what this attention adds to the score.",
            signed=True,
        ),
        Quantity(
            "legrad",
            "LeGrad contribution",
            "score per unit of attention",
            "Mean over all source tokens of relu(dS/dA), with S the block's own score: the target's "
            "likeness to the mean of all tokens after the block. Its head mean is what the block adds to "
            "LeGrad's map.",
            sources=False,
            branches=("image",),
        ),
        Quantity(
            "rollout",
            "Rollout up to here",
            "share of attention flow",
            "Product of (head-mean attention + I) / 2 from the first block to this one: where what the "
            "source holds after this block came from.",
            heads=False,
            shared=True,
        ),
        Quantity(
            "relevance",
            "Relevance from here (GAME)",
            "relevance",
            "Product of (I + head mean of relu(A dS/dA)) from this block to the last, the identity left "
            "out; S is the score times the logit scale. From the first block it is GAME.",
            heads=False,
        ),
        Quantity(
            "similarity",
            "Likeness after the block",
            "cosine",
            "Every token after this block through the model's final norm and projection, times the target: "
            "where the concept appears.",
            heads=False,
            sources=False,
            signed=True,
        ),
        Quantity(
            "maskclip",
            "Likeness by values (MaskCLIP)",
            "cosine",
            "The same with this block's attention replaced by each token's own value, as MaskCLIP does in "
            "the last block: less blurred by what other tokens brought.",
            heads=False,
            sources=False,
            signed=True,
        ),
    )
}


def quantities(branch: Branch) -> tuple[Quantity, ...]:
    """The quantities of a branch, in the order in which they are offered."""
    return tuple(q for q in QUANTITIES.values() if branch in q.branches)


@dataclass(frozen=True)
class Share:
    """How a method's map, summed over patches or words, divides among the blocks."""

    name: str
    title: str
    about: str
    branches: tuple[Branch, ...] = ("image", "text")


SHARES = {
    s.name: s
    for s in (
        Share(
            "game",
            "GAME",
            "Relevance that the pooled token's row gains in this block; the blocks sum to GAME's map.",
        ),
        Share(
            "legrad",
            "LeGrad",
            "Sum of the block's own contribution; the blocks sum to LeGrad's map over all blocks.",
            ("image",),
        ),
        Share(
            "grad_eclip",
            "Grad-ECLIP",
            "Sum of the block's relevance after the relu; for an image the blocks sum to Grad-ECLIP's map "
            "over all blocks. For text the method itself takes the relu after the sum.",
        ),
    )
}
