"""Arguments of `curves` and `evaluate` that say how curves are made."""

from __future__ import annotations

import argparse
from dataclasses import replace

from engine.cli.common import read_lines, seed
from engine.curves import FILLS, IMAGENET, PRESETS, SCORES, UNITS, Protocol, altered, preset


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
    classes = arguments.classes
    if classes is not None and classes != IMAGENET:
        classes = read_lines(classes, "a list of classes, one a line")
    found = altered(
        preset(arguments.preset),
        unit=arguments.unit,
        fill=arguments.fill,
        steps=arguments.steps,
        score=arguments.score,
        classes=classes,
    )
    return replace(found, seed=arguments.seed)
