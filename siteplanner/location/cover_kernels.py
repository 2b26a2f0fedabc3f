"""Compiled loops of coverage: a row is worth its best open site.

Binary cover, gradual cover and the p-median (value = farthest cost minus cost) are the same loops.
"""

import numpy as np
from numba import njit, prange

from siteplanner.location.options import Floats, Mask
from siteplanner.location.pairs import Pairs


@njit(cache=True, inline="always")
def _two_best(pairs: Pairs, chosen: Mask, row: int) -> tuple[float, float]:  # pragma: no cover - compiled
    first = second = 0.0
    for k in range(pairs.start[row], pairs.stop[row]):
        if chosen[pairs.sites[k]]:
            value = float(pairs.values[k])
            if value > first:
                first, second = value, first
            elif value > second:
                second = value
    return first, second


@njit(cache=True, inline="always")
def _marginal(is_open: bool, value: float, first: float, second: float) -> float:  # noqa: FBT001 # pragma: no cover
    if is_open:
        return first - second if value >= first else 0.0
    return max(value - first, 0.0)


@njit(cache=True)
def best_values(pairs: Pairs, chosen: Mask) -> tuple[Floats, Floats]:  # pragma: no cover - compiled
    """Best and second-best open value of each row (0 where there is none)."""
    first, second = np.zeros(pairs.start.size), np.zeros(pairs.start.size)
    for row in range(pairs.start.size):
        first[row], second[row] = _two_best(pairs, chosen, row)
    return first, second


@njit(cache=True)
def site_marginals(pairs: Pairs, first: Floats, second: Floats, chosen: Mask) -> Floats:  # pragma: no cover
    """Per site: gain of opening it, or loss of closing it if it is open."""
    out = np.zeros(chosen.size)
    for site in range(chosen.size):
        for k in range(pairs.col_ptr[site], pairs.col_ptr[site + 1]):
            row = pairs.col_rows[k]
            value = float(pairs.col_values[k])
            out[site] += pairs.weight[row] * _marginal(chosen[site], value, first[row], second[row])
    return out


@njit(cache=True)
def toggle_site(
    pairs: Pairs, best: tuple[Floats, Floats], marginal: Floats, chosen: Mask, site: int
) -> None:  # pragma: no cover - compiled
    """Open or close one site in place and bring the marginals of all its neighbours up to date."""
    first, second = best
    sites = pairs.sites
    chosen[site] = not chosen[site]
    own = 0.0
    for at in range(pairs.col_ptr[site], pairs.col_ptr[site + 1]):
        row = pairs.col_rows[at]
        w, before, before_second = pairs.weight[row], first[row], second[row]
        after, after_second = _two_best(pairs, chosen, row)
        own += w * _marginal(chosen[site], float(pairs.col_values[at]), after, after_second)
        if after == before and after_second == before_second:
            continue
        first[row], second[row] = after, after_second
        for k in range(pairs.start[row], pairs.stop[row]):
            value, is_open = float(pairs.values[k]), chosen[sites[k]]
            change = _marginal(is_open, value, after, after_second)
            marginal[sites[k]] += w * (change - _marginal(is_open, value, before, before_second))
    marginal[site] = own


@njit(cache=True)
def swap_change(
    pairs: Pairs, best: tuple[Floats, Floats], marginal: Floats, closed: int, opened: int
) -> float:  # pragma: no cover - compiled
    """Exact change of the objective when one open site is closed and another opened."""
    first, second = best
    rows, values = pairs.col_rows, pairs.col_values
    a, b = pairs.col_ptr[closed], pairs.col_ptr[opened]
    a_end, b_end = pairs.col_ptr[closed + 1], pairs.col_ptr[opened + 1]
    change = marginal[opened] - marginal[closed]
    while a < a_end and b < b_end:
        if rows[a] < rows[b]:
            a += 1
        elif rows[b] < rows[a]:
            b += 1
        else:
            row = rows[a]
            if values[a] >= first[row]:
                value = float(values[b])
                change += pairs.weight[row] * (max(value - second[row], 0.0) - max(value - first[row], 0.0))
            a += 1
            b += 1
    return float(change)


@njit(cache=True, parallel=True)
def price_rows(pairs: Pairs, point: Floats) -> tuple[Floats, Floats]:  # pragma: no cover - compiled
    """Closed-form Benders cut of each row at a fractional point.

    For any level L the row is worth at most ``L + sum of (value - L)+ x``. The lowest such value is at the
    level where the best sites have used up one unit of x (Cordeau, Furini & Ljubić 2019).

    Returns
    -------
    value, level
        Value of the cut at the point, and its level.
    """
    start, stop, sites, values = pairs.start, pairs.stop, pairs.sites, pairs.values
    best, level = np.zeros(start.size), np.zeros(start.size)
    for row in prange(start.size):
        # Selection by repeated maximum: few sites are fractional in a row, and nothing is stored.
        used, value, last = 0.0, 0.0, np.inf
        while used < 1.0:
            top, share = 0.0, 0.0
            for k in range(start[row], stop[row]):
                here = float(values[k])
                x = point[sites[k]]
                if x > 0.0 and here < last and here >= top:
                    share = share + x if here == top else x
                    top = here
            if top <= 0.0:
                break
            value += top * min(share, 1.0 - used)
            used += share
            last = top
        level[row] = last if used >= 1.0 else 0.0
        best[row] = value
    return best, level


@njit(cache=True, parallel=True)
def cut_slopes(pairs: Pairs, level: Floats) -> Floats:  # pragma: no cover - compiled
    """Add the rows' cuts up by cluster: one slope per (site, cluster) of the pattern."""
    ptr, rows, values, cut_ptr = pairs.col_ptr, pairs.col_rows, pairs.col_values, pairs.cut_ptr
    weight, cluster = pairs.weight, pairs.cluster
    out = np.zeros(pairs.cut_cluster.size)
    for site in prange(ptr.size - 1):
        at = cut_ptr[site] - 1
        last = -1
        for k in range(ptr[site], ptr[site + 1]):
            row = rows[k]
            if cluster[row] != last:
                last = cluster[row]
                at += 1
            out[at] += weight[row] * max(float(values[k]) - level[row], 0.0)
    return out
