"""SaCo, mu-fidelity, infidelity, max-sensitivity, confidence: scores that are linear in the picture."""

from __future__ import annotations

import numpy as np
import pytest

from engine.metrics.confidence import confidence_drop, confidence_increase, unit_range
from engine.metrics.fidelity import infidelity, max_sensitivity, mu_fidelity
from engine.metrics.saco import saco

RANDOM = np.random.default_rng(0)
WEIGHTS = RANDOM.permutation(np.arange(1.0, 101)).reshape(10, 10)


def weighted(keep):
    return keep @ WEIGHTS.ravel()


def test_saco_is_one_for_the_true_order_and_minus_one_for_its_inverse():
    assert saco(WEIGHTS, weighted) == pytest.approx(1)
    assert saco(-WEIGHTS, weighted) == pytest.approx(-1)


def test_saco_closed_form():
    # Saliences 3, 2, 0 with effects 1, 5, 0: the pair (3, 2) disagrees by 1; (3, 0) and (2, 0) agree by 3
    # and 2.
    effects = np.array([1.0, 5, 0])
    assert saco(np.array([3.0, 2, 0]), lambda keep: keep @ effects, groups=3) == pytest.approx(
        (-1 + 3 + 2) / 6
    )


def test_saco_of_a_flat_map_is_undefined_and_of_noise_near_zero():
    assert np.isnan(saco(np.ones((10, 10)), weighted))
    found = [saco(np.random.default_rng(seed).random((10, 10)), weighted) for seed in range(200)]
    assert np.mean(found) == pytest.approx(0, abs=0.1)


def test_mu_fidelity_of_a_linear_score():
    assert mu_fidelity(WEIGHTS, weighted) == pytest.approx(1)
    assert mu_fidelity(3 - 2 * WEIGHTS, weighted) == pytest.approx(-1)
    noise = [mu_fidelity(np.random.default_rng(s).random((10, 10)), weighted, seed=s) for s in range(50)]
    assert np.mean(noise) == pytest.approx(0, abs=0.05)


def test_mu_fidelity_takes_subsets_of_the_stated_size_and_matches_numpy():
    seen = []

    def scorer(keep):
        seen.append(keep)
        return np.sin(keep @ WEIGHTS.ravel())

    values = RANDOM.random((10, 10))
    found = mu_fidelity(values, scorer, subsets=50, share=0.2, seed=4)
    (keep,) = seen
    assert keep[0].all() and set((~keep[1:]).sum(1)) == {20} and len(keep) == 51
    scores = np.sin(keep @ WEIGHTS.ravel())
    expected = np.corrcoef(~keep[1:] @ values.ravel(), scores[0] - scores[1:])[0, 1]
    assert found == pytest.approx(expected)
    assert found == mu_fidelity(values, scorer, subsets=50, share=0.2, seed=4)
    assert np.isnan(mu_fidelity(np.ones((10, 10)), scorer))


PICTURE = RANDOM.standard_normal((3, 4, 4))
SLOPES = RANDOM.standard_normal((3, 4, 4))


def linear(pictures):
    return (pictures * SLOPES).sum((1, 2, 3)) + 0.3


def test_infidelity_of_the_gradient_of_a_linear_score_is_zero():
    assert infidelity(SLOPES, PICTURE, linear) == pytest.approx(0, abs=1e-20)
    assert infidelity(7 * SLOPES, PICTURE, linear, scaled=True) == pytest.approx(0, abs=1e-20)


def test_infidelity_of_nothing_is_the_variance_of_the_score():
    found = infidelity(np.zeros((3, 4, 4)), PICTURE, linear, draws=20_000, sigma=0.2)
    assert found == pytest.approx(0.04 * (SLOPES**2).sum(), rel=0.05)
    assert infidelity(np.zeros((1, 4, 4)), PICTURE, linear, scaled=True) > 0


def test_infidelity_does_not_depend_on_the_batch():
    found = [infidelity(np.ones((1, 4, 4)), PICTURE, linear, draws=50, batch=n) for n in (7, 50)]
    assert found[0] == pytest.approx(found[1])


def test_max_sensitivity():
    assert max_sensitivity(PICTURE, lambda pictures: np.ones((len(pictures), 2, 2))) == 0
    assert np.isnan(max_sensitivity(PICTURE, lambda pictures: np.zeros((len(pictures), 2, 2))))
    seen = []
    found = max_sensitivity(PICTURE, lambda pictures: seen.append(pictures) or pictures, draws=5, radius=0.1)
    assert np.abs(seen[0] - PICTURE).max() <= 0.1 and not (seen[0][0] - PICTURE).any() and len(seen[0]) == 6
    lengths = [np.linalg.norm(x - PICTURE) for x in seen[0][1:]]
    assert found == pytest.approx(max(lengths) / np.linalg.norm(PICTURE))


def test_confidence():
    assert confidence_drop(0.3, 0.1) == pytest.approx(20) and confidence_drop(0.3, 0.4) == 0
    assert confidence_increase(0.3, 0.31) == 100 and confidence_increase(0.3, 0.3) == 0
    np.testing.assert_allclose(unit_range(np.array([-1.0, 0, 3])), [0, 0.25, 1])
    assert not unit_range(np.full(4, 2.0)).any()
