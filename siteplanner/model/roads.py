"""Road lines to a graph: where lines meet, how long the pieces are, who may use them in which direction."""

from dataclasses import dataclass

import numpy as np
import shapely
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from siteplanner.model.sphere import great_circle_km

# Vertices that agree to this many degrees (about 1 cm) are one place.
PLACE_DEG = 1e-7

# Straight pieces are cut to this length, so that a cell finds a node near the point where it meets the road.
PIECE_KM = 0.25

# Lines of which at least this share of ends meet another line were drawn as a network: where two of them
# cross without a common vertex, one passes over the other. No source.
DRAWN_AS_NETWORK_SHARE = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class RoadLines:
    """Roads as drawn, WGS 84.

    Parameters
    ----------
    lon, lat
        Vertices of all lines, one line after the other, degrees.
    first
        Position of each line's first vertex, and at the end the number of vertices.
    road
        Class of each line, index into `scenario.ROAD_CLASSES`.
    forward, backward
        Whether vehicles may follow the line as drawn, and against it.
    walk
        Whether people on foot may use it (in both directions).
    limit_kmh
        Signed speed limit, NaN where unknown.
    """

    lon: np.ndarray
    lat: np.ndarray
    first: np.ndarray
    road: np.ndarray
    forward: np.ndarray
    backward: np.ndarray
    walk: np.ndarray
    limit_kmh: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class RoadNetwork:
    """A graph of roads.

    Parameters
    ----------
    lon, lat
        Nodes, degrees.
    start, end
        Nodes of each edge, int32.
    km
        Length along the road.
    line
        Line each edge was cut from.
    lines
        The roads themselves: class, directions, limits.
    """

    lon: np.ndarray
    lat: np.ndarray
    start: np.ndarray
    end: np.ndarray
    km: np.ndarray
    line: np.ndarray
    lines: RoadLines


def build_network(lines: RoadLines, crossings: str) -> RoadNetwork:
    """Cut lines where they meet and wherever a piece would be long, and number the places.

    Parameters
    ----------
    crossings
        ``connect``: lines that cross are joined there; ``apart``: only lines with a common vertex are joined;
        ``auto``: apart when the lines look drawn as a network (most ends meet another line), else connect.
    """
    lines = _without_repeats(lines)
    if crossings == "connect" or (crossings == "auto" and not is_drawn_as_network(lines)):
        lines = _with_crossings(lines)
    lines, place, count = _cut_long_pieces(lines)
    line = np.repeat(np.arange(lines.first.size - 1), np.diff(lines.first))
    is_last = np.zeros(place.size, dtype=bool)
    is_last[lines.first[1:] - 1] = True
    step = np.flatnonzero(~is_last)
    km = great_circle_km(lines.lon[step], lines.lat[step], lines.lon[step + 1], lines.lat[step + 1])
    kept = _kept_vertices(lines, place, count, (step, km))
    return _edges_between(lines, place, kept, (line, step, km))


def is_drawn_as_network(lines: RoadLines) -> bool:
    """Tell whether most ends of lines are a vertex of another line."""
    place, count = _number_places(lines.lon, lines.lat)
    line = np.repeat(np.arange(lines.first.size - 1), np.diff(lines.first))
    pairs = np.unique(np.column_stack((place, line)), axis=0)
    users = np.bincount(pairs[:, 0], minlength=count)
    ends = np.concatenate((place[lines.first[:-1]], place[lines.first[1:] - 1]))
    return bool(ends.size) and float(np.mean(users[ends] > 1)) >= DRAWN_AS_NETWORK_SHARE


def components(n_nodes: int, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the number of the connected part that each node lies in, whatever the directions."""
    graph = sparse.coo_array((np.ones(start.size), (start, end)), shape=(n_nodes, n_nodes))
    return np.asarray(connected_components(graph, directed=False)[1])


def _number_places(lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, int]:
    grid = np.column_stack((np.round(lon / PLACE_DEG), np.round(lat / PLACE_DEG))).astype(np.int64)
    order = np.lexsort((grid[:, 1], grid[:, 0]))
    new = np.ones(order.size, dtype=bool)
    new[1:] = (grid[order[1:]] != grid[order[:-1]]).any(axis=1)
    place = np.empty(order.size, dtype=np.int64)
    place[order] = np.cumsum(new) - 1
    return place, int(new.sum())


def _without_repeats(lines: RoadLines) -> RoadLines:
    """Drop vertices that repeat the one before, and lines of less than two."""
    place, _ = _number_places(lines.lon, lines.lat)
    line = np.repeat(np.arange(lines.first.size - 1), np.diff(lines.first))
    fresh = np.ones(place.size, dtype=bool)
    fresh[1:] = (place[1:] != place[:-1]) | (line[1:] != line[:-1])
    size = np.bincount(line[fresh], minlength=lines.first.size - 1)
    fresh &= (size >= 2)[line]  # noqa: PLR2004 - a line has two ends
    return _take(lines, fresh, size >= 2)  # noqa: PLR2004


def _take(lines: RoadLines, vertices: np.ndarray, whole: np.ndarray) -> RoadLines:
    line = np.repeat(np.arange(lines.first.size - 1), np.diff(lines.first))
    size = np.bincount(line[vertices], minlength=lines.first.size - 1)[whole]
    return _replaced(lines, (lines.lon[vertices], lines.lat[vertices]), size, whole)


def _replaced(
    lines: RoadLines, vertices: tuple[np.ndarray, np.ndarray], size: np.ndarray, whole: np.ndarray
) -> RoadLines:
    return RoadLines(
        *vertices,
        np.concatenate(([0], np.cumsum(size))),
        lines.road[whole],
        lines.forward[whole],
        lines.backward[whole],
        lines.walk[whole],
        lines.limit_kmh[whole],
    )


def _with_crossings(lines: RoadLines) -> RoadLines:
    """Give both lines a vertex where they cross or where one ends on the other."""
    xy = np.column_stack((lines.lon, lines.lat))
    indices = np.repeat(np.arange(len(lines.road)), np.diff(lines.first))
    shapes = np.asarray(shapely.linestrings(xy, indices=indices))
    left, right = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    ahead = left < right
    left, right = left[ahead], right[ahead]
    points, pair = shapely.get_coordinates(
        shapely.extract_unique_points(shapely.intersection(shapes[left], shapes[right])), return_index=True
    )
    line = np.concatenate((left[pair], right[pair]))
    spots = np.concatenate((points, points))
    along = shapely.line_locate_point(shapes[line], shapely.points(spots))
    own = np.repeat(np.arange(len(lines.road)), np.diff(lines.first))
    own_along = _along(xy, own)
    every = np.concatenate((own, line))
    order = np.lexsort((np.concatenate((own_along, along)), every))
    vertices = np.concatenate((xy, spots))[order]
    size = np.bincount(every, minlength=len(lines.road))
    everything = np.ones(len(lines.road), dtype=bool)
    return _without_repeats(_replaced(lines, (vertices[:, 0], vertices[:, 1]), size, everything))


def _along(xy: np.ndarray, line: np.ndarray) -> np.ndarray:
    """Return the planar distance of each vertex from its line's first, degrees, as shapely measures it."""
    step = np.hypot(*np.diff(xy, axis=0).T)
    step[line[1:] != line[:-1]] = 0.0
    total = np.concatenate(([0.0], np.cumsum(step)))
    first = np.searchsorted(line, np.arange(line[-1] + 1 if line.size else 0))
    return np.asarray(total - total[first][line])


def _cut_long_pieces(lines: RoadLines) -> tuple[RoadLines, np.ndarray, int]:
    """Add vertices to long pieces; return the lines, the place of each vertex and the number of places.

    An added vertex is a place of its own, even where another line passes: only drawn vertices join roads.
    """
    line = np.repeat(np.arange(lines.first.size - 1), np.diff(lines.first))
    km = great_circle_km(lines.lon[:-1], lines.lat[:-1], lines.lon[1:], lines.lat[1:])
    parts = np.ones(line.size, dtype=np.int64)
    same = line[1:] == line[:-1]
    parts[:-1][same] = np.maximum(np.ceil(km[same] / PIECE_KM), 1).astype(np.int64)
    at = np.repeat(np.arange(line.size), parts)
    share = (np.arange(at.size) - np.repeat(np.cumsum(parts) - parts, parts)) / parts[at]
    then = np.minimum(at + 1, line.size - 1)
    lon = lines.lon[at] + share * (lines.lon[then] - lines.lon[at])
    lat = lines.lat[at] + share * (lines.lat[then] - lines.lat[at])
    size = np.bincount(line, weights=parts, minlength=lines.first.size - 1).astype(np.int64)
    place, count = _number_places(lines.lon, lines.lat)
    added = share > 0.0
    place = place[at]
    place[added] = count + np.arange(int(added.sum()))
    cut = _replaced(lines, (lon, lat), size, np.ones(size.size, dtype=bool))
    return cut, place, count + int(added.sum())


def _kept_vertices(
    lines: RoadLines, place: np.ndarray, count: int, steps: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Mark the vertices that become nodes: ends, meetings, and one every `PIECE_KM`."""
    kept = np.bincount(place, minlength=count)[place] > 1
    kept[lines.first[:-1]] = True
    kept[lines.first[1:] - 1] = True
    step, km = steps
    along = np.zeros(place.size)
    along[step + 1] = km
    along = np.cumsum(along)
    stretch = np.floor(along / PIECE_KM)
    kept[1:] |= stretch[1:] != stretch[:-1]
    return np.asarray(kept)


def _edges_between(
    lines: RoadLines,
    place: np.ndarray,
    kept: np.ndarray,
    steps: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> RoadNetwork:
    line, step, km = steps
    along = np.zeros(place.size)
    along[step + 1] = km
    along = np.cumsum(along)
    nodes = np.flatnonzero(kept)
    joined = line[nodes[1:]] == line[nodes[:-1]]
    start, end = nodes[:-1][joined], nodes[1:][joined]
    used, number = np.unique(place[nodes], return_inverse=True)
    number_of = np.full(int(place.max(initial=-1)) + 1, -1, dtype=np.int32)
    number_of[used] = np.arange(used.size, dtype=np.int32)
    where = np.zeros(used.size, dtype=np.int64)
    # The first vertex of a place stands for it: all lie within a centimetre.
    where[number[::-1]] = nodes[::-1]
    return RoadNetwork(
        lines.lon[where],
        lines.lat[where],
        number_of[place[start]],
        number_of[place[end]],
        along[end] - along[start],
        line[start],
        lines,
    )
