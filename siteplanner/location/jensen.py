"""Fewer capture rows for the bound: alike rows are replaced by their mean.

``g(a(S))`` with ``g(v) = v / (1 + v)`` is concave in the vector a for every set S of open sites, so rows of
weights w are together worth at most one row of their summed weight and mean a (Jensen's inequality). The
loss is of second order in their differences: cells of one neighbourhood lose next to nothing.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from siteplanner.location.options import Floats, Ints
from siteplanner.location.pairs import Pairs, index_by_site, touched_clusters

ROWS = 40_000
"""Rows that are left when there are more: what a round of envelopes handles in well under a second."""

WIDTHS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.2)
"""Rows are alike when the logarithms of their strongest utilities fall into steps of this width; the first
of these that leaves few enough rows is taken."""

STRONGEST = 3
"""Sites per row that are compared: in the plane the distances to three points fix a place."""


def average_rows(pairs: Pairs, most: int = ROWS) -> Pairs:
    """Replace alike rows of a cluster by their mean, until about ``most`` rows are left.

    Returns
    -------
    Pairs
        Utilities are in units of the outside utility (``extra`` is 1); clusters are numbered as before.
    """
    n_rows = pairs.start.size
    group = np.arange(n_rows) if n_rows <= most else _group_rows(pairs, most)
    order = np.argsort(group, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(group[order])) + 1, n_rows) if n_rows else np.empty(0, np.int64)
    ptr, sites, values, weight = _mean_rows(pairs, order, ends.astype(np.int64))
    cluster = pairs.cluster[order[ends - 1]] if n_rows else pairs.cluster
    start, stop = ptr[:-1], ptr[1:]
    columns = index_by_site(start, stop, sites, values, pairs.n_sites)
    cut_ptr, cut_cluster = touched_clusters(columns[0], columns[1], cluster)
    extra = np.ones(weight.size)
    return Pairs(start, stop, sites, values, *columns, weight, extra, cluster, cut_ptr, cut_cluster)


def _group_rows(pairs: Pairs, most: int) -> Ints:
    """Give each row the number of its group; groups of one cluster stand together."""
    top, strength = _strongest_sites(pairs)
    names = top.astype(np.int64)
    for width in WIDTHS:
        step = np.floor(strength / width).astype(np.int64)
        key = _mix(np.column_stack([names, step]))
        both = np.lexsort((key, pairs.cluster))
        new = np.ones(both.size, dtype=np.bool_)
        new[1:] = (key[both][1:] != key[both][:-1]) | (pairs.cluster[both][1:] != pairs.cluster[both][:-1])
        if new.sum() <= most:
            break
    group = np.empty(both.size, dtype=np.int64)
    group[both] = np.cumsum(new) - 1
    return group


def _mix(columns: Ints) -> NDArray[np.uint64]:
    """Hash rows of whole numbers; a clash only merges rows that need not be alike, which is valid too."""
    state = np.full(columns.shape[0], 0xCBF29CE484222325, dtype=np.uint64)
    for column in columns.T:
        state = (state ^ column.astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        state ^= state >> np.uint64(29)
    return state


@njit(cache=True)
def _strongest_sites(pairs: Pairs) -> tuple[NDArray[np.int32], Floats]:  # pragma: no cover - compiled
    n_rows = pairs.start.size
    top = np.full((n_rows, STRONGEST), -1, dtype=np.int32)
    value = np.zeros((n_rows, STRONGEST))
    for row in range(n_rows):
        for k in range(pairs.start[row], pairs.stop[row]):
            here, site = float(pairs.values[k]), pairs.sites[k]
            for place in range(STRONGEST):
                if here > value[row, place]:
                    here, value[row, place] = value[row, place], here
                    site, top[row, place] = top[row, place], site
        for place in range(STRONGEST):
            if top[row, place] >= 0:
                value[row, place] = np.log(value[row, place] / pairs.extra[row])
    return top, value


@njit(cache=True)
def _mean_rows(
    pairs: Pairs, order: Ints, ends: Ints
) -> tuple[Ints, NDArray[np.int32], Floats, Floats]:  # pragma: no cover - compiled
    """Mean utility of each site over the rows of each group, and their summed weight."""
    n_sites = pairs.col_ptr.size - 1
    total, listed = np.zeros(n_sites), np.empty(n_sites, dtype=np.int32)
    seen = np.full(n_sites, -1, dtype=np.int64)
    ptr, weight = np.zeros(ends.size + 1, dtype=np.int64), np.zeros(ends.size)
    sites = np.empty(0, dtype=np.int32)
    values = np.empty(0)
    for counting in (True, False):
        if not counting:
            sites, values = np.empty(ptr[-1], dtype=np.int32), np.empty(ptr[-1])
            seen[:] = -1
        first = 0
        for group in range(ends.size):
            size, amount = 0, 0.0
            for at in range(first, ends[group]):
                row = order[at]
                amount += pairs.weight[row]
                for k in range(pairs.start[row], pairs.stop[row]):
                    site = pairs.sites[k]
                    if seen[site] != group:
                        seen[site] = group
                        total[site] = 0.0
                        listed[size] = site
                        size += 1
                    total[site] += pairs.weight[row] * (float(pairs.values[k]) / pairs.extra[row])
            if counting:
                ptr[group + 1] = ptr[group] + size
            else:
                weight[group] = amount
                for place, site in enumerate(np.sort(listed[:size])):
                    sites[ptr[group] + place] = site
                    values[ptr[group] + place] = total[site] / amount
            first = ends[group]
    return ptr, sites, values, weight


def row_places(pairs: Pairs) -> tuple[Ints, Ints]:
    """Return where each row's pairs begin when rows stand one after the other, and each column pair there."""
    ptr = np.concatenate([[0], np.cumsum(pairs.stop - pairs.start)]).astype(np.int64)
    return ptr, _column_places(pairs, ptr)


@njit(cache=True)
def _column_places(pairs: Pairs, ptr: Ints) -> Ints:  # pragma: no cover - compiled
    out = np.empty(pairs.col_rows.size, dtype=np.int64)
    fill = pairs.col_ptr[:-1].copy()
    for row in range(pairs.start.size):
        for k in range(pairs.start[row], pairs.stop[row]):
            site = pairs.sites[k]
            out[fill[site]] = ptr[row] + k - pairs.start[row]
            fill[site] += 1
    return out
