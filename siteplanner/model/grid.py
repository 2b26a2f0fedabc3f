"""One equal-area lattice for everything that is counted."""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplanner import tables
from siteplanner.scenario import GridSettings


@dataclass(frozen=True, slots=True)
class Lattice:
    """A cylindrical equal-area lattice on WGS 84.

    The standard parallel is the region's middle latitude, so that rows and columns are straight in longitude
    and latitude and areas are true. Its metres are not distances: those are taken on the sphere.

    Parameters
    ----------
    standard_parallel_deg
        Latitude of true scale, degrees.
    x0_m, y0_m
        South-west corner in the plane, m; multiples of ``cell_m``.
    """

    cell_m: float
    standard_parallel_deg: float
    x0_m: float
    y0_m: float
    n_rows: int
    n_cols: int


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """The cells of the region: ``cell_id = row * n_cols + col``, sorted."""

    lattice: Lattice
    cells: pd.DataFrame

    def __post_init__(self) -> None:
        tables.check(self.cells, tables.CELLS)


def make_grid(counties: gpd.GeoDataFrame, settings: GridSettings) -> Grid:
    """Cover the counties with cells; every cell that touches the region belongs to it."""
    raise NotImplementedError


def to_plane(lattice: Lattice, lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Project WGS 84 degrees to the lattice's plane, m (closed form of the ellipsoidal projection)."""
    raise NotImplementedError


def to_lonlat(lattice: Lattice, x_m: np.ndarray, y_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inverse of `to_plane`, degrees."""
    raise NotImplementedError


def cell_ids(grid: Grid, lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Return the cell of each point, int64; -1 for points in no cell of the grid."""
    raise NotImplementedError
