"""A raster, a lattice and regions to a job of independent windows."""

from typing import TYPE_CHECKING

import numpy as np

from siteplanner.engines.placing import Placing, pixel_side, place_file
from siteplanner.engines.raster_jobs import RasterJob, Tile
from siteplanner.engines.regions import Sides, in_pixels
from siteplanner.engines.runs import fill_runs
from siteplanner.engines.shares import assign_centres, by_column, share_out
from siteplanner.layers.gdal import open_geotiff
from siteplanner.layers.pixels import Window, list_windows
from siteplanner.layers.sources import RasterSource
from siteplanner.model.lattice import Lattice

if TYPE_CHECKING:
    from siteplanner.scenario import PixelMethod

# `auto` splits pixels by area when their longer side is more than this part of the cell's side.
SPLIT_SIDE = 0.25


def plan_raster(
    source: RasterSource, lattice: Lattice, home: np.ndarray, sides: Sides, method: "PixelMethod"
) -> RasterJob:
    """Plan the sum of a raster to the cells of a lattice.

    Parameters
    ----------
    home
        Label of each cell, rows x columns, int32; -1 for cells that are given no people.
    sides
        Of the regions, by label: a pixel has the label of the region that contains its centre.
    """
    tiles: list[Tile] = []
    windows: list[Window] = []
    for number, path in enumerate(source.paths):
        with open_geotiff(path) as raster:
            windows += list_windows(raster.shape, raster.block_shapes[0], number, len(windows))
            tiles.append(_lay(place_file(raster), raster.shape, (lattice, sides), method))
    return RasterJob(source.paths, source.names, tuple(tiles), tuple(windows), lattice, home, sides.n_labels)


def _lay(
    placing: Placing, shape: tuple[int, int], where: tuple[Lattice, Sides], method: "PixelMethod"
) -> Tile:
    lattice, sides = where
    split = method == "area" or (method == "auto" and pixel_side(placing, lattice) > SPLIT_SIDE)
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
