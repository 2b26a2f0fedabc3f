"""Compiled loops of capture: shares, marginals, swaps and cuts.

Throughout ``o`` is the outside utility of a row, ``v`` the open utility, ``u`` that of one site and
``share(v) = v / (o + v)``, concave in v.
"""

import numpy as np
from numba import njit, prange

from siteplanner.location.options import Floats, Mask
from siteplanner.location.pairs import Pairs

TANGENT = 2.0
"""Marks a row whose cut is the tangent: a threshold that no variable reaches."""


@njit(cache=True, inline="always")
def _gain(o: float, v: float, u: float) -> float:  # pragma: no cover - compiled
    """``share(v + u) - share(v)`` without cancellation."""
    return o * u / ((o + v) * (o + v + u))


@njit(cache=True, inline="always")
def _loss(o: float, v: float, u: float) -> float:  # pragma: no cover - compiled
    """``share(v) - share(v - u)``; v is a running sum, so v - u may round below zero."""
    return o * u / ((o + v) * (o + max(v - u, 0.0)))


@njit(cache=True, inline="always")
def _lifted_loss(o: float, v: float, u: float, widest: float) -> float:  # pragma: no cover - compiled
    """Loss per removed site that stays valid whatever is added (lifting of Ahmed & Atamtürk 2011).

    With additions of at most ``widest`` each, priced at ``share(v + a) - share(v)``, removing u costs at
    least ``share(v + widest) - share(v + widest - u)``; beyond one width the slopes repeat.
    """
    if widest <= 0.0:
        return _loss(o, v, u)
    whole = float(np.floor(u / widest))
    return whole * _gain(o, v, widest) + _loss(o, v + widest, max(u - whole * widest, 0.0))


@njit(cache=True, parallel=True)
def open_utility(pairs: Pairs, chosen: Mask) -> Floats:  # pragma: no cover - compiled
    """Sum the utility of the open sites of each row."""
    start, stop, sites, values = pairs.start, pairs.stop, pairs.sites, pairs.values
    out = np.zeros(start.size)
    for row in prange(start.size):
        total = 0.0
        for k in range(start[row], stop[row]):
            if chosen[sites[k]]:
                total += values[k]
        out[row] = total
    return out


@njit(cache=True, parallel=True)
def site_marginals(pairs: Pairs, utility: Floats, chosen: Mask) -> Floats:  # pragma: no cover - compiled
    """Per site: gain of opening it, or loss of closing it if it is open."""
    ptr, rows, values = pairs.col_ptr, pairs.col_rows, pairs.col_values
    weight, outside = pairs.weight, pairs.extra
    out = np.zeros(chosen.size)
    for site in prange(chosen.size):
        total = 0.0
        for k in range(ptr[site], ptr[site + 1]):
            row = rows[k]
            if chosen[site]:
                total += weight[row] * _loss(outside[row], utility[row], values[k])
            else:
                total += weight[row] * _gain(outside[row], utility[row], values[k])
        out[site] = total
    return out


@njit(cache=True)
def toggle_site(
    pairs: Pairs, utility: Floats, marginal: Floats, chosen: Mask, site: int
) -> None:  # pragma: no cover - compiled
    """Open or close one site in place and bring the marginals of all its neighbours up to date."""
    sites, values = pairs.sites, pairs.values
    sign = -1.0 if chosen[site] else 1.0
    chosen[site] = not chosen[site]
    own = 0.0
    for at in range(pairs.col_ptr[site], pairs.col_ptr[site + 1]):
        row = pairs.col_rows[at]
        o, w, u, before = pairs.extra[row], pairs.weight[row], pairs.col_values[at], utility[row]
        after = max(before + sign * u, 0.0)
        utility[row] = after
        own += w * (_loss(o, after, u) if chosen[site] else _gain(o, after, u))
        for k in range(pairs.start[row], pairs.stop[row]):
            if chosen[sites[k]]:
                change = _loss(o, after, values[k]) - _loss(o, before, values[k])
            else:
                change = _gain(o, after, values[k]) - _gain(o, before, values[k])
            marginal[sites[k]] += w * change
    marginal[site] = own


@njit(cache=True)
def swap_change(
    pairs: Pairs, utility: Floats, marginal: Floats, closed: int, opened: int
) -> float:  # pragma: no cover - compiled
    """Exact change of the objective when one open site is closed and another opened.

    The marginals hold both halves; rows that see both sites gain more, as the second half starts lower.
    """
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
            o, v, u = pairs.extra[row], utility[row], values[b]
            lower = max(v - values[a], 0.0)
            change += pairs.weight[row] * (_gain(o, lower, u) - _gain(o, v, u))
            a += 1
            b += 1
    return float(change)


@njit(cache=True)
def _price_tangent(
    pairs: Pairs, row: int, point: Floats
) -> tuple[float, float]:  # pragma: no cover - compiled
    """Value of the tangent at the point, and the utility it touches."""
    v = 0.0
    for k in range(pairs.start[row], pairs.stop[row]):
        v += point[pairs.sites[k]] * pairs.values[k]
    return v / (pairs.extra[row] + v), v


@njit(cache=True)
def _price_set(
    pairs: Pairs, row: int, point: Floats, usable: Mask, threshold: float
) -> tuple[float, float, float]:  # pragma: no cover - compiled
    """Value at the point of the submodular cut of ``P = {x >= threshold}``, its base and its width."""
    sites, values, o = pairs.sites, pairs.values, pairs.extra[row]
    base = widest = 0.0
    for k in range(pairs.start[row], pairs.stop[row]):
        if point[sites[k]] >= threshold:
            base += values[k]
        elif usable[sites[k]]:
            widest = max(widest, values[k])
    value = base / (o + base)
    for k in range(pairs.start[row], pairs.stop[row]):
        x = point[sites[k]]
        if x >= threshold:
            if x < 1.0:
                value -= (1.0 - x) * _lifted_loss(o, base, values[k], widest)
        elif x > 0.0:
            value += x * _gain(o, base, values[k])
    return value, base, widest


@njit(cache=True, parallel=True)
def price_rows(
    pairs: Pairs, point: Floats, usable: Mask, thresholds: Floats
) -> tuple[Floats, Floats, Floats, Floats]:  # pragma: no cover - compiled
    """Choose, row by row, the cut that is lowest at a fractional point.

    A threshold t stands for the submodular cut of the set ``P = {x >= t}``, `TANGENT` for the tangent.

    Returns
    -------
    value, threshold, base, widest
        Value of the best cut at the point, its threshold, the open utility it starts from, and the
        largest utility that could be added to P.
    """
    n_rows = pairs.start.size
    best, mark = np.full(n_rows, np.inf), np.empty(n_rows)
    base, widest = np.empty(n_rows), np.zeros(n_rows)
    for row in prange(n_rows):
        for at in range(thresholds.size):
            threshold, width = thresholds[at], 0.0
            if threshold > 1.0:
                value, start = _price_tangent(pairs, row, point)
            else:
                value, start, width = _price_set(pairs, row, point, usable, threshold)
            if value < best[row]:
                best[row], mark[row], base[row], widest[row] = value, threshold, start, width
    return best, mark, base, widest


@njit(cache=True, parallel=True)
def cut_slopes(
    pairs: Pairs, point: Floats, form: tuple[Floats, Floats, Floats]
) -> Floats:  # pragma: no cover - compiled
    """Add the rows' cuts up by cluster: one slope per (site, cluster) of the pattern."""
    ptr, rows, values, cut_ptr = pairs.col_ptr, pairs.col_rows, pairs.col_values, pairs.cut_ptr
    weight, cluster = pairs.weight, pairs.cluster
    out = np.zeros(pairs.cut_cluster.size)
    for site in prange(ptr.size - 1):
        at = cut_ptr[site] - 1
        last = -1
        x = point[site]
        for k in range(ptr[site], ptr[site + 1]):
            row = rows[k]
            if cluster[row] != last:
                last = cluster[row]
                at += 1
            out[at] += weight[row] * row_slope(pairs, row, values[k], x, form)
    return out


@njit(cache=True, inline="always")
def row_slope(
    pairs: Pairs, row: int, u: float, x: float, form: tuple[Floats, Floats, Floats]
) -> float:  # pragma: no cover - compiled
    """Slope of a row's cut (see `price_rows`) for a site of utility u that stands at x."""
    mark, base, widest = form
    o, v, t = pairs.extra[row], base[row], mark[row]
    if t > 1.0:
        return float(o * u / ((o + v) * (o + v)))
    if x >= t:
        return float(_lifted_loss(o, v, u, widest[row]))
    return float(_gain(o, v, u))
