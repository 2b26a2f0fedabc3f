"""Published optima: OR-Library p-medians and p-centers, and San Francisco for p = 1..8."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest

from siteplanner.location import max_coverage, p_center, p_median, verify

pytestmark = pytest.mark.shared
SHARED = os.environ.get("SITEPLANNER_SHARED_DATA")
needs_data = pytest.mark.skipif(not SHARED, reason="SITEPLANNER_SHARED_DATA is not set")


def folder():
    return Path(SHARED) / "benchmarks"


def read_pmed(name):
    """Edge list to all shortest paths; a repeated edge replaces the earlier one (OR-Library's note)."""
    numbers = np.array((folder() / "pmed" / f"{name}.txt").read_text().split(), dtype=int)
    size, edges, p = numbers[:3]
    cost = np.full((size, size), np.inf)
    np.fill_diagonal(cost, 0.0)
    for left, right, length in numbers[3 : 3 + 3 * edges].reshape(-1, 3):
        cost[left - 1, right - 1] = cost[right - 1, left - 1] = length
    for middle in range(size):
        np.minimum(cost, cost[:, middle, None] + cost[None, middle, :], out=cost)
    return cost, int(p)


def read_san_francisco():
    with (
        folder() / "spopt_sf" / "SF_network_distance_candidateStore_16_censusTract_205_new.csv"
    ).open() as file:
        rows = list(csv.DictReader(file))
    stores = sorted({row["name"] for row in rows})
    tracts = sorted({row["DestinationName"] for row in rows})
    cost, weight = np.full((len(tracts), len(stores)), np.inf), np.zeros(len(tracts))
    for row in rows:
        tract = tracts.index(row["DestinationName"])
        cost[tract, stores.index(row["name"])] = float(row["distance"])
        weight[tract] = float(row["demand"])
    expected = json.loads((folder() / "spopt_sf" / "sf_spopt_expected.json").read_text())
    return cost, weight, expected["exhaustive_enumeration_by_this_helper"]["by_p"]


@needs_data
@pytest.mark.parametrize("number", range(1, 11))
def test_pmed_reaches_its_published_optima(number):
    cost, p = read_pmed(f"pmed{number}")
    with (folder() / "pmed" / "pmed_optima.csv").open() as file:
        row = next(row for row in csv.DictReader(file) if row["instance"] == f"pmed{number}")
    median = p_median(cost, np.ones(len(cost)), p, gap=0.0, time_limit=60)
    assert (median.objective, median.status) == (float(row["p_median_optimum"]), "optimal")
    assert verify("p_median", median, cost, p, weight=np.ones(len(cost))) == []
    center = p_center(cost, p, gap=0.0, time_limit=60)
    assert (center.objective, center.status) == (float(row["p_center_optimum"]), "optimal")
    assert verify("p_center", center, cost, p) == []


@needs_data
@pytest.mark.parametrize("p", range(1, 9))
def test_san_francisco_equals_enumeration(p):
    cost, weight, by_p = read_san_francisco()
    expected = by_p[str(p)]
    assert p_median(cost, weight, p, gap=0.0).objective == pytest.approx(expected["p_median_objective"])
    assert p_center(cost, p, gap=0.0).objective == pytest.approx(expected["p_center_max_dist"])
    covered = max_coverage((cost <= 5000).astype(float), weight, p, gap=0.0)
    assert covered.objective == pytest.approx(expected["mclp_5000m_population"])
