"""Arguments and steps that the commands share."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from engine.catalog import BUNDLED, describe
from engine.explain import explain, missing
from engine.specs import parse
from engine.store import default_store
from engine.types import RESIZE_POLICIES, Explanation, Progress, Request, SidelightError

if TYPE_CHECKING:
    from engine.models import Model

DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d{1,3})?")
LARGEST_SEED = 2**31 - 1  # as for the methods' own


def add_model_arguments(command: argparse.ArgumentParser) -> None:
    """--model, --pretrained, --resize, --device."""
    command.add_argument(
        "--model",
        default=BUNDLED,
        help="bundled, one of open_clip's names, or a config.json (default: bundled)",
    )
    command.add_argument("--pretrained", metavar="TAG|FILE", help="open_clip's tag, or a weights file")
    command.add_argument("--resize", choices=RESIZE_POLICIES, default=RESIZE_POLICIES[0])
    command.add_argument(
        "--device", type=device, default="auto", help="auto, cpu, cuda or mps (default: auto)"
    )


def device(text: str) -> str:
    """A device by name, so that a wrong one is an error also where nothing has to be computed."""
    if not DEVICE.fullmatch(text):
        raise argparse.ArgumentTypeError(f"there is no device {text[:80]!r}; use auto, cpu, cuda or mps.")
    return text


def positive(text: str) -> int:
    """A whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is not a whole number of at least 1")
    return int(text)


def seed(text: str) -> int:
    """A whole number that every generator takes."""
    if not text.isdecimal() or int(text) > LARGEST_SEED:
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is not a whole number from 0 to {LARGEST_SEED}")
    return int(text)


def request_arguments(arguments: argparse.Namespace) -> dict[str, Any]:
    """What `add_model_arguments` read, as keywords of Request."""
    return {name: getattr(arguments, name) for name in ("model", "pretrained", "resize", "device")}


def check(arguments: argparse.Namespace, specs: Sequence[str]) -> None:
    """SidelightError for methods and models that cannot be meant, before any image is read."""
    for spec in specs:
        parse(spec)
    describe(arguments.model, arguments.pretrained)


class Runner:
    """Explains one request after the other with one loaded model, showing progress where someone watches."""

    def __init__(self, arguments: argparse.Namespace, total: int) -> None:
        self._arguments = arguments
        self._model: Model | None = None
        self._bar = tqdm(total=total, unit="image", disable=None)

    @property
    def device(self) -> str | None:
        """Where maps were computed; None as long as all came from the store."""
        return self._model.device if self._model else None

    def load(self, request: Request) -> None:
        """Load the model if the store lacks maps of this request; its errors concern every image."""
        if self._model is None and missing(request):
            from engine.models import load

            self._model = load(
                self._arguments.model,
                self._arguments.pretrained,
                self._arguments.device,
                self._bar.set_postfix_str,
            )

    def explain(self, request: Request) -> Explanation:
        return explain(request, progress=self._show, loaded=self._model)

    def _show(self, progress: Progress) -> None:
        self._bar.set_postfix_str(f"{progress.stage}, map {progress.done + 1} of {progress.total}")

    def step(self) -> None:
        """One image is finished."""
        self._bar.update()

    def close(self) -> None:
        self._bar.close()


def report(problems: Iterable[tuple[str, str]]) -> int:
    """Name what failed, one line each, on stderr; the exit code. A cache that takes no maps is named too, but
    is no failure."""
    code = 0
    for name, reason in problems:
        named = reason.startswith(f"{name} ") or repr(name) in reason
        print(reason if named else f"{name}: {reason}", file=sys.stderr)
        code = 1
    if problem := default_store().problem:
        print(problem, file=sys.stderr)
    return code


def failures(explanation: Explanation) -> list[str]:
    """A sentence for each method that gave no map, however many prompts it failed for."""
    return list(dict.fromkeys(f"{f.spec} ({f.branch}): {f.reason}" for f in explanation.failures))


def read_lines(path: str, what: str) -> tuple[str, ...]:
    """The lines of a UTF-8 text file that are not blank; SidelightError names `what` the file should be."""
    try:
        with open(path, encoding="utf-8-sig") as file:  # some editors put a mark in front
            lines = tuple(line.strip() for line in file if line.strip())
    except OSError as error:
        raise SidelightError(f"{path!r} cannot be read as {what} ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise SidelightError(f"{path!r} cannot be read as {what}; save it as UTF-8 text.") from error
    if not lines:
        raise SidelightError(f"{path!r} is empty; it should be {what}.")
    return lines
