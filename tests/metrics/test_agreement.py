"""Agreement and sparsity: closed forms, an independent library, and properties."""

import numpy as np
import pytest
from scipy import stats

from engine.metrics.agreement import gini, rank_difference, spearman, top_overlap


def test_gini_of_equal_values_is_zero_and_of_one_holder_is_its_limit():
    assert gini(np.full((3, 4), 0.7)) == pytest.approx(0, abs=1e-12)
    one = np.zeros((2, 5))
    one[1, 2] = 3.0
    assert gini(one) == pytest.approx(1 - 1 / 10)


def test_gini_closed_form_scale_and_sign():
    assert gini(np.array([1.0, 3.0])) == pytest.approx(0.25)  # mean difference 1, mean 2: 1 / (2 * 2)
    values = np.random.default_rng(0).normal(size=(5, 7))
    assert gini(values) == pytest.approx(gini(-12.5 * values))
    sizes = np.abs(values).ravel()
    pairs = np.abs(sizes[:, None] - sizes[None]).mean() / (2 * sizes.mean())
    assert gini(values) == pytest.approx(pairs)


def test_gini_of_nothing_is_zero():
    assert gini(np.zeros(4)) == 0.0


def test_spearman_matches_scipy_with_ties():
    maps = np.random.default_rng(1).integers(0, 5, size=(4, 60)).astype(float)
    expected = stats.spearmanr(maps, axis=1).statistic
    np.testing.assert_allclose(spearman(maps), expected, atol=1e-12)


def test_spearman_ignores_monotone_changes_of_unit():
    a = np.random.default_rng(2).random(50)
    table = spearman(np.stack([a, np.exp(9 * a), -a]))
    np.testing.assert_allclose(table, [[1, 1, -1], [1, 1, -1], [-1, -1, 1]], atol=1e-12)


def test_spearman_of_a_flat_map_is_undefined():
    table = spearman(np.stack([np.zeros(9), np.arange(9.0)]))
    assert np.isnan(table[0]).all() and np.isnan(table[:, 0]).all() and table[1, 1] == pytest.approx(1)


def test_top_overlap_closed_form():
    up, down, half = np.arange(10.0), -np.arange(10.0), np.array([0, 0, 0, 0, 0, 9, 8, 0, 0, 7.0])
    table = top_overlap(np.stack([up, down, half]), share=0.3)
    np.testing.assert_allclose(table, [[1, 0, 1 / 3], [0, 1, 0], [1 / 3, 0, 1]])


def test_top_overlap_breaks_ties_stably_and_keeps_one_patch():
    np.testing.assert_array_equal(top_overlap(np.zeros((2, 6)), share=0.01), np.ones((2, 2)))


def test_rank_difference_closed_form():
    a, b = np.array([[0.0, 1.0], [2.0, 3.0]]), np.array([[30.0, 20.0], [10.0, 0.0]])
    np.testing.assert_allclose(rank_difference(a, b), [[-0.75, -0.25], [0.25, 0.75]])
    np.testing.assert_array_equal(rank_difference(a, 100 * a - 7), np.zeros((2, 2)))
