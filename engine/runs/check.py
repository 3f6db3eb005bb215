"""What is wrong with a request before anything is measured or written."""

from __future__ import annotations

from collections.abc import Sequence

from engine.curves import check_classes
from engine.datasets import Item
from engine.runs.catalog import DEFAULT, METRICS, checked
from engine.runs.subject import specs_of, targets_of
from engine.runs.types import RunRequest
from engine.specs import parse
from engine.types import SidelightError


def check(request: RunRequest, items: Sequence[Item]) -> None:
    """SidelightError for methods, metrics, a reference and scores that cannot be meant for these images."""
    _check_specs(request)
    _check_classes(request, items)


def _check_specs(request: RunRequest) -> None:
    specs = specs_of(request)
    for spec in map(parse, specs):
        if "image" not in spec.method.branches:
            raise SidelightError(f"{spec.method.name} has no maps of images to measure; leave it out.")
    if request.reference is not None and str(parse(request.reference)) not in specs:
        raise SidelightError(f"The reference {request.reference[:80]!r} is none of the methods of the run.")


def _check_classes(request: RunRequest, items: Sequence[Item]) -> None:
    """SidelightError where curves are of a score by class, and no image has a prompt that is one."""
    wanted = checked(request.metrics) or DEFAULT
    if request.protocol.score == "cosine" or not any(METRICS[name].group == "curves" for name in wanted):
        return
    problem = None
    for item in items:
        if item.prompts:
            try:
                check_classes(request.protocol, targets_of(item, request.targets))
            except SidelightError as error:
                problem = problem or error
            else:
                return
    if problem is not None:
        raise problem
