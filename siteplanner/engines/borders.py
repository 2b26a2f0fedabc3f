"""Polygons in degrees as edges on a raster's pixels."""

from typing import Any

import numpy as np
import pyproj
import shapely

from siteplanner.engines.overlap import LONLAT_CODES
from siteplanner.engines.walk import Edges
from siteplanner.model.grid import SEGMENT_DEG


def polygon_edges(polygons: np.ndarray, raster: Any) -> Edges:  # noqa: ANN401 - rasterio ships no types
    """Lay the borders of polygons over the pixels of a raster.

    A line is straight in longitude and latitude; on a raster in another system it is bent by corners
    `SEGMENT_DEG` apart.

    Parameters
    ----------
    polygons
        Valid polygons and multipolygons in WGS 84 degrees, with or without holes, wound either way.
    """
    lonlat = raster.crs.to_epsg() in LONLAT_CODES
    parts, polygon = shapely.get_parts(polygons, return_index=True)
    rings, part = shapely.get_rings(shapely.orient_polygons(parts), return_index=True)
    rings = rings if lonlat else shapely.segmentize(rings, SEGMENT_DEG)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    u, v = to_pixels(points[:, 0], points[:, 1], raster)
    same = np.flatnonzero(ring[:-1] == ring[1:])
    owner = polygon[part[ring]]
    west = np.full(len(polygons), np.inf)
    np.minimum.at(west, owner, u)
    start, end = (same + 1, same) if flips(raster) else (same, same + 1)
    return Edges(u[start], v[start], u[end], v[end], owner[same].astype(np.int64), west)


def to_pixels(lon: np.ndarray, lat: np.ndarray, raster: Any) -> tuple[np.ndarray, np.ndarray]:  # noqa: ANN401
    """Return column and row of points in WGS 84 degrees, with fractions."""
    x, y = lon, lat
    if raster.crs.to_epsg() not in LONLAT_CODES:
        turn = pyproj.Transformer.from_crs("EPSG:4326", raster.crs.to_wkt(), always_xy=True)
        x, y = (np.asarray(values) for values in turn.transform(lon, lat))
    a, b, c, d, e, f = (~raster.transform)[:6]
    return a * x + b * y + c, d * x + e * y + f


def flips(raster: Any) -> bool:  # noqa: ANN401 - rasterio ships no types
    """Whether left and right are swapped on the way from the map to the pixels, as where rows go south."""
    return bool(raster.transform.determinant < 0.0)
