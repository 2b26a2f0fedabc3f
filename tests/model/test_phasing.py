import bank_town
import numpy as np
import pandas as pd
import pytest
from test_rules import ground

from siteplanner import tables
from siteplanner.model.phasing import (
    UNDATED,
    Calendar,
    Wishes,
    homes_months,
    lease_breaks,
    phase_moves,
    work_months,
)
from siteplanner.model.rules import breaks
from siteplanner.scenario import PhasingSettings

FREE = {"frozen_months": (), "quarterly_batch": 9, "yearly_share": 1.0}


def wishes(*moves, ready=0, capex_wan=100.0):
    """Ask for moves (branch, site) of the ground of the rules' tests, those of most worth first."""
    branch, site = np.array(moves).T
    n = len(moves)
    return Wishes(
        branch=branch,
        place=6 + site,
        ready=np.broadcast_to(ready, n).astype(np.int64),
        waits_for=np.full(n, "work", dtype=object),
        capex_wan=np.broadcast_to(capex_wan, n).astype(float),
    )


def dated(wanted, *, laid=None, overtake=True, span=60, **settings):
    calendar = Calendar(wanted, laid or ground(), PhasingSettings(**{**FREE, **settings}))
    calendar.fill(span, overtake=overtake)
    return calendar


def test_a_move_is_made_in_the_first_month_in_which_it_is_ready():
    calendar = dated(wishes((0, 0), (3, 1), ready=[9, 4]))
    assert calendar.order == [1, 0]
    assert calendar.month.tolist() == [9, 4]
    assert calendar.held_by.tolist() == ["work", "work"]


def test_nothing_opens_in_the_peak_season():
    # Ready in December of the first year; frozen until March: April of the next year is month 15.
    calendar = dated(wishes((0, 0), ready=11), frozen_months=(12, 1, 2, 3))
    assert calendar.month.tolist() == [15]
    assert calendar.held_by.tolist() == ["season"]


def test_a_regulator_gets_its_batch_a_quarter():
    # Three moves of prefecture P, one a quarter: months 0, 3, 6; Q's own regulator is free at once.
    calendar = dated(wishes((0, 0), (1, 2), (3, 1)), laid=ground(moves={"max_moves": 9}), quarterly_batch=1)
    assert calendar.month.tolist() == [0, 3, 6]
    assert calendar.held_by.tolist() == ["work", "batch", "batch"]


def test_a_year_has_its_share_of_the_network_and_its_money():
    # A third of six branches is two a year; the third waits for January.
    share = dated(wishes((0, 0), (1, 2), (3, 1)), yearly_share=0.34)
    assert share.month.tolist() == [0, 0, 12]
    assert share.held_by[2] == "network_share"
    money = dated(wishes((0, 0), (1, 2), (3, 1), capex_wan=[100.0, 60.0, 100.0]), yearly_capex_wan=200.0)
    assert money.month.tolist() == [0, 0, 12]
    assert money.held_by[2] == "money"


def test_what_a_year_can_never_pay_for_finds_no_date():
    calendar = dated(wishes((0, 0), (1, 2), capex_wan=[900.0, 60.0]), yearly_capex_wan=200.0)
    assert calendar.month.tolist() == [UNDATED, 0]
    assert calendar.waiting == [0]
    assert calendar.held_by[0] == "money"


def test_a_move_waits_for_the_one_that_a_rule_puts_before_it():
    # Site 3 lies 90 m from branch B2, which itself moves to site 0.
    wanted = wishes((0, 3), (2, 0), ready=[0, 5])
    calendar = dated(wanted)
    assert calendar.order == [1, 0]
    assert calendar.month.tolist() == [5, 5]
    assert calendar.held_by[0] == "rule"


def test_without_overtaking_each_waits_for_all_before_it():
    calendar = dated(wishes((0, 0), (3, 1), ready=[9, 4]), overtake=False)
    assert calendar.order == [0, 1]
    assert calendar.month.tolist() == [9, 9]
    assert calendar.held_by.tolist() == ["work", "order"]


def test_months_of_leases_and_homes_by_hand():
    scenario = bank_town.make_scenario(demand={"plan_year": 2026})
    assert work_months(scenario.phasing) == 9
    origins = pd.DataFrame(
        {
            "opex_wan": [400.0, 400.0, 400.0, 400.0],
            # Month 12 less a window of 6: before the work is done. Month 24: waited for. Month 72: broken.
            "lease_end": pd.to_datetime(["2027-01-31", "2028-01-31", "2032-01-31", None]),
        }
    )
    # Six months of the 30 % of the running cost that are rent.
    assert lease_breaks(origins, scenario) == pytest.approx([0.0, 0.0, 60.0, 0.0])
    # 0.4 = 0.85 / (1 + exp(-1.1 (t - 2))): t = 2 - ln(1.125) / 1.1 = 1.8929 years, 22.7 months.
    sites = pd.DataFrame({"handover": pd.to_datetime(["2026-06-30", "2016-06-30", None])})
    assert homes_months(sites, scenario).tolist() == [5 + 23, 0, 0]


@pytest.fixture(scope="module")
def town():
    return bank_town.usual_town()


def test_the_schedule_dates_every_move_after_its_work(town):
    schedule, settings = town.schedule, town.scenario.phasing
    tables.check(schedule, tables.SCHEDULE)
    assert schedule.index.equals(town.relocation.moves.index)
    opened = schedule["open_on"].dropna()
    assert len(opened)
    assert not set(opened.dt.month) & set(settings.frozen_months)
    assert (opened.diff().dropna() >= pd.Timedelta(0)).all()
    months = (schedule["open_on"].dt.to_period("M") - schedule["apply_on"].dt.to_period("M")).dropna()
    assert {gap.n for gap in months} == {work_months(settings)}
    assert (schedule["apply_on"].dropna() >= pd.Timestamp(town.scenario.demand.plan_year, 1, 1)).all()
    assert town.relocation.trace.query("severity == 'hard'")["ok"].all()


def test_moves_in_their_new_order_are_the_same_moves(town):
    late = town.scenario.model_copy(update={"phasing": PhasingSettings(quarterly_batch=1, frozen_months=())})
    relocation, schedule = phase_moves(town.relocation, town.formats, town.evidence, town.ground, late)
    pairs = [
        set(zip(r.moves["branch_id"], r.moves["site_id"], strict=True)) for r in (relocation, town.relocation)
    ]
    assert pairs[0] == pairs[1]
    assert schedule["quarter"].is_unique


def test_a_plan_without_moves_has_an_empty_schedule(town):
    none = town.scenario.model_copy(
        update={"relocation": town.scenario.relocation.model_copy(update={"max_moves": 0})}
    )
    assert bank_town.plan(none).schedule.empty


def test_the_step_that_must_come_first_is_named():
    from siteplanner.model.phasing import _dependences, _walk

    laid, wanted = ground(), wishes((2, 0), (3, 1), (0, 3))
    networks = list(_walk(laid.today, wanted, [0, 1, 2]))
    assert not any(breaks(laid, network) for network in networks)
    assert _dependences(laid, wanted, [0, 1, 2], networks).tolist() == ["", "", "1"]
