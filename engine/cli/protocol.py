"""Arguments of `curves` and `evaluate` that say how curves are made."""

from __future__ import annotations

import argparse
from dataclasses import replace

from engine.cli.common import read_lines, seed
from engine.curves import FILLS, IMAGENET, PRESETS, SCORES, UNITS, Protocol, preset
from engine.types import SidelightError


def add_protocol_arguments(command: argparse.ArgumentParser) -> None:
    """--preset and what changes it: --unit, --fill, --steps, --score, --classes, --seed."""
    command.add_argument("--preset", default="default", help=f"{', '.join(PRESETS)} (default: default)")
    command.add_argument("--unit", choices=UNITS, help="what is hidden and revealed")
    command.add_argument("--fill", choices=FILLS, help="what stands in for what is hidden")
    command.add_argument("--steps", type=int, metavar="N", help="steps from 0 to 100 %%; N + 1 points")
    command.add_argument("--score", choices=SCORES)
    command.add_argument(
        "--classes", metavar="FILE", help="one class a line, for probability and top-k; or imagenet"
    )
    command.add_argument("--seed", type=seed, default=0)


def protocol_of(arguments: argparse.Namespace) -> Protocol:
    """The protocol that was asked for; SidelightError where it cannot be meant."""
    found = replace(preset(arguments.preset), seed=arguments.seed)
    if arguments.unit:
        found = replace(found, unit=arguments.unit)
    if arguments.fill:
        found = replace(found, hide=arguments.fill, reveal=arguments.fill)
    if arguments.steps is not None:
        if not 1 <= arguments.steps <= 10_000:
            raise SidelightError(f"--steps must be from 1 to 10000, not {arguments.steps}.")
        shares = tuple(n / arguments.steps for n in range(arguments.steps + 1))
        found = replace(found, deletion=shares, insertion=shares, steps=0)
    if arguments.score:
        found = replace(found, score=arguments.score)
    if arguments.classes == IMAGENET:
        found = replace(found, classes=IMAGENET)
    elif arguments.classes:
        classes = tuple(dict.fromkeys(read_lines(arguments.classes, "a list of classes, one a line")))
        found = replace(found, classes=classes)
    return found
