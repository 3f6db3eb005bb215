"""The maps that ship in data/maps: they answer the first visit, and are what the bundled model computes."""

from __future__ import annotations

import numpy as np
import pytest

from dashboard.choices import State
from dashboard.gateway import prompts
from engine import Request, Target, datasets, explain, load_image, stored
from engine.store import Store

SCENES = datasets.find("scenes").items[:8]


def first_visit(item) -> Request:
    """What the Compare page asks where nobody has chosen anything but the image."""
    state = State(image=item.id)
    targets = tuple(Target(text) for text in prompts.prompts(state))
    return Request(load_image(item.path), targets, state.methods)


@pytest.mark.parametrize("item", SCENES, ids=lambda item: item.id)
def test_the_first_visit_is_in_the_store(item, tmp_path):
    request = first_visit(item)
    assert len(stored(request, Store(tmp_path)).maps) == len(request.targets) * len(request.specs)


def test_shipped_maps_are_what_the_model_computes(tmp_path):
    request = first_visit(SCENES[0])
    shipped = stored(request, Store(tmp_path))
    for made in explain(request, Store(tmp_path, shipped=None)).maps:
        kept = shipped.get(made.spec, made.target)
        np.testing.assert_allclose(kept.values, made.values, rtol=0, atol=1e-4 * np.abs(made.values).max())
        assert kept.score == pytest.approx(made.score, abs=1e-5)
