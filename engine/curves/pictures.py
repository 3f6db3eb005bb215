"""What stands in the place of a hidden unit, and which unit comes first. Loads SciPy where it is used."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine import images
from engine.curves.types import Curve, Curves, Protocol
from engine.metrics.curve import counts, kept, ranks
from engine.metrics.road import enlarge, impute
from engine.render.scales import enlarge as enlarge_map
from engine.types import Image, Preprocess, SidelightError

KERNEL, SIGMA = 11, 5  # of RISE's blur: side of the kernel and its standard deviation, in pixels
KINDS = ("deletion", "insertion", "deletion_least", "insertion_least")


@dataclass(frozen=True)
class Ground:
    """A picture and what stands in for its hidden units: float32 (3, height, width), 0..1.

    base: untouched, in the protocol's space. hidden, revealed: the fills of deletion and of insertion. seen:
    (left, top, right, bottom), where in it the model's map lies, in pixels. units: (rows, columns).
    """

    base: np.ndarray
    hidden: np.ndarray
    revealed: np.ndarray
    seen: tuple[int, int, int, int]
    units: tuple[int, int]


def ground(image: Image, preprocess: Preprocess, resize: str, protocol: Protocol) -> Ground:
    """The picture and its fills. In the space 'input' the picture is what the model gets to see."""
    if protocol.space == "image":
        base = image.pixels.transpose(2, 0, 1).astype(np.float32) / np.float32(255)
        place = images.geometry(image.size, preprocess, resize)
        seen, units = tuple(round(edge) for edge in place.seen), base.shape[-2:]
    else:
        prepared = images.prepare(image, preprocess, resize)
        mean, std = (np.asarray(v, np.float32)[:, None, None] for v in (preprocess.mean, preprocess.std))
        base = prepared.pixels * std + mean
        seen = (0, 0, base.shape[-1], base.shape[-2])
        units = prepared.grid if protocol.unit == "patch" else base.shape[-2:]
    fills = [_fill(name, base, preprocess, protocol.seed) for name in (protocol.hide, protocol.reveal)]
    return Ground(base, *fills, seen=seen, units=units)


def _fill(name: str, base: np.ndarray, preprocess: Preprocess, seed: int) -> np.ndarray:
    """A fill as a picture; of 'neighbours', which differs from mask to mask, the mean colour."""
    if name == "black":
        return np.zeros_like(base)
    if name == "noise":
        colours = np.random.default_rng(seed).random(base.shape)
        return np.floor(colours * 255).astype(np.float32) / np.float32(255)
    mean = np.broadcast_to(np.asarray(preprocess.mean, np.float32)[:, None, None], base.shape).copy()
    if name != "blur":
        return mean
    from scipy import ndimage  # takes a part of a page's first second, and other fills do without

    # RISE's kernel: a Gaussian folded into 11 pixels. What lies outside counts as the mean colour.
    kernel = ndimage.gaussian_filter1d(np.eye(KERNEL)[KERNEL // 2], SIGMA)
    blurred = base - mean
    for axis in (1, 2):
        blurred = ndimage.convolve1d(blurred, kernel, axis=axis, mode="constant")
    return (blurred + mean).astype(np.float32)


def unit_ranks(values: np.ndarray, place: Ground, protocol: Protocol) -> np.ndarray:
    """Ranks, int32 (rows, columns), of the units of a map (patches, or pixels of the model's input).

    Over pixels a map is enlarged linearly; pixels that the model does not see come last. Over patches a pixel
    map counts with its means.
    """
    if protocol.unit == "patch":
        return ranks(over_patches(values, place.units))
    left, top, right, bottom = place.seen
    large = np.full(place.units, -np.inf, np.float32)
    large[top:bottom, left:right] = enlarge_map(values, (right - left, bottom - top))
    return ranks(large)


def over_patches(values: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """A map over the patches of `grid` (rows, columns); one over pixels counts with its means."""
    if values.shape == grid:
        return values
    rows, columns = grid
    return values.reshape(rows, values.shape[0] // rows, columns, -1).mean((1, 3))


def filled(place: Ground, keep: np.ndarray, fill: str, instead: np.ndarray, seed: int) -> np.ndarray:
    """The picture where `keep` (rows, columns) says so, else `instead`; 'neighbours' is drawn anew from
    what is kept. float32 (3, height, width)."""
    large = enlarge(keep[None], place.base.shape[-2:])[0]
    if fill == "neighbours":
        return impute(place.base, large, seed=seed)
    return np.where(large, place.base, instead)


def as_picture(unit: np.ndarray) -> np.ndarray:
    """float (3, height, width) in 0..1 as uint8 (height, width, 3)."""
    return np.rint(unit.clip(0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)


def changed_units(curves: Curves, kind: str) -> np.ndarray:
    """How many units are hidden or revealed at each point of a curve of `kind` (one of KINDS), int (s,)."""
    if kind not in KINDS:
        raise SidelightError(f"There is no curve {kind[:80]!r}; use {', '.join(KINDS)}.")
    protocol = curves.protocol
    shares = protocol.insertion if kind.startswith("insertion") else protocol.deletion
    return counts(shares, curves.units[0] * curves.units[1], protocol.steps)


def perturbed(curves: Curves, curve: Curve, index: int, kind: str = "deletion") -> np.ndarray:
    """The picture at point `index` of a curve of `kind` (one of KINDS), uint8 (height, width, 3)."""
    changed = changed_units(curves, kind)[index]
    protocol, insert = curves.protocol, kind.startswith("insertion")
    keep = kept(curve.ranks.ravel(), changed, insert=insert, least=kind.endswith("least"))
    place = ground(curves.image, curves.model.preprocess, curves.resize, protocol)
    fill, instead = (protocol.reveal, place.revealed) if insert else (protocol.hide, place.hidden)
    return as_picture(filled(place, keep.reshape(curve.ranks.shape), fill, instead, protocol.seed))
