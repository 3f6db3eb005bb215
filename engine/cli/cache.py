"""`cache`: look at the store of maps, check it, make room."""

from __future__ import annotations

import argparse

from engine.store import default_store


def add_commands(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser("cache", help="look after the store of maps (in SIDELIGHT_CACHE)")
    actions = command.add_subparsers(metavar="ACTION", required=True)
    actions.add_parser("info", help="what it holds").set_defaults(run=info)
    actions.add_parser("verify", help="read every entry; remove the damaged ones").set_defaults(run=verify)
    action = actions.add_parser("prune", help="remove old entries")
    action.add_argument("--older-than", type=float, required=True, metavar="DAYS")
    action.set_defaults(run=prune)
    actions.add_parser("clear", help="remove all entries").set_defaults(run=clear)


def info(arguments: argparse.Namespace) -> int:
    found = default_store().info()
    print(f"folder: {found.folder}")
    print(f"entries: {found.entries} ({found.bytes / 1e6:.1f} MB), shipped with the project: {found.shipped}")
    print("versions: " + ", ".join(f"{name} {number}" for name, number in found.versions.items()))
    if found.problem:
        print(f"problem: {found.problem}")
    return 0


def verify(arguments: argparse.Namespace) -> int:
    """Exit code 1 where damaged entries are left."""
    found = default_store().verify()
    print(f"{found.good} whole, {found.bad} damaged, {found.removed} removed")
    return int(found.bad > found.removed)


def prune(arguments: argparse.Namespace) -> int:
    print(f"{default_store().prune(arguments.older_than)} removed")
    return 0


def clear(arguments: argparse.Namespace) -> int:
    print(f"{default_store().clear()} removed")
    return 0
