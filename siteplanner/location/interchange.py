"""Vertex interchange for p-medians: open a site, close the one that is missed least, kept up row by row.

For a site to be opened, one pass over the rows near it prices the closing of every open site at once
(Whitaker 1983); the nearest and second-nearest open site of each row are kept (Resende & Werneck 2007), and
after a swap only the sites near the rows that it touched are looked at again.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from siteplanner.location.neighbours import Neighbours
from siteplanner.location.options import Floats, Ints, Mask
from siteplanner.location.rules import ROUNDING

KICKS = 4
"""Most sites forced open at once."""

NOTHING, NOT_ALLOWED = -1, -2
"""In the place of a site that closes."""

LOG = 20_000
"""Most swaps of one shake that can be undone."""


class Limits(NamedTuple):
    """The rules by site, as plain arrays, and the range of the number of open sites."""

    ptr: Ints
    rows: Ints
    values: Floats
    low: Floats
    high: Floats
    may_open: Mask
    may_close: Mask
    fixed_cost: Floats
    fewest: int
    most: int


class Arena(NamedTuple):
    """What a walk walks in: neighbours by row and by site, and the limits."""

    near: Neighbours
    col_ptr: Ints
    col_rows: NDArray[np.int32]
    col_cost: Floats
    limits: Limits


class Walk(NamedTuple):
    """The state of a search, changed in place.

    Attributes
    ----------
    chosen
        The open set.
    cost, site
        Nearest (0) and second-nearest (1) open site of each row, -1 where there is none.
    loss, saved
        Per open site: what closing it costs; and scratch, zero between calls.
    head, after, before
        Linked lists of the rows that have a site as nearest (0) or second-nearest (1).
    total, numbers
        Objective; number of open sites, head and length of the queue, and pairs visited so far.
    activity
        Left sides of the rules.
    queue, queued
        Sites to look at: a ring, and a mark per site.
    """

    chosen: Mask
    cost: NDArray[np.float64]
    site: NDArray[np.int32]
    loss: Floats
    saved: Floats
    head: NDArray[np.int32]
    after: NDArray[np.int32]
    before: NDArray[np.int32]
    total: Floats
    numbers: Ints
    activity: Floats
    queue: NDArray[np.int32]
    queued: Mask


def start_walk(arena: Arena, chosen: Mask) -> Walk:
    """Begin at an open set."""
    n_sites, n_rows = chosen.size, arena.near.weight.size
    walk = Walk(
        chosen=chosen.copy(),
        cost=np.zeros((2, n_rows)),
        site=np.full((2, n_rows), -1, dtype=np.int32),
        loss=np.zeros(n_sites),
        saved=np.zeros(n_sites),
        head=np.full((2, n_sites), -1, dtype=np.int32),
        after=np.full((2, n_rows), -1, dtype=np.int32),
        before=np.full((2, n_rows), -1, dtype=np.int32),
        total=np.zeros(1),
        numbers=np.zeros(4, dtype=np.int64),
        activity=np.zeros(arena.limits.low.size),
        queue=np.zeros(n_sites, dtype=np.int32),
        queued=np.zeros(n_sites, dtype=np.bool_),
    )
    _begin(arena, walk)
    return walk


@njit(cache=True)
def _begin(arena: Arena, walk: Walk) -> None:  # pragma: no cover - compiled
    for site in range(walk.chosen.size):
        if walk.chosen[site]:
            _count_in(arena.limits, walk, site, 1.0)
    near = arena.near
    for row in range(near.weight.size):
        walk.total[0] += near.weight[row] * near.far[row]
        walk.cost[0, row] = walk.cost[1, row] = near.far[row]
        _reserve(near, walk, row)


@njit(cache=True)
def _link(walk: Walk, kind: int, row: int, site: int) -> None:  # pragma: no cover - compiled
    head, after, before = walk.head, walk.after, walk.before
    old = walk.site[kind, row]
    if old == site:
        return
    if old >= 0:
        nxt, prv = after[kind, row], before[kind, row]
        if prv >= 0:
            after[kind, prv] = nxt
        else:
            head[kind, old] = nxt
        if nxt >= 0:
            before[kind, nxt] = prv
    walk.site[kind, row] = site
    if site >= 0:
        top = head[kind, site]
        after[kind, row], before[kind, row] = top, -1
        if top >= 0:
            before[kind, top] = row
        head[kind, site] = row


@njit(cache=True)
def _set_row(
    walk: Walk, row: int, weight: float, first: tuple[float, int], second: tuple[float, int]
) -> None:  # pragma: no cover - compiled
    cost, loss, old = walk.cost, walk.loss, walk.site[0, row]
    if old >= 0:
        loss[old] -= weight * (cost[1, row] - cost[0, row])
    walk.total[0] += weight * (first[0] - cost[0, row])
    cost[0, row], cost[1, row] = first[0], second[0]
    _link(walk, 0, row, first[1])
    _link(walk, 1, row, second[1])
    if first[1] >= 0:
        loss[first[1]] += weight * (second[0] - first[0])


@njit(cache=True)
def _reserve(near: Neighbours, walk: Walk, row: int) -> None:  # pragma: no cover - compiled
    """Find the two nearest open sites of a row anew."""
    chosen, sites = walk.chosen, near.sites
    first = second = -1
    for k in range(near.ptr[row], near.ptr[row + 1]):
        if chosen[sites[k]]:
            if first < 0:
                first = k
            else:
                second = k
                break
    far, cost = near.far[row], near.cost
    nearest = (cost[first], int(sites[first])) if first >= 0 else (far, -1)
    next_one = (cost[second], int(sites[second])) if second >= 0 else (far, -1)
    _set_row(walk, row, near.weight[row], nearest, next_one)


@njit(cache=True)
def _shift(limits: Limits, walk: Walk, site: int, sign: float) -> None:  # pragma: no cover - compiled
    if site >= 0 and limits.low.size:
        for k in range(limits.ptr[site], limits.ptr[site + 1]):
            walk.activity[limits.rows[k]] += sign * limits.values[k]


@njit(cache=True)
def _is_within(limits: Limits, walk: Walk, site: int) -> bool:  # pragma: no cover - compiled
    if site >= 0:
        for k in range(limits.ptr[site], limits.ptr[site + 1]):
            row = limits.rows[k]
            slack = ROUNDING * (1.0 + abs(walk.activity[row]))
            if not limits.low[row] - slack <= walk.activity[row] <= limits.high[row] + slack:
                return False
    return True


@njit(cache=True)
def _count_in(limits: Limits, walk: Walk, site: int, sign: float) -> None:  # pragma: no cover - compiled
    walk.total[0] += sign * limits.fixed_cost[site]
    walk.numbers[0] += int(sign)
    _shift(limits, walk, site, sign)


@njit(cache=True)
def open_site(arena: Arena, walk: Walk, site: int) -> None:  # pragma: no cover - compiled
    """Open a site; the sites near the rows it now serves (first or second) are queued."""
    col_rows, col_cost, cost, weight = arena.col_rows, arena.col_cost, walk.cost, arena.near.weight
    walk.chosen[site] = True
    _count_in(arena.limits, walk, site, 1.0)
    for k in range(arena.col_ptr[site], arena.col_ptr[site + 1]):
        row, own = int(col_rows[k]), col_cost[k]
        if own < cost[1, row]:
            _queue_around(arena, walk, row)
            was = (cost[0, row], int(walk.site[0, row]))
            if own < was[0]:
                _set_row(walk, row, weight[row], (own, site), was)
            else:
                _set_row(walk, row, weight[row], was, (own, site))


@njit(cache=True)
def close_site(arena: Arena, walk: Walk, site: int) -> None:  # pragma: no cover - compiled
    """Close a site and serve its rows from elsewhere."""
    walk.chosen[site] = False
    _count_in(arena.limits, walk, site, -1.0)
    for kind in range(2):
        while walk.head[kind, site] >= 0:
            row = int(walk.head[kind, site])
            _reserve(arena.near, walk, row)
            _queue_around(arena, walk, row)
    walk.loss[site] = 0.0


@njit(cache=True)
def _queue_around(arena: Arena, walk: Walk, row: int) -> None:  # pragma: no cover - compiled
    """Queue the sites that could be the nearest or second-nearest of a row."""
    sites, cost, queue, queued = arena.near.sites, arena.near.cost, walk.queue, walk.queued
    may_open, chosen, limit = arena.limits.may_open, walk.chosen, walk.cost[1, row]
    end = walk.numbers[1] + walk.numbers[2]
    added = 0
    start, k = arena.near.ptr[row], arena.near.ptr[row]
    for k in range(start, arena.near.ptr[row + 1]):
        if cost[k] >= limit:
            break
        site = sites[k]
        if not queued[site] and may_open[site] and not chosen[site]:
            queued[site] = True
            queue[(end + added) % queue.size] = site
            added += 1
    walk.numbers[2] += added
    walk.numbers[3] += k - start


@njit(cache=True)
def queue_site(limits: Limits, walk: Walk, site: int) -> None:  # pragma: no cover - compiled
    """Put a site that may open at the end of the queue."""
    if walk.queued[site] or not limits.may_open[site]:
        return
    walk.queued[site] = True
    walk.queue[(walk.numbers[1] + walk.numbers[2]) % walk.queue.size] = site
    walk.numbers[2] += 1


@njit(cache=True)
def _next_site(walk: Walk) -> int:  # pragma: no cover - compiled
    site = walk.queue[walk.numbers[1]]
    walk.numbers[1] = (walk.numbers[1] + 1) % walk.queue.size
    walk.numbers[2] -= 1
    walk.queued[site] = False
    return int(site)


@njit(cache=True)
def _fits(limits: Limits, walk: Walk, closed: int, opened: int) -> bool:  # pragma: no cover - compiled
    """Check the rules that a swap touches (-1: nothing closed, nothing opened)."""
    _shift(limits, walk, closed, -1.0)
    _shift(limits, walk, opened, 1.0)
    fits = _is_within(limits, walk, closed) and _is_within(limits, walk, opened)
    _shift(limits, walk, closed, 1.0)
    _shift(limits, walk, opened, -1.0)
    return fits


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
            if limits.may_close[site] and (change < best or (change == best and site < closed)):
                best, closed = change, int(site)
    else:
        for site in range(walk.chosen.size):
            if walk.chosen[site] and limits.may_close[site]:
                change = walk.loss[site] - walk.saved[site] - limits.fixed_cost[site]
                if change < best and _fits(limits, walk, site, opened):
                    best, closed = change, site
    if walk.numbers[0] < limits.most and best > 0.0 and _fits(limits, walk, -1, opened):
        best, closed = 0.0, -1
    for at in range(n_touched):
        walk.saved[touched[at]] = 0.0
    return best - gain + limits.fixed_cost[opened], closed


@njit(cache=True)
def find_cheapest(limits: Limits, walk: Walk) -> int:  # pragma: no cover - compiled
    """Open site of least loss that may close; -1 where rules must be minded."""
    best, site = np.inf, -1
    if limits.low.size:
        return -1
    for at in range(walk.chosen.size):
        if walk.chosen[at] and limits.may_close[at] and walk.loss[at] - limits.fixed_cost[at] < best:
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
        if walk.chosen[at] and limits.may_close[at]:
            change = walk.loss[at] - limits.fixed_cost[at]
            if change < best and _fits(limits, walk, at, -1):
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
        site = _next_site(walk)
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
        if walk.chosen[site] or not arena.limits.may_open[site]:
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
                _next_site(walk)
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
