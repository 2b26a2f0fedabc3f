"""A raster, a grid and its counties to a job of independent windows."""

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplanner.engines.borders import polygon_sides
from siteplanner.engines.raster_jobs import RasterJob
from siteplanner.engines.raster_plans import plan_raster
from siteplanner.engines.regions import cell_sides
from siteplanner.layers.sources import RasterSource
from siteplanner.model.grid import Grid


def plan_people(source: RasterSource, grid: Grid, counties: gpd.GeoDataFrame) -> RasterJob:
    """Plan the sum of persons per pixel to cells and counties.

    Parameters
    ----------
    counties
        Sorted; a county's label is its place. Where counties overlap the first one holds.
    """
    # Each id is looked up once, not once a cell.
    code, ids = pd.factorize(grid.cells["county_id"])
    home = _lay_out(grid, counties.index.get_indexer(ids).astype(np.int32)[code])
    sides = polygon_sides(counties.geometry.to_numpy())
    return plan_raster(source, grid.lattice, home, sides, grid.pixel_method)


def plan_region(source: RasterSource, grid: Grid) -> RasterJob:
    """Plan the sum of a raster to cells; pixels whose centre lies in no cell of the grid are outside."""
    home = _lay_out(grid, np.zeros(len(grid.cells), dtype=np.int32))
    return plan_raster(source, grid.lattice, home, cell_sides(grid.lattice, home), grid.pixel_method)


def _lay_out(grid: Grid, labels: np.ndarray) -> np.ndarray:
    """Return the label of each cell of the lattice, rows x columns; -1 for cells beside the grid."""
    lattice = grid.lattice
    home = np.full(lattice.n_rows * lattice.n_cols, -1, dtype=np.int32)
    home[grid.cells.index.to_numpy()] = labels
    return home.reshape(lattice.n_rows, lattice.n_cols)
