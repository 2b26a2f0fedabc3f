"""When each move can be made, and the order that this puts the moves in (D§10, D§13.3).

Months count from the January of the plan's first year.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from siteplanner import tables
from siteplanner.model.contest import Evidence
from siteplanner.model.formats import Formats
from siteplanner.model.relocation import Relocation
from siteplanner.model.rules import Ground, breaks, trace_rules
from siteplanner.model.scores import RENT_SHARE
from siteplanner.scenario import DemandSettings, PhasingSettings, Scenario

MONTHS_PER_YEAR = 12
MONTHS_PER_QUARTER = 3

UNDATED = -1
"""Month of a move that finds none within the horizon."""

ALL_BUT = 0.95
"""Homes as full as this share of their final occupancy are as full as they get; no source."""


@dataclass(frozen=True, slots=True, eq=False)
class Wishes:
    """What each move needs, in the order of the relocation.

    Parameters
    ----------
    branch, place
        Numbers of the ground's branches and places.
    ready
        First month in which nothing but rules and limits stands against it.
    waits_for
        What makes it no earlier: the work itself, the old lease or the new homes.
    capex_wan
        What it spends in the year in which it opens, 10,000 CNY.
    """

    branch: np.ndarray
    place: np.ndarray
    ready: np.ndarray
    waits_for: np.ndarray
    capex_wan: np.ndarray


def phase_moves(
    relocation: Relocation, formats: Formats, evidence: Evidence, ground: Ground, scenario: Scenario
) -> tuple[Relocation, pd.DataFrame]:
    """Give every move the earliest month in which it may be made, and order the moves by their months.

    A move is ready when approval, works and acceptance are through, when the old lease is in its last months
    (a lease that would hold it up for too long is broken), and when enough of the homes that it is for are
    lived in. From then on the moves of most worth come first, as far as the peak season, the batch of a
    prefecture's regulator in a quarter, the network's share and the money of a year, and every hard rule
    after the step allow. The new place opens before the old one closes, in the same month.

    Returns
    -------
    relocation
        With moves and trace in the new order.
    schedule
        `tables.SCHEDULE`. Moves that find no month within the horizon come last.
    """
    wishes = _wish(relocation, formats, evidence, scenario)
    span = scenario.demand.horizon_years * MONTHS_PER_YEAR
    calendar = Calendar(wishes, ground, scenario.phasing)
    calendar.fill(span)
    order = calendar.order + calendar.waiting
    if any(breaks(ground, network) for network in _walk(ground.today, wishes, order)):
        # Whoever overtook may bar the way of those behind; in the relocation's own order nobody does.
        calendar = Calendar(wishes, ground, scenario.phasing)
        calendar.fill(span, overtake=False)
        order = calendar.order + calendar.waiting
    moves = relocation.moves.iloc[order].set_axis(relocation.moves.index)
    networks = list(_walk(ground.today, wishes, order))
    phased = replace(relocation, moves=moves, trace=trace_rules(ground, networks))
    origins = evidence.branches.loc[moves["branch_id"]]
    schedule = _tell(calendar, order, scenario).assign(
        depends_on=_dependences(ground, wishes, order, networks),
        lease_break_wan=lease_breaks(origins, scenario),
    )
    schedule.index = moves.index
    tables.check(schedule, tables.SCHEDULE)
    return phased, schedule


class Calendar:
    """Moves put into months one by one.

    Parameters
    ----------
    wishes
        The moves, those of most worth first.
    """

    def __init__(self, wishes: Wishes, ground: Ground, settings: PhasingSettings) -> None:
        self._wishes, self._ground, self._settings = wishes, ground, settings
        self._network = ground.today
        self._most_a_year = max(int(settings.yearly_share * ground.branch_ids.size), 1)
        self.order: list[int] = []
        self.waiting = list(range(wishes.branch.size))
        self.month = np.full(wishes.branch.size, UNDATED)
        self.held_by = wishes.waits_for.copy()

    def fill(self, span: int, *, overtake: bool = True) -> None:
        """Date what can be dated within so many months; without overtaking each waits for all before it."""
        for month in range(span):
            if month % MONTHS_PER_YEAR + 1 in self._settings.frozen_months:
                self._hold("season", month)
                continue
            while (at := self._next(month, overtake=overtake)) is not None:
                self._network = _after(self._network, self._wishes, at)
                self.order.append(at)
                self.waiting.remove(at)
                self.month[at] = month

    def _next(self, month: int, *, overtake: bool) -> int | None:
        for at in self.waiting:
            hindrance = self._hindrance(at, month)
            if not hindrance:
                return at
            if self._wishes.ready[at] <= month:
                self.held_by[at] = hindrance
            if not overtake:
                self._hold("order", month, but=at)
                return None
        return None

    def _hold(self, why: str, month: int, *, but: int | None = None) -> None:
        for at in self.waiting:
            if self._wishes.ready[at] <= month and at != but:
                self.held_by[at] = why

    def _hindrance(self, at: int, month: int) -> str:
        """Return what keeps a move from this month; empty when nothing does."""
        wishes, settings = self._wishes, self._settings
        if wishes.ready[at] > month:
            return str(wishes.waits_for[at])
        dated = np.array(self.order, dtype=np.int64)
        same_year = dated[self.month[dated] // MONTHS_PER_YEAR == month // MONTHS_PER_YEAR]
        if same_year.size >= self._most_a_year:
            return "network_share"
        spent_wan = wishes.capex_wan[same_year].sum() + wishes.capex_wan[at]
        if settings.yearly_capex_wan is not None and spent_wan > settings.yearly_capex_wan:
            return "money"
        same_quarter = dated[self.month[dated] // MONTHS_PER_QUARTER == month // MONTHS_PER_QUARTER]
        prefecture = self._ground.prefecture
        here = prefecture[wishes.branch[same_quarter]] == prefecture[wishes.branch[at]]
        if here.sum() >= settings.quarterly_batch:
            return "batch"
        return "rule" if breaks(self._ground, _after(self._network, wishes, at)) else ""


def _wish(relocation: Relocation, formats: Formats, evidence: Evidence, scenario: Scenario) -> Wishes:
    moves, sites = relocation.moves, evidence.candidates.sites
    origins, there = evidence.branches.loc[moves["branch_id"]], sites.loc[moves["site_id"]]
    works = np.full(len(moves), work_months(scenario.phasing))
    waits = np.column_stack((works, _lease(origins, scenario)[0], homes_months(there, scenario)))
    return Wishes(
        branch=evidence.branches.index.get_indexer(pd.Index(moves["branch_id"])),
        place=len(evidence.branches) + sites.index.get_indexer(pd.Index(moves["site_id"])),
        ready=waits.max(axis=1),
        waits_for=np.array(["work", "lease", "homes"], dtype=object)[waits.argmax(axis=1)],
        capex_wan=formats.destinations["capex_wan"].loc[moves["site_id"]].to_numpy(dtype=float)
        + scenario.economics.closing_cost_wan,
    )


def work_months(settings: PhasingSettings) -> int:
    """Return the months from the application to the opening (D§10)."""
    return settings.approval_months + settings.works_months + settings.acceptance_months


def _lease(origins: pd.DataFrame, scenario: Scenario) -> tuple[np.ndarray, np.ndarray]:
    """Return the month up to which each old lease is waited for, and the months of rent to break it."""
    settings = scenario.phasing
    if "lease_end" not in origins:
        return np.zeros(len(origins), dtype=np.int64), np.zeros(len(origins))
    ends = _months(origins["lease_end"], scenario.demand).clip(min=0.0)
    window = np.maximum(ends - settings.lease_window_months, 0.0)
    works = work_months(settings)
    is_broken = window > works + settings.lease_wait_months
    paid = np.minimum(ends - works, settings.lease_break_months)
    return np.where(is_broken, 0, window).astype(np.int64), np.where(is_broken, paid, 0.0)


def lease_breaks(origins: pd.DataFrame, scenario: Scenario) -> np.ndarray:
    """Return what leaving each branch before its lease ends costs, 10,000 CNY; 0 where the plan waits for it.

    Rent is the share of the running cost that a lease binds, `scores.RENT_SHARE`.
    """
    rent_wan = origins["opex_wan"].to_numpy(dtype=float) * RENT_SHARE / MONTHS_PER_YEAR
    return np.asarray(rent_wan * _lease(origins, scenario)[1])


def homes_months(sites: pd.DataFrame, scenario: Scenario) -> np.ndarray:
    """Return the month in which the homes that a site is for are lived in enough; 0 where none are to come.

    The lived-in share t years after the handover is ``final / (1 + exp(-rate (t - half)))`` (D§3.3), solved
    for t.
    """
    if "handover" not in sites:
        return np.zeros(len(sites), dtype=np.int64)
    demand = scenario.demand
    share = min(scenario.phasing.homes_occupied, ALL_BUT * demand.occupancy_final)
    years = demand.occupancy_half_years - np.log(demand.occupancy_final / share - 1.0) / demand.occupancy_rate
    ripe = np.ceil(_months(sites["handover"], demand) + max(years, 0.0) * MONTHS_PER_YEAR)
    return np.where(sites["handover"].isna(), 0.0, ripe.clip(min=0.0)).astype(np.int64)


def _months(dates: pd.Series, demand: DemandSettings) -> np.ndarray:
    """Return the months since the plan's first January; 0 where no date is given."""
    given = pd.to_datetime(dates)
    months = (given.dt.year - demand.plan_year) * MONTHS_PER_YEAR + given.dt.month - 1
    return months.fillna(0.0).to_numpy(dtype=float)


def _after(network: np.ndarray, wishes: Wishes, at: int) -> np.ndarray:
    after = network.copy()
    after[wishes.branch[at]] = wishes.place[at]
    return after


def _walk(today: np.ndarray, wishes: Wishes, order: list[int]) -> Iterator[np.ndarray]:
    """Give the network of today and after each step."""
    network = today
    yield network
    for at in order:
        network = _after(network, wishes, at)
        yield network


def _dependences(
    ground: Ground, wishes: Wishes, order: list[int], networks: list[np.ndarray]
) -> "pd.Series[str]":
    """Name the step that must come before each move so that it breaks no rule; empty where none must."""
    said = []
    for step, at in enumerate(order):
        first = next((k for k in range(step) if not breaks(ground, _after(networks[k], wishes, at))), step)
        said.append(str(first) if first else "")
    return pd.Series(said, dtype="str")


def _tell(calendar: Calendar, order: list[int], scenario: Scenario) -> pd.DataFrame:
    settings, months = scenario.phasing, calendar.month[order]
    dated = months != UNDATED
    january = np.datetime64(f"{scenario.demand.plan_year:04d}-01", "M")

    def on(before: int) -> np.ndarray:
        days = (january + (months - before)).astype("datetime64[D]").astype("datetime64[us]")
        return np.where(dated, days, np.datetime64("NaT", "us"))

    year = scenario.demand.plan_year + months // MONTHS_PER_YEAR
    quarter = months % MONTHS_PER_YEAR // MONTHS_PER_QUARTER + 1
    return pd.DataFrame(
        {
            "apply_on": on(work_months(settings)),
            "works_on": on(settings.works_months + settings.acceptance_months),
            "accept_on": on(settings.acceptance_months),
            "open_on": on(0),
            "quarter": pd.Series(
                [f"{y}Q{q}" if told else "" for y, q, told in zip(year, quarter, dated, strict=True)],
                dtype="str",
            ),
            "waits_for": pd.Series(calendar.held_by[order], dtype="str"),
        }
    )
