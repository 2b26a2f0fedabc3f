"""GeoTIFFs of people: opened by one driver only, looked at before they are read, read in bands of rows."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyproj

from siteplanner.errors import Fault
from siteplanner.layers.gdal import SETTINGS, rasterio
from siteplanner.layers.text_tables import first_line

# Pixels held at once: 2**22 doubles are 32 MB, and with their labels and copies about 150 MB.
BAND_PIXELS = 1 << 22

# A file cannot hold more than its bytes times what its compression can do; DEFLATE ends at 1,032. Above this
# many bytes of pixels the ratio is checked.
RAW_BYTES_FREE = 1 << 28
RAW_BYTES_RATIO = 5_000
# West, south, east, north, degrees in WGS 84.
Bounds = tuple[float, float, float, float]

# GDAL decodes a block whole.
BLOCK_BYTES_MAX = 1 << 28


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """Some whole rows of a raster: people per pixel, 0 where there is no data."""

    row: int
    people: np.ndarray


def open_raster(path: str | Path) -> Any:  # noqa: ANN401 - rasterio ships no types
    """Open a GeoTIFF and nothing else, without the files beside it."""
    settings = {key: value for key, value in SETTINGS.items() if key != "GDAL_SKIP"}
    with rasterio.Env(**settings), warnings.catch_warnings():
        # A raster without a position is named by `check_raster`.
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        return rasterio.open(path, driver="GTiff")


def rows_of_band(raster: Any) -> int:  # noqa: ANN401 - rasterio ships no types
    """Return how many rows `read_bands` reads at once: whole blocks."""
    block = max(1, int(raster.block_shapes[0][0]))
    return max(1, BAND_PIXELS // (int(raster.width) * block)) * block


def read_bands(raster: Any) -> Iterator[Band]:  # noqa: ANN401 - rasterio ships no types
    """Read the first band in runs of rows; nodata, mask, scale and offset are honoured.

    Negative, infinite and undeclared missing counts pass through: `check_raster` refuses them beforehand.
    """
    rows = rows_of_band(raster)
    scale, offset = raster.scales[0], raster.offsets[0]
    for top in range(0, raster.height, rows):
        window = rasterio.windows.Window(0, top, raster.width, min(rows, raster.height - top))
        stored = raster.read(1, window=window, masked=True)
        with np.errstate(invalid="ignore"):
            # A signalling NaN warns when it is widened; it is found below like any other.
            people = stored.data.astype(np.float64)
        if scale != 1.0 or offset != 0.0:
            people = people * scale + offset
        yield Band(top, np.where(np.ma.getmaskarray(stored), 0.0, people))


def check_raster(path: Path, name: str, bounds: Bounds | None) -> list[Fault]:
    """Look at a raster of counts: first its header, then every pixel.

    Parameters
    ----------
    bounds
        West, south, east, north of the counties, WGS 84; None when they could not be read.
    """
    try:
        with open_raster(path) as raster:
            faults = _header_faults(raster, path, name, bounds)
            return faults or _pixel_faults(raster, name)
    except rasterio.errors.RasterioError as error:
        found = first_line(error.__cause__ or error).replace(str(path), path.name)
        return [Fault(name, "", "", f"no readable GeoTIFF ({found})", "a GeoTIFF of persons per pixel")]


def _header_faults(
    raster: Any,  # noqa: ANN401 - rasterio ships no types
    path: Path,
    name: str,
    bounds: Bounds | None,
) -> list[Fault]:
    faults = []
    if raster.count != 1:
        faults.append(Fault(name, "", "", f"{raster.count} bands", "one band of persons per pixel"))
    if np.dtype(raster.dtypes[0]).kind not in "iuf":
        faults.append(Fault(name, "", "", f"pixels of type {raster.dtypes[0]}", "real numbers"))
        return faults
    size = np.dtype(raster.dtypes[0]).itemsize
    claimed, held = raster.width * raster.height * size, path.stat().st_size
    if claimed > RAW_BYTES_FREE and claimed > RAW_BYTES_RATIO * held:
        found = f"a claim of {raster.width:,} x {raster.height:,} pixels in {held:,} bytes"
        faults.append(
            Fault(name, "", "", found, f"at most {RAW_BYTES_RATIO:,} bytes of pixels a byte of file")
        )
    height, width = raster.block_shapes[0]
    if height * width * size > BLOCK_BYTES_MAX:
        found = f"blocks of {width:,} x {height:,} pixels"
        faults.append(Fault(name, "", "", found, "blocks of at most 256 MiB (write it tiled)"))
    if raster.transform.is_identity or raster.transform.is_degenerate:
        faults.append(Fault(name, "", "", "no position of the pixels", "a GeoTIFF with a geotransform"))
        return faults
    if raster.crs is None:
        faults.append(Fault(name, "", "", "no coordinate system", "one that is declared, such as EPSG:4326"))
        return faults
    return faults + _overlap_faults(raster, name, bounds)


def _overlap_faults(
    raster: Any,  # noqa: ANN401 - rasterio ships no types
    name: str,
    bounds: Bounds | None,
) -> list[Fault]:
    if bounds is None:
        return []
    try:
        turn = pyproj.Transformer.from_crs(raster.crs.to_wkt(), "EPSG:4326", always_xy=True)
        west, south, east, north = turn.transform_bounds(*raster.bounds)
    except (pyproj.exceptions.ProjError, rasterio.errors.RasterioError):
        found = "a coordinate system that does not lead to WGS 84"
        return [Fault(name, "", "", found, "one of the Earth, such as EPSG:4326")]
    if west < bounds[2] and east > bounds[0] and south < bounds[3] and north > bounds[1]:
        return []
    found = f"pixels from {west:.3f}, {south:.3f} to {east:.3f}, {north:.3f}"
    wanted = "an overlap with the counties ({:.3f}, {:.3f} to {:.3f}, {:.3f})".format(*bounds)
    return [Fault(name, "", "", found, wanted)]


def _pixel_faults(raster: Any, name: str) -> list[Fault]:  # noqa: ANN401 - rasterio ships no types
    counted = {"negative": 0, "missing": 0, "infinite": 0}
    first: dict[str, tuple[int, int, float]] = {}
    total = 0.0
    for band in read_bands(raster):
        for word, wrong in _wrong_pixels(band.people):
            at = np.argwhere(wrong)
            counted[word] += len(at)
            if len(at) and word not in first:
                row, col = at[0]
                first[word] = (band.row + int(row), int(col), float(band.people[row, col]))
        total += float(band.people.sum()) if not first else 0.0
    faults = []
    for word, (row, col, value) in first.items():
        found = f"{value:g} ({word} pixels in all: {counted[word]:,})"
        wanted = "persons >= 0; declare the value that stands for no data"
        faults.append(Fault(name, f"pixel row {row}, column {col}", "", found, wanted))
    if not faults and total <= 0.0:
        faults.append(Fault(name, "", "", "no people at all", "persons per pixel"))
    return faults


def _wrong_pixels(people: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    # One pass decides the usual case: a clean band has a finite sum and no value below zero.
    with np.errstate(invalid="ignore"):
        if np.isfinite(people.sum()) and people.min(initial=0.0) >= 0.0:
            return
        yield "negative", (people < 0.0) & np.isfinite(people)
        yield "missing", np.isnan(people)
        yield "infinite", np.isinf(people)
