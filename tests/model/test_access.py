import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from siteplanner.model.access import (
    Reach,
    Travel,
    floating_catchment,
    measure_access,
    nearest_minutes,
    pairs_within,
)
from siteplanner.model.demand import Demand
from siteplanner.model.grid import make_grid
from siteplanner.model.lattice import to_lonlat
from siteplanner.scenario import AccessSettings, GridSettings

SETTINGS = AccessSettings()
PACE = {"core": 60 * 1.25 / 4.8, "urban": 60 * 1.25 / 16.5, "town": 60 * 1.3 / 19.0, "rural": 60 * 1.4 / 35.0}
REACH_KM = {"core": 3.0, "urban": 6.0, "town": 10.0, "rural": 20.0}


def grid_at(lon, lat, width=0.3, cell_m=1_000.0):
    county = shapely.box(lon, lat, lon + width, lat + width)
    frame = gpd.GeoDataFrame({"county_id": ["a"], "name": ["a"]}, geometry=[county], crs=4326)
    return make_grid(frame.set_index("county_id"), GridSettings(cell_m=cell_m))


def demand_on(grid, seed=1):
    """Give cells people, a third of them none, and settlement classes by chance."""
    rng = np.random.default_rng(seed)
    size = len(grid.cells)
    residents = rng.integers(0, 3, size) * rng.integers(1, 500, size).astype(float)
    cells = pd.DataFrame({"residents": residents}, index=grid.cells.index)
    zero = dict.fromkeys(
        ["aged_60", "work", "leisure", "moved_in", "pipeline_households", "density_per_km2"], 0.0
    ) | dict.fromkeys(["growth_per_year", "people_gained", "pipeline_near"], 0.0)
    cells = cells.assign(
        **zero,
        residents_earlier=residents,
        settlement=rng.choice(list(PACE), size),
        visits_per_day=residents / 100.0,
        potential_wan=residents * 6.0,
    )
    return Demand(cells, pd.DataFrame())


def outlets_in(grid, size, seed=2):
    rng = np.random.default_rng(seed)
    cells = grid.cells
    return pd.DataFrame(
        {
            "own": np.arange(size) < size // 3,
            "lon": rng.uniform(cells["lon"].min(), cells["lon"].max(), size),
            "lat": rng.uniform(cells["lat"].min(), cells["lat"].max(), size),
            "county_id": "a",
            "prefecture": "p",
            "township_id": "",
            "tier": "U",
            "attractiveness": rng.uniform(0.5, 1.5, size),
            "counter_hours": rng.uniform(100.0, 300.0, size),
        },
        index=pd.Index([f"O{i:03d}" for i in range(size)], name="outlet_id"),
    )


def great_circle_km(lon, lat, other_lon, other_lat):
    """Angle between unit vectors, by its tangent (accurate near and far)."""

    def unit(lon, lat):
        lon, lat = np.radians(lon), np.radians(lat)
        return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)

    one, two = unit(lon, lat)[:, None], unit(other_lon, other_lat)[None]
    sine = np.linalg.norm(np.cross(one, two), axis=-1)
    return 6371.0088 * np.arctan2(sine, (one * two).sum(axis=-1))


def dense(reach):
    table = np.full((reach.cell_id.size, reach.n_places), np.inf)
    row = np.repeat(np.arange(reach.cell_id.size), np.diff(reach.indptr))
    table[row, reach.indices] = reach.minutes
    return table


@pytest.mark.parametrize(("lon", "lat"), [(112.5, 37.8), (-70.3, -44.0), (20.0, 69.5)])
def test_pairs_are_those_of_brute_force(lon, lat):
    grid = grid_at(lon, lat)
    demand, outlets = demand_on(grid), outlets_in(grid, 60)
    reach = pairs_within(demand, grid, outlets, Travel(SETTINGS))
    peopled = demand.cells["residents"].to_numpy() > 0
    np.testing.assert_array_equal(reach.cell_id, grid.cells.index[peopled])
    place, kind = grid.cells[peopled], demand.cells["settlement"][peopled]
    km = great_circle_km(*(frame[axis].to_numpy() for frame in (place, outlets) for axis in ("lon", "lat")))
    minutes = np.maximum(km, 0.25) * kind.map(PACE).to_numpy()[:, None]
    expected = np.where(km <= kind.map(REACH_KM).to_numpy()[:, None], minutes, np.inf)
    np.testing.assert_allclose(dense(reach), expected, rtol=1e-6)
    assert reach.indices.dtype == np.int32
    assert reach.minutes.dtype == np.float32


def test_columns_ascend_within_a_row():
    grid = grid_at(112.5, 37.8)
    reach = pairs_within(demand_on(grid), grid, outlets_in(grid, 60), Travel(SETTINGS))
    step = np.diff(reach.indices)
    new_row = np.isin(np.arange(1, reach.indices.size), reach.indptr)
    assert (step[~new_row] > 0).all()


@settings(max_examples=10)
@given(st.integers(-200, 200))
def test_moving_everything_east_by_whole_cells_changes_no_trip(cells_east):
    grid = grid_at(112.5, 37.8)
    zero, there = np.zeros(1), np.array([cells_east * 1_000.0])
    shift = to_lonlat(grid.lattice, there, zero)[0][0]
    moved = grid_at(112.5 + shift, 37.8)
    assert len(moved.cells) == len(grid.cells)
    outlets = outlets_in(grid, 20)
    reach = pairs_within(demand_on(grid), grid, outlets, Travel(SETTINGS))
    again = pairs_within(
        demand_on(moved), moved, outlets.assign(lon=outlets["lon"] + shift), Travel(SETTINGS)
    )
    np.testing.assert_array_equal(again.indices, reach.indices)
    np.testing.assert_allclose(again.minutes, reach.minutes, rtol=1e-5)


def toy():
    """D§14: three places and two outlets, with minutes in the place of km."""
    minutes = np.array([0.4, 2.5, 1.6, 0.8, 6.0, 2.8], dtype=np.float32)
    indices = np.array([0, 1, 0, 1, 0, 1], dtype=np.int32)
    return Reach(np.array([1, 2, 3]), 2, np.array([0, 2, 4, 6]), indices, minutes)


def test_floating_catchment_oracle():
    bands = AccessSettings(bands_min=(1.0, 2.0, 3.0), band_weights=(1.0, 0.68, 0.22))
    people, supply = np.array([10_000.0, 4_000.0, 1_000.0]), np.array([5.0, 2.0])
    frame = pd.DataFrame({"people": people, "settlement": "core"})
    access, theirs = floating_catchment(toy(), frame, supply, np.ones(2, dtype=bool), bands)
    assert not theirs.any()
    np.testing.assert_allclose(access * 1e4, [4.616, 5.788, 0.685], atol=5e-4)
    assert (people * access).sum() == pytest.approx(7.0, rel=1e-12)


def test_supply_is_conserved_where_anyone_can_reach_it():
    grid = grid_at(112.5, 37.8)
    demand, outlets = demand_on(grid), outlets_in(grid, 40)
    # One outlet far from everybody.
    outlets.loc["O039", "lon"] = 113.9
    access = measure_access(demand, grid, outlets, Travel(SETTINGS))
    used = (demand.cells["residents"] * access.cells["supply_any"]).sum() / 1e4
    assert used == pytest.approx(outlets["counter_hours"].drop("O039").sum(), rel=1e-9)
    own = (demand.cells["residents"] * access.cells["supply_own"]).sum() / 1e4
    assert own == pytest.approx(outlets["counter_hours"][outlets["own"]].sum(), rel=1e-9)


def test_service_of_all_cells_and_nothing_where_nobody_is():
    grid = grid_at(112.5, 37.8)
    demand, outlets = demand_on(grid), outlets_in(grid, 30)
    cells = measure_access(demand, grid, outlets, Travel(SETTINGS)).cells
    assert cells.index.equals(grid.cells.index)
    empty = demand.cells["residents"] == 0.0
    assert np.isinf(cells.loc[empty, "minutes_any"]).all()
    assert (cells.loc[empty, "supply_any"] == 0.0).all()
    assert (cells["minutes_any"] <= cells["minutes_own"]).all()
    np.testing.assert_array_equal(cells["supply_any"], cells["supply_own"] + cells["supply_rival"])


def test_nearest_minutes_by_hand():
    np.testing.assert_allclose(nearest_minutes(toy(), np.array([True, True])), [0.4, 0.8, 2.8], rtol=1e-6)
    np.testing.assert_allclose(nearest_minutes(toy(), np.array([True, False])), [0.4, 1.6, 6.0], rtol=1e-6)
    assert np.isinf(nearest_minutes(toy(), np.array([False, False]))).all()


def test_no_outlets_and_no_people():
    grid = grid_at(112.5, 37.8)
    demand, none = demand_on(grid), outlets_in(grid, 0)
    cells = measure_access(demand, grid, none, Travel(SETTINGS)).cells
    assert np.isinf(cells["minutes_any"]).all()
    nobody = Demand(demand.cells.assign(residents=0.0, visits_per_day=0.0), demand.parts)
    access = measure_access(nobody, grid, outlets_in(grid, 5), Travel(SETTINGS))
    assert access.reach.cell_id.size == 0
    assert (access.cells["supply_any"] == 0.0).all()


def test_inputs_stay():
    grid = grid_at(112.5, 37.8)
    demand, outlets = demand_on(grid), outlets_in(grid, 10)
    before = demand.cells.copy(deep=True), outlets.copy(deep=True), grid.cells.copy(deep=True)
    measure_access(demand, grid, outlets, Travel(SETTINGS))
    pd.testing.assert_frame_equal(demand.cells, before[0])
    pd.testing.assert_frame_equal(outlets, before[1])
    pd.testing.assert_frame_equal(grid.cells, before[2])


def test_more_outlets_never_lengthen_a_trip():
    grid = grid_at(112.5, 37.8)
    demand, outlets = demand_on(grid), outlets_in(grid, 30)
    few = measure_access(demand, grid, outlets.drop("O004"), Travel(SETTINGS)).cells
    all_of_them = measure_access(demand, grid, outlets, Travel(SETTINGS)).cells
    assert (all_of_them["minutes_any"] <= few["minutes_any"]).all()


def test_any_service_point_counts_beside_the_outlets():
    grid = grid_at(112.5, 37.8)
    demand, outlets, points = demand_on(grid), outlets_in(grid, 12), outlets_in(grid, 30, seed=9)
    cells = measure_access(demand, grid, outlets, Travel(SETTINGS), points[["lon", "lat"]]).cells
    together = pd.concat([outlets, points.set_axis("P" + points.index)])
    both = measure_access(demand, grid, together.rename_axis("outlet_id"), Travel(SETTINGS)).cells
    np.testing.assert_array_equal(cells["minutes_point"], both["minutes_any"])
    bare = measure_access(demand, grid, outlets, Travel(SETTINGS)).cells
    assert "minutes_point" not in bare
    pd.testing.assert_frame_equal(cells[bare.columns], bare)


def test_very_many_service_points_are_measured_some_at_a_time(monkeypatch):
    grid = grid_at(112.5, 37.8)
    demand, outlets, points = demand_on(grid), outlets_in(grid, 3), outlets_in(grid, 30, seed=9)
    whole = measure_access(demand, grid, outlets, Travel(SETTINGS), points).cells
    monkeypatch.setattr("siteplanner.model.access.POINTS_AT_A_TIME", 7)
    pd.testing.assert_frame_equal(
        measure_access(demand, grid, outlets, Travel(SETTINGS), points).cells, whole
    )


HOURS = [
    # opens, closes of four outlets; hours asked for; which count
    ((17.0, 19.0), [False, True, False, False]),
    ((9.0, 17.0), [True, True, False, True]),
    ((12.0, 13.0), [True, True, True, True]),
    ((8.0, 9.0), [False, True, False, False]),
]


@pytest.mark.parametrize(("asked", "expected"), HOURS)
def test_only_outlets_open_throughout_the_hours_count(asked, expected):
    grid = grid_at(112.5, 37.8)
    demand = demand_on(grid)
    outlets = outlets_in(grid, 4).assign(
        opens_at=[9.0, 8.0, 10.0, np.nan], closes_at=[17.0, 20.0, 16.0, np.nan]
    )
    asking = AccessSettings(hours_from=asked[0], hours_to=asked[1])
    cells = measure_access(demand, grid, outlets, Travel(asking)).cells
    them = measure_access(demand, grid, outlets[expected], Travel(SETTINGS)).cells
    np.testing.assert_array_equal(cells["minutes_any_open"], them["minutes_any"])
    np.testing.assert_array_equal(cells["minutes_own_open"], them["minutes_own"])
    np.testing.assert_allclose(cells["supply_any_open"], them["supply_any"], rtol=1e-12)
    bare = measure_access(demand, grid, outlets, Travel(SETTINGS)).cells
    pd.testing.assert_frame_equal(cells[bare.columns], bare)


def test_outlets_without_hours_keep_the_usual_ones():
    grid = grid_at(112.5, 37.8)
    demand, outlets = demand_on(grid), outlets_in(grid, 6)
    for usual, open_then in ((17.0, False), (18.0, True)):
        asking = AccessSettings(hours_from=16.0, hours_to=18.0, usual_closes_at=usual)
        cells = measure_access(demand, grid, outlets, Travel(asking)).cells
        assert np.isfinite(cells["minutes_any_open"]).any() == open_then


@pytest.mark.parametrize(
    "told",
    [
        {"hours_from": 17.0},
        {"hours_to": 17.0},
        {"hours_from": 17.0, "hours_to": 17.0},
        {"usual_opens_at": 17.0, "usual_closes_at": 9.0},
    ],
)
def test_hours_that_make_no_sense_are_refused(told):
    with pytest.raises(ValueError, match=r"hours_|usual_"):
        AccessSettings(**told)
