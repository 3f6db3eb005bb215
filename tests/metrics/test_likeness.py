"""SSIM against scikit-image, entropy, text-specificity, score fidelity and randomisation."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from engine.metrics.confidence import unit_range
from engine.metrics.likeness import entropy, randomisation, score_fidelity, ssim, text_specificity

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(14, 14), (9, 31), (5, 6)])
def test_ssim_matches_scikit_image(shape):
    a, b = RANDOM.random(shape), RANDOM.standard_normal(shape)
    side = min(7, min(shape) - 1 + min(shape) % 2)
    expected = structural_similarity(unit_range(a), unit_range(b), win_size=side, data_range=1.0)
    assert ssim(a, b) == pytest.approx(expected, abs=1e-9)
    assert ssim(a, 5 * a - 2) == pytest.approx(1)


def test_entropy_closed_forms():
    assert entropy(np.full((3, 4), -0.2)) == pytest.approx(np.log(12))
    assert entropy(np.array([0, 0, 5.0])) == 0
    assert entropy(np.array([1.0, 3])) == pytest.approx(-(0.25 * np.log(0.25) + 0.75 * np.log(0.75)))
    assert np.isnan(entropy(np.zeros(3)))


def test_text_specificity():
    a = RANDOM.random((4, 5))
    assert text_specificity(a, 3 * a + 1) == pytest.approx(0, abs=1e-12)
    assert text_specificity(a, -a) == pytest.approx(2)
    assert np.isnan(text_specificity(a, np.ones((4, 5))))


def test_score_fidelity():
    assert score_fidelity(0.3, 0.25) == pytest.approx(0.05) == score_fidelity(0.25, 0.3)


def test_randomisation_asks_for_each_depth_and_compares_with_the_original():
    a, other = RANDOM.random((9, 9)), RANDOM.random((9, 9))
    asked = []

    def maps(depth):
        asked.append(depth)
        return a if depth == 0 else other

    ranked, alike = randomisation(a, maps, range(3))
    assert asked == [0, 1, 2]
    assert ranked[0] == pytest.approx(1) and alike[0] == pytest.approx(1)
    assert ranked[1] == ranked[2] and abs(ranked[1]) < 0.4 and alike[1] == ssim(a, other)
