import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from siteplanner import tables
from siteplanner.model.demand import Epochs, estimate_demand, occupancy, visits_per_person_day
from siteplanner.model.grid import make_grid
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
    both = (DemandSettings(**settings), AccessSettings())
    return estimate_demand(grid, parts, footfall, developments, epochs, both).cells


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


def test_visits_per_person_and_day_by_hand():
    # 70 % of visits need no cash, 80 % of them went online; of the other 30 %, 30 %: 35 % stay.
    assert visits_per_person_day(DemandSettings()) == pytest.approx(3.0 * 0.35 / 250)


def test_without_footfall_all_weight_is_on_home(grid):
    cells = demand_of(grid, parts_of(grid, 100.0))
    np.testing.assert_allclose(cells["visits_per_day"], 100.0 * 3.0 * 0.35 / 250, rtol=1e-12)
    np.testing.assert_allclose(cells["potential_wan"], 100.0 * 6.0, rtol=1e-12)


def test_layers_are_scaled_to_the_same_people_before_mixing(grid):
    size = len(grid.cells)
    work, leisure = np.zeros(size), np.zeros(size)
    work[3], leisure[5] = 7.0, 1e6
    cells = demand_of(grid, parts_of(grid, 10.0), footfall_of(grid, work, leisure), footfall_spread_m=0.0)
    persons = cells["visits_per_day"].to_numpy() / (3.0 * 0.35 / 250)
    expected = np.full(size, 4.0)
    expected[3] += 0.4 * 10.0 * size
    expected[5] += 0.2 * 10.0 * size
    np.testing.assert_allclose(persons, expected, rtol=1e-12)


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
    cells = demand_of(grid, parts_of(grid, 10.0), footfall_of(grid, work, 0.0), footfall_spread_m=0.0)
    persons = cells["visits_per_day"] / (3.0 * 0.35 / 250)
    assert persons.iloc[1] == pytest.approx(5.0)
    assert persons.iloc[0] == pytest.approx(5.0 + 0.5 * 10.0 * len(grid.cells))


def test_age_moves_visits_but_not_their_total(grid):
    aged = np.zeros(len(grid.cells))
    aged[0] = 10.0
    cells = demand_of(grid, parts_of(grid, 10.0, aged=aged))
    people = 10.0 * len(grid.cells)
    assert cells["visits_per_day"].sum() == pytest.approx(people * 3.0 * 0.35 / 250)
    # All old against all young: one and a half times the visits.
    assert cells["visits_per_day"].iloc[0] / cells["visits_per_day"].iloc[1] == pytest.approx(1.5)


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
