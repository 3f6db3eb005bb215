"""`methods`, `models`, `sets`: what there is; and `sets compose`, which makes scenes."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import engine.methods  # noqa: F401  registers every method
from engine import catalog, datasets
from engine.cli.common import positive, seed
from engine.registry import METHODS, Method
from engine.types import SidelightError


def add_commands(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser("methods", help="list the methods and their parameters")
    command.add_argument("--json", action="store_true", help="everything that is known of each, as JSON")
    command.set_defaults(run=methods)

    command = commands.add_parser("models", help="list the models, or the tags of one")
    command.add_argument("name", nargs="?", metavar="NAME")
    command.set_defaults(run=models)

    command = commands.add_parser("sets", help="list the image sets, or compose one")
    command.set_defaults(run=sets)
    actions = command.add_subparsers(metavar="compose")
    action = actions.add_parser("compose", help="compose a set of scenes with masks")
    action.add_argument("--count", type=positive, required=True, metavar="N")
    action.add_argument("--seed", type=seed, default=0)
    action.add_argument("--out", type=Path, required=True, metavar="DIR")
    action.set_defaults(run=compose)


def methods(arguments: argparse.Namespace) -> int:
    if arguments.json:
        print(json.dumps([_as_json(method) for method in METHODS.values()], indent=2, ensure_ascii=False))
        return 0
    for method in METHODS.values():
        year = f", {method.year}" if method.year else ""
        about = f"{method.family}; {', '.join(method.branches)}; {method.cost}"
        print(f"{method.name}: {method.title}{year} ({about})")
        print(f"    {_traits(method)}")
        if method.paper:
            print(f"    {method.paper} {method.url}".rstrip())
        for parameter in method.parameters:
            help = f"; {parameter.help}" if parameter.help else ""
            print(f"    {parameter.name}={parameter.default!r}: {parameter.valid()}{help}")
    return 0


def _traits(method: Method) -> str:
    """What tells a method's maps apart from others', and what it needs of a model."""
    traits = [
        f"version {method.version}",
        "signed" if method.signed else "not signed",
        "text-specific" if method.text_specific else "not text-specific",
        f"needs {' and '.join(method.requires)}" if method.requires else "runs on every model",
    ]
    return "; ".join(traits)


def _as_json(method: Method) -> dict[str, Any]:
    """Every field of a method that is data."""
    known = {field.name: getattr(method, field.name) for field in fields(method)}
    plain = {name: value for name, value in known.items() if not callable(value)}
    defaults = method.full({})
    return {
        **plain,
        "parameters": [{**asdict(p), "valid": p.valid()} for p in method.parameters],
        "mixes_prompts": method.mixes_prompts(defaults),
    }


def models(arguments: argparse.Namespace) -> int:
    if arguments.name is None:
        print("\n".join(catalog.names()))
        return 0
    if arguments.name not in catalog.names():
        raise SidelightError(
            f"There is no model {arguments.name[:80]!r}; python -m engine models lists them."
        )
    from engine.models import tags

    print("\n".join(tags(arguments.name)))
    return 0


def sets(arguments: argparse.Namespace) -> int:
    for found in datasets.sets():
        licence = f" [{found.licence}]" if found.licence else ""
        print(
            f"{found.name}: {found.title}, {len(found.items)} images{licence}. {found.description}".rstrip()
        )
        for problem in found.problems:
            print(problem, file=sys.stderr)
    return 0


def compose(arguments: argparse.Namespace) -> int:
    from engine.training.scenes import compose_set

    try:
        compose_set(arguments.out, arguments.count, arguments.seed)
    except OSError as error:
        raise SidelightError(
            f"The set cannot be written to {str(arguments.out)!r} ({error.strerror}); choose another --out."
        ) from error
    print(arguments.out)
    return 0
