"""Imputation against the equations written out, and the score it gives."""

from __future__ import annotations

import numpy as np
import pytest

from engine.metrics.curve import ranks
from engine.metrics.road import NEIGHBOURS, enlarge, impute, road


def dense_imputation(channel, keep):
    """Every pixel's equation as a row of a dense system."""
    height, width = channel.shape
    matrix, right = np.eye(channel.size), channel.ravel().astype(float)
    for y, x in zip(*np.nonzero(~keep), strict=True):
        near = [
            ((y + dy) * width + x + dx, weight)
            for dy, dx, weight in NEIGHBOURS
            if 0 <= y + dy < height and 0 <= x + dx < width
        ]
        row = y * width + x
        right[row] = 0
        for place, weight in near:
            matrix[row, place] = -weight / sum(w for _, w in near)
    return np.linalg.solve(matrix, right).reshape(height, width)


def test_imputation_solves_the_equations():
    random = np.random.default_rng(0)
    picture, keep = random.random((3, 9, 7)), random.random((9, 7)) > 0.6
    found = impute(picture, keep, noise=0)
    for channel, ours in zip(picture, found, strict=True):
        np.testing.assert_allclose(ours, dense_imputation(channel, keep), atol=1e-12)


def test_neighbours_weigh_as_in_the_paper():
    assert sum(weight for *_, weight in NEIGHBOURS) == pytest.approx(1)
    picture = np.zeros((1, 3, 3))
    picture[0, 0, 1], picture[0, 0, 0] = 6, 12
    keep = np.ones((3, 3), bool)
    keep[1, 1] = False
    assert impute(picture, keep, noise=0)[0, 1, 1] == pytest.approx(1 + 1)


def test_a_linear_ramp_is_continued():
    ramp = np.broadcast_to(np.arange(8.0), (1, 8, 8)).copy()
    keep = np.ones((8, 8), bool)
    keep[2:6, 2:6] = False
    np.testing.assert_allclose(impute(ramp, keep, noise=0), ramp, atol=1e-12)


def test_noise_is_seeded_and_only_where_it_is_hidden():
    picture, keep = np.zeros((2, 40, 40)), np.zeros((40, 40), bool)
    keep[:, :20] = True
    found = impute(picture, keep, noise=0.1, seed=3)
    assert not found[:, keep].any() and found[:, ~keep].std() == pytest.approx(0.1, rel=0.1)
    np.testing.assert_array_equal(found, impute(picture, keep, noise=0.1, seed=3))


def test_nothing_hidden_and_nothing_kept():
    picture = np.random.default_rng(1).random((3, 4, 4)).astype(np.float32)
    np.testing.assert_array_equal(impute(picture, np.ones((4, 4), bool)), picture)
    found = impute(picture, np.zeros((4, 4), bool), noise=0)
    np.testing.assert_allclose(
        found, np.broadcast_to(picture.mean((1, 2))[:, None, None], (3, 4, 4)), rtol=1e-6
    )


def test_road_prefers_the_map_that_finds_the_object():
    picture = np.zeros((1, 8, 8))
    picture[0, 2:4, 2:4] = 1

    def scorer(pictures):
        return pictures[:, 0, 2:4, 2:4].mean((1, 2))

    good = np.zeros((4, 4))
    good[1, 1] = 1
    assert road(ranks(good), picture, scorer) == pytest.approx(0.5, abs=0.02)
    assert road(ranks(-good), picture, scorer) == pytest.approx(-0.5, abs=0.02)


def test_enlarge():
    mask = np.array([[[True, False]]])
    np.testing.assert_array_equal(enlarge(mask, (2, 4)), [[[1, 1, 0, 0], [1, 1, 0, 0]]])
