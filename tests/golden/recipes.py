"""Which computation of the engine answers which recorded key: a table of patterns and functions.

A pattern's named groups become keywords of its function, which returns our array for a case, images first.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from engine.explain import explain
from engine.types import Branch, Explanation, Map, Request, Target
from tests.golden.folder import Case

COSINE, MAP, DIVIDED = 1e-5, 1e-4, 1e-3  # limits of README.md: scores; raw maps; maps divided by their sum
HEADS = {"official_1head": "single", "multihead": "model"}
HEAD = "(?P<heads>official_1head|multihead)"


@dataclass(frozen=True)
class Recipe:
    """pattern: of whole keys. limit: of the relative error. recorded: the array as it is compared."""

    pattern: re.Pattern[str]
    limit: float
    compute: Callable[..., np.ndarray]
    recorded: Callable[[np.ndarray], np.ndarray]


RECIPES: list[Recipe] = []


def recipe(
    pattern: str, limit: float, recorded: Callable[[np.ndarray], np.ndarray] = lambda array: array
) -> Callable:
    """Enter a function in the table."""

    def enter(compute: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
        RECIPES.append(Recipe(re.compile(pattern), limit, compute, recorded))
        return compute

    return enter


def find(key: str) -> tuple[Recipe, dict[str, Any]] | None:
    """The recipe of a key and what its pattern found, or None where the key is not covered."""
    found = [(r, match.groupdict()) for r in RECIPES if (match := r.pattern.fullmatch(key))]
    if len(found) > 1:
        raise ValueError(f"{key} has {len(found)} recipes: {', '.join(r.pattern.pattern for r, _ in found)}")
    return found[0] if found else None


class Nowhere:
    """A store that keeps nothing, so that every map is computed."""

    def get(self, key: Any) -> None:
        return None

    def put(self, key: Any, arrays: Any, meta: Any) -> None:
        return None


@lru_cache(maxsize=512)
def explanations(
    case: Case, spec: str, branch: Branch, targets: tuple[Target, ...] = ()
) -> tuple[Explanation, ...]:
    """One explanation an image, of these targets, or of all prompts of the case."""
    targets = targets or tuple(map(Target, case.prompts))
    found = []
    for image in case.images:
        request = Request(image, targets, (spec,), resize="squash", branch=branch)
        found.append(explain(request, store=Nowhere(), loaded=case.model))
        if found[-1].failures:
            raise ValueError(found[-1].failures[0].reason)
    return tuple(found)


def gather(
    case: Case, spec: str, branch: Branch, read: Callable[[Map], Any], targets: tuple[Target, ...] = ()
) -> np.ndarray:
    """`read` of every map, [I Q ...]."""
    targets = targets or tuple(map(Target, case.prompts))
    each = []
    for found in explanations(case, spec, branch, targets):
        by_target = {m.target: read(m) for m in found.maps}  # equal targets are one map
        each.append([by_target[target.label] for target in targets])
    return np.array(each)


def maps(case: Case, spec: str, targets: tuple[Target, ...] = ()) -> np.ndarray:
    """[I Q gh gw]"""
    return gather(case, spec, "image", lambda m: m.values, targets)


def rows(case: Case, spec: str) -> np.ndarray:
    """Whole token rows of the text branch, [I Q context]."""
    return gather(case, spec, "text", lambda m: m.values)


def words(case: Case, spec: str) -> np.ndarray:
    """Token rows, zero outside the words, [I Q context]."""
    return gather(case, spec, "text", lambda m: np.where(m.content, m.values, 0))


def explained(case: Case, spec: str, branch: Branch = "image") -> np.ndarray:
    """Cosine of the forward pass that the method read, [I Q]."""
    return gather(case, spec, branch, lambda m: m.explained_score)


def eclip(
    heads: str, layers: str | int = 1, ksim: bool = True, notebook: bool = False, sign: str = "positive"
) -> str:
    """The spec of Grad-ECLIP in one of its authors' versions."""
    return (
        f"grad_eclip(heads={HEADS[heads]!r}, layers={int(layers)}, key_similarity={ksim}, "
        f"projected={not notebook}, sign={sign!r})"
    )
