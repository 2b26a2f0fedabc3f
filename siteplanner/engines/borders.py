"""Polygons in degrees as edges on a raster's pixels."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyproj
import shapely

from siteplanner.engines.overlap import LONLAT_CODES
from siteplanner.engines.walk import Edges
from siteplanner.model.grid import SEGMENT_DEG


@dataclass(frozen=True, slots=True, eq=False)
class Borders:
    """Closed rings, straight in longitude and latitude; what they bound lies to their left.

    Parameters
    ----------
    points
        Corners, n x 2, degrees; the last corner of a ring is not the first one again.
    ring
        Ring of each corner, ascending.
    owner
        Area that each ring belongs to.
    n_areas
        Areas are 0 to n_areas - 1.
    """

    points: np.ndarray
    ring: np.ndarray
    owner: np.ndarray
    n_areas: int


def polygon_borders(polygons: np.ndarray) -> Borders:
    """Return the borders of valid polygons and multipolygons, with or without holes, wound either way."""
    parts, polygon = shapely.get_parts(polygons, return_index=True)
    rings, part = shapely.get_rings(shapely.orient_polygons(parts), return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    kept = ~_is_last(ring)
    return Borders(points[kept], ring[kept], polygon[part], len(polygons))


def lay_borders(borders: Borders, raster: Any) -> Edges:  # noqa: ANN401 - rasterio ships no types
    """Lay borders over the pixels of a raster.

    On a raster in another system than longitude and latitude a line is bent: it gets corners at most
    `SEGMENT_DEG` apart. Corners that the system cannot show are left out, and the ring is closed without them.
    """
    points, ring = borders.points, borders.ring
    if raster.crs.to_epsg() not in LONLAT_CODES:
        rings = shapely.segmentize(shapely.linearrings(points, indices=ring), SEGMENT_DEG)
        points, ring = shapely.get_coordinates(rings, return_index=True)
    u, v = _to_pixels(points[:, 0], points[:, 1], raster)
    shown = np.isfinite(u) & np.isfinite(v)
    u, v, ring = u[shown], v[shown], ring[shown]
    start = np.arange(len(ring))
    first = np.searchsorted(ring, ring)
    end = np.where(_is_last(ring), first, start + 1)
    # Rows that go south turn left into right.
    if raster.transform.determinant < 0.0:
        start, end = end, start
    return Edges(u[start], v[start], u[end], v[end], borders.owner[ring], borders.n_areas)


def _is_last(ring: np.ndarray) -> np.ndarray:
    """Whether a corner is the last one of its ring."""
    return np.append(ring[1:] != ring[:-1], True)[: len(ring)]


def _to_pixels(lon: np.ndarray, lat: np.ndarray, raster: Any) -> tuple[np.ndarray, np.ndarray]:  # noqa: ANN401
    """Return column and row of points in WGS 84 degrees, with fractions."""
    x, y = lon, lat
    if raster.crs.to_epsg() not in LONLAT_CODES:
        turn = pyproj.Transformer.from_crs("EPSG:4326", raster.crs.to_wkt(), always_xy=True)
        x, y = (np.asarray(values) for values in turn.transform(lon, lat))
    a, b, c, d, e, f = (~raster.transform)[:6]
    return a * x + b * y + c, d * x + e * y + f
