"""Rivers, railways and expressways that a straight trip has to get across.

No bridge is looked for: a trip whose straight line crosses a barrier takes the barrier's factor times as
long, the largest of those crossed (D§4: barriers as cost polygons). Where bridges matter one by one, roads
tell.
"""

from dataclasses import dataclass

import numpy as np
import shapely
from numba import njit, prange

from siteplanner.model.lattice import Lattice, to_plane

# Barriers are cut to pieces no longer than a bucket; a degree of latitude has about this many metres.
METRES_PER_DEGREE = 111_000.0

Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]
Points = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class Barriers:
    """Lines and polygons in WGS 84, and how many times as long a trip across each takes; NaN: not told.

    A polygon is crossed where a trip goes in and out again; who is inside is on all its banks.
    """

    shapes: np.ndarray
    factor: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Walls:
    """Pieces of barriers in the plane, bucket sides long, and the pieces that each bucket may hold.

    Parameters
    ----------
    ends
        x, y of one end and of the other, by piece, counted in buckets from the corner.
    area
        Which of `areas` the piece bounds; -1 for a line.
    buckets
        CSR of buckets, row by row, by pieces.
    corner
        x, y of the south-west corner, m.
    """

    ends: np.ndarray
    factor: np.ndarray
    area: np.ndarray
    areas: np.ndarray
    buckets: tuple[np.ndarray, np.ndarray]
    shape: tuple[int, int]
    corner: tuple[float, float]


def lengthen(
    barriers: Barriers, lattice: Lattice, ends: tuple[Points, Points], pairs: Pairs, limit_min: np.ndarray
) -> Pairs:
    """Make trips across barriers as much longer as these are, and drop those then beyond reach.

    Parameters
    ----------
    ends
        Longitudes and latitudes of the rows and of the places.
    pairs
        CSR row starts, places and minutes.
    limit_min
        Longest trip by row.
    """
    walls = _build_walls(barriers, lattice)
    if not walls.factor.size:
        return pairs
    rows, places = (_in_buckets(lattice, walls, *points) for points in ends)
    within = (_areas_around(walls.areas, ends[0]), _areas_around(walls.areas, ends[1]))
    table = (walls.ends, walls.factor, walls.area)
    times = _factors(pairs, (rows, places), within, table, walls.buckets, walls.shape)
    return _drop(pairs, times, limit_min)


def _build_walls(barriers: Barriers, lattice: Lattice) -> Walls:
    is_area = np.isin(shapely.get_type_id(barriers.shapes), (3, 6))
    areas, area_factor = _unite(barriers.shapes[is_area], barriers.factor[is_area])
    lines = np.concatenate((barriers.shapes[~is_area], shapely.boundary(areas)))
    factor = np.concatenate((barriers.factor[~is_area], area_factor))
    area = np.concatenate((np.full(int((~is_area).sum()), -1), np.arange(areas.size)))
    short = shapely.segmentize(lines, lattice.cell_m / METRES_PER_DEGREE)
    parts, whose = shapely.get_parts(short, return_index=True)
    xy, line = shapely.get_coordinates(parts, return_index=True)
    x, y = (values / lattice.cell_m for values in to_plane(lattice, xy[:, 0], xy[:, 1]))
    joined = np.flatnonzero(line[1:] == line[:-1])
    corner = (float(np.floor(x.min())), float(np.floor(y.min()))) if x.size else (0.0, 0.0)
    ends = np.column_stack((x[joined], y[joined], x[joined + 1], y[joined + 1])) - np.tile(corner, 2)
    shape = (int(ends[:, 1::2].max(initial=0.0)) + 1, int(ends[:, ::2].max(initial=0.0)) + 1)
    owner = whose[line[joined]]
    scaled = (corner[0] * lattice.cell_m, corner[1] * lattice.cell_m)
    return Walls(ends, factor[owner], area[owner], areas, _fill_buckets(ends, shape), shape, scaled)


def _unite(shapes: np.ndarray, factor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unite polygons of one factor that overlap: a lake of two halves is one barrier."""
    areas, factors = [np.empty(0, dtype=object)], [np.empty(0)]
    for value in np.unique(factor):
        areas.append(shapely.get_parts(shapely.union_all(shapes[factor == value])))
        factors.append(np.full(areas[-1].size, value))
    return np.concatenate(areas), np.concatenate(factors)


def _in_buckets(lattice: Lattice, walls: Walls, lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    x, y = to_plane(lattice, lon, lat)
    return np.column_stack((x - walls.corner[0], y - walls.corner[1])) / lattice.cell_m


def _areas_around(areas: np.ndarray, points: Points) -> np.ndarray:
    """Return the area that each point lies in, -1 for none."""
    inside = np.full(points[0].size, -1, dtype=np.int64)
    if areas.size:
        point, area = shapely.STRtree(areas).query(shapely.points(*points), predicate="intersects")
        inside[point] = area
    return inside


def _fill_buckets(ends: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Put every piece into all buckets that its bounds touch."""
    low = np.floor(np.minimum(ends[:, :2], ends[:, 2:])).astype(np.int64)
    high = np.floor(np.maximum(ends[:, :2], ends[:, 2:])).astype(np.int64)
    held = []
    for row in range(int((high - low)[:, 1].max(initial=0)) + 1):
        for col in range(int((high - low)[:, 0].max(initial=0)) + 1):
            piece = np.flatnonzero((low + np.array((col, row)) <= high).all(axis=1))
            bucket = (low[piece, 1] + row) * shape[1] + low[piece, 0] + col
            held.append(np.column_stack((bucket, piece)))
    table = np.concatenate(held) if held else np.empty((0, 2), dtype=np.int64)
    table = table[np.lexsort((table[:, 1], table[:, 0]))]
    count = np.bincount(table[:, 0], minlength=shape[0] * shape[1])
    return np.concatenate(([0], np.cumsum(count))), np.ascontiguousarray(table[:, 1])


def _drop(pairs: Pairs, times: np.ndarray, limit_min: np.ndarray) -> Pairs:
    indptr, indices, minutes = pairs
    row = np.repeat(np.arange(indptr.size - 1), np.diff(indptr))
    longer = minutes * times
    kept = (times <= 1.0) | (longer <= limit_min[row])
    count = np.bincount(row[kept], minlength=indptr.size - 1)
    return np.concatenate(([0], np.cumsum(count))), indices[kept], longer[kept].astype(minutes.dtype)


@njit(cache=True, parallel=True)
def _factors(
    pairs: Pairs,
    ends: tuple[np.ndarray, np.ndarray],
    within: tuple[np.ndarray, np.ndarray],
    table: tuple[np.ndarray, np.ndarray, np.ndarray],
    buckets: tuple[np.ndarray, np.ndarray],
    shape: tuple[int, int],
) -> np.ndarray:  # pragma: no cover - compiled
    """Return the factor of every pair; 1 where its straight line crosses nothing."""
    indptr, indices, _ = pairs
    rows, places = ends
    times = np.ones(indices.size, dtype=np.float32)
    for i in prange(indptr.size - 1):
        for pair in range(indptr[i], indptr[i + 1]):
            j = indices[pair]
            trip = (rows[i, 0], rows[i, 1], places[j, 0], places[j, 1])
            times[pair] = _walk(trip, (within[0][i], within[1][j]), table, buckets, shape)
    return times


@njit(cache=True)
def _walk(
    trip: tuple[float, float, float, float],
    inside: tuple[int, int],
    table: tuple[np.ndarray, np.ndarray, np.ndarray],
    buckets: tuple[np.ndarray, np.ndarray],
    shape: tuple[int, int],
) -> float:  # pragma: no cover - compiled
    """Go from bucket to bucket along the trip (Amanatides & Woo 1987); return the largest factor crossed."""
    x, y, end_x, end_y = trip
    n_rows, n_cols = shape
    if max(x, end_x) < 0.0 or max(y, end_y) < 0.0 or min(x, end_x) >= n_cols or min(y, end_y) >= n_rows:
        return 1.0
    col, row = int(np.floor(x)), int(np.floor(y))
    step_x, step_y = 1 if end_x > x else -1, 1 if end_y > y else -1
    run_x = 1.0 / abs(end_x - x) if end_x != x else np.inf
    run_y = 1.0 / abs(end_y - y) if end_y != y else np.inf
    next_x = (col + (step_x > 0) - x) / (end_x - x) if end_x != x else np.inf
    next_y = (row + (step_y > 0) - y) / (end_y - y) if end_y != y else np.inf
    steps = abs(int(np.floor(end_x)) - col) + abs(int(np.floor(end_y)) - row)
    worst = 1.0
    for step in range(steps + 1):
        if step > 0:
            if next_x < next_y:
                col, next_x = col + step_x, next_x + run_x
            else:
                row, next_y = row + step_y, next_y + run_y
        if 0 <= col < n_cols and 0 <= row < n_rows:
            worst = max(worst, _hit(trip, inside, row * n_cols + col, table, buckets))
    return worst


@njit(cache=True)
def _hit(
    trip: tuple[float, float, float, float],
    inside: tuple[int, int],
    bucket: int,
    table: tuple[np.ndarray, np.ndarray, np.ndarray],
    buckets: tuple[np.ndarray, np.ndarray],
) -> float:  # pragma: no cover - compiled
    """Return the largest factor of the pieces of a bucket that a trip crosses from one side to the other."""
    ends, factor, area = table
    worst = 1.0
    for at in range(buckets[0][bucket], buckets[0][bucket + 1]):
        piece = buckets[1][at]
        if area[piece] >= 0 and (area[piece] == inside[0] or area[piece] == inside[1]):
            continue
        wall = (ends[piece, 0], ends[piece, 1], ends[piece, 2], ends[piece, 3])
        if _side(wall, trip[0], trip[1]) * _side(wall, trip[2], trip[3]) >= 0.0:
            continue
        if _side(trip, wall[0], wall[1]) * _side(trip, wall[2], wall[3]) <= 0.0:
            worst = max(worst, factor[piece])
    return worst


@njit(cache=True)
def _side(line: tuple[float, float, float, float], x: float, y: float) -> float:  # pragma: no cover
    """Return on which side of a line a point lies: above 0 on the left, 0 on it."""
    return (line[2] - line[0]) * (y - line[1]) - (line[3] - line[1]) * (x - line[0])
