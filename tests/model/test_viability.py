from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from bank_town import gather, make_scenario
from planted_city import City

from siteplanner.model import zone_rules as rules
from siteplanner.model.access import measure_access
from siteplanner.model.catalogue import Catalogue
from siteplanner.model.contest import rate_formats
from siteplanner.model.market import share_market
from siteplanner.model.viability import Prospects, break_even_wan, look_ahead, win_deposits
from siteplanner.model.zone_floors import find_small, starve
from siteplanner.model.zones import find_zones
from siteplanner.scenario import EconomicsSettings, ZoneSettings


def catalogue(opex, capex):
    formats = pd.DataFrame({"opex_wan": [opex, 9e9], "capex_wan": [capex, 9e9]}, index=["light", "core"])
    return Catalogue(formats, {})


def test_break_even_is_the_published_one():
    # D§6.3: opex 220, capex 180 over 8 years, spread 1.3 %, fees 0.2 %: about 162 million CNY.
    money = EconomicsSettings(spread=0.013, fee_share=0.002)
    assert break_even_wan(catalogue(220.0, 180.0), 8.0, money) == pytest.approx(242.5 / 0.015)
    assert break_even_wan(catalogue(220.0, 180.0), 8.0, money) == pytest.approx(16_200.0, rel=0.005)
    nothing = EconomicsSettings(spread=0.0, fee_share=0.0)
    assert np.isinf(break_even_wan(catalogue(1.0, 1.0), 8.0, nothing))


@pytest.fixture(scope="module")
def town():
    scenario = make_scenario()
    evidence, _ = gather(scenario)
    later = evidence.demand.cells[["potential_wan"]].mul(1.5)
    forecast = SimpleNamespace(cells=later.rename(columns={"potential_wan": "potential_horizon_wan"}))
    settings = (scenario.market, scenario.economics, scenario.zones)
    prospects = look_ahead(
        evidence.access, evidence.market, forecast, evidence.branches, evidence.competitors,
        evidence.catalogue, settings,
    )  # fmt: skip
    return scenario, evidence, prospects


def test_a_light_branch_pulls_as_one_does_after_a_move(town):
    scenario, evidence, prospects = town
    assert prospects.pull == pytest.approx(rate_formats(evidence, scenario.market)["light"])


def test_what_is_won_is_what_the_market_gives_to_one_more_outlet(town):
    scenario, evidence, prospects = town
    spots = evidence.candidates.sites.iloc[[0, -1]][["lon", "lat"]]
    today, then = win_deposits(prospects, evidence.demand, evidence.grid, spots)
    np.testing.assert_allclose(then, 1.5 * today)
    for spot, won in zip(spots.itertuples(), today, strict=True):
        outlets = evidence.access.outlets
        new = outlets.iloc[[0]].assign(lon=spot.lon, lat=spot.lat, attractiveness=prospects.pull)
        both = pd.concat([new.set_axis(pd.Index(["new"], name="outlet_id")), outlets])
        access = measure_access(evidence.demand, evidence.grid, both, evidence.access.travel)
        settings = (scenario.market, scenario.access)
        market = share_market(evidence.demand, access, evidence.branches, settings, baseline=evidence.market)
        assert won == pytest.approx(market.outlets.loc["new", "deposits_wan"], rel=1e-6)


def parts_of(kinds, residents, own=0, listed=0.0):
    return pd.DataFrame(
        {
            "kind": kinds,
            "residents": residents,
            "own_inside": own,
            "listed": listed,
            "lon": 112.0,
            "lat": 37.0,
        }
    )


def test_every_reason_to_be_too_small():
    kinds = [
        rules.BLANK,
        rules.BLANK,
        rules.INFLOW,
        rules.DENSE,
        rules.DENSE,
        rules.INCLUSIVE,
        rules.INCLUSIVE,
    ]
    parts = parts_of(kinds, [1_999.0, 2_000.0, 10.0, 1.0, 1.0, 199.0, 200.0], [0, 0, 0, 1, 2, 0, 0])
    expected = ["few_residents", "", "few_residents", "few_outlets", "", "few_remote", ""]
    settings = ZoneSettings(min_residents=2_000.0)
    assert find_small(parts, settings).tolist() == expected
    # What a list names stays, however small.
    assert set(find_small(parts.assign(listed=1.0), settings)) == {""}


def test_blank_areas_must_pay_today_and_inflow_areas_in_time():
    parts = parts_of([rules.BLANK, rules.BLANK, rules.INFLOW, rules.INFLOW, rules.DENSE, rules.BLANK], 1e5)
    small = pd.Series(["", "", "", "", "", "few_residents"], dtype="str")
    asked = []

    def win(spots):
        asked.append(len(spots))
        return np.array([99.0, 100.0, 0.0, 50.0]), np.array([500.0, 500.0, 100.0, 99.0])

    assert starve(small, parts, win, 100.0).tolist() == [
        "not_viable",
        "",
        "",
        "not_viable",
        "",
        "few_residents",
    ]
    assert asked == [4]


def test_zones_that_do_not_feed_a_branch_are_dropped_and_listed():
    city = City()
    cell_id = city.grid.cells.index.to_numpy()
    reach = type(city.access.reach)(
        cell_id, len(city.outlets), np.zeros(cell_id.size + 1, dtype=np.int64), np.zeros(0, dtype=np.int32),
        np.zeros(0),
    )  # fmt: skip
    access = type(city.access)(city.outlets, reach, city.access.cells, city.access.travel)
    potential = city.demand.cells["potential_wan"].to_numpy()
    given = ZoneSettings(min_residents=500.0, shifts=0)

    def find(least_wan):
        prospects = Prospects(access, np.full(cell_id.size, 1.0), 1.0, potential, least_wan, scenario.market)
        return find_zones(city.grid, city.demand, access, city.market, city.places, given, prospects)

    scenario = make_scenario()
    fed, starved = find(0.0), find(1e12)
    assert len(fed.dropped[fed.dropped["reason"] == "not_viable"]) == 0
    gone = starved.dropped[starved.dropped["reason"] == "not_viable"]
    assert sorted(gone["zone_class"]) == ["blank", "inflow"]
    assert set(gone["name"]) == {"East New Town"}
    assert not {"blank", "inflow"} & set(starved.zones["zone_class"])
    blank = fed.zones[fed.zones["zone_class"] == "blank"].iloc[0]
    row = gone[gone["zone_class"] == "blank"].iloc[0]
    assert row["residents"] == pytest.approx(blank["residents"])
    assert row["potential_wan"] == pytest.approx(blank["potential_wan"])
