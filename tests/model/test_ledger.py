from copy import deepcopy

import bank_town
import numpy as np
import pandas as pd
import pytest

from siteplanner.model.access import Travel, measure_access
from siteplanner.model.ledger import balance_moves, outlets_after
from siteplanner.model.market import share_market
from siteplanner.tables import DENSE


@pytest.fixture(scope="module")
def town():
    return bank_town.plan(bank_town.make_scenario(relocation={"max_moves": 3}))


@pytest.fixture(scope="module")
def plain():
    """Return the town where nobody is drawn to a brand: its ledger is that of whole-network runs."""
    rules = {"relocation": {"max_moves": 3}, "economics": {"inertia": 1.0}}
    return bank_town.plan(bank_town.make_scenario(**rules))


@pytest.fixture(scope="module")
def moves(town):
    assert len(town.ledger.moves) == 3
    return town.ledger.moves


def own_visits(access, market):
    return market.outlets["visits_per_day"][access.outlets["own"].to_numpy()].sum()


def test_market_effects_add_up_to_the_difference_of_two_runs(town, moves):
    before = own_visits(town.evidence.access, town.evidence.market)
    after = own_visits(town.ledger.access_after, town.ledger.market_after)
    net = moves["gross_gain_visits"] - moves["cannibalised_visits"] - moves["lost_visits"]
    assert moves["net_visits"].to_numpy() == pytest.approx(net.to_numpy(), rel=1e-12)
    assert net.sum() == pytest.approx(after - before, abs=1e-9 * before)


def test_each_move_is_the_difference_of_whole_networks(plain):
    """Carry out the moves one by one with whole-network runs: open first, then close."""
    town, moves = plain, plain.ledger.moves
    evidence, scenario = town.evidence, town.scenario
    settings = (scenario.market, scenario.access)
    all_after = outlets_after(evidence, town.formats, scenario)
    outlets = evidence.access.outlets

    def run(table):
        """Return visits of own outlets; rows of demand are the same, so the outside option is kept."""
        access = measure_access(evidence.demand, evidence.grid, table, Travel(scenario.access))
        market = share_market(evidence.demand, access, evidence.branches, settings, baseline=evidence.market)
        return market.outlets["visits_per_day"][table["own"].to_numpy()]

    for seq, branch in town.relocation.moves["branch_id"].items():
        start = run(outlets)
        new = all_after.loc[[branch]].rename(index={branch: "new"})
        rivals = outlets[~outlets["own"]]
        both = run(pd.concat([outlets[outlets["own"]], new, rivals]))
        stays = outlets[outlets["own"]].drop(branch)
        outlets = pd.concat([pd.concat([stays, all_after.loc[[branch]]]).sort_index(), rivals])
        end = run(outlets)
        row = moves.loc[seq]
        assert row["gross_gain_visits"] == pytest.approx(both["new"], rel=1e-9)
        assert row["cannibalised_visits"] == pytest.approx(both["new"] - both.sum() + start.sum(), abs=1e-6)
        assert row["lost_visits"] == pytest.approx(both.sum() - end.sum(), abs=1e-6)
        assert row["recaptured_visits"] == pytest.approx(both[branch] - row["lost_visits"], abs=1e-6)


def test_people_covered_add_up_to_the_difference(town, moves):
    kpis = town.ledger.kpis
    change = kpis.loc["covered_own", "after"] - kpis.loc["covered_own", "before"]
    assert (moves["covered_gained"] - moves["covered_lost"]).sum() == pytest.approx(change, abs=1e-6)


def test_county_totals_are_exact(town):
    counties, parts = town.ledger.counties, town.evidence.demand.parts
    assert counties["residents"].sum() == pytest.approx(103_000.0, rel=1e-12)
    for county in (bank_town.TOWN, bank_town.HILLS):
        here = parts[parts["county_id"] == county]
        near = town.ledger.access_after.cells["minutes_own"].loc[here["cell_id"]] <= 15.0
        expected = here["residents"][near.to_numpy()].sum()
        assert counties.loc[county, "covered_own_after"] == pytest.approx(expected, rel=1e-12)
    assert counties["outlets_before"].tolist() == [5, 2]
    after = town.formats.branches_after["county_id"].value_counts()
    assert counties["outlets_after"].to_dict() == after.reindex(counties.index, fill_value=0).to_dict()
    for name in ("before", "after"):
        total = town.ledger.kpis.loc["visits_own", name]
        assert counties[f"visits_{name}"].sum() == pytest.approx(total, rel=1e-9)


def test_deposits_leave_by_the_retention_model(town, moves):
    branches, market = town.evidence.branches, town.evidence.market.outlets
    origin = town.relocation.moves["branch_id"]
    held = branches["deposits_wan"].fillna(market["deposits_wan"]).loc[origin].to_numpy()
    assert moves["lost_wan"].to_numpy() == pytest.approx(held * (1.0 - moves["retention"].to_numpy()))
    assert (moves["lost_low_wan"] <= moves["lost_wan"] + 1e-9).all()
    assert (moves["lost_wan"] <= moves["lost_high_wan"] + 1e-9).all()
    net = moves["gross_gain_wan"] - moves["cannibalised_wan"] - moves["lost_wan"]
    assert moves["net_wan"].to_numpy() == pytest.approx(net.to_numpy())


def test_running_cost_and_margin_of_a_move(town, moves):
    row = moves.iloc[0]
    origin, site = town.relocation.moves.iloc[0][["branch_id", "site_id"]]
    there = town.formats.destinations.loc[site]
    saved = town.evidence.branches.loc[origin, "opex_wan"] - there["opex_wan"]
    assert row["cost_effect_wan"] == pytest.approx(saved)
    assert row["capex_wan"] == pytest.approx(there["capex_wan"] + 60.0)
    assert row["volume_effect_wan"] == pytest.approx(0.015 * row["net_wan"])


def test_every_visit_of_a_move_is_accounted_for(moves):
    sources = moves["cannibalised_visits"] + moves["from_rivals_visits"] + moves["from_outside_visits"]
    np.testing.assert_allclose(moves["gross_gain_visits"], sources, rtol=1e-12)
    goals = moves["to_rivals_visits"] + moves["to_outside_visits"]
    np.testing.assert_allclose(moves["lost_visits"], goals, rtol=1e-12)
    assert (moves[["from_rivals_visits", "to_rivals_visits", "to_outside_visits"]] > 0.0).all(axis=None)


def test_the_network_after_is_that_of_a_run_from_scratch(plain):
    town = plain
    evidence, scenario, ledger = town.evidence, town.scenario, town.ledger
    outlets = outlets_after(evidence, town.formats, scenario)
    access = measure_access(evidence.demand, evidence.grid, outlets, Travel(scenario.access))
    for name in ("cell_id", "indptr", "indices", "minutes"):
        np.testing.assert_array_equal(getattr(ledger.access_after.reach, name), getattr(access.reach, name))
    assert ledger.access_after.reach.n_places == access.reach.n_places
    pd.testing.assert_frame_equal(ledger.access_after.cells, access.cells, check_exact=True)
    settings = (scenario.market, scenario.access)
    whole = share_market(evidence.demand, access, evidence.branches, settings, baseline=evidence.market)
    np.testing.assert_allclose(ledger.market_after.cells, whole.cells, rtol=0.0, atol=1e-12)
    pd.testing.assert_frame_equal(ledger.market_after.outlets, whole.outlets, rtol=1e-9)


def test_reasons_are_the_largest_parts(town, moves):
    release = town.scores.release.loc[town.relocation.moves["branch_id"].iloc[0]]
    attract = town.scores.attract.loc[town.relocation.moves["site_id"].iloc[0]]
    points = {f"release_{k[5:]}": v for k, v in release.items() if k.startswith("part_")}
    points |= {f"attract_{k[5:]}": v for k, v in attract.items() if k.startswith("part_")}
    best = sorted(points, key=lambda name: -points[name])[:3]
    assert moves.iloc[0][["reason_1", "reason_2", "reason_3"]].tolist() == best


def test_zone_counts_of_the_kpis(town):
    kpis, zones = town.ledger.kpis, town.evidence.zones.zones
    dense = zones.loc[zones["zone_class"].isin(DENSE), "own_outlets"].sum()
    assert kpis.loc["own_outlets_dense", "before"] == dense
    assert kpis.loc["own_outlets"].tolist()[:2] == [7.0, 7.0]


def test_inputs_are_not_modified(town):
    evidence = town.evidence
    frames = {
        "branches": evidence.branches,
        "outlets": evidence.access.outlets,
        "sites": evidence.candidates.sites,
    }
    copies = deepcopy(frames)
    rows = town.contest.network.own.copy()
    balance_moves(evidence, town.contest, town.plans, town.scenario)
    for name, frame in frames.items():
        pd.testing.assert_frame_equal(frame, copies[name])
    assert (rows != town.contest.network.own).nnz == 0
