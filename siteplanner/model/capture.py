"""What the bank wins with any set of own outlets: the choice model made ready for many what-ifs.

Rivals and the outside option do not move, so per demand row one number, ``rest``, stands for all of them;
own branches and candidate sites are columns of two sparse matrices of utilities.
"""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from numba import njit

from siteplanner.model.access import Reach
from siteplanner.model.market import utilities
from siteplanner.scenario import MarketSettings
from siteplanner.tables import ContractError

CHUNK_PAIRS = 4_000_000
"""Pairs of the reach handled at a time, to bound memory."""

SMALLEST_REST = 1e-12
"""Stands for no rival and no outside option at all, so that shares stay defined."""


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """Own outlets as columns, all else as one number a row.

    Parameters
    ----------
    own, own_minutes
        Utility and travel time of own outlets, rows x outlets, the same pattern.
    rest
        Utility of rivals and of the outside option by row, above 0.
    """

    own: sp.csr_array
    own_minutes: sp.csr_array
    rest: np.ndarray


def gather_network(
    reach: Reach, attractiveness: np.ndarray, n_own: int, outside: np.ndarray, settings: MarketSettings
) -> Network:
    """Split the pairs of all outlets into own columns and the summed rest.

    Parameters
    ----------
    attractiveness
        By column of the reach; the first ``n_own`` columns are own outlets.
    outside
        Utility of the outside option by row.
    """
    rest = np.array(outside, dtype=np.float64)
    counts = np.zeros(reach.cell_id.size, dtype=np.int64)
    data, minutes, indices = [], [], []
    for first, last in _chunks(reach.indptr):
        part = _rows(reach, first, last)
        utility = utilities(part, attractiveness, settings)
        counts[first:last] = _split(part.indptr, part.indices, utility, n_own, rest[first:last])
        is_own = part.indices < n_own
        data.append(utility[is_own])
        minutes.append(part.minutes[is_own])
        indices.append(part.indices[is_own])
    indptr = np.concatenate(([0], np.cumsum(counts)))
    columns = np.concatenate([*indices, np.empty(0, dtype=np.int32)])
    shape = (reach.cell_id.size, n_own)
    own = sp.csr_array((np.concatenate([*data, np.empty(0)]), columns, indptr), shape=shape)
    times = np.concatenate([*minutes, np.empty(0, dtype=np.float32)])
    return Network(own, sp.csr_array((times, columns, indptr), shape=shape), np.maximum(rest, SMALLEST_REST))


def place_matrix(reach: Reach, attractiveness: np.ndarray, settings: MarketSettings) -> sp.csr_array:
    """Return the utilities of places, rows x places."""
    shape = (reach.cell_id.size, reach.n_places)
    return sp.csr_array(
        (utilities(reach, attractiveness, settings), reach.indices, reach.indptr), shape=shape
    )


def minutes_matrix(reach: Reach) -> sp.csr_array:
    """Return the travel times of a reach, rows x places."""
    return sp.csr_array(
        (reach.minutes, reach.indices, reach.indptr), shape=(reach.cell_id.size, reach.n_places)
    )


def near_matrix(minutes: sp.csr_array, cover_min: float) -> sp.csr_array:
    """Return the 0/1 matrix of the pairs within some minutes."""
    # Copied: dropping the zeros works in place and would reach into the structure of the minutes.
    parts = (np.where(minutes.data <= cover_min, 1.0, 0.0), minutes.indices, minutes.indptr)
    near = sp.csr_array(parts, shape=minutes.shape, copy=True)
    near.eliminate_zeros()
    return near


def join_rows(left: Reach, right: Reach) -> None:
    """Insist that two reaches speak of the same demand rows."""
    if not np.array_equal(left.cell_id, right.cell_id):
        raise ContractError("the reach of outlets and that of sites have different demand rows")


def _chunks(indptr: np.ndarray) -> list[tuple[int, int]]:
    n_rows = indptr.size - 1
    cuts = np.searchsorted(indptr, np.arange(0, indptr[-1], CHUNK_PAIRS), side="left")
    edges = np.unique(np.concatenate(([0], cuts, [n_rows])).clip(0, n_rows))
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def _rows(reach: Reach, first: int, last: int) -> Reach:
    start, stop = int(reach.indptr[first]), int(reach.indptr[last])
    return replace(
        reach,
        cell_id=reach.cell_id[first:last],
        indptr=reach.indptr[first : last + 1] - start,
        indices=reach.indices[start:stop],
        minutes=reach.minutes[start:stop],
        settlement=None if reach.settlement is None else reach.settlement[first:last],
    )


@njit(cache=True)
def _split(
    indptr: np.ndarray, indices: np.ndarray, utility: np.ndarray, n_own: int, rest: np.ndarray
) -> np.ndarray:  # pragma: no cover - compiled
    """Add rivals' utility to ``rest`` in place; return the number of own pairs by row."""
    counts = np.zeros(indptr.size - 1, dtype=np.int64)
    for row in range(indptr.size - 1):
        for at in range(indptr[row], indptr[row + 1]):
            if indices[at] < n_own:
                counts[row] += 1
            else:
                rest[row] += utility[at]
    return counts


@njit(cache=True)
def second_nearest(
    indptr: np.ndarray, minutes: np.ndarray, beyond: np.ndarray
) -> np.ndarray:  # pragma: no cover - compiled
    """Return, for every pair, the minutes to the nearest *other* place of the row.

    ``beyond`` is what stands in by row when there is no other place within reach.
    """
    out = np.empty(minutes.size)
    for row in range(indptr.size - 1):
        best = second = np.inf
        at_best = -1
        for at in range(indptr[row], indptr[row + 1]):
            if minutes[at] < best:
                second, best, at_best = best, minutes[at], at
            elif minutes[at] < second:
                second = minutes[at]
        for at in range(indptr[row], indptr[row + 1]):
            other = second if at == at_best else best
            out[at] = other if np.isfinite(other) else max(beyond[row], minutes[at])
    return out
