"""`evaluate`: methods and metrics over an image set, with intervals; resumable, by any number of
processes."""

from __future__ import annotations

import argparse
import math
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL, Popen
from types import FrameType
from typing import NoReturn

from tqdm import tqdm

from engine.cli.common import add_model_arguments, check, positive, report, request_arguments
from engine.cli.protocol import add_protocol_arguments, protocol_of
from engine.registry import METHODS
from engine.runs import METRICS, RunRequest, RunResult, RunStatus
from engine.runs import run as run_set
from engine.specs import parse
from engine.types import SidelightError

ALL = "all"
SIGNALLED = 128  # and the signal's number: the shell's code for a program that a signal ended


def add_commands(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser(
        "evaluate",
        help="measure methods over an image set",
        description="Write DIR/table.parquet, table.csv and summary.csv. The same command goes on where it "
        "was stopped, and several processes may share DIR.",
    )
    command.add_argument("--set", required=True, metavar="SET", help="name of a set, or a folder of images")
    command.add_argument(
        "-m", "--method", action="append", required=True, metavar="SPEC",
        help="repeatable; all: every method that is not named with parameters of its own",
    )  # fmt: skip
    command.add_argument(
        "--metric", action="append", default=[], metavar="NAME",
        help=f"repeatable; default: {', '.join(n for n, m in METRICS.items() if m.default)}; "
        f"also: {', '.join(n for n, m in METRICS.items() if not m.default)}",
    )  # fmt: skip
    command.add_argument("--first", type=positive, metavar="N", help="the first N images only")
    command.add_argument("--targets", type=positive, metavar="N", help="at most N prompts an image")
    command.add_argument(
        "--reference", metavar="SPEC", help="what the others are compared with (default: the first)"
    )
    add_protocol_arguments(command)
    add_model_arguments(command)
    command.add_argument(
        "--workers", type=positive, default=1, metavar="N",
        help="processes that share the images and the processor's cores (default: 1)",
    )  # fmt: skip
    command.add_argument("--no-controls", action="store_true", help="leave random, center and edges out")
    command.add_argument("--out", required=True, type=Path, metavar="DIR")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    specs = methods(arguments.method)
    check(arguments, specs)
    request = RunRequest(
        set=arguments.set,
        specs=specs,
        metrics=tuple(arguments.metric),
        first=arguments.first,
        targets=arguments.targets,
        reference=arguments.reference,
        controls=not arguments.no_controls,
        protocol=protocol_of(arguments),
        seed=arguments.seed,
        **request_arguments(arguments),
    )
    bar = tqdm(unit="image", disable=None, smoothing=0.1)

    def show(status: RunStatus) -> None:
        if bar.total is None:
            bar.reset(status.total)
            bar.initial = status.done
        bar.n = status.done
        bar.set_postfix_str(f"{status.failed} skipped" if status.failed else "")

    with _helpers(arguments):
        found = run_set(request, arguments.out, progress=show)
    bar.close()
    print("\n".join(lines(found)))
    print(arguments.out)
    problems = (*found.status.problems, *found.unmeasured)
    return report((found.manifest["set"]["name"], problem) for problem in problems)


@contextmanager
def _helpers(arguments: argparse.Namespace) -> Iterator[None]:
    """The other workers: the same command with one worker each. They share the run by its folder, so that one
    that dies costs its image in hand only, which another takes."""
    if arguments.workers == 1:
        yield
        return
    import torch

    threads = max(1, (os.cpu_count() or 1) // arguments.workers)
    torch.set_num_threads(threads)
    command = [sys.executable, "-m", "engine", *arguments.command_line, "--workers", "1"]
    others = [
        Popen(
            command,
            env={**os.environ, "OMP_NUM_THREADS": str(threads)},
            stdout=DEVNULL,
            stderr=DEVNULL,
        )
        for _ in range(arguments.workers - 1)
    ]
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        for other in others:
            other.terminate()
            other.wait()


def _stop(number: int, _: FrameType | None) -> NoReturn:
    """End by way of what is to be done at the end, which SIGTERM leaves out."""
    raise SystemExit(SIGNALLED + number)


def methods(asked: list[str]) -> tuple[str, ...]:
    """The specs that are meant, `all` standing for every method of images that is not named besides."""
    named = [parse(spec) for spec in asked if spec != ALL]
    taken = {spec.method.name for spec in named}
    every = [
        name
        for name, m in METHODS.items()
        if "image" in m.branches and m.family != "control" and name not in taken
    ]
    found = list(map(str, named)) + (every if ALL in asked else [])
    if not found:
        raise SidelightError("There is no method to measure; add -m SPEC, or -m all.")
    return tuple(dict.fromkeys(found))


def lines(found: RunResult) -> list[str]:
    """The summary as text, a block a metric, the best method first."""
    width = max((len(e.spec) for e in found.summary), default=0)
    text = []
    for metric in dict.fromkeys(e.metric for e in found.summary):
        rows = [e for e in found.summary if e.metric == metric and e.images]
        text.append(f"\n{METRICS[metric].title} ({METRICS[metric].unit})")
        for e in sorted(rows, key=lambda e: math.inf if math.isnan(e.rank) else e.rank):
            within = "" if math.isnan(e.low) else f" [{e.low:.4f}, {e.high:.4f}]"  # none of one image
            alone = e.p_holm is None or math.isnan(e.difference)  # the reference, or no image in common
            apart = "" if alone else f"  {e.difference:+.4f}  p {e.p_holm:.3g}"
            text.append(f"  {e.spec:<{width}}  {e.mean:.4f}{within}{apart}")
    return text
