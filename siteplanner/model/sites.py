"""Where a branch could go: spots in destination zones, developments, township seats, or the user's list."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from siteplanner import tables
from siteplanner.model.access import Access, Reach, pairs_within
from siteplanner.model.demand import Demand
from siteplanner.model.focal import make_disc, sum_near
from siteplanner.model.grid import Grid, cell_ids, nearest_cells
from siteplanner.model.sphere import great_circle_km, nearest_km, unit_vectors
from siteplanner.model.zones import Places, Zones
from siteplanner.scenario import Scenario

# A development gives a candidate of its own from this many households; no source.
MIN_HOUSEHOLDS = 500.0

# What kind of place it is is read from the people within this distance.
SURROUNDINGS_M = 1_000.0

# People present against residents, region's mean 1, that make a place one of work or leisure; no source.
FUNCTIONAL_DAY_NIGHT = 1.5
EMERGING_LEISURE = 1.5

# Rival outlets in the surroundings that show a market in being; no source.
EMERGING_RIVALS = 2

# Where people gather (`demand.people_gained`), as many at leisure as the region's mean are enough.
GROWING_LEISURE = 1.0

# Why a spot that no name suggests is a candidate, by the class of its zone.
_SPOT_REASONS = {
    "blank_true": "spot_unmet",
    "blank": "spot_unmet",
    "blank_contested": "spot_unmet",
    "inflow": "spot_growth",
    "inclusive": "spot_inclusive",
}

_KIND_TO_TYPE = {"functional": "functional", "market": "emerging"}


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Candidate sites, and the pairs of demand cell and site within reach (columns as the sites)."""

    sites: pd.DataFrame
    reach: Reach

    def __post_init__(self) -> None:
        tables.check(self.sites, tables.CANDIDATES)


@dataclass(frozen=True, slots=True, eq=False)
class _Ground:
    """What candidates are chosen from, by cell, and the own branches that they keep away from."""

    cells: pd.DataFrame
    own: pd.DataFrame


def propose_sites(
    grid: Grid,
    demand: Demand,
    access: Access,
    zones: Zones,
    places: Places,
    user_sites: pd.DataFrame,
    scenario: Scenario,
) -> Candidates:
    """Take the user's sites, or generate spaced candidates inside destination zones, developments and seats.

    Generated candidates keep the spacing of their settlement class from every own branch and from every
    candidate found before: developments by size, township seats by id, then the best spots of each zone.
    None lies in a dense zone.
    """
    ground = _survey(grid, demand, access, zones, places, scenario)
    if len(user_sites):
        chosen = _take_sites(user_sites, grid)
    else:
        named = pd.concat([_from_developments(places, grid, scenario), _from_townships(places, grid, ground)])
        chosen = _generate(named, ground, zones, scenario)
        chosen = _place(chosen, ground, places, scenario.rules.tier_when_unknown)
    chosen = chosen.sort_index() if len(user_sites) else _number(chosen)
    at = ground.cells.reindex(chosen["cell"])
    chosen = chosen.assign(
        zone_id=at["zone_id"].to_numpy(),
        settlement=at["settlement"].to_numpy(),
        destination_type=_destination_types(chosen, at),
        reason=chosen["reason"].where(chosen["reason"] != "", at["zone_class"].map(_SPOT_REASONS).to_numpy()),
    )
    reach = pairs_within(demand, grid, chosen, access.travel)
    gap = _gap_within(reach, zones.cells["gap"], scenario.access.cover_min)
    extra = [name for name in ("rent", "area_m2", "handover") if name in chosen]
    columns = [c.name for c in tables.CANDIDATES.columns if c.required and c.name != "site_id"]
    return Candidates(chosen.assign(gap_visits=gap)[columns + extra], reach)


def _survey(
    grid: Grid,
    demand: Demand,
    access: Access,
    zones: Zones,
    places: Places,
    scenario: Scenario,
) -> _Ground:
    """Gather by cell: zone, spacing of its settlement class, unmet visits within it, and who is around."""
    kinds = demand.cells["settlement"].reindex(grid.cells.index)
    own = access.outlets["own"].to_numpy(dtype=bool)
    spacing = pd.Series(
        {name: float(getattr(scenario.relocation, f"spacing_{name}_km")) for name in tables.SETTLEMENTS}
    )
    local_gap = np.zeros(len(grid.cells))
    for name in tables.SETTLEMENTS:
        of_class = (kinds == name).to_numpy()
        near = sum_near(zones.cells["gap"].to_numpy(), grid, make_disc(grid.lattice, spacing[name] * 1_000.0))
        local_gap[of_class] = near[of_class]
    rivals = access.outlets.loc[~own]
    ids = cell_ids(grid, rivals["lon"].to_numpy(), rivals["lat"].to_numpy())
    at = np.searchsorted(grid.cells.index.to_numpy(), ids[ids >= 0])
    rival_count = np.bincount(at, minlength=len(grid.cells)).astype(float)
    cells = grid.cells[["lon", "lat", "county_id"]].assign(
        zone_id=zones.cells["zone_id"],
        zone_class=zones.zones["zone_class"].reindex(zones.cells["zone_id"]).to_numpy(),
        inclusive=grid.cells["county_id"].map(places.counties["inclusive"]).to_numpy(dtype=bool),
        settlement=kinds,
        spacing_km=spacing.reindex(kinds).to_numpy(),
        local_gap=local_gap,
        growing=demand.cells["people_gained"].reindex(grid.cells.index).to_numpy()
        >= scenario.zones.inflow_people,
        day_night=_index_near("work", grid, demand),
        leisure_index=_index_near("leisure", grid, demand),
        rivals_near=np.round(sum_near(rival_count, grid, make_disc(grid.lattice, SURROUNDINGS_M))),
    )
    return _Ground(cells, access.outlets.loc[own, ["lon", "lat"]])


def _index_near(column: str, grid: Grid, demand: Demand) -> np.ndarray:
    """Return people present against residents around each cell, region's mean 1; 0 without footfall."""
    present = demand.cells[column].reindex(grid.cells.index).to_numpy()
    residents = demand.cells["residents"].reindex(grid.cells.index).to_numpy()
    if present.sum() <= 0 or residents.sum() <= 0:
        return np.zeros(len(residents))
    people = sum_near(present / present.sum(), grid, make_disc(grid.lattice, SURROUNDINGS_M))
    homes = sum_near(residents / residents.sum(), grid, make_disc(grid.lattice, SURROUNDINGS_M))
    return np.asarray(np.divide(people, homes, out=np.zeros(len(residents)), where=homes > 0))


def _take_sites(sites: pd.DataFrame, grid: Grid) -> pd.DataFrame:
    cell = nearest_cells(grid, sites["lon"].to_numpy(), sites["lat"].to_numpy())
    return sites.assign(cell=cell, origin="user", kind="", reason="offered")


def _from_developments(places: Places, grid: Grid, scenario: Scenario) -> pd.DataFrame:
    """List developments handed over, or to be within the horizon, largest first."""
    listed = places.developments
    last_year = scenario.demand.plan_year + scenario.demand.horizon_years
    handed_over = pd.to_datetime(listed["handover"]).dt.year.to_numpy(dtype=float) <= last_year
    found = listed.loc[handed_over & (listed["households"].to_numpy() >= MIN_HOUSEHOLDS)].sort_index()
    found = found.sort_values("households", ascending=False, kind="stable")
    cell = cell_ids(grid, found["lon"].to_numpy(), found["lat"].to_numpy())
    ahead = pd.to_datetime(found["handover"]).dt.year.to_numpy(dtype=float) > scenario.demand.plan_year
    district = found["kind"].isin(_KIND_TO_TYPE).to_numpy()
    found = found[["name", "lon", "lat", "kind", "handover"]].assign(
        cell=cell,
        origin="development",
        reason=np.select([district, ahead], ["new_district", "homes_coming"], default="homes_new"),
    )
    return found.loc[cell >= 0]


def _from_townships(places: Places, grid: Grid, ground: _Ground) -> pd.DataFrame:
    """List township seats with unmet visits around them, by id; in counties on a list, all of them."""
    found = places.townships.sort_index()
    cell = cell_ids(grid, found["lon"].to_numpy(), found["lat"].to_numpy())
    found = found[["name", "lon", "lat"]].assign(cell=cell, origin="township", kind="").loc[cell >= 0]
    at = ground.cells.reindex(found["cell"])
    unmet = at["local_gap"].to_numpy() > 0
    kept: pd.DataFrame = found.assign(reason=np.where(unmet, "seat_unmet", "seat_listed"))
    wanted: np.ndarray = np.logical_or(unmet, at["inclusive"].to_numpy(dtype=bool))
    return kept[wanted]


def _generate(named: pd.DataFrame, ground: _Ground, zones: Zones, scenario: Scenario) -> pd.DataFrame:
    """Return spaced candidates, at most `max_sites`."""
    at = ground.cells.reindex(named["cell"])
    named = named.loc[~at["zone_class"].isin(tables.DENSE).to_numpy()]
    own = unit_vectors(ground.own["lon"].to_numpy(), ground.own["lat"].to_numpy())
    spaced = named.loc[_thin_out(named, ground, own)]
    taken = np.concatenate([own, unit_vectors(spaced["lon"].to_numpy(), spaced["lat"].to_numpy())])
    spots = _best_spots(ground, zones, taken, scenario.sites.per_zone)
    return _cut(pd.concat([spaced, spots], ignore_index=True), ground, scenario.sites.max_sites)


def _thin_out(named: pd.DataFrame, ground: _Ground, own: np.ndarray) -> np.ndarray:
    """Mark, in the order given, places at their spacing from own branches and from the marked ones before."""
    lon, lat = named["lon"].to_numpy(dtype=float), named["lat"].to_numpy(dtype=float)
    spacing = ground.cells["spacing_km"].reindex(named["cell"]).to_numpy()
    kept = nearest_km(unit_vectors(lon, lat), own)[0] >= spacing
    for i in np.flatnonzero(kept):
        before = np.flatnonzero(kept[:i])
        kept[i] = bool((great_circle_km(lon[before], lat[before], lon[i], lat[i]) >= spacing[i]).all())
    return kept


def _best_spots(ground: _Ground, zones: Zones, taken: np.ndarray, per_zone: int) -> pd.DataFrame:
    """Choose in every destination zone the cells with most unmet visits around them, one after the other."""
    destination = ground.cells["zone_class"].isin(tables.DESTINATION).to_numpy()
    free = ground.cells.loc[destination & (ground.cells["local_gap"].to_numpy() > 0)]
    order = zones.zones.sort_values("gap_visits", ascending=False, kind="stable")["name"]
    groups = free.groupby("zone_id").indices
    spots: list[tuple[str, float, float, int]] = []
    for zone_id in (zone for zone in order.index if zone in groups):
        cells = free.iloc[groups[zone_id]].sort_values("local_gap", ascending=False, kind="stable")
        lon, lat, spacing = (cells[name].to_numpy() for name in ("lon", "lat", "spacing_km"))
        found = unit_vectors(*np.array([spot[1:3] for spot in spots]).reshape(-1, 2).T)
        room = nearest_km(unit_vectors(lon, lat), np.concatenate([taken, found]))[0] >= spacing
        for _ in range(per_zone):
            if not room.any():
                break
            best = int(np.argmax(room))
            spots.append((str(order[zone_id]), float(lon[best]), float(lat[best]), int(cells.index[best])))
            room[best] = False
            room &= great_circle_km(lon, lat, lon[best], lat[best]) >= spacing
    return pd.DataFrame(spots, columns=["name", "lon", "lat", "cell"]).assign(
        origin="zone", kind="", reason=""
    )


def _cut(found: pd.DataFrame, ground: _Ground, max_sites: int) -> pd.DataFrame:
    """Keep those with most unmet visits around, but first the best of each listed county and zone."""
    at = ground.cells.reindex(found["cell"])
    ranked = found.assign(
        gap=at["local_gap"].to_numpy(),
        zone=at["zone_id"].where(at["zone_class"].isin(tables.DESTINATION)).to_numpy(),
        listed=at["county_id"].where(at["inclusive"]).to_numpy(),
    ).sort_values(["gap", "lon", "lat"], ascending=[False, True, True], kind="stable")
    best_of_zone = ranked["zone"].notna() & ~ranked["zone"].duplicated()
    best_of_county = ranked["listed"].notna() & ~ranked["listed"].duplicated()
    first = best_of_zone | best_of_county
    kept = pd.concat([ranked.loc[first], ranked.loc[~first]]).head(max_sites)
    return kept.drop(columns=["gap", "zone", "listed"])


def _place(found: pd.DataFrame, ground: _Ground, places: Places, tier_when_unknown: str) -> pd.DataFrame:
    """Add county, prefecture, nearest township seat of the county, and its legal tier."""
    county = ground.cells["county_id"].reindex(found["cell"]).to_numpy()
    seats = places.townships.sort_index()
    seat = np.full(len(found), -1)
    for county_id in sorted(set(county)):
        here = np.flatnonzero(county == county_id)
        near = np.flatnonzero(seats["county_id"].to_numpy() == county_id)
        if near.size == 0:
            continue
        lon, lat = (found[name].to_numpy(dtype=float)[here, None] for name in ("lon", "lat"))
        km = great_circle_km(lon, lat, seats["lon"].to_numpy()[near], seats["lat"].to_numpy()[near])
        seat[here] = near[km.argmin(axis=1)]
    ids = np.append(seats.index.to_numpy(dtype=object), "")
    names = np.append(seats["name"].to_numpy(dtype=object), "")[seat]
    of_county = places.counties["name"].reindex(county).to_numpy(dtype=object)
    # A zone that is a whole county gives its spots no more than the county's name: the seat tells them apart.
    bare = (found["name"].to_numpy(dtype=object) == of_county) & (found["origin"] == "zone").to_numpy()
    tiers = np.append(seats["tier"].fillna("").to_numpy(dtype=object), "")
    return found.assign(
        name=np.where(
            bare, [f"{a} {b}".strip() for a, b in zip(of_county, names, strict=True)], found["name"]
        ),
        county_id=county,
        prefecture=places.counties["prefecture"].reindex(county).to_numpy(),
        township_id=ids[seat],
        tier=np.where(tiers[seat] == "", tier_when_unknown, tiers[seat]),
    )


def _number(found: pd.DataFrame) -> pd.DataFrame:
    """Give numbers to candidates by county, then from west to east and south to north."""
    ordered = found.sort_values(["county_id", "lon", "lat", "origin"], kind="stable")
    numbers = [f"S{number:04d}" for number in range(1, len(ordered) + 1)]
    # Text order is number order only with equal lengths.
    width = len(numbers[-1]) - 1 if numbers else 0
    ids = ["S" + number[1:].zfill(width) for number in numbers]
    return ordered.set_axis(pd.Index(ids, name="site_id", dtype="str"))


def _destination_types(found: pd.DataFrame, at: pd.DataFrame) -> np.ndarray:
    """Return the speech's kinds: listed county first, then what the development is, then who is around.

    An emerging market has rivals already and either leisure or growth; a functional district has more people
    by day than live there; all else is where people live.
    """
    kind = found["kind"].map(_KIND_TO_TYPE).fillna("").to_numpy(dtype=object)
    homes = (found["origin"] == "development").to_numpy()
    work = at["day_night"].to_numpy() >= FUNCTIONAL_DAY_NIGHT
    leisure, growing = at["leisure_index"].to_numpy(), at["growing"].to_numpy(dtype=bool)
    lively = (leisure >= EMERGING_LEISURE) | (growing & (leisure >= GROWING_LEISURE))
    market = lively & (at["rivals_near"].to_numpy() >= EMERGING_RIVALS)
    inclusive = (at["zone_class"] == "inclusive").to_numpy() | at["inclusive"].to_numpy(dtype=bool)
    return np.select(
        [inclusive, kind != "", homes, market, work],
        ["inclusive", kind, "residential", "emerging", "functional"],
        default="residential",
    )


def _gap_within(reach: Reach, gap: pd.Series, cover_min: float) -> np.ndarray:
    """Sum the unmet visits of the cells from which each site is at most `cover_min` minutes away."""
    by_row = gap.reindex(reach.cell_id).to_numpy()
    rows = np.repeat(by_row, np.diff(reach.indptr))
    near = reach.minutes <= cover_min
    return np.bincount(reach.indices[near], weights=rows[near], minlength=reach.n_places)
