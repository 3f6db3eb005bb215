"""Scores of a picture with some of its units hidden: made in batches on the device, equal inputs once.

Everything here is torch, but for the masks that come in and the scores that go out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine import images
from engine.curves.pictures import Ground, as_picture, filled
from engine.curves.types import Protocol
from engine.methods.batching import inputs_per_pass
from engine.models import Model
from engine.types import Image

CHANNELS = ("cosine", "probability", "rank")  # rank: how many classes score higher, 0 is top-1


@dataclass(frozen=True)
class Readout:
    """What is read of an embedding. score: unit embeddings [b e] -> [b t]; classes: unit embeddings [c e], or
    None; index: class of each target, None where it has none."""

    score: Callable[[Tensor], Tensor]
    classes: Tensor | None
    index: tuple[int | None, ...]
    logit_scale: float

    def __call__(self, embedding: Tensor) -> Tensor:
        """Unit embeddings [b e] -> [b t 3], in the order of CHANNELS; NaN where a target has no class."""
        scores = self.score(embedding)
        found = torch.full((*scores.shape, len(CHANNELS)), torch.nan, dtype=torch.float64)
        found[..., 0] = scores
        known = [t for t, index in enumerate(self.index) if index is not None]
        if self.classes is not None and known:
            logits = self.logit_scale * embedding @ self.classes.T
            own = logits[:, [self.index[t] for t in known]]  # [b known]
            found[:, known, 1] = logits.softmax(-1)[:, [self.index[t] for t in known]].double().cpu()
            found[:, known, 2] = (logits[:, None] > own[..., None]).sum(-1).double().cpu()
        return found


class HiddenScorer:
    """A scorer of masks, for one picture and one fill. passes: inputs that went through the model so far.

    Masks are told apart by hash; each is scored once in the scorer's life, so the untouched picture, the fill
    itself and what two methods have in common cost one pass.
    """

    def __init__(
        self,
        model: Model,
        place: Ground,
        protocol: Protocol,
        fill: str,
        readout: Readout,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """fill: of FILLS, the protocol's hide or reveal. check: called before each batch; it may raise
        Cancelled."""
        self._model, self._place, self._protocol, self._fill = model, place, protocol, fill
        self._readout, self._check = readout, check
        self._instead = place.hidden if fill == protocol.hide else place.revealed
        self._known: dict[bytes, np.ndarray] = {}
        self.passes = 0
        if protocol.space == "input" and fill != "neighbours":
            self._base, self._other = self._tensor([place.base]), self._tensor([self._instead])
        self.batch = inputs_per_pass(torch.empty(0, device=model.device))

    def __call__(self, keep: np.ndarray) -> np.ndarray:
        """Scores, float64 (b, t, 3), of masks, bool (b, units)."""
        names = [hashlib.blake2b(row, digest_size=16).digest() for row in np.packbits(keep, axis=1)]
        new = {name: row for row, name in enumerate(names) if name not in self._known}
        order = list(new.items())
        for start in range(0, len(order), self.batch):
            self._check()
            part = order[start : start + self.batch]
            masks = keep[[row for _, row in part]].reshape(-1, *self._place.units)
            with torch.no_grad():
                found = self._readout(self._model.image.encode(self._inputs(masks))).cpu().numpy()
            self.passes += len(part)
            self._known.update(zip((name for name, _ in part), found, strict=True))
        return np.stack([self._known[name] for name in names])

    def _inputs(self, masks: np.ndarray) -> Tensor:
        """Masks (b, rows, columns) -> model inputs [b 3 height width]."""
        if self._protocol.space == "image":
            return self._prepared(masks)
        if self._fill == "neighbours":
            pictures = [
                filled(self._place, keep, self._fill, self._instead, self._protocol.seed) for keep in masks
            ]
            return self._tensor(pictures)
        large = torch.as_tensor(masks, device=self._model.device)[:, None]
        down, across = (
            side // n for side, n in zip(self._place.base.shape[-2:], self._place.units, strict=True)
        )
        if (down, across) != (1, 1):
            large = large.repeat_interleave(down, -2).repeat_interleave(across, -1)
        return torch.where(large, self._base, self._other)

    def _prepared(self, masks: np.ndarray) -> Tensor:
        """Pictures of their own size through CLIP's own resize and centre crop."""
        base, instead = as_picture(self._place.base), as_picture(self._instead)
        prepared = []
        for keep in masks:
            pixels = np.where(keep[..., None], base, instead)
            image = Image(pixels=pixels, digest="")
            prepared.append(images.prepare(image, self._model.info.preprocess, "crop"))
        return self._model.pixels(prepared)

    def _tensor(self, pictures: Sequence[np.ndarray]) -> Tensor:
        """Pictures float32 (3, height, width), 0..1, as model input [b 3 height width]."""
        wanted = self._model.info.preprocess
        mean, std = (np.asarray(v, np.float32)[:, None, None] for v in (wanted.mean, wanted.std))
        return torch.as_tensor((np.stack(pictures) - mean) / std, device=self._model.device)
