"""Travel times on a road network: every pair of cell and place within reach, and no more.

Shortest paths are scipy's (Dijkstra with a limit), run from the places against the direction of travel: there
are a hundred times fewer places than cells.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import dijkstra

from siteplanner.model.roads import RoadNetwork, components
from siteplanner.model.sphere import nearest_km, unit_vectors
from siteplanner.scenario import ROAD_CLASSES, RoadSettings

# Answers of the search held at once: 2**24 doubles are 128 MB.
HELD = 1 << 24

# A piece of road that is connected to fewer nodes than this is a slip of the map; nobody is sent to it. The
# largest piece is always used. No source.
NODES_MIN = 50


@dataclass(frozen=True, slots=True, eq=False)
class Ends:
    """Where trips begin or end, degrees, and the pace of the way between there and the road.

    Parameters
    ----------
    pace_min_per_km
        Minutes a straight km off the road, one for each or one for all.
    """

    lon: np.ndarray
    lat: np.ndarray
    pace_min_per_km: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Snapped:
    """The node of each end (-1: none near), and the minutes between them."""

    node: np.ndarray
    minutes: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Trips:
    """Pairs of origin and place within reach, in order of place.

    Parameters
    ----------
    origin, place
        Row numbers, int32.
    minutes
        float32.
    """

    origin: np.ndarray
    place: np.ndarray
    minutes: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Streets:
    """One way of getting about: minutes along every piece of road in the direction of travel.

    Parameters
    ----------
    graph
        Nodes x nodes, minutes from row to column.
    nodes
        Nodes that trips may begin and end at.
    by_car
        Whether people drive.
    """

    roads: RoadNetwork
    graph: sparse.csr_array
    nodes: np.ndarray
    by_car: bool


def walking(roads: RoadNetwork, settings: RoadSettings) -> Streets:
    """Lay the network out for people on foot, who mind no one-way sign."""
    used = roads.lines.walk[roads.line]
    minutes = roads.km * 60.0 / settings.walk_kmh
    ahead = (roads.start[used], roads.end[used], minutes[used])
    return _streets(roads, [ahead, (ahead[1], ahead[0], ahead[2])], by_car=False)


def driving(roads: RoadNetwork, factor: np.ndarray, settings: RoadSettings) -> Streets:
    """Lay the network out for vehicles: speed by class, never above the limit, one-way streets kept.

    Parameters
    ----------
    factor
        Speed of each edge against the free speed of its class.
    """
    free = np.array([getattr(settings, f"{name}_kmh", settings.walk_kmh) for name in ROAD_CLASSES])
    signed = roads.lines.limit_kmh[roads.line]
    speed = np.fmin(free[roads.lines.road[roads.line]], signed) * factor
    minutes = roads.km * 60.0 / speed
    there, back = roads.lines.forward[roads.line], roads.lines.backward[roads.line]
    return _streets(
        roads,
        [
            (roads.start[there], roads.end[there], minutes[there]),
            (roads.end[back], roads.start[back], minutes[back]),
        ],
        by_car=True,
    )


def _streets(
    roads: RoadNetwork, arcs: list[tuple[np.ndarray, np.ndarray, np.ndarray]], *, by_car: bool
) -> Streets:
    start, end, minutes = (np.concatenate(part) for part in zip(*arcs, strict=True))
    n = roads.lon.size
    # Of several roads between two nodes the quickest counts; a sum would not do.
    order = np.lexsort((minutes, end, start))
    first = np.ones(order.size, dtype=bool)
    first[1:] = (start[order][1:] != start[order][:-1]) | (end[order][1:] != end[order][:-1])
    kept = order[first & (start[order] != end[order])]
    graph = sparse.csr_array((minutes[kept], (start[kept], end[kept])), shape=(n, n))
    return Streets(roads, graph, _usable(roads, start, end), by_car)


def _usable(roads: RoadNetwork, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    touched = np.zeros(roads.lon.size, dtype=bool)
    touched[start] = touched[end] = True
    part = components(roads.lon.size, start, end)
    size = np.bincount(part[touched], minlength=int(part.max(initial=-1)) + 1)
    enough = min(NODES_MIN, int(size.max(initial=0)))
    return np.flatnonzero(touched & (size[part] >= enough))


def snap(streets: Streets, ends: Ends, snap_km: float) -> Snapped:
    """Find the nearest node of each end, and the minutes to it."""
    lon, lat = streets.roads.lon[streets.nodes], streets.roads.lat[streets.nodes]
    far, which = nearest_km(unit_vectors(ends.lon, ends.lat), unit_vectors(lon, lat))
    near = far <= snap_km
    node = np.full(far.size, -1, dtype=np.int64)
    node[near] = streets.nodes[which[near]]
    return Snapped(node, np.where(near, far, 0.0) * ends.pace_min_per_km)


def trips_within(
    streets: Streets, origins: Snapped, places: Snapped, limit_min: np.ndarray
) -> Iterator[Trips]:
    """Find all trips within each origin's limit, place by place.

    A trip is the way from the origin to its node, the road, and the way from the last node to the place.
    Ends without a node have no trip here.
    """
    on = np.flatnonzero(origins.node >= 0)
    ready = np.flatnonzero(places.node >= 0)
    nodes, at = np.unique(places.node[ready], return_inverse=True)
    against = sparse.csr_array(streets.graph.T)
    longest = float(limit_min[on].max(initial=0.0))
    width = max(1, HELD // max(streets.roads.lon.size, 1))
    for low in range(0, nodes.size, width):
        minutes = dijkstra(against, indices=nodes[low : low + width], limit=longest)
        for k in np.flatnonzero((at >= low) & (at < low + width)):
            whole = minutes[at[k] - low][origins.node[on]] + origins.minutes[on] + places.minutes[ready[k]]
            near = np.flatnonzero(whole <= limit_min[on])
            place = np.full(near.size, ready[k], dtype=np.int32)
            yield Trips(on[near].astype(np.int32), place, whole[near].astype(np.float32))
