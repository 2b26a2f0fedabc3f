import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siteplanner.model.access import Access, Reach, Travel
from siteplanner.model.demand import Demand
from siteplanner.model.market import calibrate, decay, outside_utility, share_market, share_pairs, utilities
from siteplanner.scenario import AccessSettings, MarketSettings

ACCESS = AccessSettings()
SETTINGS = MarketSettings()


def full_pairs(utility):
    """Return the CSR of a table in which every cell reaches every outlet."""
    rows, cols = utility.shape
    return (
        np.arange(0, rows * cols + 1, cols),
        np.tile(np.arange(cols, dtype=np.int32), rows),
        utility.ravel().astype(float),
    )


def by_hand(utility, outside, visits, own):
    """Shares, volumes and overlap, written as in D§4 and D§6.2."""
    share = utility / (outside + utility.sum(axis=1))[:, None]
    siblings = np.zeros_like(share)
    for j in np.flatnonzero(own):
        others = own & (np.arange(own.size) != j)
        ours = share[:, own].sum(axis=1)
        siblings[:, j] = np.divide(
            share[:, others].sum(axis=1), ours, out=np.zeros(len(ours)), where=ours > 0
        )
    volume = visits @ share
    kept = (visits[:, None] * share * siblings).sum(axis=0)
    return share, volume, np.divide(kept, volume, out=np.zeros_like(kept), where=volume > 0)


def town(seed=4, rows=5, cols=5, own=3):
    """Build records of a 5 x 5 toy in which the last cell reaches nothing and the first has nobody."""
    rng = np.random.default_rng(seed)
    minutes = rng.uniform(1.0, 30.0, (rows, cols)).astype(np.float32)
    visits = rng.uniform(1.0, 9.0, rows + 2)
    visits[0] = 0.0
    ids = pd.Index(np.arange(10, 12 + rows), name="cell_id")
    zero = ["residents", "residents_earlier", "aged_60", "work", "leisure", "moved_in"]
    zero += ["pipeline_households", "density_per_km2", "growth_per_year", "people_gained", "pipeline_near"]
    cells = pd.DataFrame(0.0, index=ids, columns=zero).assign(
        settlement=rng.choice(["core", "urban", "town", "rural"], rows + 2),
        visits_per_day=visits,
        potential_wan=visits * 100.0,
    )
    indptr = np.append(np.arange(0, rows * cols + 1, cols), rows * cols)
    indices = np.tile(np.arange(cols, dtype=np.int32), rows)
    reach = Reach(ids.to_numpy()[1:], cols, indptr, indices, minutes.ravel())
    outlets = pd.DataFrame(
        {
            "own": np.arange(cols) < own,
            "lon": 112.5,
            "lat": 37.8,
            "county_id": "a",
            "prefecture": "p",
            "township_id": "",
            "tier": "U",
            "attractiveness": rng.uniform(0.5, 1.5, cols),
            "counter_hours": 100.0,
        },
        index=pd.Index([f"O{j}" for j in range(cols)], name="outlet_id"),
    )
    columns = ["minutes_own", "minutes_any", "supply_own", "supply_rival", "supply_any"]
    service = pd.DataFrame(1.0, index=ids, columns=columns)
    return Demand(cells, pd.DataFrame()), Access(outlets, reach, service, Travel(AccessSettings())), minutes


def branches_with(**observed):
    index = pd.Index(["O0", "O1", "O2"], name="branch_id")
    return pd.DataFrame(observed, index=index)


def test_huff_oracle():
    # D§14: attractiveness 1, 0.8, 1 at 0.5, 1.5, 0.8 km with power decay 1.5 and no outside option.
    utility = np.array([[1.0, 0.8, 1.0]]) * np.array([[0.5, 1.5, 0.8]]) ** -1.5
    own = np.array([True, True, False])
    shares, volumes = share_pairs(full_pairs(utility), np.zeros(1), np.ones((1, 2)), own)
    np.testing.assert_allclose(volumes[:, 0], [0.607, 0.093, 0.300], atol=5e-4)
    np.testing.assert_allclose(shares[0], [0.700, 0.300, 0.0], atol=5e-4)
    closed = utility * [[0.0, 1.0, 1.0]]
    shares, _ = share_pairs(full_pairs(closed), np.zeros(1), np.ones((1, 2)), own)
    assert shares[0, 0] == pytest.approx(0.238, abs=5e-4)


def test_utility_by_hand():
    _, access, minutes = town()
    utility = utilities(access.reach, access.outlets["attractiveness"].to_numpy(), SETTINGS)
    expected = access.outlets["attractiveness"].to_numpy() * np.exp(-0.11 * minutes.astype(float))
    np.testing.assert_allclose(utility, expected.ravel(), rtol=1e-12)
    assert utility.dtype == np.float64


def test_outside_option_wins_its_share_where_a_bank_is_near():
    demand, access, minutes = town()
    utility = utilities(access.reach, access.outlets["attractiveness"].to_numpy(), SETTINGS)
    outside = outside_utility(demand, access.reach, utility, ACCESS, SETTINGS)
    pace = {"core": 15.625, "urban": 4.545454545, "town": 4.105263158, "rural": 2.4}
    rows = demand.cells.iloc[1:]
    one_km = rows["settlement"].map(pace).to_numpy(dtype=float)
    total = utility.reshape(5, 5).sum(axis=1)
    won = outside[:5] / (outside[:5] + total)
    near = minutes.min(axis=1) <= one_km[:5]
    for kind in rows["settlement"].unique():
        mine = (rows["settlement"] == kind).to_numpy()
        sample = mine[:5] & near
        if sample.any():
            visits = rows["visits_per_day"].to_numpy()[:5][sample]
            assert np.average(won[sample], weights=visits) == pytest.approx(0.125, abs=1e-9)
        else:
            # 0.125 against one average outlet at 1 km: u f(1 km) with u = 1/7.
            np.testing.assert_allclose(outside[mine], np.exp(-0.11 * one_km[mine]) / 7.0, rtol=1e-9)


def test_calibrated_demand_predicts_what_was_observed():
    demand, access, _ = town()
    observed = branches_with(visits_per_day=[30.0, 10.0, 20.0])
    market = share_market(demand, access, observed, (SETTINGS, ACCESS))
    scaled, after = calibrate(demand, market)
    again = share_market(scaled, access, observed, (SETTINGS, ACCESS))
    assert again.level == pytest.approx(1.0, rel=1e-12)
    assert after.calibration == (market.level, market.level_deposits)
    np.testing.assert_allclose(again.outlets["visits_per_day"], after.outlets["visits_per_day"], rtol=1e-12)


def test_market_is_that_of_brute_force():
    demand, access, _ = town()
    market = share_market(demand, access, branches_with(), (SETTINGS, ACCESS))
    utility = utilities(access.reach, access.outlets["attractiveness"].to_numpy(), SETTINGS).reshape(5, 5)
    own = access.outlets["own"].to_numpy()
    visits = demand.cells["visits_per_day"].to_numpy()[1:6]
    share, volume, overlap = by_hand(utility, market.outside[:5], visits, own)
    np.testing.assert_allclose(market.cells["share_own"].iloc[1:6], share[:, own].sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(market.cells["share_rival"].iloc[1:6], share[:, ~own].sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(market.outlets["visits_per_day"], volume, rtol=1e-12)
    np.testing.assert_allclose(market.outlets["deposits_wan"], volume * 100.0, rtol=1e-12)
    np.testing.assert_allclose(market.outlets["overlap"][own], overlap[own], rtol=1e-12)
    assert market.outlets.loc[~own, ["overlap", "performance"]].isna().all(axis=None)
    assert (market.level, market.level_deposits) == (1.0, 1.0)
    assert (market.outlets["performance"][own] == 1.0).all()
    # Nobody, and nothing in reach: both go outside.
    assert market.cells.iloc[[0, 6]].to_numpy().tolist() == [[0.0, 0.0, 1.0]] * 2


def test_shares_sum_to_one_and_volumes_to_what_was_shared():
    demand, access, _ = town(seed=9)
    market = share_market(demand, access, branches_with(), (SETTINGS, ACCESS))
    np.testing.assert_allclose(market.cells.sum(axis=1), 1.0, rtol=0, atol=1e-12)
    won = demand.cells["visits_per_day"] * (1.0 - market.cells["share_outside"])
    assert market.outlets["visits_per_day"].sum() == pytest.approx(won.sum(), rel=1e-12)


def test_levels_are_observed_over_predicted_of_the_branches_with_figures():
    demand, access, _ = town()
    bare = share_market(demand, access, branches_with(), (SETTINGS, ACCESS)).outlets
    seen = bare["deposits_wan"].iloc[:3].to_numpy() * [2.0, 2.0, 5.0]
    branches = branches_with(deposits_wan=seen, visits_per_day=[30.0, np.nan, np.nan])
    market = share_market(demand, access, branches, (SETTINGS, ACCESS))
    assert market.level == pytest.approx(30.0 / bare["visits_per_day"]["O0"])
    level = seen.sum() / bare["deposits_wan"].iloc[:3].sum()
    assert market.level_deposits == pytest.approx(level)
    np.testing.assert_allclose(market.outlets["deposits_wan"], bare["deposits_wan"] * level, rtol=1e-12)
    np.testing.assert_allclose(
        market.outlets["visits_per_day"], bare["visits_per_day"] * market.level, rtol=1e-12
    )
    performance = market.outlets["performance"].iloc[:3]
    np.testing.assert_allclose(performance, np.array([2.0, 2.0, 5.0]) / level, rtol=1e-12)


def test_performance_falls_back_to_visits_then_to_one():
    demand, access, _ = town()
    bare = share_market(demand, access, branches_with(), (SETTINGS, ACCESS)).outlets
    seen = bare["visits_per_day"].iloc[:3].to_numpy() * [1.0, 3.0, np.nan]
    market = share_market(demand, access, branches_with(visits_per_day=seen), (SETTINGS, ACCESS))
    expected = [1.0 / market.level, 3.0 / market.level, 1.0]
    np.testing.assert_allclose(market.outlets["performance"].iloc[:3], expected, rtol=1e-12)


def test_the_network_after_a_plan_keeps_todays_level_and_performance():
    demand, access, _ = town()
    branches = branches_with(deposits_wan=[9_000.0, 100.0, 700.0], visits_per_day=[50.0, 20.0, 10.0])
    today = share_market(demand, access, branches, (SETTINGS, ACCESS))
    moved = branches.assign(deposits_wan=[1.0, 1.0, 1.0])
    after = share_market(demand, access, moved, (SETTINGS, ACCESS), baseline=today)
    assert (after.level, after.level_deposits) == (today.level, today.level_deposits)
    pd.testing.assert_frame_equal(after.outlets, today.outlets)


@given(st.integers(0, 10_000), st.integers(1, 5))
def test_another_outlet_of_ours_never_lowers_our_total(seed, which):
    rng = np.random.default_rng(seed)
    utility = rng.exponential(1.0, (6, 6)) * rng.integers(0, 2, (6, 6))
    outside, weights = rng.uniform(0.0, 0.5, 6), rng.uniform(0.0, 10.0, (6, 2))
    own = np.arange(6) < 4
    without = utility * (np.arange(6) != which % 4)
    _, all_of_them = share_pairs(full_pairs(utility), outside, weights, own)
    _, fewer = share_pairs(full_pairs(without), outside, weights, own)
    assert all_of_them[own, 0].sum() >= fewer[own, 0].sum() - 1e-9
    assert all_of_them[:, 0].sum() >= fewer[:, 0].sum() - 1e-9


@given(st.integers(0, 10_000))
def test_overlap_is_that_of_the_formula(seed):
    rng = np.random.default_rng(seed)
    utility = rng.exponential(1.0, (5, 5)) * rng.integers(0, 2, (5, 5))
    outside, visits = rng.uniform(0.01, 0.5, 5), rng.uniform(0.0, 10.0, 5)
    own = rng.random(5) < 0.6
    _, volumes = share_pairs(full_pairs(utility), outside, np.stack([visits, visits], axis=1), own)
    _, volume, overlap = by_hand(utility, outside, visits, own)
    np.testing.assert_allclose(volumes[:, 0], volume, atol=1e-9)
    np.testing.assert_allclose(volumes[:, 2], overlap, atol=1e-9)


def test_inputs_stay():
    demand, access, _ = town()
    branches = branches_with(visits_per_day=[30.0, 20.0, 10.0])
    before = demand.cells.copy(deep=True), access.outlets.copy(deep=True), branches.copy(deep=True)
    share_market(demand, access, branches, (SETTINGS, ACCESS))
    pd.testing.assert_frame_equal(demand.cells, before[0])
    pd.testing.assert_frame_equal(access.outlets, before[1])
    pd.testing.assert_frame_equal(branches, before[2])


DECAYS = [
    ({"decay_form": "exponential"}, lambda t: np.exp(-0.11 * t)),
    ({"decay_form": "power", "decay_power": 2.0}, lambda t: 1.0 / max(t, 1.5) ** 2),
    ({"decay_form": "gaussian", "decay_sigma_min": 5.0}, lambda t: np.exp(-t * t / 50.0)),
    (
        {"decay_form": "combined", "decay_power": 1.0, "decay_least_min": 2.0},
        lambda t: np.exp(-0.11 * t) / max(t, 2.0),
    ),
    ({"decay_form": "step"}, lambda t: 1.0 if t <= 10 else 0.68 if t <= 20 else 0.22 if t <= 30 else 0.0),
]


@pytest.mark.parametrize(("told", "formula"), DECAYS, ids=[told["decay_form"] for told, _ in DECAYS])
def test_every_decay_is_that_of_its_formula(told, formula):
    minutes = np.array([0.1, 1.5, 3.0, 10.0, 10.1, 20.0, 29.0, 30.5, 47.0])
    expected = [formula(t) for t in minutes]
    np.testing.assert_allclose(decay(minutes, MarketSettings(**told)), expected, rtol=1e-12)


def test_default_sigma_keeps_a_third_at_ten_minutes():
    for form in ("exponential", "gaussian"):
        assert decay(np.array([10.0]), MarketSettings(decay_form=form))[0] == pytest.approx(0.333, abs=2e-3)


@pytest.mark.parametrize(
    "told",
    [
        {"decay_steps_min": (10.0, 5.0, 30.0)},
        {"decay_step_weights": (0.2, 0.5, 0.1)},
        {"decay_step_weights": (0.0, 0.0, 0.0)},
    ],
)
def test_steps_out_of_order_are_refused(told):
    with pytest.raises(ValueError, match="decay_step"):
        MarketSettings(**told)
