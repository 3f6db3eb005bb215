"""Explanation methods beside plain forward passes of the same model, in one run: Markdown tables.

python -m benchmarks.methods --threads 1 --rounds 7
python -m benchmarks.methods --quick
python -m benchmarks.methods --device cuda --methods rise m2ib

ViT-B/16 with random weights; text embeddings are not counted. Two budgets are checked: all methods that read
the last block only, in plain forward passes; all single-pass methods, in the floor of one plain forward and
one backward of the recorded graph per prompt. What is compared is timed in turns, and medians are taken. With
one thread the clock is the process's own, so that other load on the machine does not count; threads that wait
for each other would count as work, so with more of them it is the clock on the wall.
"""

from __future__ import annotations

import argparse
import ctypes
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

import engine.methods  # noqa: F401  registers them
from engine.compute import Question, Refused, relevances
from engine.models import Model, wrap
from engine.precision import exact_float32
from engine.registry import ALL, METHODS, Spec
from engine.specs import parse
from engine.templates import ensemble
from engine.trace import Trace, record

PROMPTS = ("a photo of a dog", "a red bicycle", "two children on a beach", "a cup of coffee on a table")
LAST_BLOCK_BUDGET, SINGLE_PASS_BUDGET = 1.3, 1.3
MIB = 2**20


def load(name: str, device: str) -> Model:
    """An open_clip model with random weights."""
    import open_clip

    torch.manual_seed(0)
    return wrap(open_clip.create_model(name).to(device).eval().requires_grad_(False))


def ask(model: Model, prompts: Sequence[str]) -> Question:
    """One random picture, asked for the prompts."""
    height, width = model.info.preprocess.size
    pixels = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(1)).to(model.device)
    queries = model.embed_texts(prompts)
    return Question(
        encoder=model.image,
        inputs=pixels,
        queries=queries,
        logit_scale=model.logit_scale,
        readout=lambda e, part: e @ queries[part].T,
        embed=model.embed_texts,
        reword=lambda templates, part: ensemble(model.embed_texts, templates, prompts[part]),
        requery=lambda embed, part: embed(model.text, model.token_ids(prompts[part])),
    )


def single_pass(spec: Spec) -> bool:
    """Whether a method reads one recording, and is no control."""
    return spec.needs().blocks > 0


def last_block(spec: Spec) -> bool:
    return spec.needs().blocks == 1


def recording(question: Question) -> Trace:
    """The forward pass with every block's attention in the graph."""
    return record(question.encoder, question.inputs, question.queries, grads={"attn": ALL})


def backwards(question: Question) -> None:
    """The recording, and one backward of it per prompt."""
    trace = recording(question)
    nodes = [layer.attn for layer in trace.layers]
    for score in trace.scores.sum(0):
        torch.autograd.grad(score, nodes, retain_graph=True)


def seconds(work: Callable[[], object], device: str) -> float:
    """Of the process's one thread, or on the wall with more of them or an accelerator."""
    alone = device == "cpu" and torch.get_num_threads() == 1
    clock = time.process_time if alone else time.perf_counter
    start = clock()
    work()
    if device != "cpu":
        torch.cuda.synchronize()
    return clock() - start


def medians(works: dict[str, Callable[[], object]], rounds: int, device: str) -> dict[str, float]:
    """Median seconds of each, taken in turns."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            once = seconds(work, device)
            if number:  # the first round warms up
                taken[name].append(once)
    return {name: statistics.median(times) for name, times in taken.items()}


def peak_memory(work: Callable[[], object], device: str) -> float:
    """MiB above what was held before: of the accelerator, or of the process, sampled (Linux, glibc)."""
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        return (torch.cuda.max_memory_allocated() - before) / MIB
    ctypes.CDLL(None).malloc_trim(0)  # what the allocator kept of earlier work would hide what this one needs
    before, samples, done = _resident(), [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.002):
            samples.append(_resident() - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    work()
    done.set()
    watcher.join()
    return max(samples)


def _resident() -> float:
    """MiB of this process in memory (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / MIB


def run(question: Question, specs: Sequence[Spec]) -> dict[str, float]:
    """Compute all maps of the specs; milliseconds of each method within it."""
    found = {}
    for result in relevances(question, specs):
        if isinstance(result, Refused):
            raise SystemExit(result.reason)
        found[str(result.spec)] = result.seconds * 1e3
    return found


def ratios(model: Model, question: Question, specs: Sequence[Spec], rounds: int) -> None:
    """Print the two budgets and the medians they are made of."""
    whole, last = [s for s in specs if single_pass(s)], [s for s in specs if last_block(s)]

    @torch.no_grad()
    def plain() -> None:
        model.clip.encode_image(question.inputs)

    works = {
        "plain forward": plain,
        "recorded forward": lambda: recording(question),
        "recorded forward and a backward per prompt": lambda: backwards(question),
        f"{len(last)} methods of the last block": lambda: run(question, last),
        f"{len(whole)} single-pass methods": lambda: run(question, whole),
    }
    found = medians(works, rounds, model.device)
    forward, graph, both, last_time, whole_time = found.values()
    found["floor: plain forward and the backwards"] = bottom = forward + both - graph
    table(
        ("together", "ms", "plain forwards", "budget"),
        [
            (name, f"{value * 1e3:.0f}", f"{value / forward:.2f}", budget)
            for (name, value), budget in zip(
                found.items(),
                ("", "", "", verdict(last_time / forward, LAST_BLOCK_BUDGET, "plain forwards"),
                 verdict(whole_time / bottom, SINGLE_PASS_BUDGET, "floors"), ""),
                strict=True,
            )
        ],
    )  # fmt: skip


def verdict(ratio: float, budget: float, unit: str) -> str:
    return f"{ratio:.2f} of {budget} {unit}{'' if ratio <= budget else ', OVER'}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table, names on the left and numbers on the right."""
    print("|", " | ".join(head), "|")
    print("|", " | ".join(["---"] + ["---:"] * (len(head) - 1)), "|")
    for row in rows:
        print("|", " | ".join(row), "|")
    print()


def each_method(question: Question, specs: Sequence[Spec], rounds: int, device: str) -> None:
    """Print each method alone, and its share within all of them at once."""
    within: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, milliseconds in run(question, specs).items():
            within.setdefault(name, []).append(milliseconds)
    rows = []
    for spec in specs:
        alone = medians({"alone": lambda spec=spec: run(question, [spec])}, rounds, device)["alone"]
        memory = peak_memory(lambda spec=spec: run(question, [spec]), device)
        middle = statistics.median(within[str(spec)])
        passes = spec.method.cost.replace("|", "\\|")
        rows.append((f"`{spec}`", passes, f"{alone * 1e3:.1f}", f"{middle:.1f}", f"{memory:.0f}"))
    memory = peak_memory(lambda: run(question, specs), device)
    rows.append(("all at once", "", "", "", f"{memory:.0f}"))
    table(("method", "passes", "ms alone", "ms within the grid", "peak MiB"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", default="ViT-B-16", help="an open_clip architecture")
    parser.add_argument("--methods", nargs="+", metavar="SPEC", help="default: every single-pass method")
    parser.add_argument("--no-table", action="store_true", help="only the two budgets")
    parser.add_argument("--quick", action="store_true", help="one round of ViT-B-32, to see that it runs")
    options = parser.parse_args()
    if options.quick:
        options.model, options.rounds = "ViT-B-32", 1
    torch.set_num_threads(options.threads)
    every = [parse(name) for name, m in METHODS.items() if "image" in m.branches]
    model = load(options.model, options.device)
    question = ask(model, PROMPTS)
    print(f"{options.model}, {len(PROMPTS)} prompts, {options.device}, {options.threads} threads\n")
    with exact_float32():
        run(question, every_single := [s for s in every if single_pass(s)])  # embeds the texts, once
        if not options.methods:
            ratios(model, question, every_single, options.rounds)
        if not options.no_table:
            chosen = [parse(text) for text in options.methods] if options.methods else every_single
            each_method(question, chosen, options.rounds, options.device)


if __name__ == "__main__":
    main()
