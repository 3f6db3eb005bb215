"""Recipes: M2IB, RISE with the recorded masks, Grad-CAM on a ResNet."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from engine.methods.bottleneck import authors_text
from engine.methods.perturbation import masked_relevance
from engine.precision import exact_float32
from engine.trace import record
from tests.golden.first_methods import pixels, unit
from tests.golden.folder import Case
from tests.golden.recipes import COSINE, MAP, maps, recipe, rows

NOISY = 1e-2  # limit of README.md: ten steps of an optimiser at rate 1 enlarge the last digit
SIGNS = {"pos": "positive", "neg": "negative"}
PER_PASS = 16


def _m2ib(case: Case, layer: str, seed: int) -> str:
    how = case.meta["m2ib"]
    return f"m2ib(layer={layer}, label='authors', beta={how['beta']}, steps={how['steps']}, seed={seed})"


@recipe(r"m2ib\.(?P<branch>image|text)\.layer(?P<layer>\d+)\.seeds", NOISY)
def m2ib(case: Case, branch: str, layer: str) -> np.ndarray:
    """[I Q seeds ...]"""
    read = maps if branch == "image" else rows
    return np.stack([read(case, _m2ib(case, layer, seed)) for seed in case.meta["m2ib"]["seeds"]], axis=2)


@lru_cache(maxsize=4)
def _labels(case: Case) -> torch.Tensor:
    with exact_float32(), torch.no_grad():
        return authors_text(case.model.text, case.model.token_ids(case.prompts))


@recipe(r"text_label_embedding", COSINE, unit)
def text_label(case: Case) -> np.ndarray:
    return _labels(case).numpy()


@recipe(r"cosine_m2ib", COSINE)
def cosine_of_label(case: Case) -> np.ndarray:
    with exact_float32(), torch.no_grad():
        return (case.model.image.encode(pixels(case)) @ _labels(case).T).numpy()


@lru_cache(maxsize=4)
def _rise(case: Case, image: int, in_pixels: bool) -> np.ndarray:
    """[Q ...] with the masks recorded beside the case, half of whose cells are shown."""
    with np.load(case.folder / "rise_masks.npz") as file:
        masks = torch.as_tensor(file["masks_u8"] / 255, dtype=torch.float32)
    with exact_float32(), torch.no_grad():
        trace = record(
            case.model.image, pixels(case)[image : image + 1], case.model.embed_texts(case.prompts)
        )
        found = masked_relevance(trace, masks.split(PER_PASS), len(masks), 0.5, pixels=in_pixels)[:, 0]
    return found.numpy() if in_pixels else found[:, trace.content[0]].unflatten(1, trace.grid).numpy()


@recipe(r"rise\.full\.image(?P<image>\d+)", MAP)
def rise_in_pixels(case: Case, image: str) -> np.ndarray:
    """[Q height width]"""
    return _rise(case, int(image), True)


@recipe(r"rise\.patchmean", MAP)
def rise(case: Case) -> np.ndarray:
    """[I Q gh gw]"""
    return np.stack([_rise(case, image, False) for image in range(len(case.images))])


@recipe(r"gradcam\.layer4\.(?P<sign>pos|neg)", MAP)
def grad_cam_of_resnet(case: Case, sign: str) -> np.ndarray:
    return maps(case, f"grad_cam(sign={SIGNS[sign]!r})")
