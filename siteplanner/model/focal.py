"""Sums and means over the neighbourhood of every cell, on the whole lattice at once.

A disc is cut into lattice rows; each row's part of a sum is the difference of two running totals. The work
per cell grows with the radius, not with its square, and no geometry is ever made.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numba import njit
from scipy import ndimage

from siteplanner.model.grid import Grid, Lattice, centre_lines, edge_lines
from siteplanner.model.sphere import EARTH_RADIUS_KM

# Cells whose centres lie exactly on the rim belong to the disc in spite of rounding.
_RIM = 1e-9


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


@njit(cache=True)
def _sum_rows(running: np.ndarray, half_widths: np.ndarray, out: np.ndarray) -> None:
    n_rows, n_cols = out.shape
    reach = half_widths.shape[1] // 2
    for row in range(n_rows):
        for d in range(half_widths.shape[1]):
            width = half_widths[row, d]
            other = row + d - reach
            if width < 0 or other < 0 or other >= n_rows:
                continue
            for col in range(n_cols):
                low = max(col - width, 0)
                high = min(col + width + 1, n_cols)
                out[row, col] += running[other, high] - running[other, low]


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
    running = np.zeros((field.shape[0], field.shape[1] + 1))
    np.cumsum(field, axis=1, out=running[:, 1:])
    out = np.zeros(field.shape)
    _sum_rows(running, disc.half_widths, out)
    # What is left of a sum of nothing is the rounding of the running totals: 0, lest it pass for a little.
    rounding = np.abs(running).max() * np.finfo(float).eps * running.shape[1] * disc.half_widths.shape[1]
    out[np.abs(out) <= rounding] = 0.0
    return out


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
    total = _weigh(spread(values, grid.cells, grid.lattice), kernel)
    count = _weigh(spread(np.ones(len(grid.cells)), grid.cells, grid.lattice), kernel)
    return take(total / np.maximum(count, kernel.max() ** 2), grid)


def _weigh(array: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    by_row = ndimage.correlate1d(array, kernel, axis=0, mode="constant")
    return np.asarray(ndimage.correlate1d(by_row, kernel, axis=1, mode="constant"))


def _box_kernel(side: float) -> np.ndarray:
    """Return the part of each cell inside an interval of that many cells around a cell's centre."""
    reach = int(np.ceil((side - 1.0) / 2.0)) if side > 1.0 else 0
    offset = np.abs(np.arange(-reach, reach + 1.0))
    return np.asarray(np.clip(side / 2.0 - (offset - 0.5), 0.0, min(side, 1.0)))


def take(field: np.ndarray, grid: Grid) -> np.ndarray:
    """Take the values of the grid's cells, in their order, from a field on the lattice."""
    return np.asarray(field[grid.cells["row"].to_numpy(), grid.cells["col"].to_numpy()])


def spread(values: np.ndarray, cells: pd.DataFrame, lattice: Lattice) -> np.ndarray:
    """Lay values of cells (`tables.CELLS`, same order) on the lattice; 0 elsewhere."""
    field = np.zeros((lattice.n_rows, lattice.n_cols), dtype=values.dtype)
    field[cells["row"].to_numpy(), cells["col"].to_numpy()] = values
    return field
