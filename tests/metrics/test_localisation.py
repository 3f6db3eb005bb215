"""Localisation: closed forms, scikit-learn, and the oracle that nothing beats."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, jaccard_score

from engine.metrics.localisation import average_precision, energy, pointing_game, segmentation

RANDOM = np.random.default_rng(0)
MASK = np.zeros((12, 10), bool)
MASK[3:7, 2:6] = True


def test_pointing_game_with_and_without_tolerance():
    values = np.zeros((12, 10))
    values[5, 8] = 1  # three columns right of the object
    assert not pointing_game(values, MASK) and not pointing_game(values, MASK, 2.9)
    assert pointing_game(values, MASK, 3)
    values[4, 4] = 2
    assert pointing_game(values, MASK)
    assert not pointing_game(values, np.zeros_like(MASK), 15)


def test_pointing_game_takes_the_first_of_equal_maxima():
    assert pointing_game(np.ones((2, 2)), np.array([[1, 0], [0, 0]], bool))
    assert not pointing_game(np.ones((2, 2)), np.array([[0, 0], [0, 1]], bool))


def test_energy():
    assert energy(np.ones((12, 10)), MASK) == pytest.approx(16 / 120)
    assert energy(np.where(MASK, 2.0, -9.0), MASK) == 1
    assert np.isnan(energy(-np.ones((12, 10)), MASK))


def test_segmentation_against_scikit_learn():
    values = RANDOM.standard_normal(MASK.shape)
    for threshold, cut in ((None, values.mean()), (0.7, 0.7)):
        found, guess = segmentation(values, MASK, threshold), (values > cut).ravel()
        assert found.foreground == pytest.approx(jaccard_score(MASK.ravel(), guess))
        assert found.background == pytest.approx(jaccard_score(~MASK.ravel(), ~guess))
        assert found.miou == pytest.approx(jaccard_score(MASK.ravel(), guess, average="macro"))
        assert found.accuracy == pytest.approx((guess == MASK.ravel()).mean())


def test_average_precision_against_scikit_learn_with_ties():
    for values in (RANDOM.standard_normal(MASK.shape), RANDOM.integers(0, 4, MASK.shape)):
        expected = average_precision_score(MASK.ravel(), values.ravel())
        assert average_precision(values, MASK) == pytest.approx(expected)
    assert np.isnan(average_precision(values, np.zeros_like(MASK)))


def test_the_oracle_is_best_and_its_inverse_worst():
    oracle = MASK.astype(float)
    # Without ties: average precision gives equal values the benefit of their mean.
    inverse = np.where(MASK, -np.arange(MASK.size).reshape(MASK.shape), 1.0)
    maps = [oracle, inverse, *RANDOM.random((50, *MASK.shape))]
    for score in (
        energy,
        average_precision,
        lambda v, m: segmentation(v, m).miou,
        lambda v, m: segmentation(v, m).accuracy,
        pointing_game,
    ):
        found = [score(values, MASK) for values in maps]
        assert found[0] == 1 == max(found) and found[1] == min(found)
