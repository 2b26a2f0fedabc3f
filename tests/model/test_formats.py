import bank_town
import numpy as np
import pandas as pd
import pytest

from siteplanner.model.formats import _choose, _has_full_service, assign_formats


@pytest.fixture(scope="module")
def town():
    return bank_town.usual_town()


def test_visits_told_are_those_of_the_network_after_when_everybody_chooses_anew():
    town = bank_town.plan(bank_town.make_scenario(economics={"inertia": 1.0}))
    market = town.ledger.market_after.outlets
    moves, there = town.relocation.moves, town.formats.destinations
    for name in ("visits_per_day", "deposits_wan"):
        told = there.loc[moves["site_id"], name].to_numpy()
        assert told == pytest.approx(market.loc[moves["branch_id"], name].to_numpy(), rel=1e-9)


def test_staff_is_moved_not_created(town):
    moves, there = town.relocation.moves, town.formats.destinations
    brought = town.evidence.branches.loc[moves["branch_id"], "staff"].to_numpy()
    used = there.loc[moves["site_id"], "staff"].to_numpy()
    assert (used <= brought).all()
    assert there.loc[moves["site_id"], "staff_surplus"].tolist() == (brought - used).tolist()
    assert town.formats.branches_after["staff"].sum() <= town.evidence.branches["staff"].sum()


def test_branches_after_keep_columns_and_the_unmoved(town):
    before, after = town.evidence.branches, town.formats.branches_after
    assert list(after.columns) == [*before.columns, "moved"]
    assert set(after.index[after["moved"]]) == set(town.relocation.moves["branch_id"])
    pd.testing.assert_frame_equal(
        after.loc[~after["moved"], before.columns], before.loc[~after["moved"]], check_dtype=False
    )
    sites = town.evidence.candidates.sites.loc[town.relocation.moves["site_id"]]
    moved = after.loc[town.relocation.moves["branch_id"]]
    for name in ("lon", "lat", "county_id", "township_id", "tier"):
        assert moved[name].tolist() == sites[name].tolist()


def choose(town, branch, site, **formats):
    scenario = bank_town.make_scenario(formats=formats)
    origins = town.evidence.branches.loc[[branch]]
    sites = town.evidence.candidates.sites.loc[[site]]
    return [part[0] for part in _choose(town.evidence, town.contest, (origins, sites), scenario)]


def test_smallest_format_that_carries_the_visits(town):
    # A counter that serves any number lets the smallest do; one that serves none is limited by the staff
    # that comes along: 5 of a light branch, 11 of a standard one, 20 of a core.
    assert choose(town, "B2", "S0004", visits_per_counter_day=1e6) == ["community", "format_carries_visits"]
    assert choose(town, "B4", "S0004", visits_per_counter_day=1e-6) == ["light", "format_limited_by_staff"]
    assert choose(town, "B2", "S0004", visits_per_counter_day=1e-6) == ["standard", "format_limited_by_staff"]
    assert choose(town, "B1", "S0004", visits_per_counter_day=1e-6) == ["core", "format_limited_by_staff"]


def test_a_branch_that_leaves_its_county_does_not_become_a_community_branch(town):
    assert choose(town, "B2", "S0007", visits_per_counter_day=1e6)[0] == "light"


def test_a_township_without_full_service_gets_no_community_branch(town):
    sites = town.evidence.candidates.sites.loc[["S0004", "S0007"]]
    # S0007 is the village (tier T) in which no bank is; S0004 lies in the city.
    served = _has_full_service(town.evidence, pd.Index(["B6"]), sites)
    assert served.tolist() == [True, False]


def test_no_moves_give_no_destinations(town):
    quiet = town.relocation.__class__(
        town.relocation.moves.iloc[:0], town.relocation.rejected, town.relocation.trace, town.relocation.proof
    )
    formats = assign_formats(town.evidence, town.contest, quiet, town.scenario)
    assert formats.destinations.empty
    assert not formats.branches_after["moved"].any()
    assert np.isfinite(formats.branches_after["opex_wan"]).all()
