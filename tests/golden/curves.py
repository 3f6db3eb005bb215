"""Recipes: deletion and insertion as Grad-ECLIP's scripts have them (order and fill are recorded)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from engine import images
from engine.encoder import pick
from engine.metrics.curve import area, counts, curves, ranks
from engine.precision import exact_float32
from engine.templates import ensemble
from engine.types import Image
from tests.golden.first_methods import unit
from tests.golden.folder import Case
from tests.golden.recipes import COSINE, MAP, recipe

STEPS = 200  # of which the authors' loops take the first 100, and record every tenth
HALF = [n / 20 for n in range(11)]
SHARES = {"deletion": HALF, "insertion": [*HALF[1:], 1.0]}
TEMPLATE = ("a photo of a {}.",)
PROTOCOL = "(?P<protocol>deletion|insertion)"


def _classes(case: Case) -> torch.Tensor:
    return ensemble(case.model.embed_texts, TEMPLATE, case.meta["delins_classes"])  # [C e]


def _given(case: Case, name: str) -> np.ndarray:
    with np.load(case.folder / f"{case.tag}_delins.npz") as file:
        return file[name]


@lru_cache(maxsize=32)
def _embeddings(case: Case, image: str, protocol: str) -> np.ndarray:
    """Embeddings along the curve, not of unit length, [points e]."""
    whole = next(i for name, i in zip(case.names, case.images, strict=True) if name == image)
    if protocol == "deletion":
        fill = images.load(case.folder / "images" / f"{case.tag}_{image}_deletion_fill.png").pixels
    else:
        fill = np.zeros_like(whole.pixels)
    order = ranks(_given(case, f"{image}.heatmap_rank").astype(np.int32))  # unsigned numbers have no negative

    def embed(kept: np.ndarray) -> np.ndarray:
        pictures = np.where(kept.reshape(-1, *order.shape)[..., None], whole.pixels, fill)
        seen = [images.prepare(Image(p, digest=""), case.model.info.preprocess, "crop") for p in pictures]
        tower, inputs = case.model.image, case.model.pixels(seen)
        with exact_float32(), torch.no_grad():
            return tower.head(pick(tower.advance(tower.embed(inputs), 0), tower.row(inputs))).numpy()

    changed = counts(SHARES[protocol], order.size, STEPS)
    return curves(order.reshape(1, -1), changed, embed, insert=protocol == "insertion")[0]


@recipe(r"class_weights", COSINE)
def class_weights(case: Case) -> np.ndarray:
    """[e C]"""
    with exact_float32():
        return _classes(case).T.numpy()


def _scores(case: Case, image: str, protocol: str) -> np.ndarray:
    """100 times the embedding, as long as it is, on every class, [points C]."""
    return 100 * _embeddings(case, image, protocol) @ class_weights(case)


@recipe(rf"(?P<image>.+)\.logits\.{PROTOCOL}", MAP)
def logits(case: Case, image: str, protocol: str) -> np.ndarray:
    return _scores(case, image, protocol)


@recipe(rf"(?P<image>.+)\.cos\.{PROTOCOL}", MAP)
def cosines(case: Case, image: str, protocol: str) -> np.ndarray:
    return unit(_embeddings(case, image, protocol)) @ class_weights(case)


@recipe(rf"(?P<image>.+)\.top(?P<k>\d+)\.{PROTOCOL}", limit=0)
def hits(case: Case, image: str, k: str, protocol: str) -> np.ndarray:
    """1 where the target is among the k highest classes, [points]."""
    scores = _scores(case, image, protocol)
    own = scores[:, [int(_given(case, f"{image}.target"))]]
    return ((scores > own).sum(-1) < int(k)).astype(np.float32)


@recipe(r"(?P<image>.+)\.auc_trapz_index\.cos", MAP)
def areas(case: Case, image: str) -> np.ndarray:
    """Of deletion and of insertion, for the target class."""
    target = int(_given(case, f"{image}.target"))
    return np.array([area(cosines(case, image, protocol)[:, target]) for protocol in SHARES])
