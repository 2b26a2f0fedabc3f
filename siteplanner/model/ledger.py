"""What each move gains and loses, and the network before and after: one whole-network run, balanced."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp

from siteplanner import tables
from siteplanner.model.access import Access, Reach, merge_reaches, revise_access
from siteplanner.model.contest import Contest, Evidence, rate_branches
from siteplanner.model.departures import leave_for_good, rivals_at_door
from siteplanner.model.economics import (
    Departure,
    Money,
    break_even_retention,
    cash_flows,
    deposits_of,
    is_short,
    net_present_value,
    occupancy_of_pipeline,
    payback_years,
    ramp_by_year,
    two_year_loss,
)
from siteplanner.model.formats import Formats
from siteplanner.model.market import Market, follow, utilities
from siteplanner.model.phasing import lease_breaks
from siteplanner.model.reconciliation import Counted, bridge, reconcile
from siteplanner.model.relocation import Relocation
from siteplanner.model.scores import Scores
from siteplanner.model.standing import Standing, take_stand
from siteplanner.model.steps import DEPOSITS, STICKY, MoveEffects, Places, trace_effects
from siteplanner.model.totals import county_totals, network_totals
from siteplanner.scenario import Scenario

N_REASONS = 3

N_VOLUMES = 2
"""Of the weights that moves are traced by, visits and deposits are volumes of outlets; the third is ahead."""


@dataclass(frozen=True, slots=True, eq=False)
class Ledger:
    """Moves, network and counties before and after, with the access and market of the network after.

    Parameters
    ----------
    reconciliation
        `tables.RECONCILIATION`: why the moves' net deposits differ from the market model's.
    """

    moves: pd.DataFrame
    kpis: pd.DataFrame
    counties: pd.DataFrame
    reconciliation: pd.DataFrame
    access_after: Access
    market_after: Market

    def __post_init__(self) -> None:
        tables.check(self.moves, tables.LEDGER)
        tables.check(self.kpis, tables.KPIS)
        tables.check(self.counties, tables.COUNTY_KPIS)
        tables.check(self.reconciliation, tables.RECONCILIATION)


@dataclass(frozen=True, slots=True, eq=False)
class Plans:
    """The steps whose outcome the ledger states."""

    scores: Scores
    relocation: Relocation
    formats: Formats


def balance_moves(evidence: Evidence, contest: Contest, plans: Plans, scenario: Scenario) -> Ledger:
    """Run the whole network after the plan, then split the difference among the moves in their order.

    Market effects are marginal contributions in the order of the plan: they add up to the difference of the
    two whole-network runs. Deposits of the old place leave by the retention model, not by the market: people
    are sticky, markets are not (D§7.1); `Ledger.reconciliation` leads from one to the other.
    """
    access_after, standing, places = _prepare(evidence, contest, plans, scenario)
    effects = trace_effects(contest, standing, places, scenario.access.cover_min)
    market_after = _market_after(evidence, access_after, standing, places)
    moves = _move_ledger(evidence, contest, plans, (effects, access_after), scenario)
    runs = ((evidence.access, evidence.market), (access_after, market_after))
    return Ledger(
        moves=moves,
        kpis=network_totals(evidence, runs, plans.formats, moves, scenario),
        counties=county_totals(evidence, runs, plans.formats, scenario),
        reconciliation=reconcile(moves, float(standing.held()[DEPOSITS])),
        access_after=access_after,
        market_after=market_after,
    )


def _prepare(
    evidence: Evidence, contest: Contest, plans: Plans, scenario: Scenario
) -> tuple[Access, Standing, Places]:
    """Measure access after the plan, and let the market stand as today with the new places still shut."""
    moves, before = plans.relocation.moves, evidence.access
    outlets = outlets_after(evidence, plans.formats, scenario)
    old = evidence.branches.index.get_indexer(pd.Index(moves["branch_id"]))
    site = evidence.candidates.sites.index.get_indexer(pd.Index(moves["site_id"]))
    places = Places(old, len(outlets) + np.arange(old.size), contest.site_minutes[:, site])
    order = np.argsort(old)
    moved = (old[order], _as_reach(contest, sp.csr_array(places.minutes[:, order])))
    access_after = revise_access(before, evidence.demand, evidence.grid, outlets, moved)
    today = np.arange(len(outlets))
    both = merge_reaches(before.reach, today, _as_reach(contest, places.minutes), places.new)
    attractiveness, own = (
        np.concatenate((before.outlets[name].to_numpy(), outlets[name].to_numpy()[old]))
        for name in ("attractiveness", "own")
    )
    standing = take_stand(
        (both.indptr, both.indices, utilities(both, attractiveness, scenario.market)),
        evidence.market.outside,
        np.column_stack((contest.visits, contest.deposits, contest.pipeline)),
        (own.astype(bool), np.arange(own.size) < today.size),
        inertia=scenario.economics.inertia,
        sticky=np.array(STICKY),
    )
    return access_after, standing, places


def _as_reach(contest: Contest, minutes: sp.csr_array) -> Reach:
    minutes = minutes.sorted_indices()
    parts = (minutes.indptr.astype(np.int64), minutes.indices.astype(np.int32), minutes.data)
    return Reach(contest.cell_id, minutes.shape[1], *parts)


def _market_after(evidence: Evidence, access: Access, standing: Standing, places: Places) -> Market:
    """State the market of the standing after the last move: new places under the names of the old ones."""
    at = np.arange(len(access.outlets))
    at[places.old] = places.new
    volumes = np.column_stack((standing.won()[at, :N_VOLUMES], standing.overlap()[at]))
    return follow(evidence.market, evidence.demand, access, standing.shares(), volumes)


def outlets_after(evidence: Evidence, formats: Formats, scenario: Scenario) -> pd.DataFrame:
    """List all outlets after the plan on the scale of today, in today's order."""
    own = rate_branches(evidence, formats.branches_after, scenario.market)
    before = evidence.access.outlets
    rivals = before[~before["own"]]
    columns = list(before.columns)
    return pd.concat([own[columns], rivals]) if len(rivals) else own[columns]


def _move_ledger(
    evidence: Evidence,
    contest: Contest,
    plans: Plans,
    outcome: tuple[MoveEffects, Access],
    scenario: Scenario,
) -> pd.DataFrame:
    effects, after = outcome
    moves = plans.relocation.moves
    departure = _departures(evidence, contest, after, moves, scenario)
    money, frame = _money(evidence, plans, effects, departure, scenario)
    flows = cash_flows(money, scenario.economics)
    margin = scenario.economics.spread + scenario.economics.fee_share
    lost = money.held * money.loss
    return frame.assign(
        volume_effect_wan=(money.gained[:, -1] - lost) * margin,
        cost_effect_wan=money.saved,
        capex_wan=money.spent,
        npv_wan=net_present_value(flows, scenario.economics.discount_rate),
        payback_years=payback_years(flows),
        break_even_retention=break_even_retention(money, scenario.economics),
        covered_gained=effects.covered_gained,
        covered_lost=effects.covered_lost,
        aged_60_affected=effects.aged_60,
        **_reasons(plans.scores, moves),
    )


def _departures(
    evidence: Evidence, contest: Contest, after: Access, moves: pd.DataFrame, scenario: Scenario
) -> Departure:
    origins = evidence.branches.loc[moves["branch_id"]]
    at = evidence.branches.index.get_indexer(pd.Index(moves["branch_id"]))
    nearest_min = after.cells["minutes_own"].loc[contest.cell_id].to_numpy()
    extra_km, is_last = leave_for_good(contest, nearest_min, scenario.access.cover_min)
    tier = origins["tier"].to_numpy()
    return Departure(
        tier=tier,
        extra_km=extra_km[at],
        is_last=is_last[at],
        rival_near=rivals_at_door(origins, evidence.competitors),
        short=is_short(tier, moves["distance_km"].to_numpy(), scenario.economics),
    )


def _money(
    evidence: Evidence,
    plans: Plans,
    effects: MoveEffects,
    departure: Departure,
    scenario: Scenario,
) -> tuple[Money, pd.DataFrame]:
    moves, economics = plans.relocation.moves, scenario.economics
    origins = evidence.branches.loc[moves["branch_id"]]
    there = plans.formats.destinations.loc[moves["site_id"]]
    drawn = evidence.market.outlets["deposits_wan"]
    held = deposits_of(origins, drawn).to_numpy()
    loss, least, most = (two_year_loss(departure, economics, likelihood=at) for at in ("p50", "p10", "p90"))
    horizon = scenario.demand.horizon_years
    coming = occupancy_of_pipeline(horizon, scenario.demand)
    ramp = ramp_by_year(horizon, departure.short, economics)
    gross, taken = (
        now[:, None] + later[:, None] * coming[None, :]
        for now, later in (
            (effects.gross_wan, effects.gross_pipeline_wan),
            (effects.cannibalised_wan, effects.cannibalised_pipeline_wan),
        )
    )
    money = Money(
        gained=(gross - taken) * ramp,
        held=held,
        loss=loss,
        saved=origins["opex_wan"].to_numpy(dtype=float) - there["opex_wan"].to_numpy(),
        spent=there["capex_wan"].to_numpy() + economics.closing_cost_wan + lease_breaks(origins, scenario),
    )
    deposits = {
        "gross_gain_wan": gross[:, -1],
        "cannibalised_wan": taken[:, -1],
        "lost_wan": held * loss,
        "lost_low_wan": held * least,
        "lost_high_wan": held * most,
        "lost_choice_wan": held * (1.0 - effects.retention_choice).clip(0.0),
        "net_wan": gross[:, -1] - taken[:, -1] - held * loss,
    }
    today = effects.gross_wan - effects.cannibalised_wan
    counted = Counted(
        won=today,
        left=effects.left_wan,
        recaptured=effects.recaptured_wan,
        drawn=drawn.loc[moves["branch_id"]].to_numpy(),
        held=held,
        loss=loss,
        pipeline=gross[:, -1] - taken[:, -1] - today,
    )
    kept = {
        "retention": 1.0 - loss,
        "retention_low": 1.0 - most,
        "retention_high": 1.0 - least,
        "retention_choice": effects.retention_choice,
        "models_differ": np.abs(1.0 - loss - effects.retention_choice) > economics.models_differ,
        "extra_km": departure.extra_km,
    }
    columns = _visits(effects) | deposits | bridge(counted) | kept
    return money, pd.DataFrame(columns, index=moves.index)


def _visits(effects: MoveEffects) -> dict[str, np.ndarray]:
    return {
        "gross_gain_visits": effects.gross_visits,
        "cannibalised_visits": effects.cannibalised_visits,
        "from_rivals_visits": effects.from_rivals_visits,
        "from_outside_visits": effects.from_outside_visits,
        "lost_visits": effects.lost_visits,
        "recaptured_visits": effects.recaptured_visits,
        "to_rivals_visits": effects.to_rivals_visits,
        "to_outside_visits": effects.to_outside_visits,
        "net_visits": effects.gross_visits - effects.cannibalised_visits - effects.lost_visits,
    }


def _reasons(scores: Scores, moves: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the criteria with the most points of both scores, strongest first, as label keys."""
    release = scores.release.loc[moves["branch_id"], [f"part_{part}" for part in tables.RELEASE_PARTS]]
    attract = scores.attract.loc[moves["site_id"], [f"part_{part}" for part in tables.ATTRACT_PARTS]]
    keys = [f"release_{part}" for part in tables.RELEASE_PARTS] + [
        f"attract_{part}" for part in tables.ATTRACT_PARTS
    ]
    points = np.column_stack((release.to_numpy(), attract.to_numpy()))
    order = np.argsort(-points, axis=1, kind="stable")[:, :N_REASONS]
    names = np.array(keys, dtype=object)
    return {
        f"reason_{rank + 1}": pd.Series(names[order[:, rank]], index=moves.index, dtype="str")
        for rank in range(N_REASONS)
    }
