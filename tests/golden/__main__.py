"""python -m tests.golden FOLDER [--only PREFIX ...]: a table of every key; exit code 1 where one fails."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.golden.compare import Verdict, judge
from tests.golden.folder import Key, read


def selected(keys: Sequence[Key], prefixes: Sequence[str]) -> list[Key]:
    """The keys that begin with one of the prefixes, with or without the tag; all if there is no prefix."""
    return [
        k for k in keys if not prefixes or any(n.startswith(p) for p in prefixes for n in (k.name, k.key))
    ]


def line(verdict: Verdict, width: int) -> str:
    error = "-" if verdict.error is None else f"{verdict.error:.1e}"
    limit = "-" if verdict.limit is None else f"{verdict.limit:.0e}"
    return f"{verdict.name:<{width}}  {error:>8}  {limit:>6}  {verdict.problem or 'ok'}"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", default=[], metavar="PREFIX")
    arguments = parser.parse_args(argv)
    try:
        keys = selected(read(arguments.folder), arguments.only)
    except (OSError, ValueError, KeyError, TypeError) as error:
        parser.error(f"{arguments.folder} is no golden folder: {type(error).__name__}: {error}")
    width = max((len(key.name) for key in keys), default=3)
    print(f"{'key':<{width}}  {'error':>8}  {'limit':>6}")
    verdicts = []
    for key in keys:
        verdicts.append(judge(key))
        print(line(verdicts[-1], width), flush=True)
    wrong = [v for v in verdicts if v.problem]
    ignored = sum(v.problem == "not covered" for v in wrong) if arguments.only else 0
    print(f"{len(verdicts) - len(wrong)} of {len(verdicts)} keys within tolerance")
    return int(len(wrong) > ignored or not verdicts)


if __name__ == "__main__":
    sys.exit(main())
