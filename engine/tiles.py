"""A request taken apart into tiles, one map each, with the store key of each; and maps to entries and back.

Loads no torch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.registry import Spec
from engine.specs import parse
from engine.types import (
    PROMPTS_ONLY,
    RESIZE_POLICIES,
    Branch,
    Map,
    ModelInfo,
    Request,
    SidelightError,
    Target,
)

KEY_FORMAT = 1


@dataclass(frozen=True)
class Tile:
    """One map that was asked for, and the store key it goes by."""

    branch: Branch
    spec: Spec
    target: Target
    key: Mapping[str, Any]


def checked_targets(request: Request) -> tuple[Target, ...]:
    """The targets of a request, each once; SidelightError for bad policies, branches and prompts."""
    if request.resize not in RESIZE_POLICIES:
        raise SidelightError(
            f"There is no resize policy {request.resize!r}; use {', '.join(RESIZE_POLICIES)}."
        )
    if request.branch not in ("image", "text", "both"):
        raise SidelightError(f"There is no branch {request.branch!r}; use image, text or both.")
    for target in request.targets:
        _check_target(target)
    labels: dict[str, Target] = {}
    for target in request.targets:
        if labels.setdefault(target.label, target).as_json() != target.as_json():
            raise SidelightError(
                f"Two different targets are called {target.label!r}; ask for them one at a time."
            )
    return tuple(labels.values())


def _check_target(target: Target) -> None:
    """SidelightError where a target lacks a part, or has one that cannot be meant."""
    if target.kind != "image" and not target.text.strip():
        raise SidelightError("A prompt is empty; write a few words to look for.")
    for text in (target.text, target.minus, *target.classes):
        if any("\ud800" <= mark <= "\udfff" for mark in text):  # how Python shows bytes that are no UTF-8
            raise SidelightError(f"The text {text[:80]!a} is not valid Unicode; write it in UTF-8.")
    if target.kind == "image" and target.image is None:
        raise SidelightError("A target of kind 'image' has no image; give one.")
    if target.kind == "class":
        if target.text not in target.classes:
            raise SidelightError(f"{target.text[:80]!r} is none of the classes; add it to them.")
        check_distinct(target.classes)


def check_distinct(classes: Sequence[str]) -> None:
    """SidelightError where a class is named twice: it would share its probability with itself."""
    for name, times in Counter(classes).items():
        if times > 1:
            raise SidelightError(
                f"The class {name[:80]!r} is named {times} times, which would divide its probability; name "
                "it once."
            )


def tiles_of(request: Request, info: ModelInfo) -> list[Tile]:
    """Every map of a request; SidelightError for bad specs, policies, branches and prompts."""
    targets = checked_targets(request)
    branches: tuple[Branch, ...] = ("image", "text") if request.branch == "both" else (request.branch,)
    specs = list({str(spec): spec for spec in map(parse, request.specs)}.values())
    tiles = []
    for branch in branches:
        for spec in specs:
            if branch not in spec.method.branches:
                if request.branch == "both":
                    continue
                raise SidelightError(
                    f"{spec.method.name} has no {branch} branch; leave it out or change the branch."
                )
            tiles += [Tile(branch, spec, t, _key(request, info, branch, spec, t)) for t in targets]
    return tiles


def refusal_of(tile: Tile, info: ModelInfo) -> str:
    """Why a tile has no map whatever is computed, in a sentence; '' where it can have one."""
    if tile.branch == "image":
        return tile.spec.method.refusal(info.offers)
    if tile.target.kind != "text":
        return PROMPTS_ONLY
    return ""


def origin_of(request: Request, info: ModelInfo, branch: Branch) -> dict[str, Any]:
    """The part of a store key that says what was run on what."""
    return {
        "format": KEY_FORMAT,
        "image": request.image.digest,
        "model": info.id,
        "weights": info.digest,
        "preprocess": info.preprocess.as_json(),
        "resize": request.resize,
        "branch": branch,
        "dtype": "float32",
    }


def _key(request: Request, info: ModelInfo, branch: Branch, spec: Spec, target: Target) -> dict[str, Any]:
    named = target.as_json()
    if spec.mixes_prompts():
        named = {"of": named, "all": [t.as_json() for t in request.targets]}
    return {
        **origin_of(request, info, branch),
        "method": spec.method.name,
        "version": spec.method.version,
        "params": dict(spec.params),
        "target": named,
    }


def map_of(tile: Tile, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> Map:
    """The map that a store entry holds."""
    return Map(
        spec=str(tile.spec),
        branch=tile.branch,
        target=tile.target.label,
        values=arrays["map"],
        score=meta["score"],
        explained_score=meta["explained_score"],
        seconds=meta["seconds"],
        note=meta["note"],
        content=arrays["content"].astype(bool) if "content" in arrays else None,
        tokens=tuple(meta.get("tokens", ())),
        spans=tuple(tuple(span) for span in meta.get("spans", ())),
    )


def entry_of(result: Map) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """A map as the store keeps it: arrays and JSON."""
    meta = {
        "score": result.score,
        "explained_score": result.explained_score,
        "seconds": result.seconds,
        "note": result.note,
    }
    arrays = {"map": result.values}
    if result.content is not None:
        arrays["content"] = result.content.astype(np.uint8)
        meta |= {"tokens": list(result.tokens), "spans": [list(span) for span in result.spans]}
    return arrays, meta
