from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from siteplanner import tables
from siteplanner.model.demand import estimate_demand
from siteplanner.model.developments import Epochs, occupancy
from siteplanner.model.grid import make_grid
from siteplanner.model.residents import settle_residents
from siteplanner.model.volumes import visits_per_day
from siteplanner.scenario import AccessSettings, DemandSettings, GridSettings

EPOCHS = Epochs(2020, 2010)
NO_DEVELOPMENTS = pd.DataFrame(
    {"name": [], "lon": [], "lat": [], "households": [], "handover": pd.to_datetime([]), "kind": []},
    index=pd.Index([], name="development_id"),
)


@pytest.fixture(scope="module")
def grid():
    county = shapely.box(112.5, 37.8, 112.6, 37.9)
    frame = gpd.GeoDataFrame({"county_id": ["a"], "name": ["a"]}, geometry=[county], crs=4326)
    return make_grid(frame.set_index("county_id"), GridSettings())


def parts_of(grid, residents, earlier=None, aged=0.0):
    residents = np.broadcast_to(np.asarray(residents, dtype=float), len(grid.cells))
    return pd.DataFrame(
        {
            "cell_id": grid.cells.index,
            "county_id": "a",
            "residents": residents,
            "residents_earlier": residents if earlier is None else earlier,
            "aged_60": aged,
        }
    )


def footfall_of(grid, work, leisure):
    frame = pd.DataFrame(0.0, index=grid.cells.index, columns=list(tables.FOOTFALL_BANDS))
    return frame.assign(footfall_weekday_day=work, footfall_weekend_day=leisure)


def no_footfall(grid):
    return footfall_of(grid, 0.0, 0.0).iloc[:0]


def development(grid, handover, households=1_000.0, kind="commodity"):
    cell = grid.cells.iloc[len(grid.cells) // 2]
    return pd.DataFrame(
        {
            "name": ["new"],
            "lon": [cell["lon"]],
            "lat": [cell["lat"]],
            "households": [households],
            "handover": pd.to_datetime([handover]),
            "kind": [kind],
        },
        index=pd.Index(["D1"], name="development_id"),
    )


def demand_of(grid, parts, footfall=None, developments=NO_DEVELOPMENTS, epochs=EPOCHS, **settings):
    footfall = no_footfall(grid) if footfall is None else footfall
    people = residents_of(grid, parts, developments, epochs, **settings)
    return estimate_demand(grid, people, footfall, DemandSettings(**settings)).cells


def county_table(*ids):
    return pd.DataFrame({"name": ids}, index=pd.Index(ids, name="county_id"))


def residents_of(grid, parts, developments=NO_DEVELOPMENTS, epochs=EPOCHS, counties=None, **settings):
    counties = county_table(*sorted(set(parts["county_id"]))) if counties is None else counties
    both = (DemandSettings(**settings), AccessSettings())
    return settle_residents(grid, parts, counties, developments, epochs, both)


def segments_of(grid, parts, footfall=None, counties=None, **settings):
    footfall = no_footfall(grid) if footfall is None else footfall
    people = residents_of(grid, parts, counties=counties, **settings)
    return estimate_demand(grid, people, footfall, DemandSettings(**settings))


def test_occupancy_follows_the_published_oracle():
    # D§14: years 1-5 with 0.85, 2.0, 1.1.
    years, kind = np.arange(1.0, 6.0), np.array(["commodity"] * 5, dtype=object)
    shares = occupancy(years, kind, DemandSettings())
    np.testing.assert_allclose(shares, [0.21, 0.42, 0.64, 0.77, 0.82], atol=0.005)


def test_kinds_have_their_own_occupancy_and_nobody_lives_there_before_handover():
    kind = np.array(["resettlement", "functional", "market", "commodity"], dtype=object)
    late = occupancy(np.full(4, 40.0), kind, DemandSettings())
    np.testing.assert_allclose(late, [0.95, 0.55, 0.85, 0.85], atol=1e-9)
    half = occupancy(np.array([0.7, 2.0, 2.0, 2.0]), kind, DemandSettings())
    np.testing.assert_allclose(half, [0.475, 0.275, 0.425, 0.425], rtol=1e-12)
    assert (occupancy(np.full(4, -0.1), kind, DemandSettings()) == 0.0).all()


# Of visits 30 % need cash, of which 30 % went online: 21 % of all stay. Of the other 70 %, 85, 75, 30 and
# 30 % went.
PER_DAY = np.array([3.0 * 0.315, 3.0 * 0.385, 4.5 * 0.70, 4.0 * 0.70]) / 250.0
SHARES = np.array([0.227, 0.375, 0.187])


def test_visits_per_head_and_day_by_hand():
    np.testing.assert_allclose(visits_per_day(DemandSettings()), PER_DAY, rtol=1e-12)
    # In two years 0.95 x 0.95 of the non-cash visits are left, of businesses' 0.97 x 0.97; cash stays.
    later = np.array([3.0 * (0.105 * 0.9025 + 0.21), 3.0 * (0.175 * 0.9025 + 0.21),
                      4.5 * (0.49 * 0.9025 + 0.21), 4.0 * (0.49 * 0.9409 + 0.21)]) / 250.0  # fmt: skip
    np.testing.assert_allclose(visits_per_day(DemandSettings(), 2), later, rtol=1e-12)


def test_without_footfall_all_weight_is_on_home(grid):
    cells = demand_of(grid, parts_of(grid, 100.0))
    expected = 100.0 * (SHARES @ PER_DAY[:3] + 0.130 * PER_DAY[3])
    np.testing.assert_allclose(cells["visits_per_day"], expected, rtol=1e-9)
    np.testing.assert_allclose(cells["potential_wan"], 100.0 * 6.0, rtol=1e-9)


def test_layers_are_scaled_to_the_same_people_before_mixing(grid):
    size = len(grid.cells)
    work, leisure = np.zeros(size), np.zeros(size)
    work[3], leisure[5] = 7.0, 1e6
    parts, footfall = parts_of(grid, 10.0), footfall_of(grid, work, leisure)
    found = segments_of(grid, parts, footfall, footfall_spread_m=0.0)
    for column, age in enumerate(tables.AGES):
        persons = found.segments[f"visits_{age}"].to_numpy() / PER_DAY[column] / SHARES[column]
        expected = np.full(size, 4.0)
        expected[3] += 0.4 * 10.0 * size
        expected[5] += 0.2 * 10.0 * size
        np.testing.assert_allclose(persons, expected, rtol=1e-9)
    # Businesses stand where people are by day.
    businesses = found.segments["businesses"].to_numpy()
    assert businesses[3] == pytest.approx(1.3 * size)
    assert (np.delete(businesses, 3) == 0.0).all()
    assert (found.mix.home, found.mix.work, found.mix.leisure) == pytest.approx((0.4, 0.4, 0.2))


@given(
    weights=st.tuples(*[st.floats(0.0, 1.0)] * 3),
    people=st.lists(st.floats(0.0, 5_000.0), min_size=4, max_size=4),
    seen=st.lists(st.floats(0.0, 5_000.0), min_size=4, max_size=4),
)
def test_the_mix_makes_nobody_and_loses_nobody(grid, weights, people, seen):
    size = len(grid.cells)
    residents, work = np.zeros(size), np.zeros(size)
    residents[:4], work[2:6] = people, seen
    found = segments_of(
        grid, parts_of(grid, residents), footfall_of(grid, work, work[::-1]), footfall_spread_m=0.0,
        weight_home=weights[0], weight_work=weights[1], weight_visit=weights[2],
    )  # fmt: skip
    assert (found.segments >= 0.0).all().all()
    for column, age in enumerate(tables.AGES):
        expected = residents.sum() * SHARES[column] * PER_DAY[column]
        assert found.segments[f"visits_{age}"].sum() == pytest.approx(expected, rel=1e-9, abs=1e-12)
        assert found.segments[f"people_{age}"].sum() == pytest.approx(
            residents.sum() * SHARES[column], rel=1e-9
        )
    assert found.segments["businesses"].sum() == pytest.approx(residents.sum() * 0.13, rel=1e-9)
    assert found.cells["potential_wan"].sum() == pytest.approx(residents.sum() * 6.0, rel=1e-9)


def test_sightings_are_spread_over_their_ground_and_none_is_lost(grid):
    work = np.zeros(len(grid.cells))
    middle = len(work) // 2
    work[middle] = 90.0
    side = 2.0 * grid.lattice.cell_m
    cells = demand_of(grid, parts_of(grid, 10.0), footfall_of(grid, work, 0.0), footfall_spread_m=side)
    assert cells["work"].sum() == pytest.approx(90.0, rel=1e-12)
    # A square of two cells' side covers the middle cell whole, its four neighbours by half: 1/4 and 1/8.
    assert cells["work"].max() == pytest.approx(90.0 / 4.0, rel=0.05)
    assert (cells["work"] > 0.0).sum() == 9


def test_an_empty_weekend_leaves_its_weight_to_the_others(grid):
    work = np.zeros(len(grid.cells))
    work[0] = 1.0
    found = segments_of(grid, parts_of(grid, 10.0), footfall_of(grid, work, 0.0), footfall_spread_m=0.0)
    persons = found.segments["visits_60"] / (4.5 * 0.7 / 250) / 0.187
    assert persons.iloc[1] == pytest.approx(5.0)
    assert persons.iloc[0] == pytest.approx(5.0 + 0.5 * 10.0 * len(grid.cells))
    assert (found.mix.home, found.mix.work, found.mix.leisure) == pytest.approx((0.5, 0.5, 0.0))


def test_weight_on_empty_layers_alone_goes_home(grid):
    cells = demand_of(grid, parts_of(grid, 10.0), weight_home=0.0)
    np.testing.assert_allclose(cells["visits_per_day"], cells["visits_per_day"].iloc[0], rtol=1e-9)
    assert cells["visits_per_day"].iloc[0] > 0.0


def test_where_the_aged_live_more_visits_are_made(grid):
    aged = np.zeros(len(grid.cells))
    aged[: len(aged) // 2] = 900.0
    found = segments_of(grid, parts_of(grid, 1_000.0, aged=aged))
    assert found.segments["people_60"].sum() == pytest.approx(aged.sum(), rel=1e-9)
    assert (found.segments["people_60"].iloc[: aged.size // 2] > 850.0).all()
    total = found.segments[[f"people_{age}" for age in tables.AGES]].sum(axis=1)
    assert (total <= 1_000.0 * (1.0 + 1e-9)).all()
    assert found.cells["visits_per_day"].iloc[0] > 1.5 * found.cells["visits_per_day"].iloc[-1]


def test_a_county_keeps_the_deposits_and_businesses_that_it_tells(grid):
    half = grid.cells.index[: len(grid.cells) // 2]
    parts = parts_of(grid, 40.0)
    parts["county_id"] = np.where(parts["cell_id"].isin(half), "a", "b")
    counties = county_table("a", "b").assign(deposits_wan=[5_000.0, np.nan], small_businesses=[np.nan, 77.0])
    split = replace(grid, cells=grid.cells.assign(county_id=parts["county_id"].to_numpy()))
    found = segments_of(split, parts, counties=counties)
    first = found.segments.index.isin(half)
    assert found.cells["potential_wan"][first].sum() == pytest.approx(5_000.0, rel=1e-9)
    others = 40.0 * (~first).sum()
    assert found.cells["potential_wan"][~first].sum() == pytest.approx(6.0 * others, rel=1e-9)
    assert found.segments["businesses"][~first].sum() == pytest.approx(77.0, rel=1e-9)
    assert found.segments["businesses"][first].sum() == pytest.approx(0.13 * 40.0 * first.sum(), rel=1e-9)


def test_rescaling_keeps_all_in_step(grid):
    found = segments_of(grid, parts_of(grid, 40.0))
    twice = found.rescaled(2.0, 3.0)
    visits = twice.segments[[f"visits_{name}" for name in tables.SEGMENTS]].sum(axis=1)
    np.testing.assert_allclose(twice.cells["visits_per_day"], visits, rtol=1e-12)
    np.testing.assert_allclose(twice.cells["visits_per_day"], 2.0 * found.cells["visits_per_day"], rtol=1e-12)
    potential = twice.segments[[f"potential_{age}_wan" for age in tables.AGES]].sum(axis=1)
    np.testing.assert_allclose(twice.cells["potential_wan"], potential, rtol=1e-12)
    np.testing.assert_allclose(potential, 3.0 * found.cells["potential_wan"], rtol=1e-12)
    pd.testing.assert_series_equal(
        twice.segments["potential_business_wan"], found.segments["potential_business_wan"]
    )


def test_only_the_increase_since_the_raster_is_added(grid):
    # Handed over at the end of 2018: two years old for the raster, eight in the plan year.
    cells = demand_of(grid, parts_of(grid, 10.0), developments=development(grid, "2018-12-31"))
    then, now = (0.85 / (1.0 + np.exp(-1.1 * (age - 2.0))) for age in (2.0, 8.0))
    assert cells["moved_in"].sum() == pytest.approx(1_000.0 * 2.5 * (now - then), rel=2e-3)
    assert cells["pipeline_households"].sum() == 0.0
    assert (cells["moved_in"] > 0).sum() == 5


def test_homes_after_the_plan_year_are_pipeline_only(grid):
    soon = demand_of(grid, parts_of(grid, 10.0), developments=development(grid, "2027-01-01"))
    assert soon["moved_in"].sum() == 0.0
    assert soon["pipeline_households"].sum() == pytest.approx(1_000.0)
    assert soon["pipeline_near"].max() == pytest.approx(1_000.0)
    later = demand_of(grid, parts_of(grid, 10.0), developments=development(grid, "2032-01-01"))
    assert later["pipeline_households"].sum() == 0.0


@given(st.dates(pd.Timestamp("1990-01-01").date(), pd.Timestamp("2040-12-31").date()))
def test_a_development_never_takes_people_away_nor_adds_more_than_its_homes(handover):
    county = shapely.box(112.5, 37.8, 112.53, 37.83)
    frame = gpd.GeoDataFrame({"county_id": ["a"], "name": ["a"]}, geometry=[county], crs=4326)
    small = make_grid(frame.set_index("county_id"), GridSettings())
    cells = demand_of(small, parts_of(small, 10.0), developments=development(small, handover))
    assert (cells["moved_in"] >= 0.0).all()
    assert cells["moved_in"].sum() <= 2_500.0
    households = cells["pipeline_households"].sum()
    assert households == pytest.approx(1_000.0 if 2027 <= handover.year <= 2031 else 0.0)


def test_growth_is_read_within_one_kilometre(grid):
    earlier = np.full(len(grid.cells), 100.0)
    cells = demand_of(grid, parts_of(grid, 200.0, earlier=earlier))
    # 13 cells of 500 m have their centre within 1 km.
    middle = cells.iloc[len(cells) // 2]
    assert middle["people_gained"] == pytest.approx(1_300.0)
    assert middle["growth_per_year"] == pytest.approx(((2_600 + 10) / (1_300 + 10)) ** 0.1 - 1.0)


def test_one_epoch_has_no_growth(grid):
    cells = demand_of(grid, parts_of(grid, 200.0, earlier=0.0), epochs=Epochs(2020, 2020))
    assert (cells["growth_per_year"] == 0.0).all()
    assert (cells["people_gained"] == 0.0).all()
    pd.testing.assert_series_equal(cells["residents_earlier"], cells["residents"], check_names=False)


@pytest.mark.parametrize(
    ("per_km2", "settlement"), [(8_001.0, "core"), (7_999.0, "urban"), (301.0, "town"), (299.0, "rural")]
)
def test_settlement_follows_density(grid, per_km2, settlement):
    cells = demand_of(grid, parts_of(grid, per_km2 / 4.0))
    np.testing.assert_allclose(cells["density_per_km2"], per_km2, rtol=1e-9)
    assert set(cells["settlement"]) == {settlement}


def test_a_new_district_is_no_longer_countryside(grid):
    built = development(grid, "2021-01-01", households=3_000.0)
    cells = demand_of(grid, parts_of(grid, 10.0), developments=built)
    # 3,000 x 2.5 x 0.85 / (1 + exp(-1.1 (6 - 2))) = 6,297 people on 9 km2, beside 40 per km2.
    middle = cells.loc[cells["moved_in"].idxmax()]
    assert middle["density_per_km2"] == pytest.approx(40.0 + 6_297.0 / 9.0, rel=1e-3)
    assert middle["settlement"] == "town"


def test_people_of_one_cell_in_two_counties_are_added(grid):
    parts = parts_of(grid, 10.0)
    both = pd.concat([parts, parts.iloc[:1].assign(county_id="b", residents=5.0)])
    assert demand_of(grid, both)["residents"].iloc[0] == 15.0


def test_order_of_rows_does_not_matter_and_inputs_stay(grid):
    rng = np.random.default_rng(3)
    parts = parts_of(grid, rng.uniform(0.0, 900.0, len(grid.cells)), aged=1.0)
    twice = pd.concat([parts, parts.assign(county_id="b")], ignore_index=True)
    developments = pd.concat(
        [development(grid, "2019-03-01"), development(grid, "2022-03-01").set_axis(["D0"])]
    ).rename_axis("development_id")
    before = twice.copy(deep=True), developments.copy(deep=True)
    first = demand_of(grid, twice, developments=developments)
    second = demand_of(grid, twice.sample(frac=1.0, random_state=1), developments=developments.iloc[::-1])
    pd.testing.assert_frame_equal(first, second, check_exact=True)
    pd.testing.assert_frame_equal(twice, before[0])
    pd.testing.assert_frame_equal(developments, before[1])


def test_people_outside_the_grid_are_a_broken_promise(grid):
    stray = parts_of(grid, 1.0).assign(cell_id=-5)
    with pytest.raises(tables.ContractError, match="not in the grid"):
        demand_of(grid, stray)


def test_unknown_footfall_is_read_off_the_known_cells_around(grid):
    work = np.full(len(grid.cells), 8.0)
    middle = len(work) // 2
    work[middle] = np.nan
    cells = demand_of(grid, parts_of(grid, 10.0), footfall_of(grid, work, 0.0), footfall_spread_m=0.0)
    np.testing.assert_allclose(cells["work"], 8.0, rtol=1e-12)
    # Cells that are not in the table had no traffic: half of the eight cells around are such.
    rows, cols = (grid.cells[name].to_numpy() for name in ("row", "col"))
    near = (abs(rows - rows[middle]) <= 1) & (abs(cols - cols[middle]) <= 1)
    near[middle] = False
    assert near.sum() == 8
    absent = np.flatnonzero(near)[:4]
    table = footfall_of(grid, work, 0.0).drop(index=grid.cells.index[absent])
    cells = demand_of(grid, parts_of(grid, 10.0), table, footfall_spread_m=0.0)
    assert cells["work"].iloc[middle] == pytest.approx(4.0)
    assert (cells["work"].iloc[absent] == 0.0).all()


def test_the_only_known_cell_speaks_for_all_and_nothing_known_is_no_footfall(grid):
    work = np.full(len(grid.cells), np.nan)
    nothing = demand_of(grid, parts_of(grid, 10.0), footfall_of(grid, work, 0.0), footfall_spread_m=0.0)
    assert (nothing["work"] == 0.0).all()
    work[0] = 5.0
    cells = demand_of(grid, parts_of(grid, 10.0), footfall_of(grid, work, 0.0), footfall_spread_m=0.0)
    np.testing.assert_allclose(cells["work"], 5.0, rtol=1e-12)
