"""`precompute`: fill the store with the maps of an image set, so that its pages open at once."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine import datasets, images
from engine.cli.common import (
    Runner,
    add_model_arguments,
    check,
    failures,
    positive,
    report,
    request_arguments,
)
from engine.datasets import ImageSet, Item
from engine.explain import keys
from engine.store import default_store
from engine.tiles import checked_targets
from engine.types import Request, SidelightError, Target

FIRST_VISIT = ("grad_eclip", "game", "grad_cam", "maskclip", "self_attention")


def add_commands(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser("precompute", help="fill the store with the maps of an image set")
    command.add_argument("set", metavar="SET", help="name of a set, or a folder of images")
    command.add_argument("--first", type=positive, metavar="N", help="the first N images only")
    command.add_argument(
        "-p",
        "--prompt",
        action="append",
        metavar="TEXT",
        help="repeatable; default: each image's own prompts",
    )
    command.add_argument(
        "--prompts", type=positive, metavar="N", help="only the first N of each image's own prompts"
    )
    command.add_argument(
        "-m",
        "--method",
        action="append",
        metavar="SPEC",
        help=f"repeatable; default: {', '.join(FIRST_VISIT)}",
    )
    add_model_arguments(command)
    command.add_argument(
        "--export", type=Path, metavar="DIR", help="also write the entries as files into DIR"
    )
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    specs = tuple(arguments.method or FIRST_VISIT)
    check(arguments, specs)
    found = _set(arguments.set)
    items = found.items[: arguments.first]
    runner = Runner(arguments, len(items))
    problems = [(found.name, problem) for problem in found.problems]
    store_keys, computed = [], 0
    for item in items:
        try:
            request = Request(
                images.load(item.path), _targets(item, arguments), specs, **request_arguments(arguments)
            )
            checked_targets(request)
        except SidelightError as error:
            problems.append((item.id, str(error)))
            continue
        runner.load(request)
        try:
            explanation = runner.explain(request)
        except SidelightError as error:
            problems.append((item.id, str(error)))
            continue
        computed += explanation.computed
        problems += [(item.id, sentence) for sentence in failures(explanation)]
        store_keys += keys(request) if arguments.export else []
        runner.step()
    runner.close()
    print(f"{found.name}: {_counted(len(items), 'image')}, {_counted(computed, 'map')} computed")
    if arguments.export:
        _export(store_keys, arguments.export)
    return report(problems)


def _export(store_keys: list[Mapping[str, Any]], folder: Path) -> None:
    try:
        count = default_store().export(store_keys, folder)
    except OSError as error:
        raise SidelightError(
            f"The entries cannot be written to {str(folder)!r} ({error.strerror}); choose another --export."
        ) from error
    print(f"{_counted(count, 'entry', 'entries')} written to {folder}")


def _counted(number: int, one: str, more: str = "") -> str:
    return f"{number} {one if number == 1 else more or f'{one}s'}"


def _set(name: str) -> ImageSet:
    known = {found.name for found in datasets.sets()}
    return datasets.read(Path(name)) if name not in known and Path(name).is_dir() else datasets.find(name)


def _targets(item: Item, arguments: argparse.Namespace) -> tuple[Target, ...]:
    prompts = arguments.prompt or item.prompts[: arguments.prompts]
    if not prompts:
        raise SidelightError("it has no prompts of its own; add -p TEXT.")
    return tuple(Target(text) for text in dict.fromkeys(prompts))
