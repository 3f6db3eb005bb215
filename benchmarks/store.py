"""The store under load: bytes an entry, lookups and writes beside plain SQLite. The budgets are of a million.

python -m benchmarks.store --entries 1000000
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
from tqdm import tqdm

from engine.store import Store, digest

LOOKUPS = 2000
BYTES_BUDGET, LOOKUP_BUDGET = 2500, 1  # an entry; milliseconds


def key_of(number: int) -> dict:
    """A key as the engine makes them: of the usual length, different for every number."""
    return {
        "format": 1,
        "image": f"{number:064x}",
        "model": "ViT-B-16/openai",
        "weights": "0123456789abcdef" * 4,
        "preprocess": {
            "size": [224, 224],
            "patch": 16,
            "mean": [0.48145466, 0.4578275, 0.40821073],
            "std": [0.26862954, 0.26130258, 0.27577711],
            "interpolation": "bicubic",
        },
        "resize": "crop",
        "branch": "image",
        "method": "grad_eclip",
        "version": 1,
        "params": {"heads": "model", "key_similarity": True, "layers": 1, "projected": True},
        "dtype": "float32",
        "target": {"kind": "text", "text": "a photo of a dog beside a red bicycle"},
    }


def median_ms(call: Callable[[int], object], numbers: np.ndarray) -> float:
    """The median time of one call, in milliseconds."""
    times = []
    for number in numbers:
        start = time.perf_counter()
        call(int(number))
        times.append(time.perf_counter() - start)
    return float(np.median(times)) * 1e3


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where to make the store; default a temporary folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        return 0 if measure(Path(folder), options.entries) else 1


def measure(folder: Path, entries: int) -> bool:
    """Fill a store, look things up in it, and print what it took; whether the budgets are kept."""
    store = Store(folder, shipped=None)
    rng = np.random.default_rng(0)
    meta = {"score": 0.2731, "explained_score": 0.2731, "seconds": 0.0421, "note": ""}
    start = time.perf_counter()
    for number in tqdm(range(entries), desc="put", unit="entry"):
        store.put(key_of(number), {"map": rng.random((14, 14), dtype=np.float32)}, meta)
    put = (time.perf_counter() - start) / entries * 1e3
    info = store.info()
    assert info.entries == entries and not info.problem
    # Numbers of their own for both, so that neither finds its pages warmed by the other.
    numbers, others = rng.integers(0, entries, (2, LOOKUPS))
    with closing(sqlite3.connect(folder / "cache.db")) as table:
        select = "SELECT value FROM Cache WHERE key = ? AND raw = 1"
        plain = median_ms(lambda n: table.execute(select, (digest(key_of(n)),)).fetchone(), numbers)
    hit = median_ms(lambda n: store.get(key_of(n)), others)
    miss = median_ms(lambda n: store.get(key_of(entries + n)), others)
    print(f"entries                {entries:>12,}")
    each = info.bytes / entries
    print(f"bytes on disk          {info.bytes:>12,}  ({each:.0f} an entry; budget {BYTES_BUDGET})")
    print(f"put                    {put:>12.3f} ms")
    print(f"plain SQLite select    {plain:>12.3f} ms")
    print(f"lookup, found          {hit:>12.3f} ms  ({hit / plain:.1f} x plain; budget {LOOKUP_BUDGET} ms)")
    print(f"lookup, absent         {miss:>12.3f} ms")
    return each <= BYTES_BUDGET and hit <= LOOKUP_BUDGET


if __name__ == "__main__":
    sys.exit(main())
