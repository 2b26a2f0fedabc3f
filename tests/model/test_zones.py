import numpy as np
import pandas as pd
import pytest
import shapely
from planted_city import BLANK, DENSE, EAST, INFLOW, LISTED, WEST, City, shuffled

from siteplanner.model.saturation import shrunk_lq
from siteplanner.model.zone_rules import (
    count_in_cells,
    percentile_within,
    surplus_visits,
    typical_supply,
    unmet_visits,
)
from siteplanner.model.zones import find_zones
from siteplanner.scenario import ZoneSettings


def find(city, **settings):
    given = {"min_residents": 500.0, **settings}
    return find_zones(city.grid, city.demand, city.access, city.market, city.places, ZoneSettings(**given))


@pytest.fixture(scope="module")
def city():
    return City()


@pytest.fixture(scope="module")
def found(city):
    return find(city)


def classes(zones):
    return zones.zones["zone_class"].reindex(zones.cells["zone_id"]).to_numpy()


def test_what_was_planted_is_found_where_it_was_planted(city, found):
    of_cell = classes(found)
    for area, expected in [(DENSE, "dense"), (BLANK, "blank"), (INFLOW, "inflow")]:
        hit = of_cell == expected
        assert hit[city.block(area)].mean() >= 0.85, expected
        # A distance band blurs the rim of what is planted: by no more than two cells (1 km).
        assert not hit[~city.block(area, rim=2)].any(), expected
    listed = city.grid.cells["county_id"].to_numpy() == LISTED
    assert ((of_cell == "inclusive") == listed).all()
    counts = found.zones["zone_class"].value_counts()
    assert counts[["dense", "blank", "inflow", "inclusive"]].tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_noise_alone_yields_no_zone_to_act_on(seed):
    city = City(plant=False, seed=seed)
    assert set(classes(find(city))) == {"inclusive", "thin", "balanced"}


def test_every_cell_is_in_one_zone_and_the_polygons_part_the_region(city, found):
    assert found.cells.index.equals(city.grid.cells.index)
    assert set(found.cells["zone_id"]) == set(found.zones.index)
    assert found.zones["area_km2"].sum() == pytest.approx(len(city.grid.cells) * 0.25, rel=1e-12)
    assert found.zones.geometry.is_valid.all()
    shapes = found.zones.geometry.to_numpy()
    assert shapely.union_all(shapes).area == pytest.approx(shapely.area(shapes).sum(), rel=1e-9)
    for column, cells in [("residents", "residents"), ("visits_per_day", "visits_per_day")]:
        assert found.zones[column].sum() == pytest.approx(city.demand.cells[cells].sum(), rel=1e-12)
    assert found.zones["gap_visits"].sum() == pytest.approx(found.cells["gap"].sum(), rel=1e-12)
    assert found.zones["own_outlets"].sum() == city.outlets["own"].sum()
    assert found.zones["rival_outlets"].sum() == 3


def test_zones_stay_in_their_county_and_are_named_after_it(city, found):
    county = city.grid.cells["county_id"]
    assert (found.cells["zone_id"].str[:6] == county).all()
    names = found.zones["name"]
    by_class = found.zones.reset_index().set_index("zone_class")
    assert names[by_class.loc["inflow", "zone_id"]] == "East New Town Spring Garden"
    assert names[by_class.loc["blank", "zone_id"]] == "East New Town"
    assert names[by_class.loc["dense", "zone_id"]] == "West Old Town"
    assert names[f"{LISTED}-I01"] == "Hills"
    assert names[f"{WEST}-H01"] == "West"
    assert by_class.loc["blank", "zone_id"] == f"{EAST}-B01"
    assert by_class.loc["dense", "zone_id"] == f"{WEST}-D01"


def test_the_point_of_a_zone_lies_inside_it(found):
    points = shapely.points(found.zones["lon"].to_numpy(), found.zones["lat"].to_numpy())
    assert shapely.covers(found.zones.geometry.to_numpy(), points).all()


def test_row_order_plays_no_part(city, found):
    demand, access, market, places = shuffled(city)
    again = find_zones(city.grid, demand, access, market, places, ZoneSettings(min_residents=500.0))
    pd.testing.assert_frame_equal(again.cells, found.cells, check_exact=True)
    pd.testing.assert_frame_equal(
        pd.DataFrame(again.zones.drop(columns="geometry")),
        pd.DataFrame(found.zones.drop(columns="geometry")),
        check_exact=True,
    )
    assert again.zones.geometry.geom_equals_exact(found.zones.geometry, 0).all()


def test_inputs_are_left_as_they_were(city):
    demand, access, market = city.demand, city.access, city.market
    before = [frame.copy(deep=True) for frame in (demand.cells, access.cells, access.outlets, market.outlets)]
    find_zones(city.grid, demand, access, market, city.places, ZoneSettings())
    for kept, now in zip(before, (demand.cells, access.cells, access.outlets, market.outlets), strict=True):
        pd.testing.assert_frame_equal(kept, now)


@pytest.mark.parametrize(
    ("changed", "gone"),
    [
        ({"dense_lq": 50.0}, "dense"),
        ({"dense_supply_pct": 100.0}, "dense"),
        ({"blank_demand_pct": 100.0}, "blank"),
        ({"blank_supply_pct": 0.0}, "blank"),
        ({"inflow_people": 6_000.0}, "inflow"),
        ({"inflow_growth_pct": 100.0}, "inflow"),
        ({"min_residents": 1e6}, "blank"),
        ({"min_residents": 1e6}, "inflow"),
        ({"band_urban_m": 1.0, "fdr_q": 1e-9}, "blank"),
        ({"fdr_q": 1e-300}, "dense"),
        ({"saturated_performance": 1.2}, "dense"),
        ({"productive_performance": 0.9}, "dense"),
        ({"true_blank_pct": 100.0}, "blank"),
        ({"contested_pct": 0.0, "true_blank_pct": 0.0}, "blank"),
        ({"thin_demand_pct": 0.0}, "thin"),
    ],
)
def test_every_parameter_acts(city, changed, gone):
    assert gone not in set(classes(find(city, **changed)))


def test_overlap_makes_a_zone_dense_where_the_quotient_does_not():
    city = City()
    assert "dense" not in set(classes(find(city, dense_lq=50.0)))
    city.overlap = 0.6
    assert "dense" in set(classes(find(city, dense_lq=50.0)))
    assert "dense" not in set(classes(find(city, dense_lq=50.0, dense_overlap=0.7)))


def test_rural_cells_look_as_far_as_the_rural_band():
    city = City()
    demand = type(city.demand)(city.demand.cells.assign(settlement="rural"), city.demand.parts)

    def scores(**bands):
        settings = ZoneSettings(**bands)
        return find_zones(city.grid, demand, city.access, city.market, city.places, settings).cells["gap_z"]

    usual = scores()
    assert not np.allclose(usual, scores(band_rural_m=2_000.0))
    np.testing.assert_allclose(usual, scores(band_urban_m=700.0))


def test_households_to_come_make_an_inflow_zone():
    city = City(plant=False)
    coming = pd.Series(0.0, index=city.grid.cells.index).mask(city.block(INFLOW), 2_500.0)
    demand = type(city.demand)(city.demand.cells.assign(pipeline_near=coming), city.demand.parts)
    # Own supply below the class's median: those who are to come have no service yet.
    city.supply[city.block(INFLOW)] = 8.5

    def of_cells(**settings):
        given = ZoneSettings(min_residents=500.0, **settings)
        return classes(find_zones(city.grid, demand, city.access, city.market, city.places, given))

    assert (of_cells()[city.block(INFLOW)] == "inflow").mean() > 0.75
    assert "inflow" not in set(of_cells(inflow_households=3_000.0))


def test_people_without_any_bank_within_reach_are_an_inclusive_zone():
    city = City(plant=False)
    far = city.block((slice(5, 9), slice(5, 9)))
    access = city.access
    cells = access.cells.assign(minutes_any=access.cells["minutes_any"].mask(far, np.inf))
    access = type(access)(access.outlets, access.reach, cells, access.travel)
    zones = find_zones(city.grid, city.demand, access, city.market, city.places, ZoneSettings())
    remote = zones.zones.loc[(zones.zones["zone_class"] == "inclusive") & (zones.zones["county_id"] == WEST)]
    assert len(remote) == 1
    assert (classes(zones)[far] == "inclusive").mean() > 0.7


def test_typical_supply_is_the_median_weighted_by_visits():
    supply = np.array([1.0, 2.0, 9.0, 0.0, 4.0, 7.0])
    visits = np.array([1.0, 1.0, 5.0, 6.0, 4.0, 0.0])
    settlement = np.array(["core", "core", "core", "town", "town", "rural"])
    # core: half of 7 visits is passed at 9; town: more than half has none, so the mean, (6 x 0 + 4 x 4) / 10;
    # rural: no visits.
    assert typical_supply(supply, visits, settlement).tolist() == [9.0, 9.0, 9.0, 1.6, 1.6, 0.0]


def test_gap_and_surplus_are_counted_in_visits():
    supply, visits = np.array([0.0, 5.0, 10.0, 25.0, 3.0]), np.array([4.0, 4.0, 4.0, 4.0, 2.0])
    typical = np.array([10.0, 10.0, 10.0, 10.0, 0.0])
    assert unmet_visits(supply, visits, typical).tolist() == [4.0, 2.0, 0.0, 0.0, 2.0]
    assert surplus_visits(supply, visits, typical).tolist() == pytest.approx([0.0, 0.0, 0.0, 2.4, 0.0])


def test_the_quotient_of_a_whole_city_is_one_and_little_potential_makes_no_density():
    own, potential = np.array([20.0, 0.0, 3.0, 1.0]), np.array([500.0, 0.0, 25.0, 0.0])
    city = shrunk_lq(own, potential, np.full(4, 20.0), np.full(4, 500.0))
    # 21 against 21, 1 against 1, 4 against 2, 2 against 1.
    np.testing.assert_allclose(city, [1.0, 1.0, 2.0, 2.0])


def test_percentiles_are_taken_within_the_settlement_class():
    values = np.array([1.0, 2.0, 3.0, 100.0, 200.0, 999.0])
    settlement = np.array(["town", "town", "town", "core", "core", "core"])
    counted = np.array([True, True, True, True, True, False])
    assert percentile_within(values, settlement, counted, 50.0).tolist() == [2.0] * 3 + [150.0] * 3


def test_points_outside_the_region_are_in_no_cell(city):
    points = pd.DataFrame({"lon": [112.1, 0.0], "lat": [37.6, 0.0]})
    assert count_in_cells(city.grid, points, np.array([2.0, 5.0])).sum() == 2.0


def test_a_region_with_no_more_than_people_still_has_its_zones():
    city = City()
    city.outlets = city.outlets.iloc[:0]
    places = type(city.places)(
        city.counties, city.places.townships.iloc[:0], city.places.developments.iloc[:0]
    )
    cells = city.access.cells.assign(supply_own=0.0, supply_rival=0.0, minutes_own=np.inf, minutes_any=np.inf)
    access = type(city.access)(city.outlets, city.access.reach, cells, city.access.travel)
    zones = find_zones(city.grid, city.demand, access, city.market, places, ZoneSettings())
    # Nobody has a bank: many among many are blank, those to come inflow, all others remote.
    assert set(classes(zones)) <= {"blank_true", "inflow", "inclusive"}
    # Nothing but the county gives them a name: a number tells them apart.
    assert set(zones.zones["name"].str.rstrip(" 0123456789")) == {"West", "East", "Hills"}
    assert zones.zones["name"].is_unique
    assert np.isinf(zones.zones["irs"]).all()


def towns():
    """Make the blank and the dense block towns in an all but empty land: clusters need a gap between them."""
    city = City()
    city.visits[~city.block(BLANK) & ~city.block(DENSE)] *= 0.05
    return city


@pytest.mark.parametrize(("method", "make"), [("hdbscan", towns), ("regions", City)])
def test_other_methods_find_what_was_planted_too(method, make):
    # One cell has about one visit a day, a planted blank cell three, each block 100 cells.
    city = make()
    found = find(city, method=method, least_visits=20.0, core_visits=8.0, shifts=0)
    of_cell = classes(found)
    for kind, area in (("blank", BLANK), ("dense", DENSE)):
        hit = of_cell == kind
        assert hit[city.block(area)].mean() >= 0.6, kind
        assert not hit[~city.block(area, rim=3)].any(), kind
    listed = city.grid.cells["county_id"].to_numpy() == LISTED
    assert ((of_cell == "inclusive") == listed).all()
    assert set(found.cells["zone_id"]) == set(found.zones.index)
    assert (found.cells["zone_id"].str[:6] == city.grid.cells["county_id"]).all()
    assert found.zones["visits_per_day"].sum() == pytest.approx(city.demand.cells["visits_per_day"].sum())


@pytest.mark.parametrize("method", ["hdbscan", "regions"])
@pytest.mark.parametrize("seed", [1, 2])
def test_noise_alone_yields_no_zone_by_any_method(method, seed):
    city = City(plant=False, seed=seed)
    found = find(city, method=method, least_visits=20.0, core_visits=8.0, shifts=0)
    assert set(classes(found)) <= {"inclusive", "thin", "balanced"}


@pytest.mark.parametrize("method", ["hdbscan", "regions"])
def test_row_order_plays_no_part_by_any_method(city, method):
    settings = ZoneSettings(min_residents=500.0, method=method, least_visits=20.0, core_visits=8.0, shifts=1)
    demand, access, market, places = shuffled(city)
    once = find_zones(city.grid, city.demand, city.access, city.market, city.places, settings)
    again = find_zones(city.grid, demand, access, market, places, settings)
    pd.testing.assert_frame_equal(again.cells, once.cells, check_exact=True)
    pd.testing.assert_frame_equal(again.dropped, once.dropped, check_exact=True)


def test_capture_and_fair_share_of_a_zone_by_hand(found):
    # Own outlets win 0.2 of every cell; each outlet of the planted city has the same volume.
    np.testing.assert_allclose(found.zones["capture"], 0.2)
    has = found.zones["own_outlets"] > 0
    np.testing.assert_allclose(found.zones["fair_share"], np.where(has, 1.0, 0.0))
