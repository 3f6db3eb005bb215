"""float32 that means float32, for as long as maps are computed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_switching = threading.Lock()
_inside: list[list[str]] = []  # what was set when each pass that is on began; the first entry is the user's


@contextmanager
def exact_float32() -> Iterator[None]:
    """Switch TF32, reduced-precision kernels and a caller's autocast off while maps are computed, and restore
    what was set.

    Autocast is the thread's. The other settings are the process's: passes of several threads share them, and
    the last one restores.
    """
    import torch

    places = [
        (torch.backends.cuda.matmul, "fp32_precision"),
        (torch.backends.cudnn.conv, "fp32_precision"),
        (torch.backends.mkldnn.matmul, "fp32_precision"),
        (torch.backends.mkldnn.conv, "fp32_precision"),
    ]
    with _switching:
        _inside.append([getattr(place, name) for place, name in places])
        for place, name in places:
            setattr(place, name, "ieee")
    try:
        with torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False):
            yield
    finally:
        with _switching:
            before = _inside[0]
            _inside.pop()
            if not _inside:
                for (place, name), value in zip(places, before, strict=True):
                    setattr(place, name, value)
