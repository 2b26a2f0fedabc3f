import math

import numpy as np
import pytest

from siteplanner.model.economics import (
    Departure,
    Money,
    break_even_retention,
    cash_flows,
    is_short,
    net_present_value,
    occupancy_of_pipeline,
    payback_years,
    ramp_by_year,
    two_year_loss,
)
from siteplanner.scenario import DemandSettings, EconomicsSettings

SETTINGS = EconomicsSettings()


def departure(tier, extra_km, *, is_last=False, rival_near=False, short=False):
    def one(value):
        return np.array([value])

    return Departure(one(tier), one(extra_km), one(is_last), one(rival_near), one(short))


@pytest.mark.parametrize(("tier", "retention"), [("U", 0.828), ("C", 0.879), ("T", 0.921), ("V", 0.921)])
def test_retention_of_the_domain_table(tier, retention):
    # D§14: half of the customers dependent, one extra km.
    half = EconomicsSettings(dependence_u=0.5, dependence_c=0.5, dependence_t=0.5)
    loss = two_year_loss(departure(tier, 1.0), half)
    assert 1.0 - loss[0] == pytest.approx(retention, abs=5e-4)


def test_last_outlet_rival_at_the_door_and_short_move():
    felt = 1.0 - math.exp(-1.0 / 1.5)
    plain = 0.05 + 0.5 * 0.35 * felt
    assert two_year_loss(departure("U", 1.0), SETTINGS)[0] == pytest.approx(plain)
    last = two_year_loss(departure("U", 1.0, is_last=True), SETTINGS)
    assert last[0] == pytest.approx(0.05 + 0.5 * 0.55 * felt)
    rival = two_year_loss(departure("U", 1.0, rival_near=True), SETTINGS)
    assert rival[0] == pytest.approx(1.25 * plain)
    far = departure("T", 1e6, is_last=True, rival_near=True)
    assert two_year_loss(far, SETTINGS)[0] == pytest.approx(0.55)
    assert two_year_loss(departure("U", 50.0, short=True), SETTINGS)[0] == pytest.approx(0.035)


def test_loss_without_extra_distance_is_the_least():
    assert two_year_loss(departure("C", 0.0), SETTINGS)[0] == pytest.approx(0.05)


def test_short_moves_by_tier():
    tier, km = np.array(["U", "U", "C", "T"]), np.array([1.0, 1.1, 3.0, 3.1])
    assert is_short(tier, km, SETTINGS).tolist() == [True, False, True, False]


def oracle():
    """Return the relocation of D§14: 4 km, full to light; a sibling receives at 0.9 km."""
    occupancy = np.array([0.21, 0.42, 0.64, 0.77, 0.82])
    ramp = np.array([0.25, 0.50, 0.70, 0.85, 1.0])
    loss = 0.05 + 0.5 * 0.5 * (1.0 - math.exp(-0.9 / 1.5))
    gained = 40_000.0 * 0.18 / 0.82 * ramp * occupancy
    money = Money(
        gained=gained[None, :],
        held=np.array([60_000.0]),
        loss=np.array([loss]),
        saved=np.array([420.0 - 220.0]),
        spent=np.array([180.0 + 60.0]),
    )
    return money, EconomicsSettings(spread=0.013, fee_share=0.002, discount_rate=0.08)


def test_cash_flow_of_the_oracle():
    money, settings = oracle()
    flows = cash_flows(money, settings)
    assert flows[0] == pytest.approx([-240.0, 119.0, 81.1, 112.5, 139.7, 161.5], abs=0.05)
    assert net_present_value(flows, 0.08)[0] == pytest.approx(241.6, abs=0.05)
    assert payback_years(flows)[0] == pytest.approx(2.35, abs=0.005)


def test_break_even_retention_makes_the_value_zero():
    money, settings = oracle()
    retention = break_even_retention(money, settings)
    at_zero = Money(money.gained, money.held, 1.0 - retention, money.saved, money.spent)
    assert net_present_value(cash_flows(at_zero, settings), 0.08)[0] == pytest.approx(0.0, abs=1e-9)
    # By hand: the margin on all deposits, lost at 60 % and then fully, 900 x (0.6/1.08 + 1/1.08^2 + ...).
    discount = [1.08**-year for year in range(1, 6)]
    stake = 900.0 * (0.6 * discount[0] + sum(discount[1:]))
    loss = money.loss[0]
    assert 1.0 - retention[0] == pytest.approx(loss + 241.6 / stake, abs=2e-5)


def test_break_even_without_deposits_has_the_sign_of_what_is_lacking():
    def money(saved):
        return Money(np.zeros((1, 5)), np.zeros(1), np.zeros(1), np.array([saved]), np.array([100.0]))

    assert break_even_retention(money(100.0), SETTINGS)[0] == -np.inf
    assert break_even_retention(money(1.0), SETTINGS)[0] == np.inf


def test_payback_is_infinite_when_never_and_zero_when_nothing_is_spent():
    flows = np.array([[-100.0, 1.0, 1.0], [0.0, 1.0, 1.0], [-100.0, 100.0, 5.0]])
    assert payback_years(flows).tolist() == [np.inf, 0.0, 1.0]


def test_ramp_is_full_at_once_for_a_short_move_and_stays_full_after_five_years():
    ramp = ramp_by_year(6, np.array([False, True]), SETTINGS)
    assert ramp[0].tolist() == [0.25, 0.50, 0.70, 0.85, 1.0, 1.0]
    assert ramp[1].tolist() == [1.0] * 6


def test_pipeline_occupancy_is_the_mean_over_handover_times():
    settings = DemandSettings()
    steps = (np.arange(200_000) + 0.5) / 200_000
    found = occupancy_of_pipeline(5, settings)
    for year in range(1, 6):
        age = steps * year
        curve = 0.85 / (1.0 + np.exp(-1.1 * (age - 2.0)))
        assert found[year - 1] == pytest.approx(curve.mean() * year / 5, rel=1e-8)


def test_quantiles_of_the_loss_by_hand():
    """Dependence .35 -+ .15 and distance scale 1.5 km x or / 1.5, both at once (urban, one extra km)."""
    quantiles = {"p10": (0.20, 2.25), "p50": (0.35, 1.5), "p90": (0.50, 1.0)}
    found = []
    for likelihood, (dependence, delta_km) in quantiles.items():
        loss = two_year_loss(departure("U", 1.0), SETTINGS, likelihood=likelihood)
        assert loss[0] == pytest.approx(0.05 + 0.5 * dependence * (1.0 - math.exp(-1.0 / delta_km)))
        found.append(loss[0])
    assert found == sorted(found)


def test_quantiles_are_those_of_a_draw():
    """Draw one number for how bad things are: the quantiles of the loss are the losses at its quantiles."""
    worse = np.random.default_rng(1).normal(size=200_001) / 1.2815515655446004
    loss = 0.05 + 0.5 * (0.35 + 0.15 * worse).clip(0.0, 1.0) * -np.expm1(-1.0 / (1.5 * 1.5**-worse))
    for likelihood, share in (("p10", 0.1), ("p50", 0.5), ("p90", 0.9)):
        found = two_year_loss(departure("U", 1.0), SETTINGS, likelihood=likelihood)[0]
        assert found == pytest.approx(np.quantile(loss, share), rel=0.01)


def test_quantiles_of_a_short_move_are_the_published_range():
    short = departure("U", 0.3, short=True)
    kept = [1.0 - two_year_loss(short, SETTINGS, likelihood=name)[0] for name in ("p10", "p50", "p90")]
    assert kept == pytest.approx([0.98, 0.965, 0.95])
