"""The ladder: which rung is taken, what it finds, and that the market uses it."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from bank_town import gather, make_scenario
from scipy.stats import spearmanr

from siteplanner import tables
from siteplanner.errors import InputError
from siteplanner.model.access import Travel, measure_access
from siteplanner.model.calibration import MEASURES, Told, climb, fit_market
from siteplanner.model.choice import row_sums
from siteplanner.model.market import decay, share_market, utilities
from siteplanner.model.origins import Scene, deal_blocks, gather_choices
from siteplanner.model.outlets import list_outlets

TRUTH = {"alpha": 0.6, "core": 1.5, "urban": 1.5, "town": 1.5, "rural": 1.5}


@cache
def town():
    scenario = make_scenario()
    return gather(scenario)[0], scenario


def shares_of(truth, *, own_only=False):
    """Return cells' coordinates, outlets, and P_ij of a market with known coefficients, by hand."""
    evidence, scenario = town()
    reach, outlets = evidence.access.reach, evidence.access.outlets
    pull = outlets["attractiveness"].to_numpy() ** truth["alpha"]
    row = np.repeat(np.arange(reach.cell_id.size), np.diff(reach.indptr))
    settlement = evidence.demand.cells["settlement"].loc[reach.cell_id].to_numpy()[row]
    power = pd.Series(settlement).map(truth).to_numpy(dtype=float)
    utility = pull[reach.indices] * decay(reach.minutes, scenario.market) ** power
    if own_only:
        utility = np.where(outlets["own"].to_numpy()[reach.indices], utility, 0.0)
    total = np.bincount(row, utility, reach.cell_id.size)
    p = np.divide(utility, total[row], out=np.zeros(row.size), where=total[row] > 0)
    cells = evidence.grid.cells.loc[reach.cell_id]
    return pd.DataFrame(
        {
            "outlet_id": outlets.index.to_numpy()[reach.indices], "row": row, "p": p,
            "lon": cells["lon"].to_numpy()[row], "lat": cells["lat"].to_numpy()[row],
        }
    )  # fmt: skip


def draw(truth, *, own_only=False, each=40, seed=3):
    """Draw customers: so many of every cell, each to one outlet."""
    frame, rng = shares_of(truth, own_only=own_only), np.random.default_rng(seed)
    frame = frame[frame.groupby("row")["p"].transform("sum") > 0].reset_index(drop=True)
    customers = np.zeros(len(frame))
    for rows in frame.groupby("row").indices.values():
        p = frame["p"].to_numpy()[rows]
        customers[rows] = rng.multinomial(each, p / p.sum())
    drawn = frame.assign(customers=customers)
    return drawn.loc[customers > 0, ["outlet_id", "lon", "lat", "customers"]]


def surveyed(truth, every=25):
    frame = shares_of(truth)
    frame = frame[frame["row"] % every == 0]
    return frame.rename(columns={"p": "share"})[["outlet_id", "lon", "lat", "share"]]


def fit(customers=None, shares=None, branches=None, **market):
    evidence, scenario = town()
    settings = scenario.market.model_copy(update=market)
    told = Told(evidence.branches if branches is None else branches, evidence.competitors, customers, shares)
    return climb(evidence.demand, evidence.access, evidence.grid, told, (settings, scenario.access))


@pytest.mark.parametrize("own_only", [False, True])
def test_origins_give_back_the_truth_within_their_intervals(own_only):
    access, found = fit(draw(TRUTH, own_only=own_only))
    assert found.rung == "origins"
    assert found.alternatives == ("own" if own_only else "all")
    told = found.coefficients
    for name, value in (("attractiveness", 0.6), ("decay_core", 1.5), ("decay_rural", 1.5)):
        assert told["low"][name] <= value <= told["high"][name], told
    assert found.settings.decay_factor_town == told["estimate"]["decay_town"]
    assert told["rate"]["decay_urban"] == pytest.approx(0.11 * told["estimate"]["decay_urban"])
    before = town()[0].access.outlets["attractiveness"]
    np.testing.assert_allclose(access.outlets["attractiveness"], before ** told["estimate"]["attractiveness"])
    good = found.goodness["value"]
    assert 0.0 < good["pseudo_r2"] < 1.0
    assert good["held_out"] < good["held_out_prior"]
    least = found.profile["decay_factor"][found.profile["deviance"].argmin()]
    assert least == pytest.approx(1.5, rel=0.3)


def test_settlement_classes_take_decays_of_their_own_where_the_evidence_tells():
    truth = {"alpha": 1.0, "core": 2.0, "urban": 2.0, "town": 1.0, "rural": 0.6}
    told = fit(draw(truth))[1].coefficients
    assert (told["status"] == "fitted").sum() >= 3
    for name in ("town", "rural"):
        row = told.loc[f"decay_{name}"]
        if row["status"] == "fitted":
            assert row["low"] <= truth[name] <= row["high"]
    assert told["estimate"]["decay_rural"] < told["estimate"]["decay_town"]


def test_a_common_decay_is_kept_where_classes_do_not_differ():
    told = fit(draw(TRUTH, each=10, seed=8))[1].coefficients
    assert set(told["status"][1:]) == {"common"}
    assert len(set(told["estimate"][1:])) == 1


def test_shares_give_back_the_truth_with_and_without_zeros():
    shares = surveyed(TRUTH)
    found = fit(shares=shares)[1]
    assert found.rung == "shares"
    np.testing.assert_allclose(found.coefficients["estimate"], [0.6, 1.5, 1.5, 1.5, 1.5], rtol=1e-5)
    # Shares without error: the regression of the logarithms finds the same.
    assert found.goodness["value"]["mci_decay"] == pytest.approx(1.5, rel=1e-5)
    tiny = shares.assign(share=shares["share"].where(shares["share"] > 0.02, 0.0))
    zeros = fit(shares=tiny)[1]
    assert np.isnan(zeros.goodness["value"]["mci_decay"])
    assert zeros.coefficients["estimate"]["decay_core"] == pytest.approx(1.5, rel=0.2)


def test_the_best_rung_is_taken_and_another_can_be_forced():
    customers, shares = draw(TRUTH), surveyed(TRUTH)
    assert fit(customers, shares)[1].rung == "origins"
    assert fit(customers, shares, calibration="shares")[1].rung == "shares"
    assert fit(customers, shares, calibration="none")[1].rung == "none"
    none = fit()[1]
    assert none.rung == "none"
    assert set(none.coefficients["status"]) == {"prior"}
    assert none.settings == town()[1].market


@pytest.mark.parametrize("rung", ["origins", "shares", "totals"])
def test_a_forced_rung_with_too_little_evidence_is_an_input_fault(rung):
    with pytest.raises(InputError, match=r"market\.calibration"):
        fit(draw(TRUTH).head(3), surveyed(TRUTH).head(2), calibration=rung)


def test_outlets_all_alike_leave_alpha_at_its_prior():
    evidence, scenario = town()
    same = evidence.branches.assign(counters=3.0, smart_devices=2.0, atms=1.0, hours_per_week=40.0)
    truth = draw({**TRUTH, "alpha": 0.0}, own_only=True)
    told = fit(truth, branches=same)[1].coefficients
    assert told["status"]["attractiveness"] == "prior"
    assert told["estimate"]["attractiveness"] == scenario.market.attractiveness_exponent
    assert told["low"]["decay_core"] <= 1.5 <= told["high"]["decay_core"]


def test_customers_who_like_it_far_put_the_decay_at_its_bound():
    far = draw({"alpha": 1.0, "core": -1.0, "urban": -1.0, "town": -1.0, "rural": -1.0})
    told = fit(far)[1].coefficients
    assert "bound" in set(told["status"])
    assert (told["estimate"] > 0.0).all()


def test_what_is_not_used_is_counted():
    customers = draw(TRUTH)
    lost = pd.DataFrame(
        {"outlet_id": ["B6", "B1"], "lon": [112.05, 112.05], "lat": [37.55, 30.0], "customers": [7.0, 11.0]}
    )
    good = fit(pd.concat([customers, lost]))[1].goodness["value"]
    assert good["evidence_unplaced"] == 11.0
    assert good["evidence"] == customers["customers"].sum() + 18.0
    assert good["evidence_beyond"] in (0.0, 7.0)


def test_the_order_of_rows_is_irrelevant():
    customers = draw(TRUTH)
    one, other = fit(customers)[1], fit(customers.sample(frac=1.0, random_state=5))[1]
    pd.testing.assert_frame_equal(one.coefficients, other.coefficients)
    pd.testing.assert_frame_equal(one.goodness, other.goodness)


@cache
def crowded():
    """Thirty branches whose visits are those of a market with alpha 0.4 and twice the decay."""
    evidence, scenario = town()
    rng = np.random.default_rng(4)
    first = (
        evidence.branches.iloc[[0] * 30].set_axis([f"B{n:02d}" for n in range(30)]).rename_axis("branch_id")
    )
    near = rng.integers(0, 7, 30)
    spots = evidence.branches.iloc[near]
    branches = first.assign(
        lon=spots["lon"].to_numpy() + rng.normal(0, 0.02, 30),
        lat=spots["lat"].to_numpy() + rng.normal(0, 0.02, 30),
        counters=rng.integers(1, 12, 30).astype(float),
    )
    outlets = list_outlets(branches, evidence.competitors, scenario.market)
    access = measure_access(evidence.demand, evidence.grid, outlets, Travel(scenario.access))
    true = scenario.market.model_copy(
        update={"attractiveness_exponent": 0.4, **{f"decay_factor_{c}": 2.5 for c in tables.SETTLEMENTS}}
    )
    weighed = list_outlets(branches, evidence.competitors, true)
    silent = branches.assign(visits_per_day=np.nan, deposits_wan=np.nan)
    market = share_market(evidence.demand, replace(access, outlets=weighed), silent, (true, scenario.access))
    seen = market.outlets["visits_per_day"].loc[branches.index] * np.exp(rng.normal(0, 0.03, 30)) * 3.0
    return evidence, access, branches.assign(visits_per_day=seen, deposits_wan=np.nan), scenario


def totals(**market):
    evidence, access, branches, scenario = crowded()
    settings = scenario.market.model_copy(update=market)
    told = Told(branches, evidence.competitors)
    return fit_market(evidence.demand, access, evidence.grid, told, (settings, scenario.access))


def test_volumes_tell_alpha_and_a_decay_far_from_its_prior():
    _, _, market, found = totals()
    assert found.rung == "totals"
    told = found.coefficients
    assert told["low"]["attractiveness"] <= 0.4 <= told["high"]["attractiveness"]
    assert told["status"]["decay_core"] == "common"
    assert 1.5 < told["estimate"]["decay_core"] < 3.5
    good = found.goodness["value"]
    _, _, branches, _ = crowded()
    both = market.outlets["visits_per_day"].loc[branches.index], branches["visits_per_day"]
    assert good["mape_visits"] == pytest.approx((both[0] / both[1] - 1.0).abs().mean())
    assert good["spearman_visits"] == pytest.approx(spearmanr(*both).statistic)
    assert "mape_deposits" not in good
    assert good["held_out"] < good["held_out_prior"]
    assert good["branches_visits"] == 30


def test_narrow_priors_hold_both():
    """Both widths act."""
    free = totals()[3].coefficients["estimate"]
    alpha = totals(prior_width_attractiveness=0.01)[3].coefficients["estimate"]
    decays = totals(prior_width_decay=0.01)[3].coefficients["estimate"]
    assert abs(alpha["attractiveness"] - 1.0) < abs(free["attractiveness"] - 1.0)
    assert abs(decays["decay_core"] - 1.0) < abs(free["decay_core"] - 1.0)


def test_the_settings_that_were_fitted_are_those_of_the_market():
    demand, access, market, found = totals()
    outlets = market.outlets["visits_per_day"]
    evidence, _, branches, scenario = crowded()
    again = share_market(evidence.demand, access, branches, (found.settings, scenario.access))
    np.testing.assert_allclose(outlets, again.outlets["visits_per_day"])
    total = demand.cells["visits_per_day"].sum() / evidence.demand.cells["visits_per_day"].sum()
    assert total == pytest.approx(again.level)
    assert set(MEASURES) == {"visits_per_day", "deposits_wan"}


@pytest.mark.parametrize("form", ["exponential", "power", "gaussian", "combined", "step"])
def test_every_form_of_decay_is_taken_to_the_power_of_the_class(form):
    evidence, scenario = town()
    factors = {f"decay_factor_{name}": 1.0 + 0.2 * at for at, name in enumerate(tables.SETTLEMENTS)}
    settings = scenario.market.model_copy(update={"decay_form": form, **factors})
    reach = evidence.access.reach
    kind = (
        evidence.demand.cells["settlement"]
        .loc[reach.cell_id]
        .map({name: 1.0 + 0.2 * at for at, name in enumerate(tables.SETTLEMENTS)})
    )
    expected = decay(reach.minutes, settings) ** np.repeat(kind.to_numpy(dtype=float), np.diff(reach.indptr))
    np.testing.assert_allclose(utilities(reach, np.ones(reach.n_places), settings), expected)
    found = fit(draw(TRUTH), decay_form=form)[1]
    rate = found.coefficients["rate"]["decay_core"]
    assert np.isnan(rate) if form == "step" else rate > 0.0


def test_blocks_are_dealt_evenly_and_whole():
    evidence, _ = town()
    cells = evidence.access.reach.cell_id
    weight = np.ones(cells.size)
    fold = deal_blocks(evidence.grid, cells, weight)
    load = np.bincount(fold, weight)
    assert load.size == 5
    assert load.max() <= 2.0 * load.mean()
    order = np.random.default_rng(1).permutation(cells.size)
    assert (deal_blocks(evidence.grid, cells[order], weight) == fold[order]).all()


def test_people_are_put_into_their_pair():
    evidence, scenario = town()
    access = evidence.access
    scene = Scene(
        evidence.grid, access.reach, access.outlets, access.outlets["own"].to_numpy(),
        access.outlets["attractiveness"].to_numpy(), scenario.market,
    )  # fmt: skip
    told = draw(TRUTH)
    choices = gather_choices(scene, told, "customers")
    assert choices.count.sum() == told["customers"].sum()
    assert (row_sums(choices.options, choices.count) == 40.0).all()
    went = np.bincount(choices.options.place, choices.count, len(access.outlets))
    expected = told.groupby("outlet_id")["customers"].sum().reindex(access.outlets.index, fill_value=0.0)
    np.testing.assert_array_equal(went, expected)
