"""Lagrangian bound of the p-median: price the assignment of every row, open the sites of least price.

For any multipliers the bound has a closed form (Cornuejols, Fisher & Nemhauser 1977): with l per row and y
per rule, ``sum w l + sides of y + min over counts of sum of (f - sum w (l - c)+ - A'y)``. The subgradient
that raises it counts how many open sites each row would use, and how far the open set is from each rule.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from siteplanner.location.neighbours import Neighbours
from siteplanner.location.options import Floats, Ints, Mask
from siteplanner.location.walks import Limits

MEMORY = 0.8
"""Share of the last direction that is kept in the next one (Camerini, Fratta & Maffioli 1975)."""

FADE = 0.05
"""Weight of the latest open set in the running average of open sets (volume algorithm, Barahona & Anbil)."""

NOTABLE = 1e-4
"""A rise of the bound by a smaller share of the gap counts as none."""

LAST_STEP = 1e-4
"""The ascent ends when its step has been halved to this."""


class Ascent(NamedTuple):
    """State of an ascent, changed in place.

    Attributes
    ----------
    level, best_level
        Multiplier per row, now and where the bound was best.
    rule, best_rule
        Multiplier per rule.
    price
        Price per site where the bound was best.
    chosen
        The latest open set of least price.
    average
        Running average of these sets: an estimate of the fractional optimum.
    step
        Factor of the step length.
    best
        The bound, the price of the dearest site that was chosen, of the cheapest that was not, and how many
        were chosen.
    """

    level: Floats
    best_level: Floats
    rule: Floats
    best_rule: Floats
    price: Floats
    chosen: Mask
    average: Floats
    step: Floats
    best: Floats


def start_ascent(level: Floats, rule: Floats, average: Floats, step: float) -> Ascent:
    """Begin at some multipliers."""
    return Ascent(
        level=level.copy(),
        best_level=level.copy(),
        rule=rule.copy(),
        best_rule=rule.copy(),
        price=np.zeros(average.size),
        chosen=np.zeros(average.size, dtype=np.bool_),
        average=average.copy(),
        step=np.array([step]),
        best=np.array([-np.inf, 0.0, 0.0, 0.0]),
    )


@njit(cache=True)
def _price_sites(
    near: Neighbours, limits: Limits, level: Floats, rule: Floats, price: Floats
) -> float:  # pragma: no cover - compiled
    """Price of each site under the multipliers; returns the part of the bound that needs no site."""
    ptr, sites, cost, weights = near.ptr, near.sites, near.cost, near.weight
    total = 0.0
    price[:] = limits.fixed_cost
    for row in range(level.size):
        here, weight = level[row], weights[row]
        total += weight * here
        for k in range(ptr[row], ptr[row + 1]):
            less = cost[k] - here
            if less >= 0.0:
                break
            price[sites[k]] += weight * less
    if rule.size:
        for at in range(rule.size):
            if rule[at] != 0.0:
                total += rule[at] * (limits.rules.low[at] if rule[at] > 0.0 else limits.rules.high[at])
        for site in range(price.size):
            for k in range(limits.rules.ptr[site], limits.rules.ptr[site + 1]):
                price[site] -= rule[limits.rules.rows[k]] * limits.rules.values[k]
    return total


@njit(cache=True)
def _gather_free(
    limits: Limits, price: Floats, chosen: Mask
) -> tuple[float, int, Floats]:  # pragma: no cover - compiled
    """Mark the sites that must be open; return their price, their number, and the prices of the free ones."""
    total, count, free = 0.0, 0, 0
    line = np.empty(price.size)
    for site in range(price.size):
        chosen[site] = not limits.rules.may_close[site]
        if chosen[site]:
            total += price[site]
            count += 1
        elif limits.rules.may_open[site]:
            line[free] = price[site]
            free += 1
    return total, count, line[:free]


@njit(cache=True)
def _open_cheapest(
    limits: Limits, price: Floats, chosen: Mask, best: Floats
) -> float:  # pragma: no cover - compiled
    """Mark the open set of least price (ties to the lower site) and return its price (infinite: none)."""
    total, count, line = _gather_free(limits, price, chosen)
    least, most = max(limits.fewest - count, 0), min(limits.most - count, line.size)
    if most < 0 or least > line.size:
        return np.inf
    wanted = min(max(int((line < 0.0).sum()), least), most)
    dearest = np.partition(line, wanted - 1)[wanted - 1] if wanted > 0 else -np.inf
    spare = wanted - int((line < dearest).sum())
    after = np.inf
    for site in range(price.size):
        if chosen[site] or not limits.rules.may_open[site]:
            continue
        if wanted > 0 and (price[site] < dearest or (price[site] == dearest and spare > 0)):
            spare -= price[site] == dearest
            chosen[site] = True
            total += price[site]
        else:
            after = min(after, price[site])
    best[1], best[2], best[3] = dearest, after, count + wanted
    return total


@njit(cache=True)
def _slope_rows(
    near: Neighbours, level: Floats, chosen: Mask, slope: Floats
) -> float:  # pragma: no cover - compiled
    """Direction per row: what is kept of the last one and 1 less the open sites the row would use.

    Returns the norm of the direction in the metric of the weights: a row of weight 5 moves like five rows.
    """
    ptr, sites, cost, weights = near.ptr, near.sites, near.cost, near.weight
    norm = 0.0
    for row in range(level.size):
        here, used = level[row], 0
        for k in range(ptr[row], ptr[row + 1]):
            if cost[k] >= here:
                break
            used += chosen[sites[k]]
        slope[row] = MEMORY * slope[row] + 1.0 - used
        norm += weights[row] * slope[row] ** 2
    return norm


@njit(cache=True)
def _slope_rules(
    limits: Limits, rule: Floats, chosen: Mask, slope: Floats, scale: float
) -> float:  # pragma: no cover - compiled
    """Direction per rule, and its norm."""
    activity = np.zeros(rule.size)
    for site in range(chosen.size):
        if chosen[site]:
            for k in range(limits.rules.ptr[site], limits.rules.ptr[site + 1]):
                activity[limits.rules.rows[k]] += limits.rules.values[k]
    norm = 0.0
    for at in range(rule.size):
        low, high = limits.rules.low[at] - activity[at], limits.rules.high[at] - activity[at]
        change = 0.0
        if rule[at] > 0.0 or (rule[at] == 0.0 and low > 0.0):
            change = low
        elif rule[at] < 0.0 or high < 0.0:
            change = high
        slope[at] = MEMORY * slope[at] + change
        norm += scale * slope[at] ** 2
    return norm


@njit(cache=True)
def _move(
    near: Neighbours, limits: Limits, ascent: Ascent, slopes: tuple[Floats, Floats], pace: tuple[float, float]
) -> None:  # pragma: no cover - compiled
    """Step along the direction, within what keeps the bound valid."""
    level, rule = ascent.level, ascent.rule
    for row in range(level.size):
        here = level[row] + pace[0] * slopes[0][row]
        level[row] = min(max(here, near.cost[near.ptr[row]]), near.horizon[row])
    for at in range(rule.size):
        here = rule[at] + pace[1] * slopes[1][at]
        if limits.rules.low[at] == -np.inf:
            here = min(here, 0.0)
        if limits.rules.high[at] == np.inf:
            here = max(here, 0.0)
        if here * rule[at] < 0.0:
            here = 0.0
        rule[at] = here


@njit(cache=True)
def _keep_best(ascent: Ascent, bound: float, price: Floats, found: Floats) -> None:  # pragma: no cover
    ascent.best[0], ascent.best[1:] = bound, found[1:]
    ascent.best_level[:], ascent.best_rule[:] = ascent.level, ascent.rule
    ascent.price[:] = price


@njit(cache=True)
def ascend(
    near: Neighbours, limits: Limits, ascent: Ascent, aim: tuple[float, float], patience: int, steps: int
) -> int:  # pragma: no cover - compiled
    """Raise the bound.

    Parameters
    ----------
    aim
        Value of the best known set, which sets the step length (Polyak), and the bound that is enough.
    patience
        Steps without a notable rise before the step is halved and the best multipliers are taken up again.
    steps
        Most steps.

    Returns
    -------
    int
        Steps taken.
    """
    price, found = np.empty(limits.fixed_cost.size), np.zeros(4)
    slopes = (np.zeros(near.weight.size), np.zeros(ascent.rule.size))
    # One unit of a rule is worth about as much as the rows of one site.
    scale = near.weight.sum() / max(limits.most, 1)
    idle = 0
    for step in range(steps):
        total = _price_sites(near, limits, ascent.level, ascent.rule, price)
        bound = total + _open_cheapest(limits, price, ascent.chosen, found)
        idle = 0 if bound > ascent.best[0] + NOTABLE * (aim[0] - ascent.best[0]) else idle + 1
        if bound > ascent.best[0]:
            _keep_best(ascent, bound, price, found)
            if bound >= aim[1]:
                return step + 1
        for site in range(price.size):
            ascent.average[site] += FADE * (ascent.chosen[site] - ascent.average[site])
        if idle >= patience:
            idle = 0
            ascent.step[0] *= 0.5
            ascent.level[:], ascent.rule[:] = ascent.best_level, ascent.best_rule
            slopes[0][:], slopes[1][:] = 0.0, 0.0
            if ascent.step[0] < LAST_STEP:
                return step + 1
            continue
        norm = _slope_rows(near, ascent.level, ascent.chosen, slopes[0])
        norm += _slope_rules(limits, ascent.rule, ascent.chosen, slopes[1], scale)
        if norm == 0.0:
            return step + 1
        pace = ascent.step[0] * (aim[0] - bound) / norm
        _move(near, limits, ascent, slopes, (pace, pace * scale))
    return steps


def sites_settled(limits: Limits, ascent: Ascent, value: float) -> tuple[Mask, Mask]:
    """Reduced-cost fixing: sites that no set better than ``value`` opens, and that every one opens.

    Where opening a site exceeds the count, the dearest chosen one must go; where closing one falls short of
    it, the cheapest left out must come.
    """
    bound, dearest, after, count = ascent.best
    free = limits.rules.may_open & limits.rules.may_close
    chosen = _chosen_at(limits, ascent)
    out_then = dearest if count >= limits.most else max(dearest, 0.0)
    in_then = after if count <= limits.fewest else min(after, 0.0)
    shut = free & ~chosen & (bound + ascent.price - out_then > value)
    kept = free & chosen & (bound - ascent.price + in_then > value)
    return shut, kept


def _chosen_at(limits: Limits, ascent: Ascent) -> Mask:
    chosen = np.zeros(ascent.price.size, dtype=np.bool_)
    _open_cheapest(limits, ascent.price, chosen, np.zeros(4))
    return chosen


def trim(near: Neighbours, limits: Limits, ascent: Ascent, value: float) -> Neighbours:
    """Keep the sites that may serve a row in a set better than ``value``.

    Sites that may not open go, and those beyond the nearest one that must be open. A row with multiplier l
    that pays c > l adds ``w (c - l)`` to the bound: dearer sites than that allows go too.
    """
    most = ascent.best_level + np.maximum(value - ascent.best[0], 0.0) / near.weight
    # Rounding of the bound must not cost a site.
    most += 1e-9 * np.abs(most)
    ptr, sites, cost, horizon = _trim(near, limits.rules.may_open, limits.rules.may_close, most)
    return near._replace(ptr=ptr, sites=sites, cost=cost, horizon=horizon)


@njit(cache=True)
def _trim(
    near: Neighbours, may_open: Mask, may_close: Mask, most: Floats
) -> tuple[Ints, NDArray[np.int32], Floats, Floats]:  # pragma: no cover - compiled
    # One number more: a row may lose all its sites, and the kernels look at the first cost of every row.
    sites, cost = np.empty(near.sites.size + 1, dtype=np.int32), np.zeros(near.cost.size + 1)
    ptr, horizon = np.zeros(near.ptr.size, dtype=np.int64), near.horizon.copy()
    at = 0
    for row in range(ptr.size - 1):
        for k in range(near.ptr[row], near.ptr[row + 1]):
            site = near.sites[k]
            if near.cost[k] > most[row]:
                horizon[row] = np.inf
                break
            if not may_open[site]:
                continue
            sites[at], cost[at] = site, near.cost[k]
            at += 1
            if not may_close[site]:
                horizon[row] = np.inf
                break
        if horizon[row] > most[row]:
            horizon[row] = np.inf
        ptr[row + 1] = at
    return ptr, sites[: at + 1].copy(), cost[: at + 1].copy(), horizon
