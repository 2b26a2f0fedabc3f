"""People of a raster inside polygons, pixels split by exact area."""

from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplanner.engines.borders import Borders, lay_borders, polygon_borders
from siteplanner.engines.walk import Method, lay_route, walk_window
from siteplanner.layers.rasters import open_raster, read_bands, rows_of_band


def sum_polygons(paths: Sequence[str | Path], polygons: gpd.GeoDataFrame) -> "pd.Series[float]":
    """Sum people to polygons, every pixel by the share of its area in the raster's plane that lies inside.

    Parameters
    ----------
    paths
        One raster, or the tiles of a mosaic; what is missing counts 0.
    polygons
        Valid polygons in WGS 84 degrees; may overlap, may lie partly or wholly off the raster.

    Returns
    -------
    People by the index of the polygons.
    """
    borders = polygon_borders(polygons.geometry.to_numpy())
    people = sum_borders(paths, borders, "area")
    return pd.Series(people, index=polygons.index, name="people")


def sum_borders(paths: Sequence[str | Path], borders: Borders, method: Method) -> np.ndarray:
    """Sum people to areas given by their borders."""
    people = np.zeros(borders.n_areas)
    for path in paths:
        with open_raster(path) as raster:
            rows = rows_of_band(raster)
            route = lay_route(lay_borders(borders, raster), np.arange(0, raster.height, rows), raster.height)
            for band in read_bands(raster):
                owner, added = walk_window(route, (band.row, 0), band.people, method)
                people += np.bincount(owner, weights=added, minlength=borders.n_areas)
    return people
