"""What a run will cost, before it starts: inputs of the image tower, counted from its request. Loads no
torch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median

from engine.catalog import describe
from engine.datasets import Item
from engine.models import Model
from engine.runs.catalog import DEFAULT, METRICS
from engine.runs.controls import is_control
from engine.runs.folder import RESULTS
from engine.runs.subject import specs_of, targets_of
from engine.runs.types import RunRequest
from engine.specs import Spec, parse
from engine.types import SidelightError

BACKWARD = 2  # forward passes that one backward pass costs
OF_PERTURBATION = {"road": 18, "saco": 11, "mu_fidelity": 200, "infidelity": 200}  # inputs a map
STEADY = 11  # pictures of which max-sensitivity wants a map
TIMED, ROUNDS = 16, 5  # inputs at once, and how often
DEPTHS = 4  # models with random weights that randomisation asks


def passes(request: RunRequest, items: Sequence[Item]) -> int:
    """About how many inputs the image tower computes for these images, a backward pass counted as two. An
    image without prompts costs nothing: it will be skipped."""
    return sum(_of_image(request, _targets(request, item)) for item in items)


def _targets(request: RunRequest, item: Item) -> int:
    try:
        return len(targets_of(item, request.targets))
    except SidelightError:
        return 0


def _of_image(request: RunRequest, targets: int) -> int:
    if not targets:
        return 0
    wanted = set(request.metrics or DEFAULT)
    specs = [parse(spec) for spec in specs_of(request)]
    maps, extras = len(specs) * targets, len({"text_specificity", "meaningless_text"} & wanted)
    own = sum(_of_method(spec, targets + extras, request) for spec in specs)
    once = sum(_of_method(spec, targets, request) for spec in specs)
    total = own + maps * sum(n for name, n in OF_PERTURBATION.items() if name in wanted)
    if any(METRICS[name].group == "curves" for name in wanted):
        total += maps * _of_curves(request)
    if {"confidence_drop", "confidence_increase"} & wanted:
        total += maps
    if "max_sensitivity" in wanted:
        total += STEADY * once
    if {"randomisation", "randomisation_ssim"} & wanted:
        total += DEPTHS * once
    if {"milliseconds_alone", "forward_passes"} & wanted:
        total += once
    return total


def _of_curves(request: RunRequest) -> int:
    """Of both orders of one map; revealing the rest is hiding the most relevant, where the fill is one."""
    points = len(request.protocol.deletion) + len(request.protocol.insertion)
    return points if request.protocol.hide == request.protocol.reveal else 2 * points


def _of_method(spec: Spec, targets: int, request: RunRequest) -> int:
    """From the parameters that say how often a method runs the model; one recording where none does."""
    params, name = dict(spec.params), spec.method.name
    if is_control(str(spec)):
        return 0
    if name == "occlusion":
        wanted = describe(request.model, request.pretrained).preprocess
        rows, columns = (side // wanted.patch // params["stride"] for side in wanted.size)
        return rows * columns
    if name == "rise":
        return params["masks"]
    times = 10 * params["steps"] // 2 if name == "m2ib" else params.get("steps") or params.get("samples") or 1
    return times * (1 + BACKWARD) * targets if times > 1 else 1 + BACKWARD * targets


def seconds_a_pass(model: Model) -> float:
    """Wall time of one input of the model's image tower, in a batch: the quickest of some rounds, for the
    first is longer, and so is one beside other work. Loads torch."""
    import torch

    inputs = torch.zeros(TIMED, 3, *model.info.preprocess.size, device=model.device)
    rounds = []
    with model.lock, torch.no_grad():
        for _ in range(ROUNDS):
            started = time.perf_counter()
            model.image.encode(inputs).sum().item()  # waits for the device
            rounds.append(time.perf_counter() - started)
    return min(rounds) / TIMED


def seconds_an_image(folder: Path) -> float | None:
    """The median time from one result of a run to the next, which leaves out what it stood still; None for
    fewer than three."""
    times = sorted(path.stat().st_mtime for path in (folder / RESULTS).glob("*.json"))
    if len(times) < 3:
        return None
    return median(after - before for before, after in pairwise(times)) or None
