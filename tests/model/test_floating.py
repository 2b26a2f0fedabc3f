"""Floating catchments against published figures, hand calculation and a general solver."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from siteplanner.model.floating import balanced, modified_two_step, rational_agents, two_step


def pairs_of(table):
    """Rows x places; NaN is no pair."""
    table = np.asarray(table, dtype=float)
    there = ~np.isnan(table)
    indptr = np.concatenate(([0], np.cumsum(there.sum(axis=1))))
    return indptr, np.nonzero(there)[1].astype(np.int32), table[there]


# D§14: three places of people, two outlets, km, weights 1 / 0.68 / 0.22 at 1 / 2 / 3 km.
PEOPLE, SUPPLY = np.array([10_000.0, 4_000.0, 1_000.0]), np.array([5.0, 2.0])
KM = np.array([[0.4, 2.5], [1.6, 0.8], [6.0, 2.8]])
WEIGHT = np.select([KM <= 1, KM <= 2, KM <= 3], [1.0, 0.68, 0.22], np.nan)


def test_the_oracle_of_the_domain_notes():
    access = two_step(pairs_of(WEIGHT), PEOPLE, SUPPLY)
    np.testing.assert_allclose(access * 1e4, [4.616, 5.788, 0.685], atol=5e-4)
    assert PEOPLE @ access == pytest.approx(7.0, rel=1e-12)
    modified = modified_two_step(pairs_of(WEIGHT), PEOPLE, SUPPLY)
    np.testing.assert_allclose(modified * 1e4, [4.082, 4.933, 0.151], atol=5e-4)
    assert PEOPLE @ modified == pytest.approx(6.07, abs=5e-3)


@pytest.mark.shared
def test_belo_horizonte():
    folder = Path(os.environ["SITEPLANNER_SHARED_DATA"]) / "benchmarks/access_bho"
    told = json.loads((folder / "bho_expected.json").read_text(encoding="utf-8"))
    trips = pd.read_csv(folder / "travel_matrix.csv.gz")
    land = pd.read_csv(folder / "land_use_data.csv").set_index("id")

    def matrix(ids, limit):
        few = trips[trips["from_id"].isin(ids) & trips["to_id"].isin(ids)]
        minutes = few.set_index(["from_id", "to_id"])["travel_time"].unstack().reindex(ids)[ids]  # noqa: PD010
        return np.where(minutes.to_numpy() <= limit, 1.0, np.nan)

    five = land.loc[told["ids"]]
    people, jobs = (five[name].to_numpy(dtype=float) for name in ("population", "jobs"))
    pairs = pairs_of(matrix(told["ids"], 45))
    np.testing.assert_allclose(two_step(pairs, people, jobs).round(4), told["2sfca"])
    np.testing.assert_allclose(balanced(pairs, people, jobs).round(4), told["bfca"])
    everyone, work = (land[name].to_numpy(dtype=float) for name in ("population", "jobs"))
    # With an hour and a half for the way every job has people within reach.
    access = two_step(pairs_of(matrix(list(land.index), 90)), everyone, work)
    assert everyone @ access == pytest.approx(496_088, rel=1e-12)


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_what_is_handed_out_is_what_is_there(seed):
    rng = np.random.default_rng(seed)
    table = np.where(rng.random((12, 5)) < 0.6, rng.random((12, 5)), np.nan)
    people, supply = rng.random(12) * 100, rng.random(5) * 10
    pairs = pairs_of(table)
    reached = np.nansum(table * people[:, None], axis=0) > 0
    assert people @ two_step(pairs, people, supply) == pytest.approx(supply[reached].sum(), rel=1e-9)
    modified = modified_two_step(pairs, people, supply)
    assert (modified <= two_step(pairs, people, supply) + 1e-12).all()
    share = np.nan_to_num(table / np.nansum(table, axis=1, keepdims=True))
    level = np.divide(supply, people @ share, out=np.zeros(5), where=people @ share > 0)
    assert balanced(pairs, people, supply).sum() == pytest.approx(level.sum(), rel=1e-9)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_rational_agents_have_no_better_place(seed):
    """Wardrop: who uses a place finds none cheaper; and the loads are those of a general convex solver."""
    rng = np.random.default_rng(seed)
    table = np.where(rng.random((6, 3)) < 0.7, rng.random((6, 3)) * 20 + 1, np.nan)
    table[np.arange(6), rng.integers(0, 3, 6)] = rng.random(6) * 20 + 1
    people, supply = rng.random(6) * 100 + 1, rng.random(3) * 10 + 0.5
    tau = rng.choice([15.0, 30.0], 6)
    cost, each = rational_agents(pairs_of(table), people, supply, tau)
    rho = people.sum() / supply.sum()
    there = ~np.isnan(table)
    row, column = np.nonzero(there)
    time = (table / tau[:, None])[there]

    def potential(x):
        load = np.bincount(column, x, minlength=3)
        return x @ time + (load**2 / (2 * supply * rho)).sum()

    def slope(x):
        return time + (np.bincount(column, x, minlength=3) / (supply * rho))[column]

    keep = np.zeros((6, row.size))
    keep[row, np.arange(row.size)] = 1.0
    start = (people / there.sum(axis=1))[row]
    best = minimize(
        potential, start, jac=slope, bounds=[(0, None)] * row.size, method="SLSQP",
        constraints={"type": "eq", "fun": lambda x: keep @ x - people, "jac": lambda _: keep},
        options={"maxiter": 500, "ftol": 1e-12},
    )  # fmt: skip
    load = np.bincount(column, best.x, minlength=3)
    cheapest = np.nanmin(table / tau[:, None] + load / (supply * rho), axis=1)
    np.testing.assert_allclose(cost, cheapest, rtol=2e-3, atol=2e-3)
    used = load > 1e-6 * people.sum()
    assert people[row] @ each == pytest.approx(supply[used].sum(), rel=1e-3)


def test_a_place_that_nobody_reaches_hands_out_nothing():
    pairs = pairs_of([[1.0, np.nan], [1.0, np.nan]])
    people, supply = np.array([3.0, 1.0]), np.array([8.0, 5.0])
    for measure in (two_step, modified_two_step):
        np.testing.assert_allclose(measure(pairs, people, supply), [2.0, 2.0])
    np.testing.assert_allclose(balanced(pairs, people, supply), [1.0, 1.0])
    np.testing.assert_allclose(rational_agents(pairs, people, supply, np.full(2, 15.0))[1], [2.0, 2.0])


def test_rows_without_a_place_have_nothing():
    table = [[1.0, 2.0], [np.nan, np.nan]]
    people, supply = np.array([10.0, 5.0]), np.array([1.0, 0.0])
    cost, each = rational_agents(pairs_of(table), people, supply, np.array([15.0, 15.0]))
    assert cost[1] == np.inf
    assert each.tolist() == pytest.approx([0.1, 0.0])
    for measure in (two_step, modified_two_step, balanced):
        assert measure(pairs_of(table), people, supply)[1] == 0.0
