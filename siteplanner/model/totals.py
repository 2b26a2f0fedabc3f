"""The network and the counties before and after the plan, people counted where they live."""

import numpy as np
import pandas as pd

from siteplanner import tables
from siteplanner.model.access import Access, Reach
from siteplanner.model.contest import Evidence, cell_at, points_of
from siteplanner.model.demand import Demand
from siteplanner.model.equity import kolm_pollak_ede, kolm_pollak_kappa, weighted_gini, weighted_quantile
from siteplanner.model.formats import Formats
from siteplanner.model.market import Market
from siteplanner.model.reconciliation import BRIDGE
from siteplanner.model.sphere import nearest_km
from siteplanner.scenario import AccessSettings, Scenario

EPSILON = {"ede_minutes_own": -1.0, "ede_mild_minutes_own": -0.5, "ede_strict_minutes_own": -2.0}
"""Aversions to inequality of the Kolm-Pollak measure, by the figure's name; negative because
minutes are a burden, the first by habit, the others beside it (D§11)."""

FAR_SHARE = 0.95
"""Of the people, this share is nearer than the far end that is told (D§11)."""

FAR_MINUTES = 120.0
"""Stands for no own outlet within reach, so that means and inequality stay finite; no source."""

Run = tuple[Access, Market]
Runs = tuple[Run, Run]


def network_totals(
    evidence: Evidence, runs: Runs, formats: Formats, moves: pd.DataFrame, scenario: Scenario
) -> pd.DataFrame:
    """Return `tables.KPIS`: the network as it is today and after the plan, in the plan year's demand."""
    branches = (evidence.branches, formats.branches_after)
    aversions = _aversions(evidence, runs[0][0])
    columns = [
        _coverage(evidence, access, scenario)
        | _equity(evidence, access, aversions)
        | {"p95_km_own": _far_km(evidence, run_branches)}
        | _volumes(access, market)
        | _places(evidence, run_branches, access)
        for (access, market), run_branches in zip(runs, branches, strict=True)
    ]
    rows = {name: (columns[0][name], columns[1][name], UNITS[name]) for name in UNITS if name in columns[0]}
    rows |= {name: (0.0, float(moves[source].sum()), UNITS[name]) for name, source in SUMS.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["before", "after", "unit"]).rename_axis(
        "kpi"
    )


SUMS = {
    "cannibalised_visits": "cannibalised_visits",
    "lost_visits": "lost_visits",
    "gross_gain_wan": "gross_gain_wan",
    "cannibalised_wan": "cannibalised_wan",
    "lost_wan": "lost_wan",
    "lost_low_wan": "lost_low_wan",
    "lost_high_wan": "lost_high_wan",
    "lost_choice_wan": "lost_choice_wan",
    **{name: name for name in BRIDGE},
    "net_wan": "net_wan",
    "volume_effect_wan": "volume_effect_wan",
    "cost_effect_wan": "cost_effect_wan",
    "capex_wan": "capex_wan",
    "npv_wan": "npv_wan",
}
"""Totals of the moves' ledger: the baseline has none."""

PERSON, WAN, VISITS = "persons", "10,000 CNY", "1/day"
UNITS = {
    "own_outlets": "outlets",
    "own_outlets_dense": "outlets",
    "own_outlets_destination": "outlets",
    "own_hours_dense": "h/week",
    "own_hours_destination": "h/week",
    "counties_with_own": "counties",
    "townships_with_own": "townships",
    "townships_one_own": "townships",
    "townships_one_any": "townships",
    "covered_own": PERSON,
    "covered_own_share": "share",
    "covered_any": PERSON,
    "covered_any_share": "share",
    "covered_point": PERSON,
    "covered_point_share": "share",
    "uncovered_own": PERSON,
    "uncovered_any": PERSON,
    "covered_own_open": PERSON,
    "covered_own_open_share": "share",
    "covered_any_open": PERSON,
    "covered_any_open_share": "share",
    "aged_60_covered_own": PERSON,
    "aged_60_covered_own_share": "share",
    "inclusive_covered_own": PERSON,
    "inclusive_covered_any": PERSON,
    "inclusive_residents": PERSON,
    "mean_minutes_own": "min",
    "p95_km_own": "km",
    "gini_minutes_own": "share",
    **dict.fromkeys(EPSILON, "min"),
    "visits_own": VISITS,
    "share_own": "share",
    "deposits_own_wan": WAN,
    "staff": "staff",
    "opex_wan": "10,000 CNY/year",
    "cannibalised_visits": VISITS,
    "lost_visits": VISITS,
    "gross_gain_wan": WAN,
    "cannibalised_wan": WAN,
    "lost_wan": WAN,
    "lost_low_wan": WAN,
    "lost_high_wan": WAN,
    "lost_choice_wan": WAN,
    **dict.fromkeys(BRIDGE, WAN),
    "net_wan": WAN,
    "volume_effect_wan": "10,000 CNY/year",
    "cost_effect_wan": "10,000 CNY/year",
    "capex_wan": WAN,
    "npv_wan": WAN,
}
"""Every figure of the network, with its unit, in the order in which it is told."""


def _coverage(evidence: Evidence, access: Access, scenario: Scenario) -> dict[str, float]:
    parts = evidence.demand.parts
    own, anyone = (_covered(evidence, access, kind, scenario.access.cover_min) for kind in ("own", "any"))
    people, old = parts["residents"].to_numpy(dtype=float), parts["aged_60"].to_numpy(dtype=float)
    inclusive = _in_inclusive(evidence)
    return {
        "covered_own": people[own].sum(),
        "covered_own_share": _ratio(people[own].sum(), people.sum()),
        "covered_any": people[anyone].sum(),
        "covered_any_share": _ratio(people[anyone].sum(), people.sum()),
        "uncovered_own": people[~own].sum(),
        "uncovered_any": people[~anyone].sum(),
        **_wider_coverage(evidence, access, people, scenario.access.cover_min),
        "aged_60_covered_own": old[own].sum(),
        "aged_60_covered_own_share": _ratio(old[own].sum(), old.sum()),
        "inclusive_covered_own": people[own & inclusive].sum(),
        "inclusive_covered_any": people[anyone & inclusive].sum(),
        "inclusive_residents": people[inclusive].sum(),
    }


def _wider_coverage(
    evidence: Evidence, access: Access, people: np.ndarray, cover_min: float
) -> dict[str, float]:
    """Count people within reach of any service point, and of outlets open in the hours asked for."""
    told: dict[str, float] = {}
    for kind in ("point", "own_open", "any_open"):
        if f"minutes_{kind}" in access.cells:
            covered = people[_covered(evidence, access, kind, cover_min)].sum()
            told |= {f"covered_{kind}": covered, f"covered_{kind}_share": _ratio(covered, people.sum())}
    return told


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0.0 else 0.0


def _covered(evidence: Evidence, access: Access, kind: str, cover_min: float) -> np.ndarray:
    minutes = access.cells[f"minutes_{kind}"].loc[evidence.demand.parts["cell_id"]]
    return (minutes <= cover_min).to_numpy()


def _in_inclusive(evidence: Evidence) -> np.ndarray:
    counties = evidence.counties
    if "inclusive" not in counties:
        return np.zeros(len(evidence.demand.parts), dtype=bool)
    listed = counties.index[counties["inclusive"].astype(bool)]
    return evidence.demand.parts["county_id"].isin(listed).to_numpy()


def _people_minutes(evidence: Evidence, access: Access) -> tuple[np.ndarray, np.ndarray]:
    people = evidence.demand.cells["residents"].to_numpy(dtype=float)
    minutes = access.cells["minutes_own"].reindex(evidence.demand.cells.index).to_numpy(dtype=float)
    lived = people > 0.0
    return np.minimum(minutes[lived], FAR_MINUTES), people[lived]


def _aversions(evidence: Evidence, access: Access) -> dict[str, float]:
    """Take every kappa from the network of today: taken anew it would not compare (D§11)."""
    minutes, people = _people_minutes(evidence, access)
    return {
        name: kolm_pollak_kappa(minutes, people, epsilon) if people.size else 0.0
        for name, epsilon in EPSILON.items()
    }


def _equity(evidence: Evidence, access: Access, aversions: dict[str, float]) -> dict[str, float]:
    minutes, people = _people_minutes(evidence, access)
    names = list(aversions)
    if not people.size:
        return dict.fromkeys(["mean_minutes_own", "gini_minutes_own", *names], 0.0)
    shared = [kolm_pollak_ede(minutes, people, kappa) for kappa in aversions.values()]
    return {
        "mean_minutes_own": float(np.average(minutes, weights=people)),
        "gini_minutes_own": weighted_gini(minutes, people),
        **dict(zip(names, shared, strict=True)),
    }


def _far_km(evidence: Evidence, branches: pd.DataFrame) -> float:
    """Return the great-circle distance to the nearest own branch that 5 % of people exceed."""
    people = evidence.demand.cells["residents"]
    people = people[people > 0.0]
    if people.empty:
        return 0.0
    km, _ = nearest_km(points_of(evidence.grid.cells.loc[people.index]), points_of(branches))
    return weighted_quantile(km, people.to_numpy(dtype=float), FAR_SHARE)


def _volumes(access: Access, market: Market) -> dict[str, float]:
    own = market.outlets[access.outlets["own"].to_numpy()]
    visits = float(own["visits_per_day"].sum())
    return {
        "visits_own": visits,
        "share_own": _ratio(visits, float(market.outlets["visits_per_day"].sum())),
        "deposits_own_wan": float(own["deposits_wan"].sum()),
    }


def _places(evidence: Evidence, branches: pd.DataFrame, access: Access) -> dict[str, float]:
    zone = evidence.zones.cells["zone_id"].reindex(cell_at(evidence.grid, branches))
    kind = zone.map(evidence.zones.zones["zone_class"]).to_numpy()
    hours = access.outlets.loc[branches.index, "counter_hours"].to_numpy(dtype=float)
    dense, blank = np.isin(kind, tables.DENSE), np.isin(kind, tables.DESTINATION)
    own = _by_township(branches)
    anyone = own.add(_by_township(evidence.competitors), fill_value=0)
    return {
        "own_outlets": float(len(branches)),
        "own_outlets_dense": float(dense.sum()),
        "own_outlets_destination": float(blank.sum()),
        "own_hours_dense": float(hours[dense].sum()),
        "own_hours_destination": float(hours[blank].sum()),
        "counties_with_own": float(branches["county_id"].nunique()),
        "townships_with_own": float(len(own)),
        "townships_one_own": float((own == 1).sum()),
        "townships_one_any": float((anyone == 1).sum()),
        "staff": float(branches["staff"].sum()),
        "opex_wan": float(branches["opex_wan"].sum()),
    }


def _by_township(places: pd.DataFrame) -> "pd.Series[int]":
    """Count places by township; a place in none, or in an unknown one, does not count."""
    townships = places["township_id"].dropna()
    return townships[townships != ""].value_counts()


def county_totals(evidence: Evidence, runs: Runs, formats: Formats, scenario: Scenario) -> pd.DataFrame:
    """Return `tables.COUNTY_KPIS`: people counted by the county they live in, not by the cell's county."""
    parts, ids = evidence.demand.parts, evidence.counties.index
    county = parts["county_id"]
    out = pd.DataFrame(index=ids)
    for name, branches in (("before", evidence.branches), ("after", formats.branches_after)):
        out[f"outlets_{name}"] = branches["county_id"].value_counts().reindex(ids, fill_value=0)
    for name in ("residents", "aged_60"):
        out[name] = parts[name].groupby(county).sum().reindex(ids, fill_value=0.0)
    for kind, people, column in (
        ("own", "residents", "covered_own"),
        ("any", "residents", "covered_any"),
        ("own", "aged_60", "aged_60_covered"),
    ):
        for name, (access, _) in zip(("before", "after"), runs, strict=True):
            covered = _covered(evidence, access, kind, scenario.access.cover_min)
            count = parts[people].where(covered, 0.0).groupby(county).sum()
            out[f"{column}_{name}"] = count.reindex(ids, fill_value=0.0)
    for name, (_, market) in zip(("before", "after"), runs, strict=True):
        out[f"visits_{name}"] = _visits_by_county(evidence, market, ids)
    return out.rename_axis("county_id")


def _visits_by_county(evidence: Evidence, market: Market, ids: pd.Index) -> pd.Series:
    """Return visits that own outlets win from the cells of each county."""
    cells = evidence.demand.cells["visits_per_day"] * market.cells["share_own"] * market.level
    return cells.groupby(evidence.grid.cells["county_id"]).sum().reindex(ids, fill_value=0.0)


def people_by_way(demand: Demand, reach: Reach, settings: AccessSettings) -> dict[str, float]:
    """Count residents by way of travel: on foot or by car on roads, straight where no road is near."""
    cells = demand.cells.loc[reach.cell_id]
    people = cells["residents"].to_numpy(dtype=float)
    on_road = np.zeros(len(cells), dtype=bool) if reach.on_road is None else reach.on_road
    way = cells["settlement"].map({name: getattr(settings, name).on_roads for name in tables.SETTLEMENTS})
    told = {mode: float(people[on_road & (way == mode).to_numpy()].sum()) for mode in ("walk", "drive")}
    return told | {"straight": float(people[~on_road].sum())}
