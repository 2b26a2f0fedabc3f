"""From classed cells to areas on the map: smoothing, contiguous parts, polygons."""

from itertools import pairwise

import numpy as np
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from siteplanner.model.lattice import Lattice, edge_lines

# Rounds of majority smoothing; no source: two remove single cells and pairs and leave larger shapes alone.
SMOOTHING_ROUNDS = 2

_NOWHERE = -1
_SHIFTS = tuple((dr, dc) for dr in (-1, 0, 1) for dc in (-1, 0, 1) if (dr, dc) != (0, 0))
_HALF_SHIFTS = ((0, 1), (1, -1), (1, 0), (1, 1))


def _shifted(field: np.ndarray, shift: tuple[int, int]) -> np.ndarray:
    """Return the neighbour's value at every place of the lattice, nowhere beyond the edge."""
    padded = np.pad(field, 1, constant_values=_NOWHERE)
    rows, cols = field.shape
    return padded[1 + shift[0] : 1 + shift[0] + rows, 1 + shift[1] : 1 + shift[1] + cols]


def smooth_kinds(kinds: np.ndarray, counties: np.ndarray, n_kinds: int) -> np.ndarray:
    """Give a cell the kind of most of its neighbours, if more than half of those in its county share one.

    All cells change at once, `SMOOTHING_ROUNDS` times, so that no order plays a part.

    Parameters
    ----------
    kinds, counties
        Codes on the lattice from 0; -1 outside the region.
    """
    for _ in range(SMOOTHING_ROUNDS):
        near = [
            np.where(_shifted(counties, shift) == counties, _shifted(kinds, shift), _NOWHERE)
            for shift in _SHIFTS
        ]
        total = sum((kind != _NOWHERE).astype(np.int8) for kind in near)
        smoothed = kinds.copy()
        for kind in range(n_kinds):
            votes = sum((other == kind).astype(np.int8) for other in near)
            smoothed[(2 * votes > total) & (kinds != _NOWHERE)] = kind
        kinds = smoothed
    return kinds


def neighbour_pairs(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the flat places of cells that touch (8 neighbours) and share a key other than -1."""
    numbers = np.arange(keys.size).reshape(keys.shape)
    starts, ends = [], []
    for shift in _HALF_SHIFTS:
        start = numbers[(_shifted(keys, shift) == keys) & (keys != _NOWHERE)]
        starts.append(start)
        ends.append(start + shift[0] * keys.shape[1] + shift[1])
    return np.concatenate(starts), np.concatenate(ends)


def join_cells(keys: np.ndarray) -> np.ndarray:
    """Give numbers to the contiguous parts (8 neighbours) of equal keys; -1 where the key is -1."""
    start, end = neighbour_pairs(keys)
    graph = coo_array((np.ones(start.size, dtype=np.int8), (start, end)), shape=(keys.size, keys.size))
    _, labels = connected_components(graph, directed=False)
    return np.where(keys != _NOWHERE, labels.reshape(keys.shape), _NOWHERE)


def dissolve(zones: np.ndarray, n_zones: int, lattice: Lattice) -> np.ndarray:
    """Dissolve the cells of every zone to a polygon or multipolygon in WGS 84 degrees.

    Lattice rows and columns are straight in longitude and latitude, so zones are united as runs of cells in
    whole numbers, exactly, and their corners looked up afterwards: neighbours share their border to the bit.

    Parameters
    ----------
    zones
        Zone number from 0 on the lattice; -1 outside the region. Every zone has cells.
    """
    n_cols = zones.shape[1]
    flat = zones.ravel()
    starts = np.flatnonzero(
        np.concatenate([[True], flat[1:] != flat[:-1]]) | (np.arange(flat.size) % n_cols == 0)
    )
    lengths = np.diff(np.append(starts, flat.size))
    inside = flat[starts] != _NOWHERE
    starts, lengths = starts[inside], lengths[inside]
    order = np.argsort(flat[starts], kind="stable")
    starts, lengths = starts[order], lengths[order]
    rows, cols = np.divmod(starts, n_cols)
    runs = shapely.box(cols, rows, cols + lengths, rows + 1)
    bounds = np.searchsorted(flat[starts], np.arange(n_zones + 1))
    united = np.array([shapely.union_all(runs[low:high]) for low, high in pairwise(bounds)])
    lon, lat = edge_lines(lattice)

    def to_degrees(corners: np.ndarray) -> np.ndarray:
        col, row = np.rint(corners).astype(np.int64).T
        return np.column_stack([lon[col], lat[row]])

    return np.asarray(shapely.transform(shapely.normalize(shapely.simplify(united, 0.0)), to_degrees))
