"""Micro sets the spot: release and attract scores whose parts add up (D§8.1)."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from siteplanner import tables
from siteplanner.model.capture import near_matrix
from siteplanner.model.catalogue import running_cost
from siteplanner.model.contest import Contest, Evidence, cell_at, points_of
from siteplanner.model.departures import leave_today, rivals_at_door
from siteplanner.model.economics import Departure, two_year_loss
from siteplanner.model.pools import SOURCE, TARGET, outside_destinations, outside_sources
from siteplanner.model.queues import queue_of
from siteplanner.model.rules import Ground, branch_vetoes, is_legal, too_close
from siteplanner.model.sphere import nearest_km
from siteplanner.scenario import Scenario

LOW_PCT, HIGH_PCT = 5.0, 95.0
"""A criterion is clipped to these percentiles within its tier (D§8.2)."""

NEUTRAL = 0.5
"""Scaled value of a criterion that does not differ within the tier: it says nothing for or against."""

RELEASE_SIGN = {
    "overlap": 1,
    "surplus": 1,
    "performance": -1,
    "retention": 1,
    "trend": -1,
    "cost": 1,
    "queue": -1,
}
ATTRACT_SIGN = {
    "gap": 1, "growth": 1, "potential": 1, "rivals": -1, "access": 1, "cost": -1,
    "inclusive": 1, "synergy": 1,
}  # fmt: skip
"""Direction of each criterion (D§8.1)."""

DESTINATION_FORMAT = "light"
"""Format assumed at a site until formats are assigned: relocation is a downsizing (D§7.3)."""

PROTECTED_ZONE = "dense_productive"
"""Zone class whose branches are to be protected rather than released (D§6.3)."""

RENT_SHARE = 0.3
"""Share of the running cost that a lease binds; no source."""

DAYS_PER_YEAR = 365.25
CNY_PER_WAN = 10_000.0


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Why a branch should leave, why a site should receive one."""

    release: pd.DataFrame
    attract: pd.DataFrame

    def __post_init__(self) -> None:
        tables.check(self.release, tables.RELEASE_SCORES)
        tables.check(self.attract, tables.ATTRACT_SCORES)


def score_places(evidence: Evidence, contest: Contest, ground: Ground, scenario: Scenario) -> Scores:
    """Score every branch for leaving and every site for receiving; vetoes of rules and zones stand beside.

    Each criterion is scaled between the 5th and 95th percentile of its tier, clipped, turned in its
    direction and multiplied by its share of the weights; the points of the parts add up to the score.
    """
    release = _weigh_parts(
        _release_values(evidence, contest, scenario),
        evidence.branches["tier"],
        {
            part: RELEASE_SIGN[part] * getattr(scenario.scores, f"release_{part}")
            for part in tables.RELEASE_PARTS
        },
    )
    sites = evidence.candidates.sites
    attract = _weigh_parts(
        _attract_values(evidence, contest, scenario),
        sites["tier"],
        {
            part: ATTRACT_SIGN[part] * getattr(scenario.scores, f"attract_{part}")
            for part in tables.ATTRACT_PARTS
        },
    )
    branch_veto = branch_vetoes(ground)
    branch_veto[(branch_veto == "") & outside_sources(evidence, scenario.relocation)] = SOURCE
    site_veto = _site_vetoes(ground, branch_veto)
    site_veto[(site_veto == "") & outside_destinations(evidence, scenario.relocation)] = TARGET
    return Scores(
        release.assign(veto=pd.array(branch_veto, dtype="str")),
        attract.assign(veto=pd.array(site_veto, dtype="str")),
    )


def _weigh_parts(values: pd.DataFrame, tier: pd.Series, weights: dict[str, float]) -> pd.DataFrame:
    total = sum(abs(weight) for weight in weights.values())
    parts = {
        f"part_{name}": _scale(values[name], tier, weights[name]) * abs(weights[name]) / total * 100.0
        for name in weights
    }
    frame = pd.DataFrame(parts, index=values.index)
    score = pd.Series(0.0, index=values.index)
    for name in frame:
        score = score + frame[name]
    return pd.concat([score.rename("score"), frame, values.add_prefix("value_")], axis=1)


def _scale(values: pd.Series, tier: pd.Series, sign: float) -> pd.Series:
    """Scale to 0-1 between the percentiles of the tier; larger is better when ``sign`` is not negative."""
    out = np.full(len(values), NEUTRAL)
    numbers, tiers = values.to_numpy(dtype=float), tier.to_numpy()
    for name in tables.TIERS:
        inside = tiers == name
        if not inside.any():
            continue
        low, high = np.percentile(numbers[inside], [LOW_PCT, HIGH_PCT])
        if high > low:
            out[inside] = ((numbers[inside] - low) / (high - low)).clip(0.0, 1.0)
    return pd.Series(out if sign >= 0 else 1.0 - out, index=values.index)


def _release_values(evidence: Evidence, contest: Contest, scenario: Scenario) -> pd.DataFrame:
    branches = evidence.branches
    outlets = evidence.market.outlets.loc[branches.index]
    cells = cell_at(evidence.grid, branches)
    zones = evidence.zones.cells.reindex(cells)
    growth = evidence.demand.cells["growth_per_year"].reindex(cells)
    extra_km, is_last = leave_today(contest, scenario.access.cover_min)
    departure = Departure(
        tier=branches["tier"].to_numpy(),
        extra_km=extra_km,
        is_last=is_last,
        rival_near=rivals_at_door(branches, evidence.competitors),
        short=np.zeros(len(branches), dtype=bool),
    )
    values = {
        "overlap": outlets["overlap"].to_numpy(dtype=float),
        "surplus": _surplus(evidence, zones),
        "performance": outlets["performance"].to_numpy(dtype=float),
        "retention": 1.0 - two_year_loss(departure, scenario.economics),
        "trend": growth.to_numpy(dtype=float),
        "cost": _avoidable_cost(branches, outlets["visits_per_day"], scenario),
        "queue": queue_of(evidence.queues),
    }
    neutral = {"performance": 1.0, "surplus": 0.0, "trend": 0.0, "overlap": 0.0}
    return pd.DataFrame(values, index=branches.index).fillna(neutral)


def _surplus(evidence: Evidence, zone_cells: pd.DataFrame) -> np.ndarray:
    """Return the Gi* of own supply against demand; a productive core has no surplus (D§6.3: protect)."""
    surplus = zone_cells["surplus_z"].to_numpy(dtype=float)
    kind = zone_cells["zone_id"].map(evidence.zones.zones["zone_class"]).to_numpy()
    return np.where(kind == PROTECTED_ZONE, np.minimum(surplus, 0.0), surplus)


def _avoidable_cost(branches: pd.DataFrame, visits_per_day: pd.Series, scenario: Scenario) -> np.ndarray:
    """Return the running cost per visit that a move avoids, CNY.

    A lease that still runs binds its share of the cost for the part of the horizon that it covers.
    """
    start = pd.Timestamp(year=scenario.demand.plan_year, month=1, day=1)
    lease = (
        pd.to_datetime(branches["lease_end"])
        if "lease_end" in branches
        else pd.Series(pd.NaT, branches.index)
    )
    left_years = ((lease - start).dt.days / DAYS_PER_YEAR).fillna(0.0)
    bound = (left_years / scenario.demand.horizon_years).clip(0.0, 1.0)
    cost = branches["opex_wan"].astype(float) * CNY_PER_WAN * (1.0 - RENT_SHARE * bound)
    visits = visits_per_day.astype(float) * scenario.demand.business_days_per_year
    return (cost / visits.clip(lower=1.0)).to_numpy()


def _attract_values(evidence: Evidence, contest: Contest, scenario: Scenario) -> pd.DataFrame:
    sites = evidence.candidates.sites
    demand = evidence.demand.cells
    cells = demand.reindex(cell_at(evidence.grid, sites))
    near = near_matrix(contest.site_minutes, scenario.access.cover_min)
    rows = demand.loc[contest.cell_id]
    visits = rows["visits_per_day"].to_numpy(dtype=float)
    visits_near = near.T @ visits
    rival = evidence.market.cells["share_rival"].loc[contest.cell_id].to_numpy(dtype=float)
    light = pd.Series(DESTINATION_FORMAT, index=sites.index)
    pipeline_people = cells["pipeline_near"].to_numpy(dtype=float) * scenario.demand.household_size
    values = {
        "gap": sites["gap_visits"].to_numpy(dtype=float),
        "growth": np.nan_to_num(cells["people_gained"].to_numpy(dtype=float) + pipeline_people),
        "potential": near.T @ rows["potential_wan"].to_numpy(dtype=float),
        "rivals": (near.T @ (visits * rival)) / np.maximum(visits_near, np.finfo(float).tiny),
        "access": visits_near,
        "cost": running_cost(evidence.catalogue, light, sites).to_numpy(),
        "inclusive": near.T @ (contest.residents * _is_inclusive(evidence, contest, scenario)),
        "synergy": _synergy(evidence, scenario),
    }
    return pd.DataFrame(values, index=sites.index)


def _is_inclusive(evidence: Evidence, contest: Contest, scenario: Scenario) -> np.ndarray:
    """Tell which rows lie in an inclusive county or without any bank within reach (D§6.3)."""
    uncovered = (
        evidence.access.cells["minutes_any"].loc[contest.cell_id].to_numpy() > scenario.access.cover_min
    )
    return inclusive_rows(evidence, contest) | uncovered


def inclusive_rows(evidence: Evidence, contest: Contest) -> np.ndarray:
    """Tell which rows lie in an inclusive county."""
    counties = evidence.counties
    listed = (
        counties.index[counties["inclusive"].astype(bool)] if "inclusive" in counties else counties.index[:0]
    )
    return evidence.grid.cells["county_id"].loc[contest.cell_id].isin(listed).to_numpy()


def _synergy(evidence: Evidence, scenario: Scenario) -> np.ndarray:
    """Return 1 at own spacing from the nearest own branch, falling to 0 at the radius of a cluster.

    Nearer than spacing it is 0: two such outlets would share customers, not work.
    """
    sites, branches = evidence.candidates.sites, evidence.branches
    if branches.empty or sites.empty:
        return np.zeros(len(sites))
    spacing = {kind: getattr(scenario.relocation, f"spacing_{kind}_km") for kind in tables.SETTLEMENTS}
    least = sites["settlement"].map(spacing).to_numpy(dtype=float)
    radius = np.where(sites["tier"] == "U", scenario.clusters.radius_u_km, scenario.clusters.radius_ct_km)
    nearest, _ = nearest_km(points_of(sites), points_of(branches))
    span = radius - least
    share = np.divide(nearest - least, span, out=np.ones(len(sites)), where=span > 0.0)
    return np.where(nearest < least, 0.0, np.clip(1.0 - share, 0.0, 1.0))


def _site_vetoes(ground: Ground, branch_veto: np.ndarray) -> np.ndarray:
    """Return the rule that forbids each site: no branch may legally come, or one that stays is too near."""
    n_branches = ground.branch_ids.size
    places = np.arange(n_branches, ground.unit.shape[0])
    free = np.flatnonzero(branch_veto == "")
    stays = np.flatnonzero(branch_veto != "")
    veto = np.full(places.size, "", dtype=object)
    legal = is_legal(ground, free, places).any(axis=0)
    same_prefecture = (ground.prefecture[free][:, None] == ground.prefecture[places][None, :]).any(axis=0)
    veto[~legal] = "CN-2"
    veto[~same_prefecture] = "CN-1"
    veto[too_close(ground, places, stays).any(axis=1)] = "SPACING"
    return veto
