"""`curves`: deletion and insertion curves of image files as npz, CSV and PNG."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from engine import images
from engine.cli.common import add_model_arguments, check, report, request_arguments
from engine.cli.protocol import add_protocol_arguments, protocol_of
from engine.cli.write import file_names, npz, write
from engine.curves import CurveRequest, Curves, arrays, check_classes, compute, figure, missing, table
from engine.models import load
from engine.types import Progress, Request, SidelightError, Target


def add_commands(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser(
        "curves",
        help="write deletion and insertion curves of image files",
        description="Write DIR/<image>.curves.npz, .csv and .png for each image, with the controls.",
    )
    command.add_argument("image", nargs="+", metavar="IMAGE")
    command.add_argument("-p", "--prompt", action="append", required=True, metavar="TEXT", help="repeatable")
    command.add_argument("-m", "--method", action="append", required=True, metavar="SPEC", help="repeatable")
    add_protocol_arguments(command)
    add_model_arguments(command)
    command.add_argument("--no-controls", action="store_true", help="leave random, center and edges out")
    command.add_argument("--out", required=True, type=Path, metavar="DIR")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    check(arguments, arguments.method)
    protocol = protocol_of(arguments)
    targets = tuple(Target(text) for text in dict.fromkeys(arguments.prompt))
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SidelightError(
            f"The folder {str(arguments.out)!r} cannot be made ({error.strerror}); choose another --out."
        ) from error
    bar = tqdm(total=len(arguments.image), unit="image", disable=None)

    def show(progress: Progress) -> None:
        bar.set_postfix_str(f"{progress.stage}, {progress.done} of {progress.total}")

    problems, model = [], None
    for path, name in zip(arguments.image, file_names(arguments.image), strict=True):
        try:
            maps = Request(
                images.load(path), targets, tuple(arguments.method), **request_arguments(arguments)
            )
        except SidelightError as error:
            problems.append((path, str(error)))
            continue
        request = CurveRequest(maps, protocol, not arguments.no_controls)
        check_classes(protocol, targets)
        if model is None and missing(request):  # its errors, and those of the request, concern every image
            model = load(arguments.model, arguments.pretrained, arguments.device, bar.set_postfix_str)
        try:
            found = compute(request, progress=show, loaded=model)
            for form, content in _files(found):
                write(arguments.out / f"{name}.curves.{form}", content)
        except SidelightError as error:
            problems.append((path, str(error)))
            continue
        problems += [(path, f"{failure.spec}: {failure.reason}") for failure in found.failures]
        bar.update()
        bar.write(str(arguments.out / f"{name}.curves.npz"))
    bar.close()
    return report(problems)


def _files(found: Curves) -> Iterator[tuple[str, bytes]]:
    """Each file's suffix and content, made as it is asked for."""
    yield "npz", npz(arrays(found))
    yield "csv", table(found)
    yield "png", figure(found)
