"""Twins of engine.methods.perturbation: one hidden picture, or one shortened prompt, at a time."""

from __future__ import annotations

import numpy as np
import torch
from skimage.transform import resize
from torch import Tensor

from tests.engine.twins import Case, twin
from tests.engine.twins.plain import embed_image, embed_text, signed, token_ids, unit

PATCH = 16


def _score(case: Case, pixels: Tensor) -> Tensor:
    return embed_image(case.clip, pixels) @ embed_text(case.clip, case.prompts[case.index])


def _masks(
    count: int, cells: int, probability: float, height: int, width: int, seed: int
) -> list[np.ndarray]:
    """As RISE's authors make them, with scikit-image."""
    generator = np.random.default_rng(seed)
    shown = generator.random((count, cells, cells)) < probability
    up, left = -(-height // cells), -(-width // cells)
    shifts = generator.integers(0, [up, left], (count, 2))
    found = []
    for grid, (top, first) in zip(shown, shifts, strict=True):
        size = ((cells + 1) * up, (cells + 1) * left)
        large = resize(grid.astype(float), size, order=1, mode="reflect", anti_aliasing=False)
        found.append(large[top : top + height, first : first + width])
    return found


@twin("rise(masks=20)", "rise(cells=3, masks=7, probability=0.2, seed=3)", "rise(masks=5, pixels=True)")
def rise(case: Case) -> Tensor:
    p, (_, height, width) = case.params, case.pixels.shape
    total = torch.zeros(height, width).double()
    for mask in _masks(p["masks"], p["cells"], p["probability"], height, width, p["seed"]):
        mask = torch.as_tensor(mask)
        total += _score(case, case.pixels * mask) * mask
    total /= p["masks"] * p["probability"]
    return total if p["pixels"] else _over_patches(total)


def _over_patches(total: Tensor) -> Tensor:
    """Class token, then the mean of each patch."""
    height, width = total.shape
    means = [
        total[r : r + PATCH, c : c + PATCH].mean()
        for r in range(0, height, PATCH)
        for c in range(0, width, PATCH)
    ]
    return torch.stack([torch.zeros(()).double(), *means])


def _starts(count: int, window: int, stride: int) -> list[int]:
    last = max(count - window, 0)
    return sorted({*range(0, last, stride), last})


@twin("occlusion", "occlusion(window=2)", "occlusion(sign='negative', stride=2, window=3)")
def occlusion(case: Case) -> Tensor:
    p = case.params
    rows, columns = case.pixels.shape[1] // PATCH, case.pixels.shape[2] // PATCH
    lost = [[[] for _ in range(columns)] for _ in range(rows)]
    for r in _starts(rows, p["window"], p["stride"]):
        for c in _starts(columns, p["window"], p["stride"]):
            changed = case.pixels.clone()
            changed[:, r * PATCH : (r + p["window"]) * PATCH, c * PATCH : (c + p["window"]) * PATCH] = 0
            drop = _score(case, case.pixels) - _score(case, changed)
            for row in lost[r : r + p["window"]]:
                for place in row[c : c + p["window"]]:
                    place.append(drop)
    means = [sum(place) / len(place) for row in lost for place in row]
    return signed(torch.stack([torch.zeros(()).double(), *means]), p["sign"])


@twin("leave_one_out", "leave_one_out(sign='positive')")
def leave_one_out(case: Case) -> Tensor:
    clip, query = case.clip, embed_image(case.clip, case.pixels)
    ids = token_ids(clip, case.prompts[case.index]).tolist()
    end = ids.index(max(ids))

    def score(tokens: list[int]) -> Tensor:
        with torch.no_grad():
            return unit(clip.encode_text(torch.tensor([tokens]))[0]) @ query

    lost = [torch.zeros(()).double() for _ in ids]
    for place in range(1, end):
        lost[place] = score(ids) - score([*ids[:place], *ids[place + 1 :], 0])
    return signed(torch.stack(lost), case.params["sign"])
