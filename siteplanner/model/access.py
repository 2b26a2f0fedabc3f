"""How far people are from service, and how much of it is there for them."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numba import njit

from siteplanner import tables
from siteplanner.model.barriers import Barriers, lengthen
from siteplanner.model.demand import Demand
from siteplanner.model.floating import balanced, modified_two_step, rational_agents, two_step
from siteplanner.model.grid import Grid, cell_ids
from siteplanner.model.outlets import open_throughout
from siteplanner.model.roads import RoadNetwork
from siteplanner.model.splicing import splice
from siteplanner.model.straight import straight_trips
from siteplanner.model.travel import Ends, Streets, Trips, driving, snap, trips_within, walking
from siteplanner.scenario import AccessSettings

# A trip is never shorter than this part of a cell's side: people are not all at the centre. No source.
SHORTEST_TRIP_CELLS = 0.25
PER_PEOPLE = 10_000.0
# So many places reach a few tens of millions of cells, which fit into memory.
POINTS_AT_A_TIME = 4_000


@dataclass(frozen=True, slots=True, eq=False)
class Travel:
    """How people get about: on roads where there is a network, else straight with a detour."""

    settings: AccessSettings
    roads: RoadNetwork | None = None
    barriers: Barriers | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """All pairs of demand cell and place within reach, as compressed rows.

    Parameters
    ----------
    cell_id
        Cells with residents, people moved in or visits, sorted: the rows.
    n_places
        Number of columns; column j is row j of the table of places that was given.
    indptr, indices
        CSR structure, int64 and int32; columns ascending within a row.
    minutes
        Travel time by pair, float32: on roads where a network is given, else straight km x detour / speed of
        the cell's settlement class.
    on_road
        Which rows begin on a road of the network; None where there is no network.
    settlement
        Place of each row's class in `tables.SETTLEMENTS`; None where nobody asks for it.
    """

    cell_id: np.ndarray
    n_places: int
    indptr: np.ndarray
    indices: np.ndarray
    minutes: np.ndarray
    on_road: np.ndarray | None = None
    settlement: np.ndarray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Access:
    """Outlets of all banks, pairs within reach, and service by cell (all cells of the grid).

    Cells that are no rows of the reach have nobody in them: infinite minutes and no supply.

    Parameters
    ----------
    points_min
        Minutes to the nearest service point that is no outlet, by row of the reach; None without any.
    """

    outlets: pd.DataFrame
    reach: Reach
    cells: pd.DataFrame
    travel: Travel
    points_min: np.ndarray | None = None

    def __post_init__(self) -> None:
        tables.check(self.outlets, tables.OUTLETS)
        tables.check(self.cells, tables.ACCESS)


def pairs_within(demand: Demand, grid: Grid, places: pd.DataFrame, travel: Travel) -> Reach:
    """Find every pair of demand cell and place within the reach of the cell's settlement class.

    Without roads: great-circle km between the cell's centre and the place, never less than a quarter cell,
    times detour over speed; longer across barriers, and dropped where that is beyond the reach. On roads: to
    the nearest node over the straight distance, then the quickest way, up to the minutes that the class's
    reach takes straight. Cells and places far from every road are reached straight.

    Parameters
    ----------
    places
        ``lon``, ``lat`` in WGS 84 degrees; the order of rows is the order of columns of the answer.
    """
    cells = demand.cells
    peopled = (cells[["residents", "moved_in", "visits_per_day"]] > 0.0).any(axis=1).to_numpy()
    cell_id = cells.index.to_numpy()[peopled]
    pace, reach_km = by_settlement(cells["settlement"][peopled], travel.settings)
    if travel.roads is None:
        reach = _straight_pairs(cell_id, grid, places, (pace, reach_km), travel)
    else:
        reach = _road_pairs(demand, cell_id, grid, places, travel)
    return replace(reach, settlement=_class_codes(cells["settlement"][peopled]))


def _straight_pairs(
    cell_id: np.ndarray,
    grid: Grid,
    places: pd.DataFrame,
    walks: tuple[np.ndarray, np.ndarray],
    travel: Travel,
) -> Reach:
    shortest_km = SHORTEST_TRIP_CELLS * grid.lattice.cell_m / 1_000.0
    where = (places["lon"].to_numpy(dtype=float), places["lat"].to_numpy(dtype=float))
    trips = straight_trips(grid.lattice, cell_id, where, walks, shortest_km)
    if travel.barriers is not None:
        told = travel.barriers.factor
        factor = np.where(np.isnan(told), travel.settings.barrier_factor, told)
        centres = grid.cells.loc[cell_id]
        ends = ((centres["lon"].to_numpy(), centres["lat"].to_numpy()), where)
        trips = lengthen(
            Barriers(travel.barriers.shapes, factor), grid.lattice, ends, trips, walks[0] * walks[1]
        )
    return Reach(cell_id, len(places), *trips)


def _road_pairs(
    demand: Demand, cell_id: np.ndarray, grid: Grid, places: pd.DataFrame, travel: Travel
) -> Reach:
    """Go by road from every cell as its settlement class goes, straight where there is no road near."""
    pace, reach_km = by_settlement(demand.cells["settlement"].loc[cell_id], travel.settings)
    way = (
        demand.cells["settlement"]
        .loc[cell_id]
        .map({name: getattr(travel.settings, name).on_roads for name in tables.SETTLEMENTS})
    )
    trips: list[Trips] = []
    on_road = np.zeros(cell_id.size, dtype=bool)
    for mode in ("walk", "drive"):
        rows = np.flatnonzero(way.to_numpy() == mode)
        if rows.size:
            walks = (cell_id[rows], pace[rows], reach_km[rows])
            streets = _streets(mode, demand, grid, travel)
            found, on_road[rows] = _trips_of_mode(streets, walks, grid, places, travel)
            trips += [Trips(rows[part.origin].astype(np.int32), part.place, part.minutes) for part in found]
    origin, place, minutes = (
        np.concatenate([getattr(part, name) for part in trips] or [np.empty(0)])
        for name in ("origin", "place", "minutes")
    )
    shortest = SHORTEST_TRIP_CELLS * grid.lattice.cell_m / 1_000.0 * pace
    order = np.lexsort((place, origin))
    origin = origin[order].astype(np.int64)
    count = np.bincount(origin, minlength=cell_id.size)
    return Reach(
        cell_id,
        len(places),
        np.concatenate(([0], np.cumsum(count))),
        place[order].astype(np.int32),
        np.maximum(minutes[order], shortest[origin]).astype(np.float32),
        on_road,
    )


def _streets(mode: str, demand: Demand, grid: Grid, travel: Travel) -> Streets:
    roads, speeds = travel.roads, travel.settings.roads
    if roads is None:
        raise ValueError("there is no road network to travel on")
    if mode == "walk":
        return walking(roads, speeds)
    lon = (roads.lon[roads.start] + roads.lon[roads.end]) / 2.0
    lat = (roads.lat[roads.start] + roads.lat[roads.end]) / 2.0
    settlement = demand.cells["settlement"].reindex(cell_ids(grid, lon, lat)).fillna(tables.SETTLEMENTS[-1])
    factor = settlement.map({name: getattr(speeds, f"factor_{name}") for name in tables.SETTLEMENTS})
    return driving(roads, factor.to_numpy(dtype=float), speeds)


def _trips_of_mode(
    streets: Streets,
    walks: tuple[np.ndarray, np.ndarray, np.ndarray],
    grid: Grid,
    places: pd.DataFrame,
    travel: Travel,
) -> tuple[list[Trips], np.ndarray]:
    """Find the trips of some cells, and which of these begin on a road; rows count from the first of them."""
    cell_id, pace, reach_km = walks
    speeds = travel.settings.roads
    cells = grid.cells.loc[cell_id]
    on_foot = np.full(len(places), 60.0 / speeds.walk_kmh)
    origins, ends = (
        snap(streets, Ends(frame["lon"].to_numpy(), frame["lat"].to_numpy(), off_road), speeds.snap_km)
        for frame, off_road in ((cells, pace), (places, on_foot))
    )
    parking = speeds.parking_min if streets.by_car else 0.0
    found = [
        Trips(trips.origin, trips.place, trips.minutes + np.float32(parking))
        for trips in trips_within(streets, origins, ends, pace * reach_km - parking)
    ]
    on, far = np.flatnonzero(origins.node >= 0), np.flatnonzero(origins.node < 0)
    for rows, columns in ((far, np.arange(len(places))), (on, np.flatnonzero(ends.node < 0))):
        if rows.size and columns.size:
            walk = (pace[rows], reach_km[rows])
            straight = _straight_pairs(cell_id[rows], grid, places.iloc[columns], walk, travel)
            origin = rows[np.repeat(np.arange(rows.size), np.diff(straight.indptr))].astype(np.int32)
            found.append(Trips(origin, columns[straight.indices].astype(np.int32), straight.minutes))
    return found, origins.node >= 0


def by_settlement(settlement: "pd.Series[str]", settings: AccessSettings) -> tuple[np.ndarray, np.ndarray]:
    """Return minutes per straight km and reach in km of each cell's settlement class."""
    classes = [getattr(settings, name) for name in tables.SETTLEMENTS]
    code = _class_codes(settlement)
    pace = np.array([60.0 * travel.detour / travel.speed_kmh for travel in classes])
    reach_km = np.array([travel.reach_km for travel in classes])
    return pace[code], reach_km[code]


def _class_codes(settlement: "pd.Series[str]") -> np.ndarray:
    return np.asarray(pd.Categorical(settlement, categories=list(tables.SETTLEMENTS)).codes)


def floating_catchment(
    reach: Reach,
    people: pd.DataFrame,
    supply: np.ndarray,
    own: np.ndarray,
    settings: AccessSettings,
) -> tuple[np.ndarray, np.ndarray]:
    """Return supply per person by row of `reach`, of own places and of the others.

    Parameters
    ----------
    people
        By row of the reach: ``people`` and ``settlement``.
    supply, own
        By place.
    """
    count = people["people"].to_numpy(dtype=float)
    if settings.measure == "raam":
        tau = {name: getattr(settings, f"raam_{name}_min") for name in tables.SETTLEMENTS}
        tau_min = people["settlement"].map(tau).to_numpy(dtype=float)
        # Own branches and rivals crowd together: one equilibrium of all, told apart afterwards.
        pairs = (reach.indptr, reach.indices, reach.minutes)
        each = rational_agents(pairs, count, supply, tau_min)[1]
        row = np.repeat(np.arange(count.size), np.diff(reach.indptr))
        mine, theirs = (
            np.bincount(row, np.where(part[reach.indices], each, 0.0), minlength=count.size)
            for part in (own, ~own)
        )
        return mine, theirs
    weighted = (reach.indptr, reach.indices, _weights(reach.minutes, settings))
    measures = {"2sfca": two_step, "e2sfca": two_step, "m2sfca": modified_two_step, "bfca": balanced}
    mine, theirs = (
        measures[settings.measure](weighted, count, np.where(part, supply, 0.0)) for part in (own, ~own)
    )
    return mine, theirs


def _weights(minutes: np.ndarray, settings: AccessSettings) -> np.ndarray:
    """Return the weight of each trip: by bands, by Dai's Gaussian, or all alike; 0 beyond the last band.

    The Gaussian is (exp(-(t / t0)^2 / 2) - exp(-1 / 2)) / (1 - exp(-1 / 2)) with t0 the end of the last band
    (Dai 2010); 2SFCA counts every trip within it alike (Luo & Wang 2003).
    """
    last = settings.bands_min[-1]
    if settings.measure == "2sfca":
        return (minutes <= last).astype(float)
    if settings.trip_weights == "gaussian":
        edge = np.exp(-0.5)
        bell = (np.exp(-0.5 * (minutes.astype(float) / last) ** 2) - edge) / (1.0 - edge)
        return np.asarray(np.where(minutes <= last, np.maximum(bell, 0.0), 0.0))
    # Beyond the last band the weight is 0.
    weights = np.array([*settings.band_weights, 0.0])
    return np.asarray(weights[np.searchsorted(settings.bands_min, minutes, side="left")])


def measure_access(
    demand: Demand,
    grid: Grid,
    outlets: pd.DataFrame,
    travel: Travel,
    points: pd.DataFrame | None = None,
) -> Access:
    """Measure nearest minutes and counter-hours per person, of own and rival banks.

    Parameters
    ----------
    points
        Service points that are no outlets, if any are known: nearest minutes alone.
    """
    reach = pairs_within(demand, grid, outlets, travel)
    points_min = None if points is None or points.empty else _to_points(demand, grid, points, travel)
    return _serve(demand, grid, (outlets, reach), travel, points_min)


def _to_points(demand: Demand, grid: Grid, points: pd.DataFrame, travel: Travel) -> np.ndarray:
    """Return minutes to the nearest point by row, some points at a time: they may be very many."""
    nearest = [
        nearest_minutes(part, np.ones(part.n_places, dtype=bool))
        for first in range(0, len(points), POINTS_AT_A_TIME)
        for part in [pairs_within(demand, grid, points.iloc[first : first + POINTS_AT_A_TIME], travel)]
    ]
    return np.asarray(np.min(nearest, axis=0))


def revise_access(
    access: Access, demand: Demand, grid: Grid, outlets: pd.DataFrame, moved: tuple[np.ndarray, Reach]
) -> Access:
    """Measure access anew where some outlets have moved; trips to all others are not looked for again.

    Parameters
    ----------
    outlets
        Like those of the access, in the same order, some of them elsewhere or with other counter-hours.
    moved
        Which outlets stand elsewhere, ascending, and the reach whose columns are their new places.
    """
    at, fresh = moved
    kept = np.arange(len(outlets), dtype=np.int64)
    kept[at] = -1
    reach = merge_reaches(access.reach, kept, fresh, at)
    return _serve(demand, grid, (outlets, reach), access.travel, access.points_min)


def merge_reaches(left: Reach, left_to: np.ndarray, right: Reach, right_to: np.ndarray) -> Reach:
    """Put the columns of two reaches of the same rows side by side.

    Parameters
    ----------
    left_to, right_to
        The column that each column becomes, ascending; -1: it is left out. No column is named twice.
    """
    if not np.array_equal(left.cell_id, right.cell_id):
        raise tables.ContractError("two reaches have different demand rows")
    parts = ((left.indptr, left.indices, left.minutes), (right.indptr, right.indices, right.minutes))
    indptr, indices, minutes = splice(*parts, left_to.astype(np.int64), right_to.astype(np.int64))
    n_places = int(max(left_to.max(initial=-1), right_to.max(initial=-1))) + 1
    return Reach(left.cell_id, n_places, indptr, indices, minutes, settlement=left.settlement)


def _serve(
    demand: Demand,
    grid: Grid,
    served: tuple[pd.DataFrame, Reach],
    travel: Travel,
    points_min: np.ndarray | None,
) -> Access:
    (outlets, reach), settings = served, travel.settings
    own = outlets["own"].to_numpy(dtype=bool)
    hours = outlets["counter_hours"].to_numpy(dtype=float)
    rows = demand.cells.loc[reach.cell_id]
    people = rows[["settlement"]].assign(people=rows["residents"] + rows["moved_in"])
    supply_own, supply_rival = (
        part * PER_PEOPLE for part in floating_catchment(reach, people, hours, own, settings)
    )
    minutes_own = nearest_minutes(reach, own)
    measured = pd.DataFrame(
        {
            "minutes_own": minutes_own,
            "minutes_any": np.minimum(minutes_own, nearest_minutes(reach, ~own)),
            "supply_own": supply_own,
            "supply_rival": supply_rival,
            "supply_any": supply_own + supply_rival,
        },
        index=pd.Index(reach.cell_id, name="cell_id"),
    )
    if points_min is not None:
        measured = measured.assign(minutes_point=np.minimum(measured["minutes_any"], points_min))
    if settings.hours_from is not None:
        measured = measured.assign(**_at_hours(reach, people, outlets, settings))
    nobody = {name: np.inf if str(name).startswith("minutes") else 0.0 for name in measured}
    return Access(outlets, reach, measured.reindex(grid.cells.index).fillna(nobody), travel, points_min)


def _at_hours(
    reach: Reach, people: pd.DataFrame, outlets: pd.DataFrame, settings: AccessSettings
) -> dict[str, np.ndarray]:
    """Measure the same for the outlets that are open throughout the hours asked for."""
    is_open = open_throughout(outlets, settings)
    own = outlets["own"].to_numpy(dtype=bool)
    hours = np.where(is_open, outlets["counter_hours"].to_numpy(dtype=float), 0.0)
    mine, theirs = floating_catchment(reach, people, hours, own, settings)
    return {
        "minutes_own_open": nearest_minutes(reach, own & is_open),
        "minutes_any_open": nearest_minutes(reach, is_open),
        "supply_any_open": (mine + theirs) * PER_PEOPLE,
    }


def nearest_minutes(reach: Reach, places: np.ndarray) -> np.ndarray:
    """Return minutes to the nearest of the marked places by row of the reach; infinite without one."""
    return np.asarray(_nearest(reach.indptr, reach.indices, reach.minutes, places))


@njit(cache=True)
def _nearest(indptr: np.ndarray, indices: np.ndarray, minutes: np.ndarray, places: np.ndarray) -> np.ndarray:
    nearest = np.full(indptr.size - 1, np.inf)
    for i in range(indptr.size - 1):
        for pair in range(indptr[i], indptr[i + 1]):
            if places[indices[pair]] and minutes[pair] < nearest[i]:
                nearest[i] = minutes[pair]
    return nearest
