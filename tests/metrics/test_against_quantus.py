"""The metrics that Quantus has too, against Quantus (Hedström et al., JMLR 2023) on random maps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.metrics import agreement, curve, fidelity, localisation, road

# It needs OpenCV, whose system libraries a bare machine may lack.
quantus = pytest.importorskip("quantus", exc_type=ImportError)
from quantus.functions.perturb_func import noisy_linear_imputation  # noqa: E402  only where it is there

SIDE, COUNT = 12, 6
QUIET = {"disable_warnings": True, "display_progressbar": False, "normalise": False}
LABELS = np.zeros(COUNT, int)


class Linear(torch.nn.Module):
    """A model with one output, the sum of its pixels times random weights."""

    def __init__(self):
        super().__init__()
        weights = np.random.default_rng(1).normal(size=(1, SIDE, SIDE))
        self.weights = torch.nn.Parameter(torch.tensor(weights, dtype=torch.float32))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return (pictures * self.weights).sum((1, 2, 3))[:, None]

    def score(self, pictures: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return self(torch.from_numpy(pictures)).numpy()[:, 0]


@pytest.fixture(scope="module")
def given() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    masks = np.zeros((COUNT, 1, SIDE, SIDE), bool)
    masks[:, :, 2:8, 3:9] = True
    shape = (COUNT, 1, SIDE, SIDE)
    return {
        "x_batch": random.random(shape, np.float32),
        "a_batch": random.random(shape, np.float32),
        "s_batch": masks,
    }


def theirs(metric, given, masks: bool = False) -> np.ndarray:
    wanted = {k: v for k, v in given.items() if masks or k != "s_batch"}
    return np.array(metric(model=Linear().eval(), y_batch=LABELS, softmax=False, **wanted))


def test_gini(given):
    ours = [agreement.gini(values) for values in given["a_batch"]]
    np.testing.assert_allclose(ours, theirs(quantus.Sparseness(abs=True, **QUIET), given), rtol=1e-5)


def test_energy_is_relevance_mass_accuracy(given):
    ours = [localisation.energy(v, m) for v, m in zip(given["a_batch"], given["s_batch"], strict=True)]
    metric = quantus.RelevanceMassAccuracy(abs=False, **QUIET)
    np.testing.assert_allclose(ours, theirs(metric, given, masks=True), rtol=1e-5)


def test_pointing_game(given):
    pairs = zip(given["a_batch"], given["s_batch"], strict=True)
    ours = [localisation.pointing_game(v[0], m[0]) for v, m in pairs]
    found = theirs(quantus.PointingGame(abs=False, **QUIET), given, masks=True)
    assert ours == found.tolist()
    assert 0 < sum(ours) < COUNT  # hits and misses


def test_deletion_is_pixel_flipping(given):
    step, model = 12, Linear().eval()
    metric = quantus.PixelFlipping(features_in_step=step, perturb_baseline=0.0, abs=False, **QUIET)
    found = theirs(metric, given)
    changed = np.arange(step, SIDE * SIDE + 1, step)
    for picture, values, row in zip(given["x_batch"], given["a_batch"], found, strict=True):
        order = curve.ranks(values).reshape(1, -1)

        def scorer(masks, picture=picture):
            return model.score(picture * masks.reshape(-1, 1, SIDE, SIDE).astype(np.float32))[:, None]

        ours = curve.curves(order, changed, scorer)[0, :, 0]
        np.testing.assert_allclose(ours, row, atol=1e-5)


def test_imputation_of_road(given):
    keep = np.random.default_rng(2).random((SIDE, SIDE)) < 0.5
    for picture in given["x_batch"]:
        filled = noisy_linear_imputation(picture, np.flatnonzero(~keep), noise=0.0)
        np.testing.assert_allclose(road.impute(picture, keep, noise=0.0), filled, atol=1e-6)


def test_infidelity_of_the_gradient_of_a_linear_model_is_zero_in_both(given):
    model = Linear().eval()
    weights = model.weights.detach().numpy()
    exact = {**given, "a_batch": np.repeat(weights[None], COUNT, 0)}
    metric = quantus.Infidelity(abs=False, n_perturb_samples=5, perturb_patch_sizes=[4], **QUIET)
    ours = [fidelity.infidelity(weights, picture, model.score) for picture in given["x_batch"]]
    np.testing.assert_allclose(ours, 0, atol=1e-6)
    wrong = [fidelity.infidelity(-weights, picture, model.score) for picture in given["x_batch"]]
    assert theirs(metric, exact).max() < 1e-6 < min(wrong)
