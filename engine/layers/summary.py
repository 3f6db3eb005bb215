"""What is known of all blocks at once: exact rows of the pooled token, shares, entropy and distance.

Loads no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.types import Branch, Target


@dataclass(frozen=True)
class Summary:
    """One image and one target through one branch of l blocks with h heads and n tokens.

    Text is cut after its end token: what follows is padding that nothing reads.
    pooled: by quantity, float32 (l, h or 1, n): the row whose source is the pooled token, or the only row.
    shares: by method, float32 (l,): what each block adds to the map's sum over patches or words.
    entropy: float32 (l, h), bits: of attention rows, averaged over all sources; at most log2 of n.
    distance: float32 (l, h): attention-weighted mean distance between query and key, averaged over queries
    (Dosovitskiy et al., ICLR 2021); between patches in pixels of the model's input, between words in
    tokens; attention to other tokens is left out and the rest scaled to sum to 1.
    row: index of the pooled token. content: bool (n,), which tokens are patches or words. tokens: texts of
    the text branch. score: of the model as it is. seconds: of the computation. note: where the model reads
    only the beginning of the target's text.
    """

    branch: Branch
    target: Target
    pooled: Mapping[str, np.ndarray]
    shares: Mapping[str, np.ndarray]
    entropy: np.ndarray
    distance: np.ndarray
    row: int
    content: np.ndarray
    grid: tuple[int, int] | None
    tokens: tuple[str, ...]
    score: float
    seconds: float
    note: str = ""

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return self.entropy.shape[0]

    @property
    def heads(self) -> int:
        """Number of heads in a block."""
        return self.entropy.shape[1]


def gains(pooled: Mapping[str, np.ndarray], content: np.ndarray) -> dict[str, np.ndarray]:
    """What each block adds to the sums of GAME's and, for an image, LeGrad's map: float32 (l,) by method.

    Relevance from block l holds what l and all later blocks add, so l itself adds the difference to l + 1.
    """
    from_here = pooled["relevance"][:, 0][:, content].sum(-1)
    found = {"game": from_here - np.append(from_here[1:], np.float32(0))}
    if "legrad" in pooled:
        found["legrad"] = pooled["legrad"].mean(1)[:, content].sum(-1)
    return found


def entry_of(summary: Summary) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """A summary as the store keeps it: arrays and JSON."""
    arrays = {f"pooled/{name}": values for name, values in summary.pooled.items()}
    arrays |= {f"share/{name}": values for name, values in summary.shares.items()}
    arrays |= {"entropy": summary.entropy, "distance": summary.distance}
    arrays["content"] = summary.content.astype(np.uint8)
    meta = {
        "row": summary.row,
        "grid": list(summary.grid) if summary.grid else None,
        "tokens": list(summary.tokens),
        "score": summary.score,
        "seconds": summary.seconds,
        "note": summary.note,
    }
    return arrays, meta


def summary_of(
    branch: Branch, target: Target, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]
) -> Summary:
    """The summary that a store entry holds."""

    def group(prefix: str) -> dict[str, np.ndarray]:
        return {n.removeprefix(prefix): v for n, v in arrays.items() if n.startswith(prefix)}

    return Summary(
        branch=branch,
        target=target,
        pooled=group("pooled/"),
        shares=group("share/"),
        entropy=arrays["entropy"],
        distance=arrays["distance"],
        row=meta["row"],
        content=arrays["content"].astype(bool),
        grid=tuple(meta["grid"]) if meta["grid"] else None,
        tokens=tuple(meta["tokens"]),
        score=meta["score"],
        seconds=meta["seconds"],
        note=meta.get("note", ""),  # entries of older versions have none
    )
