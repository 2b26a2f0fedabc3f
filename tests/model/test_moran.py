"""Moran's I against the library of its authors' school."""

import numpy as np
import pytest
from esda.moran import Moran
from libpysal.weights import W

from siteplanner.model.moran import NEIGHBOURS, morans_i, neighbours
from siteplanner.model.sphere import unit_vectors


def spots(seed, n=80):
    rng = np.random.default_rng(seed)
    return unit_vectors(112.0 + rng.random(n), 37.0 + rng.random(n)), rng


def test_neighbours_by_brute_force():
    points, _ = spots(1)
    points[7] = points[3]
    square = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    np.fill_diagonal(square, np.inf)
    expected = np.argsort(square, axis=1, kind="stable")[:, :NEIGHBOURS]
    assert (np.sort(neighbours(points), axis=1) == np.sort(expected, axis=1)).all()


@pytest.mark.parametrize("clustered", [False, True])
def test_the_statistic_and_the_verdict_are_those_of_esda(clustered):
    points, rng = spots(2)
    values = rng.standard_normal(80) + (20.0 * points[:, 0] * 10 if clustered else 0.0)
    statistic, p = morans_i(points, values)
    weights = W({at: list(map(int, row)) for at, row in enumerate(neighbours(points))}, silence_warnings=True)
    weights.transform = "r"
    other = Moran(values, weights, permutations=999)
    assert statistic == pytest.approx(other.I, rel=1e-10)
    assert p == pytest.approx(other.p_sim, abs=0.08)
    assert (p <= 0.01) == clustered


def test_too_little_says_nothing():
    points, _ = spots(3, NEIGHBOURS + 1)
    assert np.isnan(morans_i(points, np.arange(NEIGHBOURS + 1.0))).all()
    points, _ = spots(3)
    assert np.isnan(morans_i(points, np.ones(80))).all()
