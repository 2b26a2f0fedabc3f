"""Coverage in its plainest form: weighted sets of sites, of which one open site is enough.

A row of binary cover is one set. A row of gradual cover is a chain of sets, one per level of its worth: the
sites worth at least that level, with the step to the next level as weight. Equal sets are merged as they
stream by, so twenty million cells may end as a few thousand sets.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from siteplanner.location.options import Floats, Ints, Mask
from siteplanner.location.set_kernels import (
    CLOSED,
    COVERED,
    EMPTY,
    FREE,
    LONE,
    OPEN,
    Rows,
    Table,
    copy_sets,
    distinct_values,
    first_sites,
    hash_block,
    index_by_site,
    insert_block,
    is_covered,
    rehash,
)

MOST_LEVELS = 16
"""Distinct worths up to which gradual cover is split into chains of sets."""

BLOCK_ROWS = 1 << 20
"""Rows that are hashed at a time."""

WEIGHT_BITS = 52
"""Weights are whole multiples of ``2^(exponent of the total - 52)``: sums are exact in any order."""

FIRST_SLOTS = 1 << 16

MOST_TRACED = 8_000_000
"""Rows times levels up to which it is recorded into which set each went."""


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


def find_levels(cover: sp.csr_array) -> Floats | None:
    """Distinct positive worths, highest first; None when there are too many to split."""
    levels = np.unique(cover.data[: 1 << 16])
    if levels.size <= MOST_LEVELS:
        levels, known = distinct_values(cover.data, MOST_LEVELS + 1)
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
    rows = Rows(cover.indptr, cover.indices.astype(np.int32, copy=False), cover.data, levels, state, draw)
    total = float(weight.sum())
    unit = math.ldexp(1.0, math.frexp(total)[1] - WEIGHT_BITS) if total > 0 else 1.0
    sets, origin = _merge(rows, weight, unit)
    return sets, origin.reshape(-1, max(levels.size, 1))


def restrict_sets(sets: Sets, shut_open: Mask, shut_closed: Mask) -> tuple[Sets, NDArray[np.int32]]:
    """Settle more sites; return the sets that are left, and for each old set its new one (or as above)."""
    state = np.where(shut_open, OPEN, np.where(shut_closed, CLOSED, FREE)).astype(np.int8)
    draw = _draw(state.size)
    ones = np.ones(sets.sites.size, dtype=np.uint8)
    rows = Rows(sets.ptr, sets.sites, ones, np.ones(1), state, draw)
    smaller, origin = _merge(rows, sets.weight.astype(np.float64), 1.0)
    by_site = smaller.by_site + sets.by_site
    smaller = smaller._replace(by_site=by_site, amount=smaller.amount + sets.amount, unit=sets.unit)
    return smaller, origin


def value_of(sets: Sets, chosen: Mask) -> float:
    """Covered weight of a set of open sites, in the caller's units."""
    covered = int(sets.weight[is_covered(sets.ptr, sets.sites, chosen)].sum() + sets.by_site[chosen].sum())
    return (covered + sets.amount) * sets.unit


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


def _merge(rows: Rows, weight: Floats, unit: float) -> tuple[Sets, NDArray[np.int32]]:
    table, used, amount = _new_table(FIRST_SLOTS), 0, 0
    n_chains = weight.size * rows.levels.size
    entry = np.full(n_chains if n_chains <= MOST_TRACED else 0, EMPTY, dtype=np.int32)
    for first in range(0, weight.size, BLOCK_ROWS):
        last = min(first + BLOCK_ROWS, weight.size)
        key, size, settled = hash_block(rows, weight, unit, first, last)
        amount += int(settled.sum())
        reached = (0, used)
        while True:
            reached = insert_block(rows, (weight, unit), (first, last), (key, size), (table, entry), reached)
            used = reached[1]
            if reached[0] == last - first:
                break
            table = _grow(table, used)
    sets, kept = _pack(rows, table, used, amount, unit)
    place = np.full(used + 3, LONE, dtype=np.int32)
    place[kept] = np.arange(kept.size)
    place[COVERED], place[EMPTY] = COVERED, EMPTY
    origin: NDArray[np.int32] = place[entry]
    return sets, origin


def _pack(rows: Rows, table: Table, used: int, amount: int, unit: float) -> tuple[Sets, Ints]:
    n_sites = rows.state.size
    lone = np.flatnonzero(table.size[:used] == 1)
    by_site = np.zeros(n_sites, dtype=np.int64)
    np.add.at(by_site, first_sites(rows, table, lone)[0], table.weight[lone])
    kept = np.flatnonzero(table.size[:used] > 1)
    order = np.lexsort((table.key[kept], *reversed(first_sites(rows, table, kept))))
    kept = kept[order]
    ptr = np.concatenate([[0], np.cumsum(table.size[kept], dtype=np.int64)])
    sites = copy_sets(rows, table, kept, ptr)
    col_ptr, col_rows = index_by_site(ptr, sites, n_sites)
    return Sets(ptr, sites, col_ptr, col_rows, table.weight[kept], by_site, amount, unit), kept


def _new_table(slots: int) -> Table:
    room = slots // 2
    return Table(
        np.full(slots, -1, dtype=np.int64),
        np.empty(room, dtype=np.uint64),
        np.empty(room, dtype=np.int64),
        np.empty(room, dtype=np.int8),
        np.empty(room, dtype=np.int32),
        np.empty(room, dtype=np.int64),
    )


def _grow(table: Table, used: int) -> Table:
    bigger = _new_table(4 * table.slots.size)
    parts: list[tuple[NDArray[Any], NDArray[Any]]] = list(zip(table[1:], bigger[1:], strict=True))
    for old, new in parts:
        new[:used] = old[:used]
    rehash(bigger.slots, bigger.key, used)
    return bigger
