"""The command line: `python -m engine explain | curves | evaluate | methods | models | ...`.

Exit code 0; 1 where some of the inputs failed and were named; 2 for bad arguments, with one line on stderr.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from engine.cli import cache, curves, evaluate, explain, lists, precompute
from engine.types import SidelightError

INTERRUPTED = 130  # the shell's code for a program stopped by Ctrl-C


class Parser(argparse.ArgumentParser):
    """argparse with errors of one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {' '.join(message.split())}\n")


def parser() -> argparse.ArgumentParser:
    """The whole menu; each command adds its own arguments and its function."""
    top = Parser(prog="python -m engine", description="Explanation methods of CLIP, side by side.")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    for module in (explain, curves, evaluate, lists, precompute, cache):
        module.add_commands(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    arguments = parser().parse_args(words, argparse.Namespace(command_line=words))
    try:
        return arguments.run(arguments)
    except SidelightError as error:
        print(f"python -m engine: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, such as head, has left; keep the interpreter from writing on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("Stopped; the maps that were finished are kept in the cache.", file=sys.stderr)
        return INTERRUPTED
