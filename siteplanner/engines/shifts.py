"""GCJ-02 and BD-09 for many points: the shift is read off a table wherever the table cannot change a cell.

The formulas of `layers.datum` take a microsecond a point. Their shift is smooth, so between nodes a hundredth
of a degree apart it is interpolated; points within the error of that from the edge of a cell are left to the
formulas, and so no point gets another cell than they give it.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import njit

from siteplanner.layers.datum import CHINA_EAST, CHINA_NORTH, CHINA_SOUTH, CHINA_WEST, to_wgs84
from siteplanner.model.lattice import Lattice, edge_lines
from siteplanner.scenario import Datum

STEP_DEG = 0.01
NODES_MAX = 1 << 20
# Error of the interpolation at that step, degrees: a quarter of the squared step times the second derivatives
# is 1e-6 (20 sin 6 pi x metres of GCJ-02) and 2.4e-5 (3e-6 cos 52.4 x radians of BD-09); about twice that.
ERROR_DEG = {"gcj02": 3e-6, "bd09": 5e-5}
# No point is moved further, degrees.
MARGIN_DEG = 0.03


@dataclass(frozen=True, slots=True, eq=False)
class ShiftTable:
    """Shifts in degrees at the nodes of a regular net around a lattice.

    Parameters
    ----------
    shifts
        Shape (nodes from the south, nodes from the west, 2): what is added to longitude and latitude; not a
        number near the border of the box in which points are shifted.
    error_deg
        The interpolation is that near the formulas, degrees.
    """

    west: float
    south: float
    step_deg: float
    shifts: np.ndarray
    error_deg: float


@lru_cache(maxsize=2)
def shift_table(lattice: Lattice, datum: Datum) -> ShiftTable:
    """Lay the table for a datum over a lattice; the net is wider over a larger one."""
    lons, lats = edge_lines(lattice)
    west, south = float(lons[0]) - MARGIN_DEG, float(lats[0]) - MARGIN_DEG
    width, height = float(lons[-1]) + MARGIN_DEG - west, float(lats[-1]) + MARGIN_DEG - south
    step = STEP_DEG
    while (width / step + 2.0) * (height / step + 2.0) > NODES_MAX:
        step *= 2.0
    lon, lat = np.meshgrid(
        west + np.arange(int(width / step) + 2) * step, south + np.arange(int(height / step) + 2) * step
    )
    true_lon, true_lat = to_wgs84(lon, lat, datum)
    near = MARGIN_DEG + step
    border = (
        (np.minimum(abs(lon - CHINA_WEST), abs(lon - CHINA_EAST)) < near)
        | (np.minimum(abs(lat - CHINA_SOUTH), abs(lat - CHINA_NORTH)) < near)
    )  # fmt: skip
    shifts = np.where(border[..., None], np.nan, np.stack([true_lon - lon, true_lat - lat], axis=-1))
    return ShiftTable(west, south, step, shifts, ERROR_DEG[datum] * (step / STEP_DEG) ** 2)


def shift(table: ShiftTable, lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return longitude and latitude in WGS 84 within the table's error; not a number where it has none.

    Points outside the table, which are off its lattice by more than any shift, stay as they are.
    """
    out_lon, out_lat = np.empty(len(lon)), np.empty(len(lon))
    _interpolate(lon, lat, (table.west, table.south, 1.0 / table.step_deg), table.shifts, (out_lon, out_lat))
    return out_lon, out_lat


@njit(nogil=True, cache=True)
def _interpolate(
    lon: np.ndarray,
    lat: np.ndarray,
    net: tuple[float, float, float],
    shifts: np.ndarray,
    out: tuple[np.ndarray, np.ndarray],
) -> None:
    west, south, per_degree = net
    for i in range(lon.size):
        x, y = (lon[i] - west) * per_degree, (lat[i] - south) * per_degree
        out[0][i], out[1][i] = lon[i], lat[i]
        if not (0.0 <= x < shifts.shape[1] - 1 and 0.0 <= y < shifts.shape[0] - 1):
            continue
        col, row = int(x), int(y)
        u, v = x - col, y - row
        for k in range(2):
            low = shifts[row, col, k] * (1.0 - u) + shifts[row, col + 1, k] * u
            high = shifts[row + 1, col, k] * (1.0 - u) + shifts[row + 1, col + 1, k] * u
            out[k][i] += low * (1.0 - v) + high * v
