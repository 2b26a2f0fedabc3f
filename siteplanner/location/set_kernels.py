"""Compiled loops that split rows into sets, hash them, and merge equal ones as they stream by."""

from typing import Any, NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from siteplanner.location.options import Floats, Ints, Mask

LONE, COVERED, EMPTY = -1, -2, -3
"""Where rows went that became no set: to a single site, to a locked open one, nowhere."""

FREE, OPEN, CLOSED = 0, 1, 2
"""States of a site: in question, locked open, locked closed."""


class Rows(NamedTuple):
    """The caller's rows, and how their values map to levels (level 0 is the highest)."""

    ptr: NDArray[Any]
    sites: NDArray[np.int32]
    values: NDArray[Any]
    levels: Floats
    state: NDArray[np.int8]
    draw: NDArray[np.uint64]


class Table(NamedTuple):
    """Open-addressing table of the sets seen so far, in order of appearance."""

    slots: NDArray[np.int64]
    key: NDArray[np.uint64]
    row: Ints
    level: NDArray[np.int8]
    size: NDArray[np.int32]
    weight: Ints


@njit(cache=True)
def is_covered(ptr: Ints, sites: NDArray[np.int32], chosen: Mask) -> Mask:  # pragma: no cover - compiled
    """Mark the sets that an open site covers."""
    out = np.zeros(ptr.size - 1, dtype=np.bool_)
    for row in range(out.size):
        for k in range(ptr[row], ptr[row + 1]):
            if chosen[sites[k]]:
                out[row] = True
                break
    return out


@njit(cache=True)
def distinct_values(
    values: NDArray[Any], most: int
) -> tuple[NDArray[Any], int]:  # pragma: no cover - compiled
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
def hash_block(
    rows: Rows, weight: Floats, unit: float, first: int, last: int
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
def insert_block(
    rows: Rows,
    weighed: tuple[Floats, float],
    span: tuple[int, int],
    hashed: tuple[NDArray[np.uint64], NDArray[np.int32]],
    filed: tuple[Table, NDArray[np.int32]],
    reached: tuple[int, int],
) -> tuple[int, int]:  # pragma: no cover - compiled
    """Add rows to the table until it is full or the block is done.

    Parameters
    ----------
    weighed
        Weight of each row, and the weight of one unit.
    span, hashed
        First and last row of the block, and what `hash_block` says of its chains.
    filed
        The table, and the entry of each chain of rows (empty where nobody asks).
    reached
        Rows of the block done, and entries used; returned anew.
    """
    weight, unit = weighed
    key, size = hashed
    table, origin = filed
    at, used = reached
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
def _belongs(rows: Rows, k: int, level: int) -> bool:  # pragma: no cover - compiled
    inside: bool = rows.state[rows.sites[k]] == FREE and rows.values[k] >= rows.levels[level]
    return inside


@njit(cache=True)
def _same_set(rows: Rows, a: int, a_level: int, b: int, b_level: int) -> bool:  # pragma: no cover - compiled
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
def rehash(slots: Ints, key: NDArray[np.uint64], used: int) -> None:  # pragma: no cover - compiled
    """Enter the known sets into an empty table."""
    mask = slots.size - 1
    for entry in range(used):
        h = key[entry]
        slot = np.int64((h ^ (h >> np.uint64(32))) & np.uint64(mask))
        while slots[slot] >= 0:
            slot = (slot + 1) & mask
        slots[slot] = entry


@njit(cache=True)
def first_sites(rows: Rows, table: Table, which: Ints) -> NDArray[np.int32]:  # pragma: no cover - compiled
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
def copy_sets(
    rows: Rows, table: Table, kept: Ints, ptr: Ints
) -> NDArray[np.int32]:  # pragma: no cover - compiled
    """Write the kept sets out, one after the other."""
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
def index_by_site(
    ptr: Ints, sites: NDArray[np.int32], n_sites: int
) -> tuple[Ints, NDArray[np.int32]]:  # pragma: no cover - compiled
    """List the sets of each site."""
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
