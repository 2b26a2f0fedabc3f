"""Windows of pixels whose edges run along the lattice: rows of pixels to columns of cells, then to rows."""

from typing import NamedTuple

import numpy as np
from numba import njit

from siteplanner.engines.runs import Runs, common_runs, other_runs
from siteplanner.engines.shares import Columns, Parts
from siteplanner.layers.pixels import Coding, Report, add_rows

# First length of the list of people who do not go to the dense table; it doubles when it is full.
SPILL_START = 1 << 12


class Target(NamedTuple):
    """Where the people of one window go.

    Parameters
    ----------
    home
        Label of each cell of the lattice, rows x columns; -1 for cells that do not belong to the grid.
    dense
        People by lattice row and column from `corner` on; those whose label is that of their cell.
    corner
        Lattice row and column of the first cell of `dense`.
    count_in, nodata
        People and pixels without data by label + 1.
    """

    home: np.ndarray
    dense: np.ndarray
    corner: tuple[int, int]
    count_in: np.ndarray
    nodata: np.ndarray


class Spill(NamedTuple):
    """People of a label in a cell of another label or outside the grid; entries may repeat.

    Parameters
    ----------
    place
        Lattice row, lattice column (which may lie beyond the lattice) and label, n x 3.
    """

    place: np.ndarray
    people: np.ndarray
    size: int


@njit(nogil=True, cache=True)
def sum_straight(
    read: tuple[np.ndarray, tuple[int, int], Coding],
    axes: tuple[Parts, Columns],
    runs: Runs,
    target: Target,
    report: Report,
) -> Spill:
    """Sum one window to cells.

    Rows of pixels that lie wholly in one row of cells are added up first where all of them have the same
    label; what is left of them is summed row by row.

    Parameters
    ----------
    read
        The stored numbers of the window, its first row and column in the file, and what they mean.
    axes
        How the rows and columns of pixels of the whole file fall on the lattice.
    """
    height, width = read[0].shape
    work = (np.empty(width), np.empty(axes[1].whole_from.size))
    spill = Spill(np.empty((SPILL_START, 3), dtype=np.int32), np.empty(SPILL_START), 0)
    top = 0
    while top < height:
        bottom = _end_of_band(axes[0], read[1][0] + top, read[1][0] + height) - read[1][0]
        common = common_runs(runs, read[1][0] + top, read[1][0] + bottom, (read[1][1], width))
        for k in range(common.shape[0]):
            part = (top, bottom, common[k, 0], common[k, 1])
            spill = _sum_part(read, part, common[k, 2], axes, (target, report, spill), work)
        for i in range(top, bottom if bottom - top > 1 else top):
            left = other_runs(runs, read[1][0] + i, common, (read[1][1], width))
            for k in range(left.shape[0]):
                part = (i, i + 1, left[k, 0], left[k, 1])
                spill = _sum_part(read, part, left[k, 2], axes, (target, report, spill), work)
        top = bottom
    return spill


@njit(nogil=True, cache=True)
def _end_of_band(rows: Parts, first: int, end: int) -> int:
    """Return the end of the rows of pixels that lie, like the first, wholly in one row of cells."""
    last = first + 1
    if rows.at[first + 1] - rows.at[first] == 1:
        cell = rows.cell[rows.at[first]]
        while last < end and rows.at[last + 1] - rows.at[last] == 1 and rows.cell[rows.at[last]] == cell:
            last += 1
    return last


@njit(nogil=True, cache=True)
def _sum_part(
    read: tuple[np.ndarray, tuple[int, int], Coding],
    part: tuple[int, int, int, int],
    label: int,
    axes: tuple[Parts, Columns],
    out: tuple[Target, Report, Spill],
    work: tuple[np.ndarray, np.ndarray],
) -> Spill:
    """Sum pixels of one label, all in the same rows of cells: down, then along, then to the cells."""
    stored, corner, coding = read
    target, report, spill = out
    people, sums = work
    first, last = part[2], part[3]
    target.nodata[label + 1] += add_rows(stored, part, people, corner, (coding, report))
    total = add_up(people, first, last)
    target.count_in[label + 1] += total
    if label < 0 or total <= 0.0:
        return spill
    low, high = _collapse(people, (first, last, corner[1]), axes[1], sums)
    row = corner[0] + part[0]
    return _spread(sums, (row, label, low, high), (axes[0], axes[1].base), target, spill)


@njit(nogil=True, cache=True)
def add_up(people: np.ndarray, first: int, last: int) -> float:
    """Sum part of a row in four strands, which is four times as fast and has the same bits everywhere."""
    a = b = c = d = 0.0
    n = first + (last - first) // 4 * 4
    for i in range(first, n, 4):
        a += people[i]
        b += people[i + 1]
        c += people[i + 2]
        d += people[i + 3]
    for i in range(n, last):
        a += people[i]
    return (a + b) + (c + d)


@njit(nogil=True, cache=True)
def _collapse(
    people: np.ndarray, place: tuple[int, int, int], cols: Columns, sums: np.ndarray
) -> tuple[int, int]:
    """Sum part of a row of pixels to columns of cells; return the first and last of them in the tables."""
    first, last, offset = place
    left, right = first + offset, last - 1 + offset
    low = min(cols.low[left], cols.low[right]) - cols.base
    high = max(cols.high[left], cols.high[right]) - cols.base
    for k in range(low, high + 1):
        total = 0.0
        for i in range(max(cols.whole_from[k] - offset, first), min(cols.whole_to[k] - offset, last)):
            total += people[i]
        for j in range(cols.piece_at[k], cols.piece_at[k + 1]):
            i = cols.piece_pixel[j] - offset
            if i >= first and i < last:
                total += people[i] * cols.piece_share[j]
        sums[k] = total
    return low, high


@njit(nogil=True, cache=True)
def _spread(
    sums: np.ndarray,
    what: tuple[int, int, int, int],
    lattice: tuple[Parts, int],
    target: Target,
    spill: Spill,
) -> Spill:
    """Share the sums of one row of pixels among the rows of cells that it touches."""
    row, label, low, high = what
    rows, base = lattice
    n_rows, n_cols = target.home.shape
    for k in range(rows.at[row], rows.at[row + 1]):
        cell_row, share = rows.cell[k], rows.share[k]
        spill = make_room(spill, high - low + 1)
        n = spill.size
        in_rows = cell_row >= 0 and cell_row < n_rows
        home = target.home[cell_row if in_rows else 0]
        dense = target.dense[cell_row - target.corner[0] if in_rows else 0]
        left = target.corner[1]
        for j in range(low, high + 1):
            count = sums[j] * share
            if count <= 0.0:
                continue
            col = base + j
            if in_rows and col >= 0 and col < n_cols and home[col] == label:
                dense[col - left] += count
            else:
                spill.place[n, 0], spill.place[n, 1], spill.place[n, 2] = cell_row, col, label
                spill.people[n] = count
                n += 1
        spill = Spill(spill.place, spill.people, n)
    return spill


@njit(nogil=True, cache=True)
def make_room(spill: Spill, more: int) -> Spill:
    """Return the list with room for some more entries."""
    if spill.size + more <= spill.people.size:
        return spill
    length = max(2 * spill.people.size, spill.size + more)
    place, people = np.empty((length, 3), dtype=np.int32), np.empty(length)
    place[: spill.size] = spill.place[: spill.size]
    people[: spill.size] = spill.people[: spill.size]
    return Spill(place, people, spill.size)
