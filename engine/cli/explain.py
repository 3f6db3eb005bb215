"""`explain`: raw maps of image files as npz, with a manifest that says how to repeat them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from engine import images
from engine.cli.common import (
    Runner,
    add_model_arguments,
    check,
    failures,
    read_lines,
    report,
    request_arguments,
)
from engine.cli.write import Entry, arrays, file_names, npz, write, write_manifest
from engine.render import figure_png
from engine.specs import parse
from engine.types import Request, SidelightError, Target


def add_commands(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser(
        "explain",
        help="write maps of image files",
        description="Write DIR/<image>.npz with the raw maps of each image, and DIR/manifest.json.",
    )
    command.add_argument("image", nargs="+", metavar="IMAGE")
    command.add_argument("-p", "--prompt", action="append", default=[], metavar="TEXT", help="repeatable")
    command.add_argument(
        "-m", "--method", action="append", required=True, metavar="SPEC",
        help="name or name(key=value, ...), repeatable; python -m engine methods lists them",
    )  # fmt: skip
    command.add_argument("--minus", metavar="TEXT", help="explain each prompt minus this text")
    command.add_argument(
        "--templates", action="store_true", help="explain each prompt put into CLIP's 80 ImageNet templates"
    )
    command.add_argument(
        "--target-image", action="append", default=[], metavar="FILE",
        help="explain the likeness to another image, repeatable",
    )  # fmt: skip
    command.add_argument(
        "--classes", metavar="FILE",
        help="one class a line: explain each prompt's probability among them; without -p, each class's",
    )  # fmt: skip
    add_model_arguments(command)
    command.add_argument("--branch", choices=("image", "text", "both"), default="image")
    command.add_argument("--out", required=True, type=Path, metavar="DIR")
    command.add_argument(
        "--png", action="store_true", help="also write DIR/<image>.png, the maps over the image"
    )
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    check(arguments, arguments.method)
    targets = _targets(arguments)
    specs, branch = _branches(arguments, targets)
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SidelightError(
            f"The folder {str(arguments.out)!r} cannot be made ({error.strerror}); choose another --out."
        ) from error
    names = file_names(arguments.image)
    if arguments.png:
        _spare_inputs(arguments, names)
    runner = Runner(arguments, len(arguments.image))
    entries, problems = [], []
    for path, name in zip(arguments.image, names, strict=True):
        try:
            request = Request(
                images.load(path), targets, specs, branch=branch, **request_arguments(arguments)
            )
        except SidelightError as error:
            problems.append((path, str(error)))
            continue
        runner.load(request)
        try:
            explanation = runner.explain(request)
            write(arguments.out / f"{name}.npz", npz(arrays(explanation)))
            if arguments.png:
                write(arguments.out / f"{name}.png", figure_png(explanation))
        except SidelightError as error:
            problems.append((path, str(error)))
            continue
        entries.append(Entry(path, f"{name}.npz", explanation))
        problems += [(path, sentence) for sentence in failures(explanation)]
        runner.step()
    runner.close()
    write_manifest(arguments, targets, entries, problems, runner.device)
    for entry in entries:
        print(arguments.out / entry.output)
    return report(problems)


def _spare_inputs(arguments: argparse.Namespace, names: Sequence[str]) -> None:
    """SidelightError where a figure would be written over one of the pictures that are read."""
    read = {Path(path).resolve() for path in (*arguments.image, *arguments.target_image)}
    for name in names:
        path = arguments.out / f"{name}.png"
        if path.resolve() in read:
            raise SidelightError(f"--png would write over the picture {str(path)!r}; choose another --out.")


def _targets(arguments: argparse.Namespace) -> tuple[Target, ...]:
    prompts = tuple(dict.fromkeys(arguments.prompt))
    if (arguments.minus is not None) + (arguments.classes is not None) + arguments.templates > 1:
        raise SidelightError(
            "--minus, --classes and --templates cannot be combined; run the command once for each."
        )
    if arguments.minus is not None:
        if not prompts or not arguments.minus.strip():
            raise SidelightError("--minus needs a prompt to take it from, and a text; add -p TEXT.")
        targets = [Target(text, "difference", minus=arguments.minus) for text in prompts]
    elif arguments.classes is not None:
        classes = tuple(dict.fromkeys(read_lines(arguments.classes, "a list of classes, one a line")))
        for text in prompts:
            if text not in classes:
                raise SidelightError(
                    f"The prompt {text[:80]!r} is none of the classes in {arguments.classes}."
                )
        targets = [Target(text, "class", classes=classes) for text in prompts or classes]
    else:
        targets = [Target(text, "ensemble" if arguments.templates else "text") for text in prompts]
    targets += [Target(kind="image", image=images.load(path)) for path in arguments.target_image]
    if not targets:
        raise SidelightError(
            "There is nothing to explain; add -p TEXT, --target-image FILE or --classes FILE."
        )
    return tuple(targets)


def _branches(arguments: argparse.Namespace, targets: tuple[Target, ...]) -> tuple[tuple[str, ...], str]:
    """The methods and the branch to ask for; says what is skipped for want of such a map."""
    branch = arguments.branch
    if branch != "image" and any(target.kind != "text" for target in targets):
        if branch == "text":
            raise SidelightError(
                "The text branch explains prompts only; use --branch image for other targets."
            )
        print("The text branch explains prompts only; it is skipped for these targets.", file=sys.stderr)
        branch = "image"
    if branch == "both":
        for spec in map(parse, arguments.method):
            for absent in {"image", "text"} - set(spec.method.branches):
                print(f"{spec} has no {absent} branch; it is skipped there.", file=sys.stderr)
    return tuple(arguments.method), branch
