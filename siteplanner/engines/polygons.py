"""People of a raster inside polygons, pixels split by exact area."""

from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import pandas as pd

from siteplanner.engines.borders import polygon_edges
from siteplanner.engines.walk import Walk, sum_rows
from siteplanner.layers.rasters import open_raster, read_bands


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
    shapes = polygons.geometry.to_numpy()
    people = pd.Series(0.0, index=polygons.index, name="people")
    for path in paths:
        with open_raster(path) as raster:
            walk = Walk(polygon_edges(shapes, raster), raster.shape)
            for band in read_bands(raster):
                walk.rows(sum_rows(band.row, band.people))
            people += walk.people
    return people
