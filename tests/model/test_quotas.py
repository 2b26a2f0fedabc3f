import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from siteplanner.errors import NoLegalPlanError
from siteplanner.model.demand import Demand
from siteplanner.model.grid import make_grid
from siteplanner.model.quotas import set_quotas, sum_by_county
from siteplanner.scenario import DemandSettings, GridSettings, QuotaSettings, RuleSettings


class Region:
    """Counties side by side in prefecture P (a, b, c) and Q (d), each with people in one cell.

    Deposits follow residents; by default 400, 100 and 500 of P's 1,000 residents.
    """

    def __init__(self, own=(10, 6, 4, 3), residents=(400.0, 100.0, 500.0, 50.0), earlier=None, inclusive=()):
        names = ["a", "b", "c", "d"]
        self.counties = gpd.GeoDataFrame(
            {
                "name": names,
                "prefecture": ["P", "P", "P", "Q"],
                "inclusive": [name in inclusive for name in names],
            },
            geometry=[shapely.box(112 + 0.05 * i, 37.5, 112.05 + 0.05 * i, 37.55) for i in range(4)],
            index=pd.Index(names, name="county_id"),
            crs="EPSG:4326",
        )
        self.grid = make_grid(self.counties, GridSettings(cell_m=1_000.0))
        county = self.grid.cells["county_id"]
        self.cell = [county.index[county == name][7] for name in names]
        earlier = residents if earlier is None else earlier
        self.parts = pd.DataFrame(
            {
                "cell_id": self.cell,
                "county_id": names,
                "residents": residents,
                "residents_earlier": earlier,
                "aged_60": 0.0,
            }
        )
        self.cells = pd.DataFrame(
            0.0,
            index=self.grid.cells.index,
            columns=[
                "residents", "residents_earlier", "aged_60", "work", "leisure", "moved_in",
                "pipeline_households", "density_per_km2", "growth_per_year", "people_gained", "pipeline_near",
                "visits_per_day", "potential_wan",
            ],
        ).assign(settlement="town")  # fmt: skip
        self.cells.loc[self.cell, "residents"] = residents
        self.cells.loc[self.cell, "potential_wan"] = np.array(residents) * 6.0
        rows = [(name, True) for name, count in zip(names, own, strict=True) for _ in range(count)]
        rows += [("a", False), ("c", False), ("c", False)]
        self.outlets = pd.DataFrame(rows, columns=["county_id", "own"]).rename_axis("outlet_id")

    def quotas(self, quota=None, rules=None):
        settings = (QuotaSettings(**(quota or {})), RuleSettings(**(rules or {})), DemandSettings())
        return set_quotas(
            self.grid, Demand(self.cells, self.parts), self.outlets, self.counties, settings
        ).counties


def test_targets_follow_deposits_and_sum_to_the_branches_of_the_prefecture():
    found = Region().quotas()
    # Nothing grew, so only deposits speak: 20 branches x 0.4, 0.1, 0.5; prefecture Q keeps its three.
    np.testing.assert_allclose(found["target"], [8.0, 2.0, 10.0, 3.0])
    # c wants six more, but four is the most that a plan changes; the two left over stay where they are fewest
    # steps from the wish: a and b then give one less each.
    assert found["quota"].tolist() == [-1, -3, 4, 0]
    assert found["reason"].tolist() == ["over_target", "over_target", "max_change", "balanced"]
    assert found["outlets_now"].tolist() == [10, 6, 4, 3]
    assert found["outlets_all_banks"].tolist() == [11, 6, 6, 3]
    np.testing.assert_allclose(found["outlets_per_10k"], [275.0, 600.0, 120.0, 600.0])
    np.testing.assert_allclose(found["potential_share"], np.array([400, 100, 500, 50]) / 1050)


def test_growth_counts_people_gained_moved_in_and_to_come_and_never_falls_below_zero():
    region = Region(earlier=(500.0, 80.0, 480.0, 50.0))
    region.cells.loc[region.cell[2], "moved_in"] = 10.0
    # 20 households x 2.5 persons x 0.85 occupied = 42.5
    region.cells.loc[region.cell[1], "pipeline_households"] = 20.0
    found = region.quotas({"theta": 0.5, "max_change": 20})
    # Growth: a lost people, b 20 + 42.5, c 20 + 10.
    growth = np.array([0.0, 62.5, 30.0]) / 92.5
    np.testing.assert_allclose(found["target"][:3], 20 * (0.5 * np.array([0.4, 0.1, 0.5]) + 0.5 * growth))
    np.testing.assert_allclose(found["growth_share"], [*growth, 0.0])
    # Targets 4.00, 7.76, 8.24 against 10, 6, 4.
    assert found["quota"].tolist() == [-6, 2, 4, 0]


def test_all_weight_on_deposits_or_on_growth():
    region = Region(earlier=(400.0, 100.0, 400.0, 50.0))
    np.testing.assert_allclose(region.quotas({"theta": 1.0})["target"], [8.0, 2.0, 10.0, 3.0])
    np.testing.assert_allclose(region.quotas({"theta": 0.0})["target"], [0.0, 0.0, 20.0, 3.0])


def test_remainders_go_to_the_largest_fractions():
    # 7 branches by 1/2, 1/3, 1/6: 3.5, 2.33, 1.17, rounded 4, 2, 1.
    found = Region(own=(7, 0, 0, 0), residents=(300.0, 200.0, 100.0, 1.0)).quotas({"max_change": 9})
    assert (found["outlets_now"] + found["quota"]).tolist() == [4, 2, 1, 0]


def test_a_listed_county_loses_nothing():
    found = Region(inclusive=("b",)).quotas()
    assert found.loc["b", ["quota", "reason", "floor"]].tolist() == [0, "inclusive_floor", 6]
    assert found["quota"][:3].sum() == 0
    given = Region(inclusive=("b",)).quotas(rules={"county_floor": {"b": 2}})
    assert given.loc["b", "floor"] == 2
    assert given.loc["b", "quota"] < 0


def test_the_last_own_branch_of_a_county_stays():
    region = Region(own=(10, 1, 4, 0), residents=(400.0, 1.0, 599.0, 50.0))
    found = region.quotas({"max_change": 9})
    assert found.loc["b", ["floor", "quota", "reason"]].tolist() == [1, 0, "floor"]
    free = region.quotas({"max_change": 9}, rules={"keep_last_own_in_county": False})
    assert free.loc["b", ["floor", "quota"]].tolist() == [0, -1]


def test_caps_bind_and_say_so():
    found = Region().quotas(rules={"county_cap": {"c": 5}})
    assert found.loc["c", ["cap", "quota", "reason"]].tolist() == [5, 1, "cap"]
    # A cap below today's number asks for a loss, even a larger one than a plan's usual change.
    less = Region().quotas(rules={"county_cap": {"a": 4}})
    assert less.loc["a", ["cap", "quota"]].tolist() == [4, -6]


def test_a_floor_above_today_asks_for_a_gain():
    found = Region().quotas(rules={"county_floor": {"b": 8}})
    assert found.loc["b", ["floor", "quota", "reason"]].tolist() == [8, 2, "floor"]
    assert found["quota"][:3].sum() == 0


@pytest.mark.parametrize(
    "rules",
    [
        {"county_floor": {"a": 15, "c": 9}},
        {"county_floor": {"a": 9}, "county_cap": {"a": 8}},
        {"county_cap": {"a": 1, "b": 1, "c": 1}},
        {"county_floor": {"d": 4}},
    ],
)
def test_limits_that_cannot_be_met_inside_the_prefecture_are_named(rules):
    with pytest.raises(NoLegalPlanError, match="county_floor"):
        Region().quotas(quota={"max_change": 20}, rules=rules)


def test_quotas_sum_to_zero_in_every_prefecture_whatever_the_numbers():
    rng = np.random.default_rng(4)
    for _ in range(20):
        own, people = rng.integers(0, 30, 4), rng.uniform(1.0, 1_000.0, 4)
        found = Region(own=own, residents=people, earlier=people * rng.uniform(0.5, 1.5, 4)).quotas()
        assert found["quota"].groupby([0, 0, 0, 1]).sum().tolist() == [0, 0]
        after = found["outlets_now"] + found["quota"]
        assert ((after >= found["floor"]) & (after <= found["cap"])).all()


def test_cells_on_a_border_are_shared_by_residents_and_empty_ones_follow_the_grid():
    region = Region()
    parts = pd.concat(
        [region.parts, region.parts.iloc[[0]].assign(county_id="b", residents=100.0)], ignore_index=True
    )
    empty = region.grid.cells.index[region.grid.cells["county_id"] == "d"][0]
    values = pd.Series({region.cell[0]: 10.0, empty: 3.0})
    found = sum_by_county(values, region.grid, parts, region.counties.index)
    # 400 of its 500 residents live in a.
    assert found.tolist() == [8.0, 2.0, 0.0, 3.0]


def test_row_order_plays_no_part():
    region = Region(earlier=(390.0, 99.0, 300.0, 50.0))
    usual = region.quotas()
    region.counties, region.outlets = region.counties.iloc[::-1], region.outlets.iloc[::-1]
    region.parts, region.cells = region.parts.iloc[::-1], region.cells.iloc[::-1]
    pd.testing.assert_frame_equal(region.quotas(), usual, check_exact=True)
