"""A raster, a grid and regions to a job of independent windows."""

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplanner.engines.placing import Placing, pixel_side, place_file
from siteplanner.engines.raster_jobs import RasterJob, Tile
from siteplanner.engines.regions import Sides, county_sides, grid_sides, in_pixels
from siteplanner.engines.runs import fill_runs
from siteplanner.engines.shares import assign_centres, by_column, share_out
from siteplanner.layers.gdal import open_geotiff
from siteplanner.layers.pixels import Window, list_windows
from siteplanner.layers.records import RasterSource
from siteplanner.model.grid import Grid, Lattice

# `auto` splits pixels by area when their longer side is more than this part of the cell's side.
SPLIT_SIDE = 0.25


def plan_people(source: RasterSource, grid: Grid, counties: gpd.GeoDataFrame) -> RasterJob:
    """Plan the sum of persons per pixel to cells and counties.

    Parameters
    ----------
    counties
        Sorted; a county's label is its place. Where counties overlap the first one holds.
    """
    # Each id is looked up once, not once a cell.
    code, ids = pd.factorize(grid.cells["county_id"])
    home = counties.index.get_indexer(ids).astype(np.int32)[code]
    return _plan(source, grid, home, county_sides(counties))


def plan_region(source: RasterSource, grid: Grid) -> RasterJob:
    """Plan the sum of a raster to cells; pixels whose centre lies in no cell of the grid are outside."""
    return _plan(source, grid, np.zeros(len(grid.cells), dtype=np.int32), grid_sides(grid))


def _plan(source: RasterSource, grid: Grid, labels: np.ndarray, sides: Sides) -> RasterJob:
    lattice = grid.lattice
    home = np.full(lattice.n_rows * lattice.n_cols, -1, dtype=np.int32)
    home[grid.cells.index.to_numpy()] = labels
    tiles: list[Tile] = []
    windows: list[Window] = []
    for number, path in enumerate(source.paths):
        with open_geotiff(path) as raster:
            windows += list_windows(raster.shape, raster.block_shapes[0], number, len(windows))
            tiles.append(_lay(place_file(raster), raster.shape, grid, sides))
    return RasterJob(
        source.paths, source.names, tuple(tiles), tuple(windows),
        lattice, home.reshape(lattice.n_rows, lattice.n_cols), sides.n_labels,
    )  # fmt: skip


def _lay(placing: Placing, shape: tuple[int, int], grid: Grid, sides: Sides) -> Tile:
    lattice = grid.lattice
    split = grid.pixel_method == "area" or (
        grid.pixel_method == "auto" and pixel_side(placing, lattice) > SPLIT_SIDE
    )
    runs = fill_runs(in_pixels(sides, placing), shape, sides.n_labels)
    if not placing.is_straight:
        return Tile(shape, None, placing, runs, split=split)
    rows, cols = _edges(placing, shape, lattice)
    parts = share_out if split else assign_centres
    return Tile(shape, (parts(rows), by_column(parts(cols))), placing, runs, split=split)


def _edges(placing: Placing, shape: tuple[int, int], lattice: Lattice) -> tuple[np.ndarray, np.ndarray]:
    """Return the edges of the rows and columns of pixels in cells from the lattice's corner."""
    rows, cols = np.arange(shape[0] + 1.0), np.arange(shape[1] + 1.0)
    row_edges = placing.to_cells(lattice, np.zeros_like(rows), rows)[1]
    return row_edges, placing.to_cells(lattice, cols, np.zeros_like(cols))[0]
