"""Method specs as people type them, `grad_eclip(heads='single')`, to `Spec`. Loads no torch."""

from __future__ import annotations

import ast
import difflib
from typing import Any

import engine.methods  # noqa: F401  registers every method
from engine.registry import METHODS, Spec
from engine.types import SidelightError

LONGEST_SPEC = 500


def parse(text: str) -> Spec:
    """A method spec such as `grad_eclip(heads='single')`; SidelightError says in one sentence what is valid.

    At most 500 characters, keyword arguments only, no duplicates, values are Python literals.
    """
    shown = text if len(text) <= 60 else text[:57] + "..."
    if len(text) > LONGEST_SPEC:
        raise SidelightError(f"The method {shown!r} is longer than {LONGEST_SPEC} characters; shorten it.")
    form = f"The method {shown!r} is not understood; write name or name(key=value, ...)."
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise SidelightError(form) from None
    call = tree if isinstance(tree, ast.Call) else None
    name = call.func if call else tree
    if not isinstance(name, ast.Name) or (call and call.args):
        raise SidelightError(form)
    if name.id not in METHODS:
        near = difflib.get_close_matches(name.id, METHODS, n=1)
        hint = f"did you mean {near[0]}? The" if near else "the"
        raise SidelightError(f"There is no method {name.id!r}; {hint} methods are {', '.join(METHODS)}.")
    given: dict[str, Any] = {}
    for keyword in call.keywords if call else ():
        if keyword.arg is None:
            raise SidelightError(form)
        if keyword.arg in given:
            raise SidelightError(f"{name.id}: {keyword.arg} is given twice; give it once.")
        try:
            given[keyword.arg] = ast.literal_eval(keyword.value)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            raise SidelightError(
                f"{name.id}: the value of {keyword.arg} must be a plain number, text, True, False or None."
            ) from None
    full = METHODS[name.id].full(given)
    return Spec(METHODS[name.id], tuple(sorted(full.items())))
