"""Sums and means over the neighbourhood of every cell, on the whole lattice at once.

A disc is cut into columns from its rim inwards: the rows that reach so far are added up once, and every
column of the disc takes its part of them. The work per cell grows with the radius, not with its square, no
geometry is ever made, and nothing is ever subtracted: whole numbers stay exact, a sum of nothing is 0, and a
cell's sum depends on the cells around it alone, not on where the lattice begins or how many threads work.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numba import get_num_threads, njit

from siteplanner.model.grid import Grid
from siteplanner.model.lattice import Lattice, centre_lines, edge_lines
from siteplanner.model.sphere import EARTH_RADIUS_KM

# Cells whose centres lie exactly on the rim belong to the disc in spite of rounding.
_RIM = 1e-9

# Rows of the lattice that one thread takes at a time, and columns summed at once: a few megabytes, so that
# what is added again and again stays in the processor's own memory.
_STRIP_ROWS = 128
_BLOCK_COLS = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Disc:
    """Which cells lie within a distance of a cell, for every lattice row.

    Parameters
    ----------
    half_widths
        int32, shape (n_rows, 2 k + 1): from a cell of row r, the cells of row r + d - k lie within the
        distance up to that many columns to either side; -1 when none does.
    """

    half_widths: np.ndarray


def make_disc(lattice: Lattice, radius_m: float) -> Disc:
    """Find, row by row, the cells whose centres are within a great-circle distance in m (haversine formula).

    The lattice's own metres are no distances, so the widths differ from row to row.
    """
    rows = np.arange(lattice.n_rows)
    lons, lats = edge_lines(lattice)[0], centre_lines(lattice)[1]
    lat, step = np.radians(lats), np.radians(lons[1] - lons[0])
    angle = radius_m / 1_000.0 / EARTH_RADIUS_KM
    chord = np.sin(min(angle / 2.0, np.pi / 2)) ** 2
    narrowest = float(np.diff(lat).min()) if lat.size > 1 else np.inf
    reach = min(int(angle / narrowest) + 1, lattice.n_rows - 1)
    other = rows[:, None] + np.arange(-reach, reach + 1)[None, :]
    inside = (other >= 0) & (other < lattice.n_rows)
    to = lat[np.where(inside, other, 0)]
    share = (chord - np.sin((to - lat[:, None]) / 2.0) ** 2) / (np.cos(to) * np.cos(lat[:, None]))
    widths = 2.0 * np.arcsin(np.sqrt(np.clip(share, 0.0, 1.0))) / step
    widths = np.minimum(np.floor(widths + _RIM), lattice.n_cols)
    return Disc(np.where(inside & (share >= -_RIM * chord), widths, -1).astype(np.int32))


def make_flat_disc(lattice: Lattice, radius_m: float) -> Disc:
    """Find the cells whose centres are within a distance in the lattice's own plane, the same for every row.

    Cells are taken as squares of true area. Away from the standard parallel such a disc is an ellipse of the
    right area, its axes off by up to 4 % over a province of six degrees of latitude and 25 % over China; but
    a sum over a few cells does not jump from row to row, as it does where a rim runs through centres.
    """
    radius = radius_m / lattice.cell_m * (1.0 + _RIM)
    reach = int(radius)
    widths = np.sqrt(radius**2 - np.arange(-reach, reach + 1.0) ** 2).astype(np.int32)
    return Disc(np.tile(widths, (lattice.n_rows, 1)))


def sum_within(field: np.ndarray, disc: Disc) -> np.ndarray:
    """Sum a field over the disc around every cell, the cell itself included.

    Parameters
    ----------
    field
        Shape (n_rows, n_cols); cells outside the region hold 0. Whole numbers stay exact.

    Returns
    -------
    numpy.ndarray
        float64, same shape.
    """
    out = np.zeros(field.shape)

    def work(rows: slice) -> None:
        add_disc(field, disc.half_widths, rows.start, out[rows])

    by_strips(field.shape, work)
    return out


def by_strips(shape: tuple[int, ...], work: Callable[[slice], None]) -> None:
    """Give every strip of lattice rows to one of the processor's threads; small lattices to this one.

    Parameters
    ----------
    work
        Writes the rows it is given and no others; its heavy part holds no lock (numba ``nogil``, numpy).
    """
    strips = [slice(first, min(first + _STRIP_ROWS, shape[0])) for first in range(0, shape[0], _STRIP_ROWS)]
    if len(strips) == 1 or get_num_threads() == 1:
        for rows in strips:
            work(rows)
        return
    with ThreadPoolExecutor(get_num_threads()) as threads:
        # Going through the answers raises what a thread has raised.
        for _ in threads.map(work, strips):
            pass


@njit(cache=True, nogil=True)
def add_disc(field: np.ndarray, half_widths: np.ndarray, first: int, out: np.ndarray) -> None:
    """Add the disc sums of the rows from ``first`` on to the rows of ``out``.

    Parameters
    ----------
    half_widths
        A row for every row of the field (`Disc`).
    """
    n_rows, n_cols = field.shape
    widest = max(min(half_widths.max(), n_cols - 1), 0)
    rows, start = np.empty(half_widths.shape[1], dtype=np.int64), np.empty(widest + 2, dtype=np.int64)
    block = _block_size(n_cols)
    padded = np.empty(block + 2 * widest, dtype=out.dtype)
    for west in range(0, n_cols, block):
        east = min(west + block, n_cols)
        low, high = max(west - widest, 0), min(east + widest, n_cols)
        # What lies beyond the lattice's edges counts as 0.
        padded[:] = 0
        column = padded[low - west + widest : high - west + widest]
        for row in range(first, first + out.shape[0]):
            _sort_rows(half_widths, row, n_rows, rows, start)
            column[:] = 0
            for width in range(widest, -1, -1):
                _add_rows(column, field, low, rows[start[width + 1] : start[width]])
                if start[width] > 0:
                    _add_columns(out[row - first, west:east], padded, widest, width)


@njit(cache=True, nogil=True)
def _block_size(n_cols: int) -> int:
    """Return the columns to sum at once, in blocks of the same size."""
    n_blocks = (n_cols - 1) // _BLOCK_COLS + 1
    return (n_cols - 1) // n_blocks + 1


@njit(cache=True, nogil=True)
def _sort_rows(half_widths: np.ndarray, row: int, n_rows: int, rows: np.ndarray, start: np.ndarray) -> None:
    """Sort the rows that the disc of a row cuts by falling half width.

    Those of half width w are ``rows[start[w + 1] : start[w]]``, in ascending order.
    """
    size, widest = half_widths.shape[1], start.size - 2
    start[:] = 0
    for d in range(size):
        other, width = row + d - size // 2, min(half_widths[row, d], widest)
        if width >= 0 and 0 <= other < n_rows:
            start[width + 1] += 1
    for width in range(widest - 1, -1, -1):
        start[width + 1] += start[width + 2]
    start[0] = start[1]
    for d in range(size - 1, -1, -1):
        other, width = row + d - size // 2, min(half_widths[row, d], widest)
        if width >= 0 and 0 <= other < n_rows:
            start[width + 1] -= 1
            rows[start[width + 1]] = other


@njit(cache=True, nogil=True)
def _add_rows(total: np.ndarray, field: np.ndarray, low: int, rows: np.ndarray) -> None:
    # Four at a time: the total is read and written once for all of them.
    high, many = low + total.size, rows.size - rows.size % 4
    for i in range(0, many, 4):
        a, b = field[rows[i], low:high], field[rows[i + 1], low:high]
        c, d = field[rows[i + 2], low:high], field[rows[i + 3], low:high]
        for col in range(total.size):
            total[col] = total[col] + a[col] + b[col] + c[col] + d[col]
    for i in range(many, rows.size):
        _add(total, field[rows[i], low:high])


@njit(cache=True, nogil=True)
def _add_columns(total: np.ndarray, padded: np.ndarray, widest: int, width: int) -> None:
    """Add what stands ``width`` columns to either side; column 0 stands at place ``widest``."""
    left, right = padded[widest - width :], padded[widest + width :]
    if width == 0:
        _add(total, left)
        return
    for col in range(total.size):
        total[col] = total[col] + left[col] + right[col]


@njit(cache=True, nogil=True)
def _add(total: np.ndarray, part: np.ndarray) -> None:
    for col in range(total.size):
        total[col] += part[col]


def sum_near(values: np.ndarray, grid: Grid, disc: Disc) -> np.ndarray:
    """Sum values of the grid's cells, in their order, over the disc around each."""
    summed = sum_within(spread(np.asarray(values, dtype=float), grid.cells, grid.lattice), disc)
    return take(summed, grid)


def focal_mean(grid: Grid, values: np.ndarray, side_m: float) -> np.ndarray:
    """Average values over a square around each cell's centre, by area, over the region's cells only.

    Parameters
    ----------
    side_m
        Side of the square, m; cells that it cuts count with the part inside.
    """
    kernel = _box_kernel(side_m / grid.lattice.cell_m)
    field = spread(np.asarray(values, dtype=float), grid.cells, grid.lattice)
    inside = spread(np.ones(len(grid.cells), dtype=bool), grid.cells, grid.lattice)
    mean = np.zeros(field.shape)

    def work(rows: slice) -> None:
        count = np.zeros(mean[rows].shape)
        _add_box(inside, kernel, rows.start, count)
        _add_box(field, kernel, rows.start, mean[rows])
        mean[rows] /= np.maximum(count, kernel.max() ** 2)

    by_strips(field.shape, work)
    return take(mean, grid)


@njit(cache=True, nogil=True)
def _add_box(field: np.ndarray, kernel: np.ndarray, first: int, out: np.ndarray) -> None:
    """Add the sums over the box around every cell, like `add_disc`; its weights by row and by column."""
    n_rows, n_cols = field.shape
    reach = kernel.size // 2
    padded = np.zeros(n_cols + 2 * reach)
    column = padded[reach : reach + n_cols]
    for row in range(first, first + out.shape[0]):
        column[:] = 0.0
        for d in range(max(-reach, -row), min(reach, n_rows - 1 - row) + 1):
            part, weight = field[row + d], kernel[reach + d]
            for col in range(n_cols):
                column[col] += weight * part[col]
        total = out[row - first]
        for d in range(2 * reach + 1):
            weight, shifted = kernel[d], padded[d:]
            for col in range(n_cols):
                total[col] += weight * shifted[col]


def _box_kernel(side: float) -> np.ndarray:
    """Return the part of each cell inside an interval of that many cells around a cell's centre."""
    reach = int(np.ceil((side - 1.0) / 2.0)) if side > 1.0 else 0
    offset = np.abs(np.arange(-reach, reach + 1.0))
    return np.asarray(np.clip(side / 2.0 - (offset - 0.5), 0.0, min(side, 1.0)))


def take(field: np.ndarray, grid: Grid) -> np.ndarray:
    """Take the values of the grid's cells, in their order, from a field on the lattice."""
    return np.asarray(field.ravel()[grid.cells.index.to_numpy()])


def spread(values: np.ndarray, cells: pd.DataFrame, lattice: Lattice) -> np.ndarray:
    """Lay values of cells (`tables.CELLS`, same order) on the lattice; 0 elsewhere."""
    field = np.zeros((lattice.n_rows, lattice.n_cols), dtype=values.dtype)
    field.ravel()[cells.index.to_numpy()] = values
    return field
