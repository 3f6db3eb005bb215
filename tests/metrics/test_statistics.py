"""Intervals, tests and ranks: closed forms and SciPy's own answers."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import stats

from engine.metrics.statistics import bootstrap, holm, places, wilcoxon

RANDOM = np.random.default_rng(0)


def test_bootstrap_is_near_the_normal_interval_and_seeded():
    values = RANDOM.normal(3, 2, (2, 400))
    low, high = bootstrap(values, seed=1)
    error = 1.96 * values.std(axis=1) / 20
    np.testing.assert_allclose(low, values.mean(1) - error, atol=0.05)
    np.testing.assert_allclose(high, values.mean(1) + error, atol=0.05)
    np.testing.assert_array_equal(bootstrap(values, seed=1)[0], low)


def test_rows_are_resampled_together():
    row = RANDOM.normal(size=50)
    low, high = bootstrap(np.stack([row, row + 1, -row]))
    assert low[1] == pytest.approx(low[0] + 1) and high[2] == pytest.approx(-low[0])


def test_bootstrap_of_one_image_of_equal_values_and_with_gaps():
    assert np.isnan(bootstrap(np.ones((2, 1)))).all()
    low, high = bootstrap(np.full((1, 9), 0.25))
    assert low[0] == high[0] == 0.25
    gaps = np.where(np.arange(40) % 2, RANDOM.normal(size=40), np.nan)
    low, high = bootstrap(gaps[None])
    assert low[0] < np.nanmean(gaps) < high[0]


def test_bootstrap_is_scipys_of_the_means_with_gaps():
    values = RANDOM.normal(size=(3, 30))
    values[1, ::4] = np.nan
    own = stats.bootstrap(
        (values,), np.nanmean, axis=-1, n_resamples=2000, batch=100, method="percentile",
        rng=np.random.default_rng(7),
    ).confidence_interval  # fmt: skip
    np.testing.assert_allclose(bootstrap(values, seed=7), own, rtol=1e-12)


def test_bootstrap_of_a_row_without_values_has_no_interval_and_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        low, high = bootstrap(np.stack([np.full(9, np.nan), np.arange(9.0)]))
    assert np.isnan([low[0], high[0]]).all() and low[1] < 4 < high[1]


def test_wilcoxon_is_scipys_of_whole_pairs():
    a, b = RANDOM.normal(size=30), RANDOM.normal(0.4, 1, 30)
    assert wilcoxon(a, b) == stats.wilcoxon(a, b).pvalue
    b[3] = np.nan
    assert wilcoxon(a, b) == stats.wilcoxon(np.delete(a, 3), np.delete(b, 3)).pvalue
    assert wilcoxon(a, a) == 1 and np.isnan(wilcoxon(a, a + np.nan))
    assert wilcoxon(np.zeros(30), np.full(30, 2e-17)) == 1  # rounding is no difference


def test_holm_closed_form():
    # 0.01 * 4, 0.03 * 3, then the running maximum over 0.04 * 2 and 0.02 * ... in order of size.
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.02])), [0.04, 0.06, 0.06, 0.06])
    np.testing.assert_allclose(holm(np.array([0.5, np.nan, 0.9])), [1, np.nan, 1])


def test_places():
    np.testing.assert_array_equal(places(np.array([0.2, 0.9, 0.2, np.nan]), True), [2.5, 1, 2.5, np.nan])
    np.testing.assert_array_equal(places(np.array([0.2, 0.9, 0.1]), False), [2, 3, 1])
