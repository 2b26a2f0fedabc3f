"""Demand-site pairs in a canonical order: merged rows, clusters of rows, and the same pairs by site.

Rows are sorted by what they contain, so nothing downstream depends on the order in which the caller
listed the demand. The row view stays in the caller's arrays (only addressed through ``start``/``stop``),
the column view is the one copy that is made.
"""

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numba import njit
from numpy.typing import NDArray

from siteplanner.location.options import Floats, Ints, Mask

CLUSTERS = 400
"""Most clusters of rows that share one cut: more is tighter per round and slower per round."""


class Pairs(NamedTuple):
    """Merged demand rows and their sites; a named tuple, so that compiled loops take it whole.

    Attributes
    ----------
    start, stop, sites, values
        Row r holds the pairs ``start[r]:stop[r]`` of ``sites`` and ``values``.
    col_ptr, col_rows, col_values
        The same pairs by site, rows ascending.
    weight, extra
        Per row: summed weight, and the row's own number (outside utility of capture).
    cluster
        Cluster per row, ascending.
    cut_ptr, cut_cluster
        Clusters that each site touches: the sparsity pattern of every round of cuts.
    """

    start: Ints
    stop: Ints
    sites: NDArray[np.int32]
    values: NDArray[Any]
    col_ptr: Ints
    col_rows: NDArray[np.int32]
    col_values: NDArray[Any]
    weight: Floats
    extra: Floats
    cluster: NDArray[np.int32]
    cut_ptr: Ints
    cut_cluster: NDArray[np.int32]

    @property
    def n_sites(self) -> int:
        """Number of sites."""
        return self.col_ptr.size - 1

    @property
    def n_clusters(self) -> int:
        """Number of clusters of rows."""
        return int(self.cluster[-1]) + 1 if self.cluster.size else 0


def gather_pairs(matrix: sp.csr_array, weight: Floats, extra: Floats, seeds: Mask) -> Pairs:
    """Merge identical rows, drop rows without weight or sites, cluster the rest and index it by site.

    Parameters
    ----------
    matrix
        Demand x site, sorted indices, no duplicates.
    weight, extra
        Per demand row.
    seeds
        Sites around which rows are clustered: a row belongs to the strongest of them.
    """
    sites = matrix.indices.astype(np.int32, copy=False)
    ptr = matrix.indptr.astype(np.int64, copy=False)
    used = np.flatnonzero((weight > 0) & (np.diff(ptr) > 0))
    bits = matrix.data.view(np.int32 if matrix.data.dtype.itemsize == np.int32().itemsize else np.int64)
    key = _hash_rows(used, ptr, sites, bits, extra.view(np.int64))
    order = np.lexsort((weight[used], key))
    used, key = used[order], key[order]
    first = _first_of_kind(used, key, ptr, sites, bits, extra)
    starts = np.flatnonzero(first)
    merged = np.add.reduceat(weight[used], starts) if starts.size else np.empty(0)
    rows = used[starts]
    label = _label_rows(rows, ptr, sites, matrix.data, seeds)
    order = np.argsort(label, kind="stable")
    rows, merged, label = rows[order], merged[order], label[order]
    cluster = np.unique(label, return_inverse=True)[1].astype(np.int32)
    start, stop = ptr[rows], ptr[rows + 1]
    columns = index_by_site(start, stop, sites, matrix.data, matrix.shape[1])
    cut_ptr, cut_cluster = touched_clusters(columns[0], columns[1], cluster)
    return Pairs(
        start, stop, sites, matrix.data, *columns, merged, extra[rows].copy(), cluster, cut_ptr, cut_cluster
    )


def choose_seeds(free: Mask, existing: Mask | None, seed: int) -> Mask:
    """Pick the free sites around which demand is clustered: existing ones first, then random ones."""
    order = np.random.default_rng(seed).permutation(free.size)
    order = order[free[order]]
    if existing is not None:
        order = order[np.argsort(~existing[order], kind="stable")]
    seeds = np.zeros(free.size, dtype=np.bool_)
    seeds[order[:CLUSTERS]] = True
    return seeds


def _label_rows(
    rows: Ints, ptr: Ints, sites: NDArray[np.int32], values: NDArray[Any], seeds: Mask
) -> NDArray[np.int64]:
    """Few rows: one cluster each. Many: the strongest seed site of the row (first on ties)."""
    if rows.size <= CLUSTERS:
        return np.arange(rows.size)
    labels: NDArray[np.int64] = _strongest_seed(rows, ptr, sites, values, seeds)
    return labels


@njit(cache=True)
def _hash_rows(
    rows: Ints, ptr: Ints, sites: NDArray[np.int32], bits: NDArray[Any], extra: Ints
) -> NDArray[np.uint64]:  # pragma: no cover - compiled
    """Mix the content of each row into 64 bits (multiply and fold, as in FNV and splitmix)."""
    out = np.empty(rows.size, dtype=np.uint64)
    prime, shift = np.uint64(0x9E3779B97F4A7C15), np.uint64(29)
    for at in range(rows.size):
        row = rows[at]
        state = np.uint64(extra[row]) ^ np.uint64(0xCBF29CE484222325)
        for k in range(ptr[row], ptr[row + 1]):
            state = (state ^ np.uint64(sites[k])) * prime
            state ^= state >> shift
            state = (state ^ np.uint64(bits[k])) * prime
            state ^= state >> shift
        out[at] = state
    return out


@njit(cache=True)
def _first_of_kind(
    rows: Ints,
    key: NDArray[np.uint64],
    ptr: Ints,
    sites: NDArray[np.int32],
    bits: NDArray[Any],
    extra: Floats,
) -> Mask:  # pragma: no cover - compiled
    """Mark the rows that differ from the one before; equal hashes are compared in full."""
    out = np.ones(rows.size, dtype=np.bool_)
    for at in range(1, rows.size):
        a, b = rows[at - 1], rows[at]
        size = ptr[a + 1] - ptr[a]
        if key[at] != key[at - 1] or size != ptr[b + 1] - ptr[b] or extra[a] != extra[b]:
            continue
        same = True
        for k in range(size):
            if sites[ptr[a] + k] != sites[ptr[b] + k] or bits[ptr[a] + k] != bits[ptr[b] + k]:
                same = False
                break
        out[at] = not same
    return out


@njit(cache=True)
def _strongest_seed(
    rows: Ints, ptr: Ints, sites: NDArray[np.int32], values: NDArray[Any], seeds: Mask
) -> Ints:  # pragma: no cover - compiled
    out = np.full(rows.size, seeds.size, dtype=np.int64)
    for at in range(rows.size):
        best = -1.0
        for k in range(ptr[rows[at]], ptr[rows[at] + 1]):
            if seeds[sites[k]] and values[k] > best:
                best = values[k]
                out[at] = sites[k]
    return out


@njit(cache=True)
def index_by_site(
    start: Ints, stop: Ints, sites: NDArray[np.int32], values: NDArray[Any], n_sites: int
) -> tuple[Ints, NDArray[np.int32], NDArray[Any]]:  # pragma: no cover - compiled
    """List the pairs by site, rows ascending."""
    ptr = np.zeros(n_sites + 1, dtype=np.int64)
    for row in range(start.size):
        for k in range(start[row], stop[row]):
            ptr[sites[k] + 1] += 1
    ptr = np.cumsum(ptr)
    fill = ptr[:-1].copy()
    rows = np.empty(ptr[-1], dtype=np.int32)
    data = np.empty(ptr[-1], dtype=values.dtype)
    for row in range(start.size):
        for k in range(start[row], stop[row]):
            at = fill[sites[k]]
            rows[at] = row
            data[at] = values[k]
            fill[sites[k]] = at + 1
    return ptr, rows, data


@njit(cache=True)
def touched_clusters(
    ptr: Ints, rows: NDArray[np.int32], cluster: NDArray[np.int32]
) -> tuple[Ints, NDArray[np.int32]]:  # pragma: no cover - compiled
    """Rows ascend by cluster, so the clusters of a site are the runs of its column."""
    out_ptr = np.zeros(ptr.size, dtype=np.int64)
    for site in range(ptr.size - 1):
        last, runs = -1, 0
        for k in range(ptr[site], ptr[site + 1]):
            if cluster[rows[k]] != last:
                last = cluster[rows[k]]
                runs += 1
        out_ptr[site + 1] = out_ptr[site] + runs
    out = np.empty(out_ptr[-1], dtype=np.int32)
    at = 0
    for site in range(ptr.size - 1):
        last = -1
        for k in range(ptr[site], ptr[site + 1]):
            if cluster[rows[k]] != last:
                last = cluster[rows[k]]
                out[at] = last
                at += 1
    return out_ptr, out
