"""Deletion, insertion and what is read from them: closed forms on scores that are sums over units."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.metrics.curve import aid, area, counts, curves, ranks, share_reaching, slope

SHARES = tuple(i / 10 for i in range(11))


def weighted(weights):
    """A scorer: the sum of the weights of the units that are kept."""
    return lambda keep: (keep * np.ravel(weights)).sum(1)[:, None]


def test_ranks_break_ties_in_reading_order():
    np.testing.assert_array_equal(ranks(np.array([[1.0, 5, 1], [5, 0, 1]])), [[2, 0, 3], [1, 5, 4]])


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=40))
def test_ranks_are_a_stable_sort(values):
    order = np.argsort(ranks(np.array(values)))
    assert order.tolist() == sorted(range(len(values)), key=lambda i: -values[i])


def test_counts_round_and_authors_steps_do_not():
    assert counts((0, 0.05, 0.5, 1), 50176).tolist() == [0, 2509, 25088, 50176]
    assert counts((0, 0.05, 0.5, 1), 50176, steps=200).tolist() == [0, 2500, 25000, 50176]


def test_curves_of_a_sum_are_its_partial_sums():
    weights = np.array([[4.0, 1], [3, 2]])
    order = ranks(weights).reshape(1, -1)
    changed = np.arange(5)
    down = curves(order, changed, weighted(weights))[0, :, 0]
    up = curves(order, changed, weighted(weights), insert=True)[0, :, 0]
    np.testing.assert_allclose(down, [10, 6, 3, 1, 0])
    np.testing.assert_allclose(up, [0, 4, 7, 9, 10])
    np.testing.assert_allclose(
        curves(order, changed, weighted(weights), least=True)[0, :, 0], [10, 9, 7, 4, 0]
    )
    np.testing.assert_allclose(
        curves(order, changed, weighted(weights), insert=True, least=True)[0, :, 0], [0, 1, 3, 6, 10]
    )


def test_many_maps_come_in_bounded_parts(monkeypatch):
    monkeypatch.setattr("engine.metrics.curve.MASK_BYTES", 60)
    random = np.random.default_rng(0)
    order = np.stack([random.permutation(20) for _ in range(5)])
    sizes = []

    def scorer(keep):
        sizes.append(keep.shape)
        return weighted(np.arange(20.0))(keep)

    found = curves(order, np.arange(0, 21, 4), scorer)
    assert {shape[0] for shape in sizes} == {3} and sum(shape[0] for shape in sizes) == 30
    for row, map_order in zip(found[..., 0], order, strict=True):
        expected = [np.arange(20.0)[map_order >= n].sum() for n in range(0, 21, 4)]
        np.testing.assert_allclose(row, expected)


def test_area_is_the_trapezoid_rule():
    curve = np.random.default_rng(1).random((3, 11))
    np.testing.assert_allclose(area(curve), np.trapezoid(curve, dx=0.1))


def test_aid_of_the_perfect_and_the_inverse_order():
    most, least = np.array([1.0, 0, 0]), np.array([1.0, 1, 0])
    assert aid(2 * most + 5, 2 * least + 5, 7, 5) == pytest.approx(1 / 3)
    assert aid(least, most, 1, 0) == pytest.approx(-1 / 3)
    assert np.isnan(aid(most, least, 3, 3))


def test_share_reaching():
    rising = np.linspace(0, 1, 11) ** 2
    assert share_reaching(SHARES, rising, 1.0) == 1.0
    assert share_reaching(SHARES, rising, 1.0, part=0.25) == 0.5
    assert share_reaching(SHARES, np.array([0, 0.95, *[0.2] * 9]), 1.0) == 0.1
    assert np.isnan(share_reaching(SHARES, rising / 2, 1.0)) and np.isnan(
        share_reaching(SHARES, -rising, -1.0)
    )


def test_slope_of_a_line_and_between_points():
    assert slope(SHARES, 1 - 0.7 * np.array(SHARES)) == pytest.approx(0.07)
    assert slope((0, 0.2, 0.4, 1), np.array([1, 0.6, 0.2, 0])) == pytest.approx(0.2)


def test_the_random_order_is_flat_on_average_and_the_true_one_is_best():
    random = np.random.default_rng(2)
    weights = random.random(30)
    changed = counts(SHARES, 30)
    orders = np.stack([ranks(weights), ranks(-weights), *(random.permutation(30) for _ in range(400))])
    areas = area(curves(orders, changed, weighted(weights))[..., 0]) / weights.sum()
    assert areas[0] == areas.min() and areas[1] == areas.max()
    assert areas[2:].mean() == pytest.approx(0.5, abs=0.01)
    np.testing.assert_allclose(
        curves(orders[2:], changed, weighted(weights))[..., 0].mean(0) / weights.sum(), 1 - np.array(SHARES),
        atol=0.02,
    )  # fmt: skip
