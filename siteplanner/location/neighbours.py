"""The sites of each demand row from near to far: what every p-median kernel walks along.

Rows are put into an order that depends on their content only, so nothing downstream depends on the order
in which the caller listed the demand. Of a large dense matrix only the nearest sites of a row are kept;
``horizon`` says how near a site that is not listed could be.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from siteplanner.location.options import Floats, Ints, Mask

LIST_SHARE = 40.0
"""Sites listed per row, as a multiple of the sites per open site: multipliers stay within a few of them."""

LIST_LEAST = 300
"""Fewest sites listed per row."""

MOST_PAIRS = 40_000_000
"""Most pairs that are listed in all (12 bytes each)."""


class Neighbours(NamedTuple):
    """Demand rows in canonical order; a named tuple, so that compiled loops take it whole.

    Attributes
    ----------
    ptr, sites, cost
        Row r may be served by ``sites[ptr[r]:ptr[r + 1]]`` at these costs, ascending, ties by site.
    weight
        Weight per row, above 0.
    horizon
        A site that is not listed costs at least this (infinite: it cannot serve the row).
    far
        What the search charges for a row without a listed open site.
    """

    ptr: Ints
    sites: NDArray[np.int32]
    cost: Floats
    weight: Floats
    horizon: Floats
    far: Floats

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return self.weight.size


def list_neighbours(matrix: Any, weight: Floats, n_open: int) -> Neighbours:  # noqa: ANN401 - dense or CSR
    """List the sites of each row with weight from near to far.

    Parameters
    ----------
    matrix
        Checked costs: a dense array (infinite: beyond reach) or canonical CSR.
    weight
        Weight per row; rows without weight or without any site within reach are left out.
    n_open
        Sites open in the end: the more, the fewer neighbours matter.
    """
    dense = isinstance(matrix, np.ndarray)
    count = _count_finite(matrix) if dense else np.diff(matrix.indptr).astype(np.int64)
    rows = np.flatnonzero((weight > 0) & (count > 0))
    rows = rows[np.lexsort((weight[rows], hash_rows(matrix, rows)))]
    if dense:
        n_sites = matrix.shape[1]
        length = max(int(LIST_SHARE * n_sites / max(n_open, 1)), LIST_LEAST)
        length = max(min(length, n_sites, MOST_PAIRS // max(rows.size, 1)), 1)
        ptr, sites, cost, horizon = _nearest(matrix, rows, count, length)
    else:
        ptr, sites, cost = _sort_rows(*_parts(matrix), rows)
        horizon = np.full(rows.size, np.inf)
    return Neighbours(ptr, sites, cost, weight[rows], horizon, _charge_far(ptr, cost, weight[rows], horizon))


def hash_rows(matrix: Any, rows: Ints) -> NDArray[np.uint64]:  # noqa: ANN401 - dense or CSR
    """Mix the content of some rows into 64 bits each: a key to order rows by, whoever listed them."""
    if isinstance(matrix, np.ndarray):
        return _hash_dense(matrix, rows)
    return _hash_sparse(*_parts(matrix), rows)


def nearest_open(matrix: Any, chosen: Mask) -> Floats:  # noqa: ANN401 - dense or CSR
    """Cost of each demand row of the caller's matrix to its nearest open site (infinite: none)."""
    if isinstance(matrix, np.ndarray):
        return _nearest_dense(matrix, np.flatnonzero(chosen))
    return _nearest_sparse(*_parts(matrix), chosen)


def largest_whole(matrix: Any) -> float:  # noqa: ANN401 - dense or CSR
    """Return the largest finite cost if all are whole numbers, else minus infinity."""
    return float(_largest_whole(matrix.ravel() if isinstance(matrix, np.ndarray) else matrix.data))


def list_columns(near: Neighbours, within: Floats, n_sites: int) -> tuple[Ints, NDArray[np.int32], Floats]:
    """List the rows of each site, rows ascending, of the pairs that cost at most so much per row."""
    return _by_site(near.ptr, near.sites, near.cost, within, n_sites)


def bend_costs(near: Neighbours, bend: Callable[[Floats], Floats], most: float) -> Neighbours:
    """Put costs through an increasing function, and leave out what no row of a set of that value pays.

    Parameters
    ----------
    most
        Value of a known set in bent costs: a row that alone pays more is in no better set.
    """
    cost = bend(near.cost)
    within = most * (1 + 1e-9) / near.weight
    row = np.repeat(np.arange(near.weight.size), np.diff(near.ptr))
    kept = cost <= within[row]
    size = np.bincount(row[kept], minlength=near.weight.size)
    ptr = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
    horizon = bend(near.horizon)
    horizon[horizon > within] = np.inf
    # Costs ascend, so where one is left out no site beyond the horizon can serve the row either.
    horizon[size < np.diff(near.ptr)] = np.inf
    far = _charge_far(ptr, cost[kept], near.weight, horizon)
    return near._replace(ptr=ptr, sites=near.sites[kept], cost=cost[kept], horizon=horizon, far=far)


def _charge_far(ptr: Ints, cost: Floats, weight: Floats, horizon: Floats) -> Floats:
    """Charge more for an unserved row than serving all rows can cost; less where a site is only unlisted."""
    size = np.diff(ptr)
    last = np.where(size > 0, cost[ptr[1:] - 1], 0.0) if cost.size else np.zeros(weight.size)
    return np.where(np.isfinite(horizon), 2.0 * horizon, last + (float(weight @ last) + 1.0) / weight)


def _parts(matrix: Any) -> tuple[Ints, NDArray[np.int32], Floats]:  # noqa: ANN401 - CSR
    return (
        matrix.indptr.astype(np.int64),
        matrix.indices.astype(np.int32, copy=False),
        matrix.data.astype(np.float64, copy=False),
    )


@njit(cache=True)
def _count_finite(matrix: NDArray[Any]) -> Ints:  # pragma: no cover - compiled
    out = np.zeros(matrix.shape[0], dtype=np.int64)
    for row in range(matrix.shape[0]):
        for site in range(matrix.shape[1]):
            out[row] += matrix[row, site] < np.inf
    return out


@njit(cache=True)
def _largest_whole(costs: NDArray[Any]) -> float:  # pragma: no cover - compiled
    most = 0.0
    for cost in costs:
        if cost < np.inf:
            if cost != np.floor(cost):
                return -np.inf
            most = max(most, float(cost))
    return most


@njit(cache=True)
def _hash_dense(matrix: NDArray[Any], rows: Ints) -> NDArray[np.uint64]:  # pragma: no cover - compiled
    """Mix the content of each row into 64 bits (multiply and fold, as in FNV and splitmix)."""
    out = np.empty(rows.size, dtype=np.uint64)
    one = np.empty(1)
    bits = one.view(np.uint64)
    for at in range(rows.size):
        state = np.uint64(0xCBF29CE484222325)
        for site in range(matrix.shape[1]):
            one[0] = matrix[rows[at], site]
            state = (state ^ bits[0]) * np.uint64(0x9E3779B97F4A7C15)
            state ^= state >> np.uint64(29)
        out[at] = state
    return out


@njit(cache=True)
def _hash_sparse(
    ptr: Ints, sites: NDArray[np.int32], cost: Floats, rows: Ints
) -> NDArray[np.uint64]:  # pragma: no cover - compiled
    out = np.empty(rows.size, dtype=np.uint64)
    one = np.empty(1)
    bits = one.view(np.uint64)
    for at in range(rows.size):
        state = np.uint64(0xCBF29CE484222325)
        for k in range(ptr[rows[at]], ptr[rows[at] + 1]):
            one[0] = cost[k]
            state = (state ^ bits[0] ^ (np.uint64(sites[k]) << np.uint64(40))) * np.uint64(0x9E3779B97F4A7C15)
            state ^= state >> np.uint64(29)
        out[at] = state
    return out


@njit(cache=True)
def _nearest(
    matrix: NDArray[Any], rows: Ints, count: Ints, length: int
) -> tuple[Ints, NDArray[np.int32], Floats, Floats]:  # pragma: no cover - compiled
    """Keep the nearest sites of each row; equal costs at the cut go to the lower site."""
    ptr = np.zeros(rows.size + 1, dtype=np.int64)
    for at in range(rows.size):
        ptr[at + 1] = ptr[at] + min(count[rows[at]], length)
    sites = np.empty(ptr[-1], dtype=np.int32)
    cost = np.empty(ptr[-1])
    horizon = np.full(rows.size, np.inf)
    line = np.empty(matrix.shape[1])
    pick = np.empty(matrix.shape[1], dtype=np.int32)
    for at in range(rows.size):
        line[:] = matrix[rows[at]]
        size = ptr[at + 1] - ptr[at]
        last = np.inf
        if size < count[rows[at]]:
            last = np.partition(line, size - 1)[size - 1]
            horizon[at] = last
        kept = _pick_below(line, last, size, pick)
        order = np.argsort(line[pick[:kept]], kind="mergesort")
        for k in range(kept):
            sites[ptr[at] + k] = pick[order[k]]
            cost[ptr[at] + k] = line[pick[order[k]]]
    return ptr, sites, cost, horizon


@njit(cache=True)
def _pick_below(
    line: Floats, last: float, size: int, pick: NDArray[np.int32]
) -> int:  # pragma: no cover - compiled
    """Sites below a cost, then the first ones at it, in site order; returns their number."""
    below = 0
    for site in range(line.size):
        below += line[site] < last
    spare = size - below
    kept = 0
    for site in range(line.size):
        if line[site] < last or (line[site] == last and spare > 0 and last < np.inf):
            spare -= line[site] == last
            pick[kept] = site
            kept += 1
    return kept


@njit(cache=True)
def _sort_rows(
    ptr: Ints, sites: NDArray[np.int32], cost: Floats, rows: Ints
) -> tuple[Ints, NDArray[np.int32], Floats]:  # pragma: no cover - compiled
    out_ptr = np.zeros(rows.size + 1, dtype=np.int64)
    for at in range(rows.size):
        out_ptr[at + 1] = out_ptr[at] + ptr[rows[at] + 1] - ptr[rows[at]]
    out_sites = np.empty(out_ptr[-1], dtype=np.int32)
    out_cost = np.empty(out_ptr[-1])
    for at in range(rows.size):
        start, stop = ptr[rows[at]], ptr[rows[at] + 1]
        order = np.argsort(cost[start:stop], kind="mergesort")
        for k in range(order.size):
            out_sites[out_ptr[at] + k] = sites[start + order[k]]
            out_cost[out_ptr[at] + k] = cost[start + order[k]]
    return out_ptr, out_sites, out_cost


@njit(cache=True)
def _nearest_dense(matrix: NDArray[Any], open_sites: Ints) -> Floats:  # pragma: no cover - compiled
    out = np.full(matrix.shape[0], np.inf)
    for row in range(out.size):
        for site in open_sites:
            out[row] = min(out[row], matrix[row, site])
    return out


@njit(cache=True)
def _nearest_sparse(
    ptr: Ints, sites: NDArray[np.int32], cost: Floats, chosen: Mask
) -> Floats:  # pragma: no cover - compiled
    out = np.full(ptr.size - 1, np.inf)
    for row in range(out.size):
        for k in range(ptr[row], ptr[row + 1]):
            if chosen[sites[k]]:
                out[row] = min(out[row], cost[k])
    return out


@njit(cache=True)
def _by_site(
    ptr: Ints, sites: NDArray[np.int32], cost: Floats, within: Floats, n_sites: int
) -> tuple[Ints, NDArray[np.int32], Floats]:  # pragma: no cover - compiled
    col_ptr = np.zeros(n_sites + 1, dtype=np.int64)
    for row in range(within.size):
        for k in range(ptr[row], ptr[row + 1]):
            if cost[k] > within[row]:
                break
            col_ptr[sites[k] + 1] += 1
    col_ptr = np.cumsum(col_ptr)
    fill = col_ptr[:-1].copy()
    rows = np.empty(col_ptr[-1], dtype=np.int32)
    data = np.empty(col_ptr[-1])
    for row in range(within.size):
        for k in range(ptr[row], ptr[row + 1]):
            if cost[k] > within[row]:
                break
            rows[fill[sites[k]]] = row
            data[fill[sites[k]]] = cost[k]
            fill[sites[k]] += 1
    return col_ptr, rows, data
