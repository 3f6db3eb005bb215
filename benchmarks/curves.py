"""Curves beside the bare forward passes that they need, in one run: the ratio, and the memory.

python -m benchmarks.curves --threads 1 --rounds 3
python -m benchmarks.curves --device cuda --model ViT-B-16

One image, 10 methods, 2 orders, 21 steps. The maps are there before; what is timed is the public call: masks,
fills, hashes, passes, store. The floor is one pass for each distinct input, in batches of the same size.
Both are timed in turns, and medians are taken; on a CPU the clock is the process's own, so that other load
on the machine does not count. Memory: the peak of 10 methods with 21 steps over that of 2 methods with 5
steps, each in a process of its own (on CUDA: of what the device allocated).
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from engine import images
from engine.curves import CurveRequest, Protocol, compute
from engine.images import load
from engine.methods.batching import inputs_per_pass
from engine.models import Model, wrap
from engine.models import load as load_model
from engine.precision import exact_float32
from engine.store import Entry, canonical
from engine.types import Request, Target

METHODS = (
    "grad_eclip", "game", "grad_cam", "maskclip", "self_attention", "rollout", "legrad", "last_grad",
    "attention_gradient", "clip_surgery",
)  # fmt: skip
BUDGET, MEMORY_BUDGET = 1.2, 1.2
PICTURE = "data/sets/scenes/scene-00.webp"


class Memory:
    """A store in memory that forgets curves when told to."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}

    def get(self, key: Mapping[str, Any]) -> Entry | None:
        return self._entries.get(canonical(key))

    def put(self, key: Mapping[str, Any], arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> None:
        self._entries[canonical(key)] = Entry(dict(arrays), dict(meta))

    def forget_curves(self) -> None:
        self._entries = {name: entry for name, entry in self._entries.items() if '"curves":' not in name}


def open_model(name: str, device: str) -> Model:
    """The bundled model, or an open_clip model with random weights."""
    if name == "bundled":
        return load_model(device=device)
    import open_clip

    torch.manual_seed(0)
    return wrap(open_clip.create_model(name).to(device).eval().requires_grad_(False))


def clock(device: str) -> Callable[[], float]:
    def now() -> float:
        if device == "cuda":
            torch.cuda.synchronize()
            return time.perf_counter()
        return time.process_time()

    return now


def request(methods: int, steps: int) -> CurveRequest:
    shares = tuple(n / (steps - 1) for n in range(steps))
    maps = Request(load(PICTURE), (Target("a dog"),), METHODS[:methods])
    return CurveRequest(maps, Protocol(deletion=shares, insertion=shares), controls=False)


def forwards(model: Model, count: int) -> None:
    """`count` plain forward passes in batches of the size that curves use."""
    size = inputs_per_pass(torch.empty(0, device=model.device))
    prepared = images.prepare(load(PICTURE), model.info.preprocess, "crop")
    batch = model.pixels([prepared]).expand(size, -1, -1, -1).contiguous()
    with exact_float32(), torch.no_grad():
        for start in range(0, count, size):
            model.image.encode(batch[: min(size, count - start)])


def timed(now: Callable[[], float], work: Callable[[], Any]) -> tuple[float, Any]:
    started = now()
    found = work()
    return now() - started, found


def peak(device: str) -> int:
    """Bytes at the peak of this process."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="bundled", help="bundled, or an open_clip name")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peak", type=int, nargs=2, metavar=("METHODS", "STEPS"), help="print one peak only")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    model, store, now = open_model(arguments.model, arguments.device), Memory(), clock(arguments.device)
    if arguments.peak:
        compute(request(*arguments.peak), store, loaded=model)
        print(peak(arguments.device))
        return 0
    asked = request(10, 21)
    passes = compute(asked, store, loaded=model).passes  # warms up, and leaves the maps in the store
    floors, whole = [], []
    for _ in range(arguments.rounds):
        store.forget_curves()
        floors.append(timed(now, lambda: forwards(model, passes))[0])
        whole.append(timed(now, lambda: compute(asked, store, loaded=model))[0])
    ratio = statistics.median(w / f for w, f in zip(whole, floors, strict=True))
    print(f"{arguments.model} on {arguments.device}: {passes} distinct inputs of {10 * 4 * 21} points")
    print(f"curves {statistics.median(whole):.2f} s, bare passes {statistics.median(floors):.2f} s")
    print(f"ratio {ratio:.3f} (budget {BUDGET})", flush=True)
    again = [sys.executable, "-m", "benchmarks.curves"]
    again += ["--model", arguments.model, "--device", arguments.device]
    again += ["--threads", str(arguments.threads)] if arguments.threads else []
    peaks = [
        int(subprocess.check_output([*again, "--peak", *size]).split()[-1])
        for size in (("2", "5"), ("10", "21"))
    ]
    memory = peaks[1] / peaks[0]
    print(f"peak memory x {memory:.3f} (budget {MEMORY_BUDGET})")
    return int(ratio > BUDGET or memory > MEMORY_BUDGET)


if __name__ == "__main__":
    sys.exit(main())
