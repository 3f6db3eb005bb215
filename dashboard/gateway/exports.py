"""What is downloaded: the figure and the raw maps."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from dashboard.choices import State
from dashboard.gateway import models
from engine.render import Outline
from engine.types import Explanation


def figure(found: Sequence[Explanation], state: State, outlines: Mapping[str, Sequence[Outline]]) -> bytes:
    """The grid as a PNG at print resolution, drawn as the state says. outlines: by the image's digest."""
    from engine import render

    known = models.methods()
    specs = dict.fromkeys(spec for one in found for spec in one.specs)
    signed = {m.spec for one in found for m in one.maps if m.values.min() < 0}
    return render.figure_png(
        found,
        titles={s: " ".join(filter(None, (known[_method(s)].title, s[len(_method(s)) :]))) for s in specs},
        signed=[spec for spec in signed if known[_method(spec)].signed],
        scale_mode=state.scale,
        contour=state.contour,
        outlines=outlines if state.outlines else {},
        transpose=state.transpose,
        **{name: getattr(state, name) for name in ("draw", "colormap", "opacity", "smooth", "top", "above")},
    )


def _method(spec: str) -> str:
    return spec.partition("(")[0]


def raw_maps(found: Sequence[Explanation]) -> bytes:
    """A zip with the raw maps of each explanation as npz, as `python -m engine explain` writes them."""
    from engine.cli import write

    names = write.file_names([f"{one.image.name} {one.model.name}.npz" for one in found])
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for one, name in zip(found, names, strict=True):
            with archive.open(f"{Path(name).name}.npz", "w") as file:
                np.savez_compressed(file, **write.arrays(one))
    return out.getvalue()
