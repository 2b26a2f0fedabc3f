"""A raster to the cells of a bare lattice: no counties and no tables, an array in memory and little else.

``sum_raster(source, lay_lattice(bounds, 1_000.0))`` is all that a script needs. It plans and sums as the
engines do for a grid with counties; neither pandas nor geopandas is loaded for it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from siteplanner.engines.raster_jobs import add_windows, sum_windows
from siteplanner.engines.raster_plans import plan_raster
from siteplanner.engines.regions import cell_sides
from siteplanner.errors import InputError
from siteplanner.layers.rasters import check_headers
from siteplanner.layers.sources import RasterSource
from siteplanner.layers.threads import count_threads
from siteplanner.model.lattice import Lattice, edge_lines

if TYPE_CHECKING:
    from siteplanner.scenario import PixelMethod


@dataclass(frozen=True, slots=True, eq=False)
class CellPeople:
    """A raster on a lattice, and its account.

    Parameters
    ----------
    people
        By cell, rows (from the south) x columns (from the west), float64.
    count_in, count_outside
        People of the pixels whose centre lies on the lattice, and of the others, from the raster itself.
        `people` adds up to the former.
    nodata_in, nodata_outside
        Pixels that stand for no data.
    """

    people: np.ndarray
    count_in: float
    count_outside: float
    nodata_in: int
    nodata_outside: int


def sum_raster(
    source: RasterSource,
    lattice: Lattice,
    *,
    pixel_method: "PixelMethod" = "auto",
    threads: int | None = None,
) -> CellPeople:
    """Sum persons per pixel to the cells of a lattice; people are never resampled.

    People of a pixel whose centre lies on the lattice stay on it: what of them falls beside it goes to the
    nearest cell.

    Parameters
    ----------
    pixel_method
        As `scenario.GridSettings`: ``area`` splits pixels by area, ``centre`` gives each whole to the cell of
        its centre, ``auto`` splits those that are larger than a quarter of a cell.
    threads
        As many as there are cores when None; the answer does not depend on it.

    Raises
    ------
    InputError
        When a file is no raster of counts, has no pixel on the lattice, or pixels hold no counts of people.
    """
    lons, lats = edge_lines(lattice)
    bounds = float(lons[0]), float(lats[0]), float(lons[-1]), float(lats[-1])
    faults = check_headers([Path(path) for path in source.paths], source.names, bounds)
    if faults:
        raise InputError(faults)
    home = np.zeros((lattice.n_rows, lattice.n_cols), dtype=np.int32)
    job = plan_raster(source, lattice, home, cell_sides(lattice, home), pixel_method)
    total = add_windows(job, sum_windows(job, count_threads() if threads is None else threads))
    # By label + 1, and there is one label.
    outside, inside = total.count_in.tolist()
    nodata_outside, nodata_inside = total.nodata.tolist()
    return CellPeople(total.people, inside, outside, nodata_inside, nodata_outside)
