"""Coverage in its plainest form: weighted sets of sites, of which one open site is enough.

A row of binary cover is one set. A row of gradual cover is a chain of sets, one per level of its worth: the
sites worth at least that level, with the step to the next level as weight. Equal sets are merged as they
stream by, so twenty million cells may end as a few thousand sets.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numba import njit, prange
from numpy.typing import NDArray

from siteplanner.location.options import Floats, Ints, Mask

MOST_LEVELS = 16
"""Distinct worths up to which gradual cover is split into chains of sets."""

BLOCK_ROWS = 1 << 20
"""Rows that are hashed at a time."""

WEIGHT_BITS = 52
"""Weights are whole multiples of ``2^(exponent of the total - 52)``: sums are exact in any order."""

FIRST_SLOTS = 1 << 16

MOST_TRACED = 8_000_000
"""Rows times levels up to which it is recorded into which set each went."""

LONE, COVERED, EMPTY = -1, -2, -3
"""Where rows went that became no set: to a single site, to a locked open one, nowhere."""

FREE, OPEN, CLOSED = 0, 1, 2
"""States of a site: in question, locked open, locked closed."""


class Sets(NamedTuple):
    """Merged sets and the linear part that needs no set.

    Attributes
    ----------
    ptr, sites
        Set r holds the free sites ``sites[ptr[r]:ptr[r + 1]]``, ascending, at least two.
    col_ptr, col_rows
        The same by site, sets ascending.
    weight
        Per set, in units.
    by_site
        Worth of each open site on its own (sets of one site), in units.
    amount
        Worth of any feasible plan (sets with a locked open site), in units.
    unit
        The caller's weight of one unit, a power of two.
    """

    ptr: Ints
    sites: NDArray[np.int32]
    col_ptr: Ints
    col_rows: NDArray[np.int32]
    weight: Ints
    by_site: Ints
    amount: int
    unit: float

    @property
    def n_sets(self) -> int:
        """Number of sets."""
        return self.ptr.size - 1

    @property
    def n_sites(self) -> int:
        """Number of sites."""
        return self.col_ptr.size - 1


class _Rows(NamedTuple):
    """The caller's rows, and how their values map to levels (level 0 is the highest)."""

    ptr: NDArray[Any]
    sites: NDArray[np.int32]
    values: NDArray[Any]
    levels: Floats
    state: NDArray[np.int8]
    draw: NDArray[np.uint64]


class _Table(NamedTuple):
    """Open-addressing table of the sets seen so far, in order of appearance."""

    slots: NDArray[np.int64]
    key: NDArray[np.uint64]
    row: Ints
    level: NDArray[np.int8]
    size: NDArray[np.int32]
    weight: Ints


def find_levels(cover: sp.csr_array) -> Floats | None:
    """Distinct positive worths, highest first; None when there are too many to split."""
    levels = np.unique(cover.data[: 1 << 16])
    if levels.size <= MOST_LEVELS:
        levels, known = _distinct(cover.data, MOST_LEVELS + 1)
        levels = levels[:known]
    levels = levels[levels > 0]
    return None if levels.size > MOST_LEVELS else np.sort(levels.astype(np.float64))[::-1].copy()


def merge_sets(
    cover: sp.csr_array, weight: Floats, levels: Floats, locked_open: Mask, locked_closed: Mask
) -> tuple[Sets, NDArray[np.int32]]:
    """Split rows into sets, drop what locked sites settle, and merge equal sets.

    Also returns the set of each row and level, or `LONE`, `COVERED`, `EMPTY` (without rows: not traced).

    Parameters
    ----------
    cover
        Demand x site, canonical; its values are among ``levels`` or zero.
    weight
        Per demand row.
    levels
        Distinct worths, highest first.
    """
    state = np.where(locked_open, OPEN, np.where(locked_closed, CLOSED, FREE)).astype(np.int8)
    draw = _draw(state.size)
    rows = _Rows(cover.indptr, cover.indices.astype(np.int32, copy=False), cover.data, levels, state, draw)
    total = float(weight.sum())
    unit = math.ldexp(1.0, math.frexp(total)[1] - WEIGHT_BITS) if total > 0 else 1.0
    sets, origin = _merge(rows, weight, unit)
    return sets, origin.reshape(-1, max(levels.size, 1))


def restrict_sets(sets: Sets, shut_open: Mask, shut_closed: Mask) -> tuple[Sets, NDArray[np.int32]]:
    """Settle more sites; return the sets that are left, and for each old set its new one (or as above)."""
    state = np.where(shut_open, OPEN, np.where(shut_closed, CLOSED, FREE)).astype(np.int8)
    draw = _draw(state.size)
    ones = np.ones(sets.sites.size, dtype=np.uint8)
    rows = _Rows(sets.ptr, sets.sites, ones, np.ones(1), state, draw)
    smaller, origin = _merge(rows, sets.weight.astype(np.float64), 1.0)
    by_site = smaller.by_site + sets.by_site
    smaller = smaller._replace(by_site=by_site, amount=smaller.amount + sets.amount, unit=sets.unit)
    return smaller, origin


def value_of(sets: Sets, chosen: Mask) -> float:
    """Covered weight of a set of open sites, in the caller's units."""
    covered = int(sets.weight[_is_covered(sets, chosen)].sum() + sets.by_site[chosen].sum())
    return (covered + sets.amount) * sets.unit


@njit(cache=True)
def _is_covered(sets: Sets, chosen: Mask) -> Mask:  # pragma: no cover - compiled
    out = np.zeros(sets.ptr.size - 1, dtype=np.bool_)
    for row in range(out.size):
        for k in range(sets.ptr[row], sets.ptr[row + 1]):
            if chosen[sets.sites[k]]:
                out[row] = True
                break
    return out


def gather(amount: Floats, origin: NDArray[np.int32], n_sets: int) -> Floats:
    """Add up what old sets hold in the new sets they went to."""
    total = np.bincount(np.maximum(origin, -1) + 1, weights=amount, minlength=n_sets + 1)[1:]
    return total.astype(np.float64)


def spread(share: Floats, origin: NDArray[np.int32]) -> Floats:
    """Give old sets the shares of the new ones they went to.

    A set of one site credits it with everything, a covered one needs no credit, an empty one has no site.
    """
    ends = np.zeros(3)
    ends[LONE] = ends[EMPTY] = 1.0
    return np.append(share, ends)[origin]


def _draw(n_sites: int) -> NDArray[np.uint64]:
    return np.random.default_rng(0).integers(1, 2**64, n_sites, dtype=np.uint64)


def _merge(rows: _Rows, weight: Floats, unit: float) -> tuple[Sets, NDArray[np.int32]]:
    table, used, amount = _new_table(FIRST_SLOTS), 0, 0
    n_chains = weight.size * rows.levels.size
    entry = np.full(n_chains if n_chains <= MOST_TRACED else 0, EMPTY, dtype=np.int32)
    for first in range(0, weight.size, BLOCK_ROWS):
        last = min(first + BLOCK_ROWS, weight.size)
        key, size, settled = _hash_block(rows, weight, unit, first, last)
        amount += int(settled.sum())
        at = 0
        while True:
            at, used = _insert_block(rows, weight, unit, (first, last), (key, size), table, entry, used, at)
            if at == last - first:
                break
            table = _grow(table, used)
    sets, kept = _pack(rows, table, used, amount, unit)
    place = np.full(used + 3, LONE, dtype=np.int32)
    place[kept] = np.arange(kept.size)
    place[COVERED], place[EMPTY] = COVERED, EMPTY
    origin: NDArray[np.int32] = place[entry]
    return sets, origin


def _pack(rows: _Rows, table: _Table, used: int, amount: int, unit: float) -> tuple[Sets, Ints]:
    n_sites = rows.state.size
    lone = np.flatnonzero(table.size[:used] == 1)
    by_site = np.zeros(n_sites, dtype=np.int64)
    np.add.at(by_site, _first_sites(rows, table, lone)[0], table.weight[lone])
    kept = np.flatnonzero(table.size[:used] > 1)
    order = np.lexsort((table.key[kept], *reversed(_first_sites(rows, table, kept))))
    kept = kept[order]
    ptr = np.concatenate([[0], np.cumsum(table.size[kept], dtype=np.int64)])
    sites = _copy_sets(rows, table, kept, ptr)
    col_ptr, col_rows = _by_site(ptr, sites, n_sites)
    return Sets(ptr, sites, col_ptr, col_rows, table.weight[kept], by_site, amount, unit), kept


def _new_table(slots: int) -> _Table:
    room = slots // 2
    return _Table(
        np.full(slots, -1, dtype=np.int64),
        np.empty(room, dtype=np.uint64),
        np.empty(room, dtype=np.int64),
        np.empty(room, dtype=np.int8),
        np.empty(room, dtype=np.int32),
        np.empty(room, dtype=np.int64),
    )


def _grow(table: _Table, used: int) -> _Table:
    bigger = _new_table(4 * table.slots.size)
    parts: list[tuple[NDArray[Any], NDArray[Any]]] = list(zip(table[1:], bigger[1:], strict=True))
    for old, new in parts:
        new[:used] = old[:used]
    _rehash(bigger.slots, bigger.key, used)
    return bigger


@njit(cache=True)
def _distinct(values: NDArray[Any], most: int) -> tuple[NDArray[Any], int]:  # pragma: no cover - compiled
    """Collect distinct values until there are too many."""
    out = np.empty(most, dtype=values.dtype)
    known = 0
    last = values[0] if values.size else 0
    for k in range(values.size):
        if k and values[k] == last:
            continue
        last = values[k]
        found = False
        for at in range(known):
            if out[at] == last:
                found = True
                break
        if not found:
            out[known] = last
            known += 1
            if known == most:
                break
    return out, known


@njit(cache=True, inline="always")
def _level_of(levels: Floats, value: float) -> int:  # pragma: no cover - compiled
    at = 0
    while at < levels.size and levels[at] > value:
        at += 1
    return at


@njit(cache=True, parallel=True)
def _hash_block(
    rows: _Rows, weight: Floats, unit: float, first: int, last: int
) -> tuple[NDArray[np.uint64], NDArray[np.int32], Ints]:  # pragma: no cover - compiled
    """Hash the chain of sets of each row: the sum of one random number per site, so that chains add up.

    Also returns the sizes, and the units that locked open sites settle.
    """
    n_levels = rows.levels.size
    key = np.zeros((last - first, n_levels), dtype=np.uint64)
    size = np.zeros((last - first, n_levels), dtype=np.int32)
    settled = np.zeros(last - first, dtype=np.int64)
    for at in prange(last - first):
        row = first + at
        if weight[row] <= 0:
            continue
        certain = n_levels
        for k in range(rows.ptr[row], rows.ptr[row + 1]):
            site = rows.sites[k]
            level = _level_of(rows.levels, rows.values[k]) if n_levels > 1 else 0
            if level == n_levels or rows.values[k] <= 0:
                continue
            if rows.state[site] == FREE:
                key[at, level] += rows.draw[site]
                size[at, level] += 1
            elif rows.state[site] == OPEN:
                certain = min(certain, level)
        for level in range(1, n_levels):
            key[at, level] += key[at, level - 1]
            size[at, level] += size[at, level - 1]
        for level in range(certain, n_levels):
            size[at, level] = -1
            settled[at] += _units(rows.levels, weight[row], level, unit)
    return key, size, settled


@njit(cache=True, inline="always")
def _units(levels: Floats, weight: float, level: int, unit: float) -> int:  # pragma: no cover - compiled
    below = levels[level + 1] if level + 1 < levels.size else 0.0
    return np.int64(np.rint(weight * (levels[level] - below) / unit))  # type: ignore[return-value]


@njit(cache=True)
def _insert_block(  # noqa: PLR0913, PLR0917 - one loop over everything
    rows: _Rows,
    weight: Floats,
    unit: float,
    span: tuple[int, int],
    hashed: tuple[NDArray[np.uint64], NDArray[np.int32]],
    table: _Table,
    origin: NDArray[np.int32],
    used: int,
    at: int,
) -> tuple[int, int]:  # pragma: no cover - compiled
    """Add rows to the table until it is full or the block is done; return where it stopped."""
    key, size = hashed
    n_levels = rows.levels.size
    room = table.key.size
    mask = table.slots.size - 1
    while at < span[1] - span[0]:
        if used + n_levels > room:
            break
        row = span[0] + at
        for level in range(n_levels):
            if size[at, level] <= 0:
                if origin.size and size[at, level] < 0:
                    origin[row * n_levels + level] = COVERED
                continue
            units = _units(rows.levels, weight[row], level, unit)
            h = key[at, level]
            slot = np.int64((h ^ (h >> np.uint64(32))) & np.uint64(mask))
            while True:
                entry = table.slots[slot]
                if entry < 0:
                    table.slots[slot] = used
                    table.key[used], table.row[used], table.level[used] = h, row, level
                    table.size[used], table.weight[used] = size[at, level], units
                    used += 1
                    entry = used - 1
                    break
                if (
                    table.key[entry] == h
                    and table.size[entry] == size[at, level]
                    and _same_set(rows, row, level, table.row[entry], table.level[entry])
                ):
                    table.weight[entry] += units
                    break
                slot = (slot + 1) & mask
            if origin.size:
                origin[row * n_levels + level] = entry
        at += 1
    return at, used


@njit(cache=True, inline="always")
def _belongs(rows: _Rows, k: int, level: int) -> bool:  # pragma: no cover - compiled
    inside: bool = rows.state[rows.sites[k]] == FREE and rows.values[k] >= rows.levels[level]
    return inside


@njit(cache=True)
def _same_set(rows: _Rows, a: int, a_level: int, b: int, b_level: int) -> bool:  # pragma: no cover - compiled
    """Compare two sets in full: equal hashes are not taken on trust."""
    i, i_end, j, j_end = rows.ptr[a], rows.ptr[a + 1], rows.ptr[b], rows.ptr[b + 1]
    while True:
        while i < i_end and not _belongs(rows, i, a_level):
            i += 1
        while j < j_end and not _belongs(rows, j, b_level):
            j += 1
        if i == i_end or j == j_end:
            both: bool = i == i_end and j == j_end
            return both
        if rows.sites[i] != rows.sites[j]:
            return False
        i += 1
        j += 1


@njit(cache=True)
def _rehash(slots: Ints, key: NDArray[np.uint64], used: int) -> None:  # pragma: no cover - compiled
    mask = slots.size - 1
    for entry in range(used):
        h = key[entry]
        slot = np.int64((h ^ (h >> np.uint64(32))) & np.uint64(mask))
        while slots[slot] >= 0:
            slot = (slot + 1) & mask
        slots[slot] = entry


@njit(cache=True)
def _first_sites(rows: _Rows, table: _Table, which: Ints) -> NDArray[np.int32]:  # pragma: no cover - compiled
    """First three sites of each set (-1: fewer): sets near each other get near numbers."""
    out = np.full((3, which.size), -1, dtype=np.int32)
    for at in range(which.size):
        entry, found = which[at], 0
        row, level = table.row[entry], table.level[entry]
        for k in range(rows.ptr[row], rows.ptr[row + 1]):
            if _belongs(rows, k, level):
                out[found, at] = rows.sites[k]
                found += 1
                if found == 3:  # noqa: PLR2004 - the first three
                    break
    return out


@njit(cache=True)
def _copy_sets(
    rows: _Rows, table: _Table, kept: Ints, ptr: Ints
) -> NDArray[np.int32]:  # pragma: no cover - compiled
    out = np.empty(ptr[-1], dtype=np.int32)
    at = 0
    for entry in kept:
        row, level = table.row[entry], table.level[entry]
        for k in range(rows.ptr[row], rows.ptr[row + 1]):
            if _belongs(rows, k, level):
                out[at] = rows.sites[k]
                at += 1
    return out


@njit(cache=True)
def _by_site(
    ptr: Ints, sites: NDArray[np.int32], n_sites: int
) -> tuple[Ints, NDArray[np.int32]]:  # pragma: no cover - compiled
    col_ptr = np.zeros(n_sites + 1, dtype=np.int64)
    for k in range(sites.size):
        col_ptr[sites[k] + 1] += 1
    col_ptr = np.cumsum(col_ptr)
    fill = col_ptr[:-1].copy()
    out = np.empty(sites.size, dtype=np.int32)
    for row in range(ptr.size - 1):
        for k in range(ptr[row], ptr[row + 1]):
            out[fill[sites[k]]] = row
            fill[sites[k]] += 1
    return col_ptr, out
