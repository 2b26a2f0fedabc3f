"""Polygons in degrees as sides, and as edges on a raster's pixels."""

from dataclasses import dataclass

import numpy as np
import shapely

from siteplanner.engines.placing import Placing
from siteplanner.engines.regions import Sides
from siteplanner.engines.walk import Edges
from siteplanner.model.lattice import SEGMENT_DEG


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


def polygon_sides(polygons: np.ndarray) -> Sides:
    """Return the sides of polygons and multipolygons; the label of each is its place."""
    # A multipolygon has no rings of its own, its parts have.
    parts, polygon = shapely.get_parts(polygons, return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    joined = ring[:-1] == ring[1:]
    label = np.asarray(polygon, dtype=np.int64)[part[ring[:-1]]][joined]
    return Sides(label, points[:-1][joined], points[1:][joined], len(polygons))


def polygon_borders(polygons: np.ndarray) -> Borders:
    """Return the borders of valid polygons and multipolygons, with or without holes, wound either way."""
    parts, polygon = shapely.get_parts(polygons, return_index=True)
    rings, part = shapely.get_rings(shapely.orient_polygons(parts), return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    kept = ~_is_last(ring)
    return Borders(points[kept], ring[kept], polygon[part], len(polygons))


def lay_borders(borders: Borders, placing: Placing) -> Edges:
    """Lay borders over the pixels of a raster.

    On a raster in another system than longitude and latitude a line is bent: it gets corners at most
    `SEGMENT_DEG` apart. Corners that the system cannot show are left out, and the ring is closed without
    them.
    """
    points, ring = borders.points, borders.ring
    if not placing.is_lonlat:
        rings = shapely.segmentize(shapely.linearrings(points, indices=ring), SEGMENT_DEG)
        points, ring = shapely.get_coordinates(rings, return_index=True)
    u, v = placing.to_pixels(points[:, 0], points[:, 1])
    shown = np.isfinite(u) & np.isfinite(v)
    if not shown.all():
        u, v, ring = u[shown], v[shown], ring[shown]
    a, b, _, d, e, _ = placing.affine
    # Rows that go south turn left into right.
    return join_corners((u, v), ring, borders, mirrored=a * e < b * d)


def join_corners(
    corners: tuple[np.ndarray, np.ndarray], ring: np.ndarray, borders: Borders, *, mirrored: bool
) -> Edges:
    """Join the corners of each ring to edges, in the other direction where left and right are swapped.

    Parameters
    ----------
    corners
        u and v of each corner.
    """
    u, v = corners
    start = np.arange(len(ring))
    end = np.where(_is_last(ring), np.searchsorted(ring, ring), start + 1)
    if mirrored:
        start, end = end, start
    return Edges(u[start], v[start], u[end], v[end], borders.owner[ring], borders.n_areas)


def _is_last(ring: np.ndarray) -> np.ndarray:
    """Whether a corner is the last one of its ring."""
    return np.append(ring[1:] != ring[:-1], True)[: len(ring)]
