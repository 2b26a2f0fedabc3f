"""Where the pixels of one file lie: columns and rows to degrees, to the lattice, and back."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyproj

from siteplanner.model.lattice import Lattice, to_lonlat, to_plane

# Geographic systems whose degrees are WGS 84 degrees to a few centimetres.
LONLAT_CODES = (4326, 4490)
WGS84 = "EPSG:4326"


@dataclass(frozen=True, slots=True)
class Placing:
    """Position of one file's pixels.

    Parameters
    ----------
    affine
        a, b, c, d, e, f: ``x = a col + b row + c``, ``y = d col + e row + f``.
    crs
        Coordinate system as well-known text; empty when x and y are WGS 84 degrees.
    """

    affine: tuple[float, float, float, float, float, float]
    crs: str

    @property
    def is_lonlat(self) -> bool:
        """Whether x and y are degrees."""
        return not self.crs

    @property
    def is_straight(self) -> bool:
        """Whether pixel edges are lines of constant longitude and latitude."""
        return self.is_lonlat and self.affine[1] == 0.0 and self.affine[3] == 0.0

    def to_pixels(self, lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Turn degrees into columns and rows; infinite where the coordinate system ends."""
        x, y = lon, lat
        if not self.is_lonlat:
            x, y = pyproj.Transformer.from_crs(WGS84, self.crs, always_xy=True).transform(lon, lat)
        a, b, c, d, e, f = self.affine
        if self.is_straight:
            return (x - c) / a, (y - f) / e
        det = a * e - b * d
        with np.errstate(invalid="ignore"):
            return (e * (x - c) - b * (y - f)) / det, (a * (y - f) - d * (x - c)) / det

    def to_degrees(self, col: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Turn columns and rows into degrees; infinite where the coordinate system ends."""
        a, b, c, d, e, f = self.affine
        x, y = a * col + b * row + c, d * col + e * row + f
        if self.is_lonlat:
            return x, np.clip(y, -90.0, 90.0)
        lon, lat = pyproj.Transformer.from_crs(self.crs, WGS84, always_xy=True).transform(x, y)
        return np.asarray(lon), np.asarray(lat)

    def to_cells(self, lattice: Lattice, col: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Turn columns and rows of pixels into columns and rows of the lattice, fractions included."""
        with np.errstate(invalid="ignore"):
            x_m, y_m = to_plane(lattice, *self.to_degrees(col, row))
        return (x_m - lattice.x0_m) / lattice.cell_m, (y_m - lattice.y0_m) / lattice.cell_m


def place_file(raster: Any) -> Placing:  # noqa: ANN401 - rasterio ships no types
    """Return the position of an open raster's pixels."""
    affine = raster.transform
    lonlat = raster.crs.to_epsg() in LONLAT_CODES
    return Placing(
        (affine.a, affine.b, affine.c, affine.d, affine.e, affine.f), "" if lonlat else raster.crs.to_wkt()
    )


def pixel_side(placing: Placing, lattice: Lattice) -> float:
    """Return the longer side of a pixel in the middle of the lattice, in cells."""
    mid_x = lattice.x0_m + lattice.n_cols / 2.0 * lattice.cell_m
    mid_y = lattice.y0_m + lattice.n_rows / 2.0 * lattice.cell_m
    half = lattice.cell_m / 2.0
    lon, lat = to_lonlat(
        lattice,
        np.array([mid_x - half, mid_x + half, mid_x, mid_x]),
        np.array([mid_y, mid_y, mid_y - half, mid_y + half]),
    )
    col, row = placing.to_pixels(lon, lat)
    # Pixels a cell, east and north; the inverse has the sides of a pixel in cells.
    turn = np.array([[col[1] - col[0], col[3] - col[2]], [row[1] - row[0], row[3] - row[2]]])
    if not np.isfinite(turn).all() or np.linalg.det(turn) == 0.0:
        return np.inf
    return float(np.linalg.norm(np.linalg.inv(turn), axis=0).max())
