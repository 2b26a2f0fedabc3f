import numpy as np
import pandas as pd
import pytest
from planted_city import BLANK, DENSE, EAST, INFLOW, LISTED, City, scenario, shuffled

from siteplanner.model.sites import propose_sites
from siteplanner.model.sphere import great_circle_km
from siteplanner.model.zones import find_zones
from siteplanner.scenario import ZoneSettings
from siteplanner.tables import DENSE as DENSE_CLASSES

NO_SITES = pd.DataFrame()


@pytest.fixture(scope="module")
def city():
    return City()


@pytest.fixture(scope="module")
def zones(city):
    settings = ZoneSettings(min_residents=500.0)
    return find_zones(city.grid, city.demand, city.access, city.market, city.places, settings)


def propose(city, zones, user_sites=NO_SITES, **sections):
    return propose_sites(
        city.grid, city.demand, city.access, zones, city.places, user_sites, scenario(**sections)
    )


def kilometres(sites, others):
    return great_circle_km(
        sites["lon"].to_numpy()[:, None],
        sites["lat"].to_numpy()[:, None],
        others["lon"].to_numpy(),
        others["lat"].to_numpy(),
    )


def test_candidates_keep_their_spacing_from_each_other_and_from_own_branches(city, zones):
    sites = propose(city, zones, sites={"per_zone": 10}).sites
    # All cells of the planted city are urban.
    apart = kilometres(sites, sites) + np.diag(np.full(len(sites), np.inf))
    assert len(sites) > 10
    assert apart.min() >= 1.0
    assert kilometres(sites, city.outlets[city.outlets["own"]]).min() >= 1.0
    wide = propose(city, zones, relocation={"spacing_urban_km": 2.5}).sites
    assert (kilometres(wide, wide) + np.diag(np.full(len(wide), np.inf))).min() >= 2.5


def test_every_zone_to_go_to_has_candidates_and_no_dense_zone_has(city, zones):
    sites = propose(city, zones).sites
    classes = zones.zones["zone_class"].reindex(sites["zone_id"])
    assert {"blank", "inflow", "inclusive"} <= set(classes)
    assert not set(classes) & set(DENSE_CLASSES)
    spots = sites[sites["origin"] == "zone"]
    assert spots.groupby("zone_id").size().max() <= 3
    more = propose(city, zones, sites={"per_zone": 6}).sites
    assert (more["origin"] == "zone").sum() > len(spots)


def test_the_first_spot_of_a_blank_zone_is_where_most_visits_are_unmet(city, zones):
    sites = propose(city, zones, sites={"per_zone": 1}).sites
    blank = zones.zones.index[zones.zones["zone_class"] == "blank"][0]
    spot = sites[(sites["zone_id"] == blank) & (sites["origin"] == "zone")].iloc[0]
    cells = city.grid.cells
    near = kilometres(cells, cells) <= 1.0
    around = near @ zones.cells["gap"].to_numpy()
    named = sites[sites["origin"] != "zone"]
    taken = pd.concat([named[["lon", "lat"]], city.outlets.loc[city.outlets["own"], ["lon", "lat"]]])
    free = (kilometres(cells, taken) >= 1.0).all(axis=1) & (zones.cells["zone_id"] == blank).to_numpy()
    best = cells.iloc[np.argmax(np.where(free, around, -1.0))]
    assert (spot["lon"], spot["lat"]) == (best["lon"], best["lat"])


def test_large_developments_and_township_seats_are_candidates(city, zones):
    sites = propose(city, zones).sites
    by_name = sites.set_index("name")
    assert by_name.loc["Spring Garden", "origin"] == "development"
    assert "Small Court" not in by_name.index
    assert by_name.loc["New Town", "origin"] == "township"
    # Both seats of the listed county, at the legal tier of each.
    assert by_name.loc[["Upper Mill", "Lower Mill"], "tier"].tolist() == ["T", "C"]
    assert (by_name.loc[["Upper Mill", "Lower Mill"], "destination_type"] == "inclusive").all()
    assert by_name.loc["Spring Garden", "destination_type"] == "residential"
    late = propose(city, zones, demand={"plan_year": 2020, "horizon_years": 5}).sites
    assert "Spring Garden" not in set(late["name"])


def test_places_are_told_by_the_county_and_its_nearest_seat(city, zones):
    sites = propose(city, zones).sites
    seat = city.places.townships
    for site in sites.itertuples():
        of_county = seat[seat["county_id"] == site.county_id]
        km = great_circle_km(
            np.array(site.lon), np.array(site.lat), of_county["lon"].to_numpy(), of_county["lat"].to_numpy()
        )
        assert site.township_id == of_county.index[np.argmin(km)]
        assert site.tier == of_county["tier"].iloc[np.argmin(km)]
        assert site.prefecture == "P"
    assert set(sites["county_id"]) == {EAST, LISTED}


def test_without_townships_the_tier_is_the_scenario_s(city, zones):
    places = type(city.places)(city.counties, city.places.townships.iloc[:0], city.places.developments)
    given = scenario(rules={"tier_when_unknown": "C"})
    sites = propose_sites(city.grid, city.demand, city.access, zones, places, NO_SITES, given).sites
    assert set(sites["tier"]) == {"C"}
    assert set(sites["township_id"]) == {""}


def test_ids_run_from_west_to_east_within_counties(city, zones):
    sites = propose(city, zones).sites
    assert sites.index.tolist() == [f"S{i:04d}" for i in range(1, len(sites) + 1)]
    assert sites.sort_values(["county_id", "lon", "lat"]).index.tolist() == sites.index.tolist()


def test_too_many_candidates_are_cut_but_every_zone_keeps_one(city, zones):
    many = propose(city, zones, sites={"per_zone": 10}).sites
    few = propose(city, zones, sites={"per_zone": 10, "max_sites": 4}).sites
    assert len(many) > 4
    assert len(few) == 4
    classes = set(zones.zones["zone_class"].reindex(few["zone_id"]))
    assert {"blank", "inflow", "inclusive"} <= classes


def test_unmet_visits_are_those_within_the_minutes_of_cover(city, zones):
    found = propose(city, zones, access={"cover_min": 10.0})
    # Urban: 16.5 km/h, detour 1.25: 10 minutes are 2.2 km straight.
    near = kilometres(found.sites, city.grid.cells) <= 2.2
    np.testing.assert_allclose(found.sites["gap_visits"], near @ zones.cells["gap"].to_numpy(), rtol=1e-6)
    assert found.reach.n_places == len(found.sites)


def user_table(city):
    spots = [city.grid.cells.loc[city.block(area)].iloc[44] for area in (BLANK, DENSE, INFLOW)]
    return pd.DataFrame(
        {
            "name": ["x", "y", "z"],
            "lon": [spot["lon"] for spot in spots],
            "lat": [spot["lat"] for spot in spots],
            "county_id": [spot["county_id"] for spot in spots],
            "prefecture": "P",
            "township_id": "t1",
            "tier": "U",
            "rent": [50.0, 60.0, 70.0],
            "area_m2": 200.0,
        },
        index=pd.Index(["u3", "u1", "u2"], name="site_id"),
    )


def test_the_user_s_sites_are_taken_as_they_are(city, zones):
    sites = propose(city, zones, user_table(city)).sites
    assert sites.index.tolist() == ["u1", "u2", "u3"]
    assert set(sites["origin"]) == {"user"}
    assert sites["rent"].tolist() == [60.0, 70.0, 50.0]
    assert zones.zones["zone_class"].reindex(sites["zone_id"]).tolist() == ["dense", "inflow", "blank"]


def test_a_site_just_over_the_border_stands_at_the_nearest_cell(city, zones):
    over = user_table(city).assign(lon=[112.1, 112.1, 111.99], lat=37.6)
    sites = propose(city, zones, over).sites
    cells = city.grid.cells
    west = cells.index[np.argmin((cells["lon"] - 111.99) ** 2 + (cells["lat"] - 37.6) ** 2)]
    assert sites["zone_id"]["u2"] == zones.cells["zone_id"][west]


@pytest.mark.parametrize(
    ("column", "rivals", "expected"),
    [("work", False, "functional"), ("leisure", True, "emerging"), ("leisure", False, "residential")],
)
def test_places_of_work_and_of_leisure_are_told_by_the_people_present(column, rivals, expected):
    city = City()
    at = city.block(BLANK)
    crowd = city.demand.cells["residents"].where(~at, city.demand.cells["residents"] * 3.0)
    demand = type(city.demand)(city.demand.cells.assign(**{column: crowd}), city.demand.parts)
    if rivals:
        spots = city.grid.cells.loc[at].iloc[::3]
        extra = city.outlets.iloc[[-1] * len(spots)].assign(
            lon=spots["lon"].to_numpy(), lat=spots["lat"].to_numpy()
        )
        names = pd.Index([f"R{i}" for i in range(9, 9 + len(spots))], name="outlet_id")
        city.outlets = pd.concat([city.outlets, extra.set_axis(names)])
    settings = ZoneSettings(min_residents=500.0)
    zones = find_zones(city.grid, demand, city.access, city.market, city.places, settings)
    sites = propose_sites(city.grid, demand, city.access, zones, city.places, NO_SITES, scenario()).sites
    blank = zones.zones.index[zones.zones["zone_class"] == "blank"]
    spots = sites[sites["zone_id"].isin(blank) & (sites["origin"] == "zone")]
    assert expected in set(spots["destination_type"])


def test_row_order_plays_no_part(city, zones):
    usual = propose(city, zones)
    demand, access, _, places = shuffled(city)
    again = propose_sites(city.grid, city.demand, access, zones, places, NO_SITES, scenario())
    pd.testing.assert_frame_equal(again.sites, usual.sites)
    other = propose_sites(city.grid, demand, access, zones, places, NO_SITES, scenario())
    assert other.sites.index.equals(usual.sites.index)


def test_without_developments_and_seats_zones_give_all_candidates(city, zones):
    places = type(city.places)(
        city.counties, city.places.townships.iloc[:0], city.places.developments.iloc[:0]
    )
    sites = propose_sites(city.grid, city.demand, city.access, zones, places, NO_SITES, scenario()).sites
    assert set(sites["origin"]) == {"zone"}


def test_spots_of_a_listed_county_bear_the_name_of_the_nearest_seat(city, zones):
    sites = propose(city, zones).sites
    spots = sites[(sites["county_id"] == LISTED) & (sites["origin"] == "zone")]
    seat = {"t3": "Hills Upper Mill", "t4": "Hills Lower Mill"}
    assert len(spots)
    assert spots["name"].tolist() == [seat[township] for township in spots["township_id"]]


def test_every_candidate_tells_why_it_is_one(city, zones):
    sites = propose(city, zones, demand={"plan_year": 2026, "horizon_years": 5}).sites
    by_name = sites.set_index("name")
    # Handed over in 2027; a seat with unmet visits around it.
    assert by_name.loc["Spring Garden", "reason"] == "homes_coming"
    assert by_name.loc["New Town", "reason"] == "seat_unmet"
    late = propose(city, zones, demand={"plan_year": 2028, "horizon_years": 5}).sites.set_index("name")
    assert late.loc["Spring Garden", "reason"] == "homes_new"
    spots = sites[sites["origin"] == "zone"]
    told = {"blank": "spot_unmet", "inflow": "spot_growth", "inclusive": "spot_inclusive"}
    classes = zones.zones["zone_class"].reindex(spots["zone_id"])
    assert spots["reason"].tolist() == [told[name] for name in classes]
    assert set(propose(city, zones, user_table(city)).sites["reason"]) == {"offered"}


def test_a_growing_place_with_rivals_and_people_at_leisure_is_an_emerging_market(city, zones):
    at = city.block(INFLOW)
    spots = city.grid.cells.loc[at].iloc[::3]
    extra = city.outlets.iloc[[-1] * len(spots)].assign(
        lon=spots["lon"].to_numpy(), lat=spots["lat"].to_numpy()
    )
    names = pd.Index([f"R{i}" for i in range(9, 9 + len(spots))], name="outlet_id")
    outlets = pd.concat([city.outlets, extra.set_axis(names)])
    access = type(city.access)(outlets, city.access.reach, city.access.cells, city.access.travel)
    crowd = city.demand.cells["residents"].where(~at, city.demand.cells["residents"] * 1.3)
    demand = type(city.demand)(city.demand.cells.assign(leisure=crowd), city.demand.parts)
    places = type(city.places)(city.counties, city.places.townships, city.places.developments.iloc[:0])
    # 5,000 people gained there: from the bar on it is a market, above the bar a place where people live.
    for bar, expected in [(2_000.0, "emerging"), (6_000.0, "residential")]:
        given = scenario(zones={"inflow_people": bar})
        sites = propose_sites(city.grid, demand, access, zones, places, NO_SITES, given).sites
        inflow = zones.zones.index[zones.zones["zone_class"] == "inflow"]
        spots = sites[sites["zone_id"].isin(inflow) & (sites["origin"] == "zone")]
        assert expected in set(spots["destination_type"])
        assert (expected == "emerging") == ("emerging" in set(spots["destination_type"]))
