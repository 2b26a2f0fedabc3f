from collections import Counter
from dataclasses import replace

import bank_town
import numpy as np
import pandas as pd
import pytest

from siteplanner.model.access import Travel, measure_access
from siteplanner.model.totals import network_totals, people_by_way


@pytest.fixture(scope="module")
def town():
    return bank_town.usual_town()


def kpis_of(town, access):
    runs = ((access, town.evidence.market), (town.ledger.access_after, town.ledger.market_after))
    runs = (runs[0], (replace(access, cells=access.cells), runs[1][1]))
    return network_totals(town.evidence, runs, town.formats, town.ledger.moves, town.scenario)


def test_coverage_by_own_any_bank_and_any_point_is_counted_by_hand(town):
    evidence = town.evidence
    points = pd.DataFrame({"lon": [112.15], "lat": [37.67]}, index=["P00001"])
    asking = town.scenario.access.model_copy(update={"hours_from": 17.0, "hours_to": 18.0})
    outlets = evidence.access.outlets.assign(opens_at=9.0, closes_at=17.0)
    outlets.loc["B1", "closes_at"] = 18.0
    access = measure_access(evidence.demand, evidence.grid, outlets, Travel(asking), points)
    kpis = kpis_of(town, access)["before"]
    parts = evidence.demand.parts
    for kind in ("own", "any", "point", "own_open", "any_open"):
        near = access.cells[f"minutes_{kind}"].loc[parts["cell_id"]].to_numpy() <= 15.0
        covered = parts["residents"].to_numpy()[near].sum()
        assert kpis[f"covered_{kind}"] == pytest.approx(covered, rel=1e-12)
        assert kpis[f"covered_{kind}_share"] == pytest.approx(covered / 103_000.0, rel=1e-12)
    # The village has an agent and no bank; after hours only B1 serves.
    assert kpis["covered_own"] <= kpis["covered_any"] < kpis["covered_point"]
    assert 0.0 < kpis["covered_own_open"] == kpis["covered_any_open"] < kpis["covered_own"]


def test_without_points_and_hours_nothing_is_said_of_them(town):
    assert not town.ledger.kpis.index.str.contains("point|open").any()


def test_people_beyond_reach_and_covered_people_are_everybody(town):
    kpis = town.ledger.kpis
    for kind in ("own", "any"):
        everybody = kpis.loc[f"covered_{kind}", ["before", "after"]] + kpis.loc[f"uncovered_{kind}"]
        assert everybody[["before", "after"]].tolist() == pytest.approx([103_000.0] * 2, rel=1e-12)


def test_townships_one_closure_away_from_none_are_counted_by_hand(town):
    evidence, kpis = town.evidence, town.ledger.kpis
    for when, branches in (("before", evidence.branches), ("after", town.formats.branches_after)):
        own = Counter(t for t in branches["township_id"].dropna() if t)
        anyone = own + Counter(t for t in evidence.competitors["township_id"].dropna() if t)
        assert kpis.loc["townships_with_own", when] == len(own)
        assert kpis.loc["townships_one_own", when] == sum(n == 1 for n in own.values())
        assert kpis.loc["townships_one_any", when] == sum(n == 1 for n in anyone.values())


def test_the_distance_that_5_percent_exceed_by_sorting_everybody(town):
    evidence = town.evidence
    people = evidence.demand.cells["residents"]
    cells = np.radians(evidence.grid.cells.loc[people.index[people > 0.0], ["lat", "lon"]].to_numpy())
    for when, branches in (("before", evidence.branches), ("after", town.formats.branches_after)):
        ours = np.radians(branches[["lat", "lon"]].to_numpy())
        gap = cells[:, None] - ours[None]
        half = np.sin(gap[..., 0] / 2) ** 2
        half += np.cos(cells[:, None, 0]) * np.cos(ours[None, :, 0]) * np.sin(gap[..., 1] / 2) ** 2
        km = (2 * 6371.0088 * np.arcsin(np.sqrt(half))).min(axis=1)
        found, weight = town.ledger.kpis.loc["p95_km_own", when], people[people > 0.0].to_numpy()
        assert weight[km < found - 1e-6].sum() < 0.95 * weight.sum()
        assert weight[km <= found + 1e-6].sum() >= 0.95 * weight.sum() * (1.0 - 1e-9)


def test_people_by_way_of_travel_are_everybody(town):
    """Rows that begin on a road go by the way of their settlement class; all others go straight."""
    evidence, settings = town.evidence, town.scenario.access
    reach = evidence.access.reach
    assert people_by_way(evidence.demand, reach, settings)["straight"] == pytest.approx(103_000.0)
    on_road = np.arange(reach.cell_id.size) % 2 == 0
    told = people_by_way(evidence.demand, replace(reach, on_road=on_road), settings)
    residents = evidence.demand.cells["residents"].loc[reach.cell_id]
    assert sum(told.values()) == pytest.approx(103_000.0)
    assert told["straight"] == pytest.approx(residents[~on_road].sum())
