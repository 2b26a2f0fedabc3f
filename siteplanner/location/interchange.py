"""Vertex interchange for p-medians: open a site, close the one that is missed least, kept up row by row.

For a site to be opened, one pass over the rows near it prices the closing of every open site at once
(Whitaker 1983); the nearest and second-nearest open site of each row are kept (Resende & Werneck 2007), and
after a swap only the sites near the rows that it touched are looked at again.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from siteplanner.location.walks import (
    Arena,
    Limits,
    Walk,
    close_site,
    fits,
    next_site,
    open_site,
    queue_site,
)

KICKS = 4
"""Most sites forced open at once."""

NOTHING, NOT_ALLOWED = -1, -2
"""In the place of a site that closes."""

LOG = 20_000
"""Most swaps of one shake that can be undone."""


@njit(cache=True)
def _gain_of(
    arena: Arena, walk: Walk, opened: int, touched: NDArray[np.int32]
) -> tuple[float, int]:  # pragma: no cover - compiled
    """Gain of opening a site; ``saved`` then holds by how much it lowers the loss of each touched site."""
    gain, n_touched = 0.0, 0
    col_rows, col_cost, cost, nearest = arena.col_rows, arena.col_cost, walk.cost, walk.site
    weights, saved = arena.near.weight, walk.saved
    for k in range(arena.col_ptr[opened], arena.col_ptr[opened + 1]):
        row, own = col_rows[k], col_cost[k]
        second = cost[1, row]
        if own >= second:
            continue
        first, weight = cost[0, row], weights[row]
        if own < first:
            gain += weight * (first - own)
        site, less = nearest[0, row], weight * (second - max(first, own))
        if site >= 0 and less > 0.0:
            if saved[site] == 0.0:
                touched[n_touched] = site
                n_touched += 1
            saved[site] += less
    return gain, n_touched


@njit(cache=True)
def price_swap(
    arena: Arena, walk: Walk, opened: int, cheapest: int, touched: NDArray[np.int32]
) -> tuple[float, int]:  # pragma: no cover - compiled
    """Lowest change of the objective over all sites that may close when this one opens, and that site.

    ``cheapest`` is the open site of least loss that may close (-1: search among all, minding the rules);
    the site returned is `NOTHING` where the opened one comes on top, `NOT_ALLOWED` where no swap is allowed.
    """
    limits = arena.limits
    gain, n_touched = _gain_of(arena, walk, opened, touched)
    walk.numbers[3] += arena.col_ptr[opened + 1] - arena.col_ptr[opened]
    best, closed = np.inf, NOT_ALLOWED
    if cheapest >= 0:
        best, closed = walk.loss[cheapest] - walk.saved[cheapest] - limits.fixed_cost[cheapest], int(cheapest)
        for at in range(n_touched):
            site = int(touched[at])
            change = walk.loss[site] - walk.saved[site] - limits.fixed_cost[site]
            if limits.rules.may_close[site] and (change < best or (change == best and site < closed)):
                best, closed = change, int(site)
    else:
        for site in range(walk.chosen.size):
            if walk.chosen[site] and limits.rules.may_close[site]:
                change = walk.loss[site] - walk.saved[site] - limits.fixed_cost[site]
                if change < best and fits(limits, walk, site, opened):
                    best, closed = change, site
    if walk.numbers[0] < limits.most and best > 0.0 and fits(limits, walk, -1, opened):
        best, closed = 0.0, -1
    for at in range(n_touched):
        walk.saved[touched[at]] = 0.0
    return best - gain + limits.fixed_cost[opened], closed


@njit(cache=True)
def find_cheapest(limits: Limits, walk: Walk) -> int:  # pragma: no cover - compiled
    """Open site of least loss that may close; -1 where rules must be minded."""
    best, site = np.inf, -1
    if limits.rules.low.size:
        return -1
    for at in range(walk.chosen.size):
        if walk.chosen[at] and limits.rules.may_close[at] and walk.loss[at] - limits.fixed_cost[at] < best:
            best, site = walk.loss[at] - limits.fixed_cost[at], at
    return site


@njit(cache=True)
def _drop_idle(arena: Arena, walk: Walk, least: float) -> int:  # pragma: no cover - compiled
    """Where the number of open sites is free: close one whose fixed cost exceeds its loss; -1: none."""
    limits = arena.limits
    if walk.numbers[0] <= limits.fewest:
        return -1
    best, site = -least, -1
    for at in range(walk.chosen.size):
        if walk.chosen[at] and limits.rules.may_close[at]:
            change = walk.loss[at] - limits.fixed_cost[at]
            if change < best and fits(limits, walk, at, -1):
                best, site = change, at
    return site


@njit(cache=True)
def swap(arena: Arena, walk: Walk, closed: int, opened: int) -> None:  # pragma: no cover - compiled
    """Open one site, close another (-1: none)."""
    if opened >= 0:
        open_site(arena, walk, opened)
    if closed >= 0:
        close_site(arena, walk, closed)


@njit(cache=True)
def settle(
    arena: Arena, walk: Walk, least: float, log: NDArray[np.int32], used: int, touched: NDArray[np.int32]
) -> int:  # pragma: no cover - compiled
    """Swap while a queued site improves by more than ``least``; return the length of the log of swaps."""
    cheapest = find_cheapest(arena.limits, walk)
    while walk.numbers[2] > 0 and used < log.shape[0]:
        site = next_site(walk)
        if walk.chosen[site]:
            continue
        change, closed = price_swap(arena, walk, site, cheapest, touched)
        if closed == NOT_ALLOWED or change >= -least:
            if walk.numbers[2] == 0:
                idle = _drop_idle(arena, walk, least)
                if idle >= 0:
                    swap(arena, walk, idle, -1)
                    log[used, 0], log[used, 1] = idle, -1
                    used += 1
                    cheapest = find_cheapest(arena.limits, walk)
            continue
        swap(arena, walk, closed, site)
        log[used, 0], log[used, 1] = closed, site
        used += 1
        if closed >= 0:
            queue_site(arena.limits, walk, closed)
        cheapest = find_cheapest(arena.limits, walk)
    return used


@njit(cache=True)
def _draw(state: NDArray[np.uint64], size: int) -> int:  # pragma: no cover - compiled
    """Draw a number below ``size`` (xorshift64*, Vigna 2016): the same on every machine."""
    x = state[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    state[0] = x
    return int((x * np.uint64(2685821657736338717) >> np.uint64(33)) % np.uint64(size))


@njit(cache=True)
def _draw_near(arena: Arena, walk: Walk, around: int, state: NDArray[np.uint64]) -> int:  # pragma: no cover
    """Draw a site near another: a row of that site, then one of the sites that could serve the row well."""
    near = arena.near
    size = arena.col_ptr[around + 1] - arena.col_ptr[around]
    if size == 0:
        return around
    row = int(arena.col_rows[arena.col_ptr[around] + _draw(state, size)])
    stop = near.ptr[row]
    while stop < near.ptr[row + 1] and near.cost[stop] <= walk.cost[1, row]:
        stop += 1
    return int(near.sites[near.ptr[row] + _draw(state, max(stop - near.ptr[row], 1))])


@njit(cache=True)
def _kick(
    arena: Arena,
    walk: Walk,
    pool: NDArray[np.int32],
    kicks: int,
    log: NDArray[np.int32],
    touched: NDArray[np.int32],
    state: NDArray[np.uint64],
) -> int:  # pragma: no cover - compiled
    """Force some sites of one neighbourhood open, each for the site that is missed least then."""
    used, site = 0, int(pool[_draw(state, pool.size)])
    for kick in range(kicks):
        if kick:
            site = _draw_near(arena, walk, site, state)
        if walk.chosen[site] or not arena.limits.rules.may_open[site]:
            continue
        closed = price_swap(arena, walk, site, find_cheapest(arena.limits, walk), touched)[1]
        if closed != NOT_ALLOWED:
            swap(arena, walk, closed, site)
            log[used, 0], log[used, 1] = closed, site
            used += 1
    return used


@njit(cache=True)
def shake(
    arena: Arena,
    walk: Walk,
    pool: NDArray[np.int32],
    effort: tuple[int, int],
    least: float,
    state: NDArray[np.uint64],
) -> int:  # pragma: no cover - compiled
    """Force some sites of one neighbourhood open, settle, and keep what is not worse; return improvements.

    ``pool`` are the sites that may be opened, ``effort`` the most rounds and the pairs to visit; a round that
    ends worse is undone swap by swap.
    """
    log = np.empty((LOG, 2), dtype=np.int32)
    touched = np.empty(walk.chosen.size, dtype=np.int32)
    better = 0
    round_, stop = 0, walk.numbers[3] + effort[1]
    while walk.numbers[3] < stop and round_ < effort[0] and pool.size:
        round_ += 1
        walk.numbers[3] += 1
        before = walk.total[0]
        used = _kick(arena, walk, pool, 1 + round_ % KICKS, log, touched, state)
        used = settle(arena, walk, least, log, used, touched)
        if walk.total[0] > before + least:
            while used > 0:
                used -= 1
                swap(arena, walk, int(log[used, 1]), int(log[used, 0]))
            while walk.numbers[2] > 0:
                next_site(walk)
        elif walk.total[0] < before - least:
            better += 1
    return better


@njit(cache=True)
def improve(
    arena: Arena, walk: Walk, pool: NDArray[np.int32], least: float
) -> int:  # pragma: no cover - compiled
    """Settle from a queue of all sites of the pool until none improves; return the number of swaps."""
    log = np.empty((LOG, 2), dtype=np.int32)
    touched = np.empty(walk.chosen.size, dtype=np.int32)
    swaps = 0
    while True:
        for at in range(pool.size):
            queue_site(arena.limits, walk, int(pool[at]))
        used = settle(arena, walk, least, log, 0, touched)
        swaps += used
        if used == 0:
            return swaps
