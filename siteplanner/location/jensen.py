"""Fewer capture rows for the bound: alike rows are replaced by their mean.

``g(a(S))`` with ``g(v) = v / (1 + v)`` is concave in the vector a for every set S of open sites, so rows of
weights w are together worth at most one row of their summed weight and mean a (Jensen's inequality). The
loss is of second order in their differences: cells of one neighbourhood lose next to nothing.
"""

import heapq

import numpy as np
from numba import njit
from numpy.typing import NDArray

from siteplanner.location.options import Floats, Ints, Mask
from siteplanner.location.pairs import Pairs, index_by_site, touched_clusters

UNLIKELY = 0.02
"""Least probability with which a site is counted when rows are compared."""


def average_rows(pairs: Pairs, likely: Floats, usable: Mask, most: int) -> Pairs:
    """Replace alike rows of a cluster by their mean, until about ``most`` rows are left.

    Parameters
    ----------
    likely
        How probable each site is to be open: where rows should agree.
    usable
        Sites that may open; the others are dropped.

    Returns
    -------
    Pairs
        Utilities are in units of the outside utility (``extra`` is 1); clusters are numbered as before.
    """
    n_rows = pairs.start.size
    order, ends = np.arange(n_rows), np.arange(1, n_rows + 1)
    if n_rows > most:
        weight = np.where(usable, np.maximum(likely, UNLIKELY), 0.0)
        order, ends = _split_rows(pairs, weight, max(most, pairs.n_clusters))
    ptr, sites, values, weight = _mean_rows(pairs, usable, order, ends)
    cluster = pairs.cluster[order[ends - 1]] if n_rows else pairs.cluster
    start, stop = ptr[:-1], ptr[1:]
    columns = index_by_site(start, stop, sites, values, pairs.n_sites)
    cut_ptr, cut_cluster = touched_clusters(columns[0], columns[1], cluster)
    extra = np.ones(weight.size)
    return Pairs(start, stop, sites, values, *columns, weight, extra, cluster, cut_ptr, cut_cluster)


@njit(cache=True, inline="always")
def _scaled(pairs: Pairs, row: int, k: int) -> float:  # pragma: no cover - compiled
    """Scale of a utility on which equal steps lose the same: its slope is ``sqrt(|g''(a)|)``."""
    return float(1.0 - 1.0 / np.sqrt(1.0 + pairs.values[k] / pairs.extra[row]))


@njit(cache=True)
def _spread(
    pairs: Pairs, likely: Floats, rows: Ints, sums: Floats, listed: NDArray[np.int32]
) -> tuple[float, int, float]:  # pragma: no cover - compiled
    """Sum of squared deviations of some rows, the site with most of it, and the mean there."""
    if rows.size < 2:  # noqa: PLR2004 - one row does not deviate
        return 0.0, -1, 0.0
    size, amount = 0, 0.0
    for row in rows:
        amount += pairs.weight[row]
        for k in range(pairs.start[row], pairs.stop[row]):
            site = pairs.sites[k]
            if likely[site] > 0.0:
                if sums[site, 2] == 0.0:
                    listed[size] = site
                    size += 1
                y = _scaled(pairs, row, k)
                sums[site, 0] += pairs.weight[row] * y
                sums[site, 1] += pairs.weight[row] * y * y
                sums[site, 2] = 1.0
    total, most, best, mean = 0.0, 0.0, -1, 0.0
    for site in np.sort(listed[:size]):
        part = likely[site] * (sums[site, 1] - sums[site, 0] * sums[site, 0] / amount)
        total += max(part, 0.0)
        if part > most:
            most, best, mean = part, site, sums[site, 0] / amount
        sums[site, :] = 0.0
    return total, best, mean


@njit(cache=True)
def _split_rows(pairs: Pairs, likely: Floats, most: int) -> tuple[Ints, Ints]:  # pragma: no cover - compiled
    """Split the rows that differ most, at the site where they do, until there are so many groups.

    Returns
    -------
    order, ends
        Rows group by group, and where each group ends; groups stand in the order of their clusters.
    """
    n_rows, n_sites = pairs.start.size, pairs.col_ptr.size - 1
    order, beside = np.arange(n_rows), np.empty(n_rows, dtype=np.int64)
    first, last = np.empty(most, dtype=np.int64), np.empty(most, dtype=np.int64)
    cut_site, cut_mean = np.empty(most, dtype=np.int64), np.empty(most)
    sums, listed = np.zeros((n_sites, 3)), np.empty(n_sites, dtype=np.int32)
    heap = [(0.0, -1)]
    count, begin = 0, 0
    for row in range(1, n_rows + 1):
        if row == n_rows or pairs.cluster[row] != pairs.cluster[row - 1]:
            first[count], last[count] = begin, row
            spread, cut_site[count], cut_mean[count] = _spread(pairs, likely, order[begin:row], sums, listed)
            heapq.heappush(heap, (-spread, count))
            count, begin = count + 1, row
    while count < most and heap[0][0] < 0.0:
        node = heapq.heappop(heap)[1]
        begin, end, site = first[node], last[node], cut_site[node]
        low, high = begin, 0
        for at in range(begin, end):
            row = order[at]
            y = 0.0
            for k in range(pairs.start[row], pairs.stop[row]):
                if pairs.sites[k] == site:
                    y = _scaled(pairs, row, k)
            if y <= cut_mean[node]:
                order[low] = row
                low += 1
            else:
                beside[high] = row
                high += 1
        order[low:end] = beside[:high]
        if low in (begin, end):
            continue
        last[node], first[count], last[count] = low, low, end
        for part in (node, count):
            rows = order[first[part] : last[part]]
            spread, cut_site[part], cut_mean[part] = _spread(pairs, likely, rows, sums, listed)
            heapq.heappush(heap, (-spread, part))
        count += 1
    return order, np.sort(last[:count])


@njit(cache=True)
def _mean_rows(
    pairs: Pairs, usable: Mask, order: Ints, ends: Ints
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
                    if not usable[site]:
                        continue
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
