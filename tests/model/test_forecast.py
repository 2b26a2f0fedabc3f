"""The years to come without any move."""

from types import SimpleNamespace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from siteplanner import tables
from siteplanner.model.demand import estimate_demand
from siteplanner.model.developments import Epochs
from siteplanner.model.forecast import forecast_demand
from siteplanner.model.grid import make_grid
from siteplanner.model.residents import settle_residents
from siteplanner.scenario import AccessSettings, DemandSettings, GridSettings

STILL = {
    f"migration_{name}_per_year": 0.0 for name in ("18_34", "35_59", "60", "business")
}  # fmt: skip


@pytest.fixture(scope="module")
def grid():
    boxes = [shapely.box(112.5, 37.8, 112.55, 37.85), shapely.box(112.55, 37.8, 112.6, 37.85)]
    frame = gpd.GeoDataFrame({"county_id": ["a", "b"], "name": ["a", "b"]}, geometry=boxes, crs=4326)
    return make_grid(frame.set_index("county_id"), GridSettings())


def parts_of(grid, residents, earlier):
    index = grid.cells.index
    return pd.DataFrame(
        {
            "cell_id": index,
            "county_id": grid.cells["county_id"].to_numpy(),
            "residents": np.broadcast_to(np.asarray(residents, dtype=float), len(index)),
            "residents_earlier": np.broadcast_to(np.asarray(earlier, dtype=float), len(index)),
            "aged_60": 0.0,
        }
    )


def development(grid, households, handover, county="a"):
    cells = grid.cells[grid.cells["county_id"] == county]
    off = (cells["lon"] - cells["lon"].mean()).abs() + (cells["lat"] - cells["lat"].mean()).abs()
    cell = cells.loc[off.idxmin()]
    return pd.DataFrame(
        {
            "name": ["new"],
            "lon": [cell["lon"]],
            "lat": [cell["lat"]],
            "households": [float(households)],
            "handover": pd.to_datetime([handover]),
            "kind": ["commodity"],
        },
        index=pd.Index(["D1"], name="development_id"),
    )


NONE = pd.DataFrame(
    {"name": [], "lon": [], "lat": [], "households": [], "handover": pd.to_datetime([]), "kind": []},
    index=pd.Index([], name="development_id"),
)


def look_ahead(
    grid, parts, developments=NONE, *, share_own=0.25, levels=(1.0, 1.0), deposits_wan=None, **changed
):
    mix = DemandSettings(**changed)
    counties = pd.DataFrame({"name": ["a", "b"]}, index=pd.Index(["a", "b"], name="county_id"))
    counties = counties if deposits_wan is None else counties.assign(deposits_wan=deposits_wan)
    people = settle_residents(
        grid, parts, counties, developments, Epochs(2020, 2010), (mix, AccessSettings())
    )
    demand = estimate_demand(grid, people, pd.DataFrame(), mix).rescaled(*levels)
    cells = pd.DataFrame({"share_own": share_own}, index=grid.cells.index)
    market = SimpleNamespace(cells=cells)
    return demand, forecast_demand(grid, people, demand, market, mix)


def by_year(forecast, column):
    return forecast.counties.groupby("year")[column].sum()


def test_year_zero_is_the_demand_whatever_its_level(grid):
    rng = np.random.default_rng(1)
    people = rng.uniform(0.0, 900.0, len(grid.cells)) * (rng.random(len(grid.cells)) < 0.7)
    demand, forecast = look_ahead(
        grid, parts_of(grid, people, people * 0.9), development(grid, 500, "2022-01-01"), levels=(3.0, 0.5)
    )
    now = forecast.counties[forecast.counties["year"] == 2026].set_index("county_id")
    assert now["visits_per_day"].sum() == pytest.approx(demand.cells["visits_per_day"].sum(), rel=1e-9)
    assert now["potential_wan"].sum() == pytest.approx(demand.cells["potential_wan"].sum(), rel=1e-9)
    assert now["people"].sum() == pytest.approx(demand.cells[["residents", "moved_in"]].sum().sum(), rel=1e-9)
    county = demand.cells["visits_per_day"].groupby(grid.cells["county_id"]).sum()
    np.testing.assert_allclose(now["visits_per_day"], county, rtol=1e-9)
    segments = [f"visits_{name}" for name in tables.SEGMENTS]
    np.testing.assert_allclose(
        forecast.counties[segments].sum(axis=1), forecast.counties["visits_per_day"], rtol=1e-9
    )
    np.testing.assert_allclose(
        forecast.counties["visits_own"], 0.25 * forecast.counties["visits_per_day"], rtol=1e-9
    )
    np.testing.assert_allclose(
        forecast.counties["deposits_own_wan"], 0.25 * forecast.counties["potential_wan"], rtol=1e-9
    )
    last = forecast.counties[forecast.counties["year"] == 2031]
    assert forecast.cells["visits_horizon"].sum() == pytest.approx(last["visits_per_day"].sum(), rel=1e-9)
    assert forecast.cells["potential_horizon_wan"].sum() == pytest.approx(
        last["potential_wan"].sum(), rel=1e-9
    )


def test_deposits_that_a_county_tells_are_its_year_zero_though_it_shares_cells(grid):
    parts = parts_of(grid, 1_000.0, 900.0)
    border = parts[parts["county_id"] == "a"].tail(40)
    parts = pd.concat([parts, border.assign(county_id="b", residents=300.0)], ignore_index=True)
    told = [7_000.0, 90_000.0]
    _, forecast = look_ahead(grid, parts, development(grid, 500, "2022-01-01"), deposits_wan=told)
    now = forecast.counties[forecast.counties["year"] == 2026].set_index("county_id")
    np.testing.assert_allclose(now["potential_wan"], told, rtol=1e-9)
    np.testing.assert_allclose(now["deposits_own_wan"], np.array(told) * 0.25, rtol=1e-9)
    last = forecast.counties[forecast.counties["year"] == 2031]
    assert forecast.cells["potential_horizon_wan"].sum() == pytest.approx(
        last["potential_wan"].sum(), rel=1e-9
    )


def test_a_county_goes_on_at_its_own_rate(grid):
    # County a grew by 2 % a year for ten years, b shrank by 1 %.
    in_a = (grid.cells["county_id"] == "a").to_numpy()
    earlier = np.where(in_a, 1_000.0 / 1.02**10, 1_000.0 / 0.99**10)
    _, forecast = look_ahead(grid, parts_of(grid, 1_000.0, earlier), **STILL)
    people = forecast.counties.pivot_table(index="year", columns="county_id", values="people")
    assert people["a"][2031] / people["a"][2026] == pytest.approx(1.02**5, rel=1e-4)
    assert people["b"][2031] / people["b"][2026] == pytest.approx(0.99**5, rel=1e-4)
    visits = forecast.counties.pivot_table(index="year", columns="county_id", values="visits_per_day")
    assert visits["a"][2031] / visits["a"][2026] == pytest.approx(1.02**5, rel=1e-4)


def test_growth_is_capped_both_ways(grid):
    in_a = (grid.cells["county_id"] == "a").to_numpy()
    earlier = np.where(in_a, 100.0, 5_000.0)
    _, forecast = look_ahead(grid, parts_of(grid, 1_000.0, earlier), growth_cap_per_year=0.03, **STILL)
    people = forecast.counties.pivot_table(index="year", columns="county_id", values="people")
    np.testing.assert_allclose(people["a"], people["a"][2026] * 1.03 ** np.arange(6), rtol=1e-9)
    np.testing.assert_allclose(people["b"], people["b"][2026] * 0.97 ** np.arange(6), rtol=1e-9)


def test_visits_go_online_by_segment_year_by_year(grid):
    _, forecast = look_ahead(grid, parts_of(grid, 1_000.0, 1_000.0))
    kept = {"18_34": (0.105, 0.95), "35_59": (0.175, 0.95), "60": (0.49, 0.95), "business": (0.49, 0.97)}
    for name, (rest, rate) in kept.items():
        visits = by_year(forecast, f"visits_{name}").to_numpy()
        expected = (rest * rate ** np.arange(6) + 0.21) / (rest + 0.21)
        np.testing.assert_allclose(visits / visits[0], expected, rtol=1e-9)
    money = by_year(forecast, "potential_wan").to_numpy()
    np.testing.assert_allclose(money, money[0], rtol=1e-9)


def test_new_homes_fill_by_their_curve(grid):
    # 1,000 homes of 2.5 people, handed over at the end of 2027: nobody in the plan year.
    _, forecast = look_ahead(grid, parts_of(grid, 1_000.0, 1_000.0), development(grid, 1_000, "2027-12-31"))
    more = by_year(forecast, "people").to_numpy() - 1_000.0 * len(grid.cells)
    years = np.array([1.0, 2.0, 3.0, 4.0])
    expected = 2_500.0 * 0.85 / (1.0 + np.exp(-1.1 * (years - 2.0)))
    np.testing.assert_allclose(more[2:], expected, rtol=5e-3)
    assert abs(more[0]) < 1e-6
    assert more[1] < 2_500.0 * 0.85 / (1.0 + np.exp(2.2)) * 1.01


def test_growth_and_new_homes_are_not_added(grid):
    earlier = 1_000.0 / 1.03**10
    parts = parts_of(grid, 1_000.0, earlier)
    _, alone = look_ahead(grid, parts)
    # Six homes bring less than the trend anywhere, a thousand more where they stand.
    _, few = look_ahead(grid, parts, development(grid, 6, "2027-12-31"))
    np.testing.assert_allclose(by_year(few, "people"), by_year(alone, "people"), rtol=1e-9)
    _, many = look_ahead(grid, parts, development(grid, 1_000, "2027-12-31"))
    more = (by_year(many, "people") - by_year(alone, "people")).loc[2031]
    came = 2_500.0 * 0.85 / (1.0 + np.exp(-1.1 * 2.0))
    cells = 5  # within 500 m of the development's
    trend = 1_000.0 * (1.03**5 - 1.0) * cells
    assert more == pytest.approx(came - trend, rel=0.02)


def test_money_grows_with_deposits_a_head(grid):
    _, forecast = look_ahead(grid, parts_of(grid, 1_000.0, 1_000.0), deposits_growth_per_year=0.04)
    money = by_year(forecast, "potential_wan").to_numpy()
    np.testing.assert_allclose(money / money[0], 1.04 ** np.arange(6), rtol=1e-6)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1_000),
    households=st.floats(0.0, 20_000.0),
    handover=st.dates(pd.Timestamp("2005-01-01").date(), pd.Timestamp("2034-12-31").date()),
)
def test_nothing_is_negative_and_order_does_not_matter(grid, seed, households, handover):
    rng = np.random.default_rng(seed)
    size = len(grid.cells)
    people = rng.uniform(0.0, 2_000.0, size) * (rng.random(size) < 0.5)
    parts = parts_of(grid, people, rng.uniform(0.0, 2_000.0, size))
    built = development(grid, households, handover)
    _, first = look_ahead(grid, parts, built)
    _, second = look_ahead(grid, parts.sample(frac=1.0, random_state=seed), built)
    pd.testing.assert_frame_equal(first.counties, second.counties, check_exact=True)
    assert (first.counties.select_dtypes("number") >= 0.0).all().all()
    assert (first.cells >= 0.0).all().all()
    assert first.counties["year"].unique().tolist() == [2026, 2027, 2028, 2029, 2030, 2031]
