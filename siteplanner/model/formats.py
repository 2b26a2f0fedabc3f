"""Which kind of branch stands at each destination (D§9.4)."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from siteplanner import tables
from siteplanner.model.catalogue import NEW_RATING, floor_area, running_cost
from siteplanner.model.contest import Contest, Evidence
from siteplanner.model.relocation import Relocation
from siteplanner.model.rules import LOCAL_FORMAT
from siteplanner.scenario import Scenario

STAFFED = ("community", "light", "standard", "core")
"""Formats a relocated licence may take, smallest first: a self-service point is no branch."""

SEATS = ("T", "V", "C")
"""Tiers in whose township or county seat some outlet must offer full service (D§9.4, CN-8)."""


@dataclass(frozen=True, slots=True, eq=False)
class Formats:
    """What stands at each destination, and every branch after the plan.

    Parameters
    ----------
    destinations
        `tables.DESTINATIONS`, and ``staff_surplus``: staff of the old place that the new one does not need.
    branches_after
        Like `Layers.branches` with moved branches at their new place and in their new format, and a column
        ``moved``.
    """

    destinations: pd.DataFrame
    branches_after: pd.DataFrame

    def __post_init__(self) -> None:
        tables.check(self.destinations, tables.DESTINATIONS)


def assign_formats(
    evidence: Evidence, contest: Contest, relocation: Relocation, scenario: Scenario
) -> Formats:
    """Give every destination the smallest admissible format that carries its predicted visits.

    Visits are predicted with the format assumed in the decision; the format then chosen sets the visits told.
    A destination never gets more staff than its branch brings along: headcount moves, it is not created.
    """
    moves = relocation.moves
    sites = evidence.candidates.sites.loc[moves["site_id"]]
    origins = evidence.branches.loc[moves["branch_id"]]
    kinds, reasons = _choose(evidence, contest, (origins, sites), scenario)
    table = evidence.catalogue.formats.loc[kinds].set_axis(sites.index)
    visits, deposits = predict_volumes(evidence, contest, moves, contest.formats.loc[kinds].to_numpy())
    brought = origins["staff"].to_numpy(dtype=np.int64)
    staff = np.minimum(table["staff"].to_numpy(), brought)
    kind = pd.Series(kinds, index=sites.index, dtype="str")
    destinations = table[["counters", "smart_devices", "atms", "hours_per_week", "capex_wan"]].assign(
        format=kind,
        staff=staff,
        staff_surplus=brought - staff,
        area_m2=floor_area(evidence.catalogue, kind, sites),
        opex_wan=running_cost(evidence.catalogue, kind, sites),
        visits_per_day=visits,
        deposits_wan=deposits,
        reason=pd.array(reasons, dtype="str"),
    )
    return Formats(destinations, _branches_after(evidence, moves, sites, destinations))


def _choose(
    evidence: Evidence, contest: Contest, pairs: tuple[pd.DataFrame, pd.DataFrame], scenario: Scenario
) -> tuple[list[str], list[str]]:
    origins, sites = pairs
    table = evidence.catalogue.formats
    share = scenario.market.device_equivalent
    capacity = (table["counters"] + share * table["smart_devices"]) * scenario.formats.visits_per_counter_day
    moves = pd.DataFrame({"branch_id": origins.index, "site_id": sites.index})
    assumed = np.full(len(moves), contest.formats["light"])
    visits, _ = predict_volumes(evidence, contest, moves, assumed)
    served = _has_full_service(evidence, origins.index, sites)
    kinds, reasons = [], []
    for at in range(len(moves)):
        local = origins["county_id"].iloc[at] == sites["county_id"].iloc[at]
        admissible = [
            kind
            for kind in STAFFED
            if (served[at] or table["manual_cash"][kind]) and (local or kind != LOCAL_FORMAT)
        ]
        manned = [kind for kind in admissible if table["staff_min"][kind] <= origins["staff"].iloc[at]]
        kind, reason = _smallest(manned or admissible[:1], visits[at], capacity)
        kinds.append(kind)
        reasons.append(reason)
    return kinds, reasons


def _smallest(kinds: list[str], visits: float, capacity: "pd.Series[float]") -> tuple[str, str]:
    for kind in kinds:
        if capacity[kind] >= visits:
            return kind, "format_carries_visits"
    return kinds[-1], "format_limited_by_staff"


def _has_full_service(evidence: Evidence, leaving: pd.Index, sites: pd.DataFrame) -> np.ndarray:
    """Tell where a community branch, which handles no cash and no companies, leaves nobody without them.

    In a township or county seat some outlet must remain that offers full service: an own one of a
    full-service format that stays, or any rival. In a city there always is one.
    """
    full = evidence.catalogue.formats.index[evidence.catalogue.formats["full_service"]]
    staying = evidence.branches[evidence.branches["format"].isin(full)].drop(leaving, errors="ignore")
    served = set(staying["township_id"].dropna()) | set(evidence.competitors["township_id"].dropna())
    seat = sites["tier"].isin(SEATS).to_numpy()
    return ~seat | sites["township_id"].isin(served - {""}).to_numpy()


def predict_volumes(
    evidence: Evidence, contest: Contest, moves: pd.DataFrame, attractiveness: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the visits a day and deposits that new places win when all moves are done.

    Parameters
    ----------
    attractiveness
        Of the new place of each move, on the scale of the outlets.
    """
    site_at = evidence.candidates.sites.index.get_indexer(pd.Index(moves["site_id"]))
    branch_at = evidence.branches.index.get_indexer(pd.Index(moves["branch_id"]))
    stays = np.ones(len(evidence.branches))
    stays[branch_at] = 0.0
    new = contest.sites[:, site_at] * attractiveness[None, :]
    own = contest.network.own @ stays + new.sum(axis=1)
    share_of_unit = 1.0 / (contest.network.rest + own)
    return new.T @ (contest.visits * share_of_unit), new.T @ (contest.deposits * share_of_unit)


def _branches_after(
    evidence: Evidence, moves: pd.DataFrame, sites: pd.DataFrame, destinations: pd.DataFrame
) -> pd.DataFrame:
    """Put the moved branches at their new places; what was observed at the old place does not go along."""
    branches = evidence.branches
    here = sites.set_axis(moves["branch_id"].to_numpy())
    there = destinations.set_axis(moves["branch_id"].to_numpy())
    moved = branches.index.isin(moves["branch_id"])
    after = branches.assign(moved=moved)
    place = [
        name for name in ("lon", "lat", "county_id", "prefecture", "township_id", "tier") if name in branches
    ]
    thing = [
        "format", "counters", "smart_devices", "atms", "staff", "area_m2", "hours_per_week", "opex_wan",
        "visits_per_day", "deposits_wan",
    ]  # fmt: skip
    changes = {name: here[name] for name in place} | {name: there[name] for name in thing if name in branches}
    for name, values in changes.items():
        fresh = after[name].where(~moved, values.reindex(after.index))
        after = after.assign(**{name: fresh.astype(after[name].dtype)})
    blank = {"lease_end": pd.NaT, "rating": NEW_RATING, "customers": np.nan}
    blank |= {"opens_at": np.nan, "closes_at": np.nan}
    for name, value in blank.items():
        if name in after:
            after = after.assign(**{name: after[name].mask(moved, value)})
    return after
