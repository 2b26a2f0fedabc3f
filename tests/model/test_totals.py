from dataclasses import replace

import bank_town
import pandas as pd
import pytest

from siteplanner.model.access import Travel, measure_access
from siteplanner.model.totals import network_totals


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
