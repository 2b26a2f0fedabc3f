"""Synthetic rasters, pings and counties for the gridding benchmark: made up, and the same every time."""

import json
import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import rasterio

# What the floors do without is imported where it is used: their memory is to be their own.
if TYPE_CHECKING:
    import geopandas as gpd

SEED = 20260301
ARC_SECOND_DEG = 1.0 / 3_600.0
WEST, MIDDLE_LAT = 102.0, 35.0
TILE = 512
PING_FILE_ROWS = 5_000_000
URBAN_SHARE = 0.7
# West, south, east, north of where pings are; a part of them lies outside the region.
PING_BOX = (110.0, 34.5, 114.6, 40.8)
PING_REGION = (110.05, 34.55, 114.55, 40.75)


@dataclass(frozen=True, slots=True)
class Shape:
    """A raster to be made: its pixels' side is 3 seconds of arc (90 m, the national rasters) or 1 (30 m)."""

    rows: int
    cols: int
    pixel_arcsec: int = 3

    def bounds(self) -> tuple[float, float, float, float]:
        """Return west, south, east, north, degrees."""
        pixel_deg = self.pixel_arcsec * ARC_SECOND_DEG
        half = self.rows * pixel_deg / 2.0
        return WEST, MIDDLE_LAT - half, WEST + self.cols * pixel_deg, MIDDLE_LAT + half

    def __str__(self) -> str:
        return f'{self.rows:,} x {self.cols:,} of {self.pixel_arcsec}"'


def make_raster(folder: Path, shape: Shape, layout: str) -> tuple[Path, float]:
    """Write a raster of people (float32, deflate) band by band, or find it; return it and its exact total."""
    rows, cols, pixel_deg = shape.rows, shape.cols, shape.pixel_arcsec * ARC_SECOND_DEG
    path = folder / f"people_{rows}x{cols}x{shape.pixel_arcsec}_{layout}.tif"
    note = path.with_suffix(".json")
    if note.is_file():
        return path, json.loads(note.read_text())["total"]
    west, _, _, north = shape.bounds()
    profile = {
        "driver": "GTiff", "width": cols, "height": rows, "count": 1, "dtype": "float32", "crs": "EPSG:4326",
        "transform": rasterio.Affine(pixel_deg, 0.0, west, 0.0, -pixel_deg, north), "compress": "deflate",
        "num_threads": "all_cpus", "bigtiff": "if_safer", "nodata": -99_999.0,
    }  # fmt: skip
    if layout == "tiled":
        profile |= {"tiled": True, "blockxsize": TILE, "blockysize": TILE}
    rng = np.random.default_rng(SEED)
    # Sixteen tiles of noise, laid in an irregular order under a density that varies over the country.
    noise = np.round(rng.lognormal(0.0, 1.0, (16, TILE, TILE)) * 64.0) / 64.0
    across = -(-cols // TILE)
    totals = []
    with rasterio.open(path, "w", **profile) as raster:
        for number, top in enumerate(range(0, rows, TILE)):
            order = (number * 7 + np.arange(across) * 5 + np.arange(across) ** 2) % 16
            density = _density(number, across, rng)
            band = np.concatenate([noise[o] * d for o, d in zip(order, density, strict=True)], axis=1)
            # Where few live, most pixels are empty.
            band[band < 1.0] = 0.0
            band = band[: min(TILE, rows - top), :cols].astype(np.float32)
            raster.write(band, 1, window=rasterio.windows.Window(0, top, cols, band.shape[0]))
            totals.append(float(band.sum(dtype=np.float64)))
    note.write_text(json.dumps({"total": math.fsum(totals), "synthetic": True}))
    return path, math.fsum(totals)


def _density(number: int, across: int, rng: np.random.Generator) -> np.ndarray:
    wave = 1.0 + np.sin(np.arange(across) / 5.0) * np.cos(number / 7.0)
    return np.asarray(2.0 ** np.round(3.0 * (wave - 1.0) + rng.normal(size=across)))


def make_pings(folder: Path, n_rows: int) -> Path:
    """Write a folder of Parquet files of pings (lon, lat, time), or find it; folders share their files."""
    where = folder / f"pings_{n_rows}"
    if where.is_dir():
        return where
    part = folder / f"pings_{n_rows}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    store = folder / "ping_files"
    store.mkdir(exist_ok=True)
    for number, start in enumerate(range(0, n_rows, PING_FILE_ROWS)):
        size = min(PING_FILE_ROWS, n_rows - start)
        file = store / f"{number:04d}_{size}.parquet"
        if not file.is_file():
            _write_pings(file, number, size)
        (part / file.name).hardlink_to(file)
    part.rename(where)
    return where


def _write_pings(path: Path, number: int, size: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng([SEED, number])
    towns = np.random.default_rng(SEED).uniform(PING_BOX[:2], PING_BOX[2:], (300, 2))
    place = rng.uniform(PING_BOX[:2], PING_BOX[2:], (size, 2))
    urban = rng.random(size) < URBAN_SHARE
    n_urban = int(urban.sum())
    place[urban] = towns[rng.integers(0, len(towns), n_urban)] + rng.normal(0.0, 0.05, (n_urban, 2))
    # Micro-degrees, as phones tell them; 28 days from a Monday in 2025, a day a file.
    place = np.round(place, 6)
    seconds = np.datetime64("2025-03-03", "s").astype(np.int64) + (number % 28) * 86_400
    time = (seconds + rng.integers(0, 86_400, size)) * 1_000_000
    table = pa.table({"lon": place[:, 0], "lat": place[:, 1], "time": pa.array(time, pa.timestamp("us"))})
    half = path.with_suffix(".half")
    pq.write_table(table, half, row_group_size=1 << 20)
    half.rename(path)


def make_region(bounds: tuple[float, float, float, float]) -> "gpd.GeoDataFrame":
    """Return one county that fills a box."""
    return make_counties(bounds, 1)


def make_counties(bounds: tuple[float, float, float, float], n: int) -> "gpd.GeoDataFrame":
    """Part a box into n counties with winding borders: Voronoi cells under a smooth warp of the plane."""
    import geopandas as gpd
    import pandas as pd
    import shapely

    west, south, east, north = bounds
    box = shapely.box(*bounds)
    ids = [f"{number:06d}" for number in range(n)]
    index = pd.Index(ids, name="county_id")
    if n == 1:
        return gpd.GeoDataFrame({"name": ids}, geometry=[box], crs=4326, index=index)
    rng = np.random.default_rng([SEED, n])
    seeds = shapely.multipoints(rng.uniform([west, south], [east, north], (n, 2)))
    cells = shapely.get_parts(shapely.voronoi_polygons(seeds, extend_to=box))
    cells = shapely.segmentize(shapely.intersection(cells, box), 0.01)
    # The warp moves a point by less than its distance to the next: borders stay shared and simple. It is 0 on
    # the sides of the box.
    size = np.sqrt((east - west) * (north - south) / n)

    def warp(points: np.ndarray) -> np.ndarray:
        x, y = (points - [west, south]).T
        rim = np.sin(np.pi * x / (east - west)) * np.sin(np.pi * y / (north - south))
        moved = np.zeros_like(points)
        for wave in (1.0, 3.0, 9.0):
            k = 2.0 * np.pi * wave / size
            moved += 0.15 / k * np.column_stack([np.sin(k * y + wave), np.sin(k * x - wave)])
        return points + moved * np.clip(rim, 0.0, 1.0)[:, None]

    counties = shapely.transform(cells, warp)
    return gpd.GeoDataFrame({"name": ids}, geometry=counties, crs=4326, index=index)
