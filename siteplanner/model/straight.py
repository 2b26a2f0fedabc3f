"""Straight trips: every pair of cell and place within reach as the crow flies."""

import numpy as np
from numba import njit

from siteplanner.model.focal import by_strips
from siteplanner.model.lattice import Lattice, centre_lines
from siteplanner.model.sphere import EARTH_RADIUS_KM

# Row of the reach by lattice cell (-1: nobody there), then in radians the longitudes of columns and latitudes
# of rows, the longitudes and latitudes of places, and the reach: the haversine of it by row, the longest.
Sphere = tuple[
    np.ndarray, tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray], tuple[np.ndarray, float]
]


def straight_trips(
    lattice: Lattice,
    cell_id: np.ndarray,
    places: tuple[np.ndarray, np.ndarray],
    walks: tuple[np.ndarray, np.ndarray],
    shortest_km: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return CSR row starts, places and minutes of all trips within reach, places ascending in a row.

    Parameters
    ----------
    cell_id
        Rows: lattice cells, ascending.
    places
        Longitudes and latitudes, degrees.
    walks
        Minutes per straight km and reach in km, by row.
    shortest_km
        No trip counts as shorter.
    """
    pace, reach_km = walks
    row_of = np.full(lattice.n_rows * lattice.n_cols, -1, dtype=np.int32)
    row_of[cell_id] = np.arange(cell_id.size, dtype=np.int32)
    lons, lats = (np.radians(line) for line in centre_lines(lattice))
    sphere: Sphere = (
        row_of.reshape(lattice.n_rows, lattice.n_cols),
        (lons, lats),
        (np.radians(places[0]), np.radians(places[1])),
        (np.sin(reach_km / EARTH_RADIUS_KM / 2.0) ** 2, reach_km.max(initial=0.0) / EARTH_RADIUS_KM),
    )
    count = np.zeros(cell_id.size + 1, dtype=np.int64)
    # A cell is in one strip of rows: its pairs come in the order of the places, whatever thread is first.
    by_strips(sphere[0].shape, lambda rows: _count_pairs(sphere, (rows.start, rows.stop), count[1:]))
    slot = np.cumsum(count)
    indptr = slot.copy()
    pairs = np.empty(indptr[-1], dtype=np.int32), np.empty(indptr[-1], dtype=np.float32)
    by_strips(
        sphere[0].shape,
        lambda rows: _write_pairs(sphere, (rows.start, rows.stop), (pace, shortest_km), slot, pairs),
    )
    return indptr, *pairs


@njit(cache=True, nogil=True)
def _count_pairs(sphere: Sphere, rows: tuple[int, int], count: np.ndarray) -> None:
    """Count the pairs of each cell of some lattice rows, by the haversine formula (Sinnott 1984)."""
    row_of, (lons, lats), (place_lon, place_lat), (limit, _) = sphere
    half_lon2 = np.empty(lons.size)
    for place in range(place_lon.size):
        lon, lat = place_lon[place], place_lat[place]
        south, north, first, last = _box_around(sphere, rows, place)
        if south == north:
            continue
        _half_chords(lons, lon, (first, last), half_lon2)
        for row in range(south, north):
            half_lat2 = np.sin((lats[row] - lat) / 2.0) ** 2
            shrink = np.cos(lats[row]) * np.cos(lat)
            for col in range(first, last):
                i = row_of[row, col]
                if i >= 0 and half_lat2 + shrink * half_lon2[col] <= limit[i]:
                    count[i] += 1


@njit(cache=True, nogil=True)
def _write_pairs(
    sphere: Sphere,
    rows: tuple[int, int],
    walk: tuple[np.ndarray, float],
    slot: np.ndarray,
    pairs: tuple[np.ndarray, np.ndarray],
) -> None:
    """Write the place and the minutes of the pairs that `_count_pairs` counts.

    Going by place fills the columns of every row in ascending order.

    Parameters
    ----------
    slot
        Where the next pair of each cell is written; moved on.
    """
    row_of, (lons, lats), (place_lon, place_lat), (limit, _) = sphere
    pace, shortest_km = walk
    indices, minutes = pairs
    half_lon2 = np.empty(lons.size)
    for place in range(place_lon.size):
        lon, lat = place_lon[place], place_lat[place]
        south, north, first, last = _box_around(sphere, rows, place)
        if south == north:
            continue
        _half_chords(lons, lon, (first, last), half_lon2)
        for row in range(south, north):
            half_lat2 = np.sin((lats[row] - lat) / 2.0) ** 2
            shrink = np.cos(lats[row]) * np.cos(lat)
            for col in range(first, last):
                i = row_of[row, col]
                haversine = half_lat2 + shrink * half_lon2[col]
                if i >= 0 and haversine <= limit[i]:
                    km = np.float32(2.0 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(haversine)))
                    indices[slot[i]] = place
                    minutes[slot[i]] = max(km, shortest_km) * pace[i]
                    slot[i] += 1


@njit(cache=True, nogil=True)
def _box_around(sphere: Sphere, rows: tuple[int, int], place: int) -> tuple[int, int, int, int]:
    """Return the rows, of some, and the columns that may be within the longest reach of a place."""
    _, (lons, lats), (place_lon, place_lat), (_, longest) = sphere
    lon, lat = place_lon[place], place_lat[place]
    width = np.arcsin(min(np.sin(longest) / np.cos(lat), 1.0))
    south = max(np.searchsorted(lats, lat - longest), rows[0])
    north = max(min(np.searchsorted(lats, lat + longest, "right"), rows[1]), south)
    return south, north, np.searchsorted(lons, lon - width), np.searchsorted(lons, lon + width, "right")


@njit(cache=True, nogil=True)
def _half_chords(lons: np.ndarray, lon: float, cols: tuple[int, int], half_lon2: np.ndarray) -> None:
    for col in range(cols[0], cols[1]):
        half_lon2[col] = np.sin((lons[col] - lon) / 2.0) ** 2
