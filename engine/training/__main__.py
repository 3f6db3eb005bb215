"""python -m engine.training train | export | evaluate | sets: the bundled model and the curated sets."""

import argparse
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m engine.training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    command = commands.add_parser("train", help="train from scratch, or go on from the checkpoint in DIR")
    command.add_argument("--out", type=Path, required=True, metavar="DIR")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--threads", type=int, default=2)
    command.add_argument(
        "--masks", action="store_true", help="tell the last two stages what each patch shows"
    )

    command = commands.add_parser("export", help="write a checkpoint as weights, config and words")
    command.add_argument("checkpoint", type=Path)
    command.add_argument("--out", type=Path, metavar="DIR", help="default: data/model")

    command = commands.add_parser("evaluate", help="measure on fresh scenes")
    command.add_argument("--count", type=int, default=1000, help="scenes for each number of objects")
    command.add_argument("--pointing", type=int, default=400, help="scenes whose maps are made")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--weights", type=Path, metavar="FILE", help="default: the shipped weights")

    commands.add_parser("sets", help="make the curated sets in data/sets anew")

    arguments = parser.parse_args()
    run = {"train": _train, "export": _export, "evaluate": _evaluate, "sets": _sets}
    run[arguments.command](arguments)


def _train(arguments: argparse.Namespace) -> None:
    from engine.training.train import MASKED, RECIPE, train

    train(arguments.out, arguments.seed, arguments.threads, MASKED if arguments.masks else RECIPE)


def _export(arguments: argparse.Namespace) -> None:
    from engine.training.export import MODEL_FOLDER, export

    export(arguments.checkpoint, arguments.out or MODEL_FOLDER)


def _evaluate(arguments: argparse.Namespace) -> None:
    from engine import models
    from engine.training.evaluate import evaluate, load_weights

    model = load_weights(arguments.weights) if arguments.weights else models.load()
    for figure in evaluate(model, arguments.count, arguments.pointing, arguments.seed):
        print(figure, flush=True)


def _sets(_: argparse.Namespace) -> None:
    from engine.training.curated import write_sets

    write_sets()


if __name__ == "__main__":
    main()
