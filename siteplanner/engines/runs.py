"""Which region each pixel belongs to, as runs of pixels, not as an array of the raster's size.

A scanline fill (Foley et al. 1990, "Computer graphics", section 3.6): the edges of a polygon cross the line
through the centres of a row of pixels an even number of times, and between the first and the second crossing
the line is inside. Edges hold their lower end and not their upper one, and a centre on a crossing lies east
of it, so that a centre on a common border belongs to exactly one side.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

OUTSIDE_LABEL = -1


class Edges(NamedTuple):
    """Sides of the polygons in pixels: u along the columns, v along the rows, ``v0 < v1``."""

    label: np.ndarray
    u0: np.ndarray
    v0: np.ndarray
    u1: np.ndarray
    v1: np.ndarray


class Runs(NamedTuple):
    """Runs of pixels of one label: those of row i are entries ``at[i]`` to ``at[i + 1]``.

    Parameters
    ----------
    first
        First column of each run; a run ends where the next begins, the last one with the row.
    label
        Number of the region, -1 for pixels in none.
    """

    at: np.ndarray
    first: np.ndarray
    label: np.ndarray


def make_edges(label: np.ndarray, start: np.ndarray, stop: np.ndarray) -> Edges:
    """Put sides upright and drop flat ones; a side that two polygons share is crossed at the same place.

    Parameters
    ----------
    start, stop
        Ends of the sides, n x 2: u and v.
    """
    turned = start[:, 1] > stop[:, 1]
    low = np.where(turned[:, None], stop, start)
    high = np.where(turned[:, None], start, stop)
    upright = low[:, 1] < high[:, 1]
    low, high = low[upright], high[upright]
    return Edges(
        label[upright].astype(np.int64),
        np.ascontiguousarray(low[:, 0]),
        np.ascontiguousarray(low[:, 1]),
        np.ascontiguousarray(high[:, 0]),
        np.ascontiguousarray(high[:, 1]),
    )


def fill_runs(edges: Edges, shape: tuple[int, int], n_labels: int) -> Runs:
    """Return the runs of every row of pixels; where regions overlap the smallest label holds.

    Parameters
    ----------
    shape
        Rows and columns of pixels.
    n_labels
        Labels are 0 to n_labels - 1.
    """
    height, width = shape
    first = np.clip(np.ceil(edges.v0 - 0.5), 0, height).astype(np.int64)
    last = np.clip(np.ceil(edges.v1 - 0.5), 0, height).astype(np.int64)
    keys = np.empty(int((last - first).sum()), dtype=np.int64)
    _cross(edges, (first, last), (width, n_labels), keys)
    keys.sort()
    at = np.zeros(height + 1, dtype=np.int64)
    run_first, run_label = np.empty(len(keys) + height, np.int32), np.empty(len(keys) + height, np.int32)
    n_runs = _sweep(keys, (width, n_labels), at, run_first, run_label)
    return Runs(at, run_first[:n_runs].copy(), run_label[:n_runs].copy())


@njit(cache=True)
def _cross(
    edges: Edges, rows: tuple[np.ndarray, np.ndarray], size: tuple[int, int], keys: np.ndarray
) -> None:
    """List the crossings of edges and rows; a key sorts by row, column and label."""
    width, n_labels = size
    n = 0
    for i in range(edges.label.size):
        slope = (edges.u1[i] - edges.u0[i]) / (edges.v1[i] - edges.v0[i])
        for row in range(rows[0][i], rows[1][i]):
            u = edges.u0[i] + (row + 0.5 - edges.v0[i]) * slope
            col = np.int64(min(max(np.ceil(u - 0.5), 0.0), np.float64(width)))
            keys[n] = (row * (width + 1) + col) * n_labels + edges.label[i]
            n += 1


@njit(cache=True)
def _sweep(
    keys: np.ndarray, size: tuple[int, int], at: np.ndarray, run_first: np.ndarray, run_label: np.ndarray
) -> int:
    """Go along each row through its crossings and note where the smallest open label changes."""
    width, n_labels = size
    is_open = np.zeros(n_labels, dtype=np.bool_)
    opened = np.empty(n_labels, dtype=np.int64)
    n_runs, k = 0, 0
    for row in range(at.size - 1):
        at[row] = n_runs
        run_first[n_runs], run_label[n_runs] = 0, -1
        n_runs += 1
        n_open = 0
        while k < keys.size and keys[k] // n_labels // (width + 1) == row:
            col = keys[k] // n_labels % (width + 1)
            while k < keys.size and keys[k] // n_labels == row * (width + 1) + col:
                n_open = _toggle(keys[k] % n_labels, is_open, opened, n_open)
                k += 1
            label = n_labels
            for i in range(n_open):
                label = min(label, opened[i])
            label = -1 if label == n_labels else label
            if col == width or label == run_label[n_runs - 1]:
                continue
            # A run that begins where the last one began takes its place.
            if col > run_first[n_runs - 1]:
                n_runs += 1
            run_first[n_runs - 1], run_label[n_runs - 1] = col, label
    at[at.size - 1] = n_runs
    return n_runs


@njit(cache=True)
def _toggle(label: int, is_open: np.ndarray, opened: np.ndarray, n_open: int) -> int:
    """Open a closed label, close an open one; return how many are open."""
    if not is_open[label]:
        is_open[label] = True
        opened[n_open] = label
        return n_open + 1
    is_open[label] = False
    for i in range(n_open):
        if opened[i] == label:
            opened[i] = opened[n_open - 1]
            break
    return n_open - 1


@njit(nogil=True, cache=True)
def runs_of_row(runs: Runs, row: int, across: tuple[int, int]) -> np.ndarray:
    """Return the runs of a row within a window: first column, last column + 1 and label, n x 3.

    Parameters
    ----------
    across
        First column and width of the window; columns are told from its first.
    """
    offset, width = across
    at, end = runs.at[row], runs.at[row + 1]
    found = np.empty((end - at, 3), dtype=np.int64)
    n = 0
    for k in range(at, end):
        stop = runs.first[k + 1] if k + 1 < end else offset + width
        first, last = max(runs.first[k] - offset, 0), min(stop - offset, width)
        if first < last:
            found[n, 0], found[n, 1], found[n, 2] = first, last, runs.label[k]
            n += 1
    return found[:n]


@njit(nogil=True, cache=True)
def common_runs(runs: Runs, first: int, last: int, across: tuple[int, int]) -> np.ndarray:
    """Return where all rows from the first to before the last have the same label, as `runs_of_row`."""
    common = runs_of_row(runs, first, across)
    for row in range(first + 1, last):
        mine = runs_of_row(runs, row, across)
        both = np.empty((len(common) + len(mine), 3), dtype=np.int64)
        i = j = n = 0
        while i < len(common) and j < len(mine):
            left, right = max(common[i, 0], mine[j, 0]), min(common[i, 1], mine[j, 1])
            if left < right and common[i, 2] == mine[j, 2]:
                both[n, 0], both[n, 1], both[n, 2] = left, right, common[i, 2]
                n += 1
            if common[i, 1] < mine[j, 1]:
                i += 1
            else:
                j += 1
        common = both[:n]
    return common


@njit(nogil=True, cache=True)
def other_runs(runs: Runs, row: int, common: np.ndarray, across: tuple[int, int]) -> np.ndarray:
    """Return the runs of a row without the columns of the common runs, as `runs_of_row`."""
    mine = runs_of_row(runs, row, across)
    rest = np.empty((len(common) + len(mine) + 1, 3), dtype=np.int64)
    n = j = 0
    for i in range(len(mine)):
        at = mine[i, 0]
        while j < len(common) and common[j, 0] < mine[i, 1]:
            if at < common[j, 0]:
                rest[n, 0], rest[n, 1], rest[n, 2] = at, common[j, 0], mine[i, 2]
                n += 1
            at = common[j, 1]
            j += 1
        if at < mine[i, 1]:
            rest[n, 0], rest[n, 1], rest[n, 2] = at, mine[i, 1], mine[i, 2]
            n += 1
    return rest[:n]
