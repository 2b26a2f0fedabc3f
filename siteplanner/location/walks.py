"""The state of a vertex interchange: the two nearest open sites of every row, kept as sites open and close.

Nearest and second-nearest open sites stand in linked lists by site (Resende & Werneck 2007); sites near the
rows that a change touched are queued to be looked at again.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from siteplanner.location.neighbours import Neighbours
from siteplanner.location.options import Floats, Ints, Mask
from siteplanner.location.rules import ROUNDING, PackedRules


class Limits(NamedTuple):
    """The rules, what an open site costs, and the range of the number of open sites."""

    rules: PackedRules
    fixed_cost: Floats
    fewest: int
    most: int

    def locked(self, may_open: Mask, may_close: Mask) -> "Limits":
        """Return the same limits with other locks."""
        return self._replace(rules=self.rules._replace(may_open=may_open, may_close=may_close))


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
        activity=np.zeros(arena.limits.rules.low.size),
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
    if site >= 0 and limits.rules.low.size:
        for k in range(limits.rules.ptr[site], limits.rules.ptr[site + 1]):
            walk.activity[limits.rules.rows[k]] += sign * limits.rules.values[k]


@njit(cache=True)
def _is_within(limits: Limits, walk: Walk, site: int) -> bool:  # pragma: no cover - compiled
    if site >= 0:
        for k in range(limits.rules.ptr[site], limits.rules.ptr[site + 1]):
            row = limits.rules.rows[k]
            slack = ROUNDING * (1.0 + abs(walk.activity[row]))
            if not limits.rules.low[row] - slack <= walk.activity[row] <= limits.rules.high[row] + slack:
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
    may_open, chosen, limit = arena.limits.rules.may_open, walk.chosen, walk.cost[1, row]
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
    if walk.queued[site] or not limits.rules.may_open[site]:
        return
    walk.queued[site] = True
    walk.queue[(walk.numbers[1] + walk.numbers[2]) % walk.queue.size] = site
    walk.numbers[2] += 1


@njit(cache=True)
def next_site(walk: Walk) -> int:  # pragma: no cover - compiled
    """Take the site at the head of the queue."""
    site = walk.queue[walk.numbers[1]]
    walk.numbers[1] = (walk.numbers[1] + 1) % walk.queue.size
    walk.numbers[2] -= 1
    walk.queued[site] = False
    return int(site)


@njit(cache=True)
def fits(limits: Limits, walk: Walk, closed: int, opened: int) -> bool:  # pragma: no cover - compiled
    """Check the rules that a swap touches (-1: nothing closed, nothing opened)."""
    _shift(limits, walk, closed, -1.0)
    _shift(limits, walk, opened, 1.0)
    fits = _is_within(limits, walk, closed) and _is_within(limits, walk, opened)
    _shift(limits, walk, closed, 1.0)
    _shift(limits, walk, opened, -1.0)
    return fits
