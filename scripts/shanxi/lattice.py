"""The pixel lattice of the sample's rasters and the small geometry that goes with it."""

import math
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
from affine import Affine
from rasterio.features import rasterize
from scipy.ndimage import zoom

PIXELS_PER_DEGREE = 480  # 7.5 arc-seconds: 231 m north-south, 182 m east-west in mid-province
KM_PER_DEGREE = 111.2
MID_LATITUDE = 37.7
OUTSIDE = -1


@dataclass(frozen=True)
class Lattice:
    """Pixels in EPSG:4326 with the county that each pixel centre lies in."""

    west: float
    north: float
    county: np.ndarray  # index into the county table, OUTSIDE beyond the province

    @property
    def transform(self) -> Affine:
        """Affine from pixel to degrees."""
        return Affine(1 / PIXELS_PER_DEGREE, 0, self.west, 0, -1 / PIXELS_PER_DEGREE, self.north)

    @property
    def inside(self) -> np.ndarray:
        """Flat pixel numbers whose centre lies in the province, in reading order."""
        return np.flatnonzero(self.county.ravel() != OUTSIDE)

    def centres(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Longitude and latitude of pixel centres given by flat number."""
        row, column = np.divmod(pixels, self.county.shape[1])
        return self.west + (column + 0.5) / PIXELS_PER_DEGREE, self.north - (row + 0.5) / PIXELS_PER_DEGREE

    def locate(self, lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
        """Flat number of the pixel that each point lies in; points off the lattice are moved to its rim."""
        height, width = self.county.shape
        row = np.clip(
            np.floor((self.north - np.asarray(lat)) * PIXELS_PER_DEGREE).astype(np.int64), 0, height - 1
        )
        column = np.clip(
            np.floor((np.asarray(lon) - self.west) * PIXELS_PER_DEGREE).astype(np.int64), 0, width - 1
        )
        return row * width + column


def read_counties(path: Path) -> gpd.GeoDataFrame:
    """Read the committed county polygons in county order."""
    return gpd.read_file(path).sort_values("county_id", ignore_index=True)


def make_lattice(counties: gpd.GeoDataFrame) -> Lattice:
    """Lay pixels over the province and note the county of each pixel centre."""
    west, south, east, north = counties.total_bounds
    west, north = math.floor(west * 60) / 60, math.ceil(north * 60) / 60
    width = math.ceil((east - west) * PIXELS_PER_DEGREE)
    height = math.ceil((north - south) * PIXELS_PER_DEGREE)
    transform = Affine(1 / PIXELS_PER_DEGREE, 0, west, 0, -1 / PIXELS_PER_DEGREE, north)
    county = rasterize(
        zip(counties.geometry, range(len(counties)), strict=True),
        out_shape=(height, width), transform=transform, fill=OUTSIDE, dtype="int16",
    )  # fmt: skip
    return Lattice(west, north, county)


def to_km(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Project to kilometres on a plane that is good to one per cent across the province."""
    shrink = math.cos(math.radians(MID_LATITUDE))
    return np.column_stack([np.asarray(lon) * KM_PER_DEGREE * shrink, np.asarray(lat) * KM_PER_DEGREE])


def to_degrees(km: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Undo `to_km`."""
    shrink = math.cos(math.radians(MID_LATITUDE))
    return km[:, 0] / (KM_PER_DEGREE * shrink), km[:, 1] / KM_PER_DEGREE


def smooth_noise(shape: tuple[int, int], cells: int, rng: np.random.Generator) -> np.ndarray:
    """Return noise of unit variance that varies over about the given number of pixels."""
    coarse = rng.standard_normal((shape[0] // cells + 4, shape[1] // cells + 4))
    fine = zoom(coarse, cells, order=3)[: shape[0], : shape[1]]
    return (fine - fine.mean()) / fine.std()
