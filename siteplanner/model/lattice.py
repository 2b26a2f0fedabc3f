"""Sums over the neighbourhood of every cell.

Cells are treated as squares of true area. Away from the standard parallel a disc is therefore an ellipse of
the right area, its axes off by up to 4 % over a province of six degrees of latitude and 25 % over China.
Trips are never measured here: see `access`.
"""

import numpy as np
from numba import njit
from scipy import ndimage

from siteplanner.model.grid import Grid

# Keeps a centre that lies on the circle inside it, whatever the last bits.
ON_CIRCLE = 1e-9


def to_lattice(grid: Grid, values: np.ndarray) -> np.ndarray:
    """Spread values by cell over the lattice, shape (n_rows, n_cols); 0 where the region has no cell."""
    shape = (grid.lattice.n_rows, grid.lattice.n_cols)
    array = np.zeros(shape[0] * shape[1])
    array[grid.cells.index.to_numpy()] = values
    return array.reshape(shape)


def from_lattice(grid: Grid, array: np.ndarray) -> np.ndarray:
    """Take the values of the region's cells from a lattice array, in the order of the cells."""
    return np.asarray(array.ravel()[grid.cells.index.to_numpy()])


def focal_sum(grid: Grid, values: np.ndarray, radius_m: float) -> np.ndarray:
    """Sum the values of all cells whose centre lies within a radius of the cell's centre, itself included.

    Parameters
    ----------
    values
        One value per cell of the grid, in its order.

    Returns
    -------
    One sum per cell of the grid; exactly 0 where all values within the radius are 0. The number of neighbours
    is the sum of ones.
    """
    radius = radius_m / grid.lattice.cell_m * (1.0 + ON_CIRCLE)
    reach = int(radius)
    half_width = np.sqrt(radius**2 - np.arange(-reach, reach + 1.0) ** 2).astype(np.int64)
    array = to_lattice(grid, values)
    rows, cols = grid.cells["row"].to_numpy(), grid.cells["col"].to_numpy()
    return np.asarray(_disc_sum(array, rows, cols, half_width))


def focal_mean(grid: Grid, values: np.ndarray, side_m: float) -> np.ndarray:
    """Average values over a square around each cell's centre, by area, over the region's cells only.

    Parameters
    ----------
    side_m
        Side of the square, m; cells that it cuts count with the part inside.
    """
    kernel = _box_kernel(side_m / grid.lattice.cell_m)
    total = _weigh(to_lattice(grid, values), kernel)
    count = _weigh(to_lattice(grid, np.ones(len(grid.cells))), kernel)
    return from_lattice(grid, total / np.maximum(count, kernel.max() ** 2))


def _weigh(array: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    by_row = ndimage.correlate1d(array, kernel, axis=0, mode="constant")
    return np.asarray(ndimage.correlate1d(by_row, kernel, axis=1, mode="constant"))


def _box_kernel(side: float) -> np.ndarray:
    """Return the part of each cell inside an interval of that many cells around a cell's centre."""
    reach = int(np.ceil((side - 1.0) / 2.0)) if side > 1.0 else 0
    offset = np.abs(np.arange(-reach, reach + 1.0))
    return np.asarray(np.clip(side / 2.0 - (offset - 0.5), 0.0, min(side, 1.0)))


@njit(cache=True)
def _disc_sum(array: np.ndarray, rows: np.ndarray, cols: np.ndarray, half_width: np.ndarray) -> np.ndarray:
    """Sum rows of the disc from running sums; a running count of non-zero cells keeps empty discs at 0."""
    n_rows, n_cols = array.shape
    reach = half_width.size // 2
    running = np.zeros((n_rows, n_cols + 1))
    filled = np.zeros((n_rows, n_cols + 1), dtype=np.int32)
    for row in range(n_rows):
        for col in range(n_cols):
            running[row, col + 1] = running[row, col] + array[row, col]
            filled[row, col + 1] = filled[row, col] + (array[row, col] != 0.0)
    sums = np.zeros(rows.size)
    for i in range(rows.size):
        for row in range(max(rows[i] - reach, 0), min(rows[i] + reach + 1, n_rows)):
            width = half_width[row - rows[i] + reach]
            first, last = max(cols[i] - width, 0), min(cols[i] + width + 1, n_cols)
            if filled[row, last] > filled[row, first]:
                sums[i] += running[row, last] - running[row, first]
    return sums
