"""GeoTIFFs of people: looked at before they are read, each for itself and all tiles of a mosaic together."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyproj

from siteplanner.errors import Fault, first_line
from siteplanner.layers.gdal import open_geotiff, rasterio
from siteplanner.layers.pixels import (
    PixelReader,
    Report,
    Window,
    judge_window,
    list_windows,
    merge_reports,
    new_report,
    pixel_faults,
)
from siteplanner.layers.threads import count_threads, in_order

# A file cannot hold more than its bytes times what its compression can do; DEFLATE ends at 1,032. Above this
# many bytes of pixels the ratio is checked.
RAW_BYTES_FREE = 1 << 28
RAW_BYTES_RATIO = 5_000
# West, south, east, north, degrees in WGS 84.
Bounds = tuple[float, float, float, float]

# GDAL decodes a block whole.
BLOCK_BYTES_MAX = 1 << 28

# Blocks whose place in the file is looked up, spread over it, the last one always among them.
BLOCKS_LOOKED = 10_000

# Tiles may overlap by this part of a pixel: their corners are rounded.
OVERLAP_PIXELS = 0.01
# Pixel sides of tiles may differ by this part: they are rounded, and grow over 10**5 pixels.
SIDE_SLACK = 1e-7


def check_headers(paths: Sequence[Path], names: Sequence[str], bounds: Bounds | None) -> list[Fault]:
    """Look at the headers of a raster's files; no pixel is read.

    Parameters
    ----------
    bounds
        West, south, east, north of the counties, WGS 84; None when they could not be read. At least one of
        the files has to reach them.
    """
    faults: list[Fault] = []
    away: list[Fault] = []
    for path, name in zip(paths, names, strict=True):
        try:
            with open_geotiff(path) as raster:
                own = _header_faults(raster, path, name)
                faults += own
                away += [] if own else _overlap_faults(raster, name, bounds)
        except rasterio.errors.RasterioError as error:
            faults.append(_unreadable(path, name, error))
    lost = [fault for fault in away if fault.expected.startswith("one of the Earth")]
    if lost or len(away) == len(paths):
        faults += lost or away[:1]
    return faults or _mosaic_faults(paths, names)


def check_pixels(files: tuple[str, ...], names: Sequence[str]) -> list[Fault]:
    """Look at every pixel of files whose headers are good."""
    windows: list[Window] = []
    sizes = []
    for number, path in enumerate(files):
        with open_geotiff(path) as raster:
            windows += list_windows(raster.shape, raster.block_shapes[0], number, len(windows))
            sizes.append(raster.width * raster.height)
    reports: list[list[Report]] = [[] for _ in files]
    total = 0.0
    faults = []
    for window, people, report, fault in in_order(
        lambda reader, window: _judge(reader, window, names), files, windows, count_threads()
    ):
        total += people
        reports[window.tile].append(report)
        faults += fault
    for name, size, passed in zip(names, sizes, reports, strict=True):
        faults += pixel_faults(merge_reports(passed), name, size)
    if not faults and total <= 0.0:
        faults.append(nobody(names[0]))
    return faults


def nobody(name: str) -> Fault:
    """Return the fault of a raster without people."""
    return Fault(name, "", "", "no people at all", "persons per pixel")


def unreadable_window(window: Window, name: str, error: Exception) -> Fault:
    """Return the fault of pixels that cannot be decoded."""
    found = f"pixels that cannot be read ({_first_words(error, name)})"
    where = f"pixel rows {window.row} to {window.row + window.height - 1}"
    return Fault(name, where, "", found, "a whole file")


def _judge(
    reader: PixelReader, window: Window, names: Sequence[str]
) -> tuple[Window, float, Report, list[Fault]]:
    report = new_report()
    try:
        stored, coding = reader.read(window)
    except rasterio.errors.RasterioError as error:
        return window, 0.0, report, [unreadable_window(window, names[window.tile], error)]
    return window, judge_window(stored, (window.row, window.col), coding, report), report, []


def _unreadable(path: Path, name: str, error: Exception) -> Fault:
    found = _first_words(error, path.name, str(path))
    return Fault(name, "", "", f"no readable GeoTIFF ({found})", "a GeoTIFF of persons per pixel")


def _first_words(error: Exception, name: str, path: str = "") -> str:
    words = first_line(error.__cause__ or error)
    return words.replace(path, name) if path else words


def _header_faults(raster: Any, path: Path, name: str) -> list[Fault]:  # noqa: ANN401 - rasterio ships no types
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
    faults += [] if faults else _cut_off(raster, name, held)
    if raster.transform.is_identity or raster.transform.is_degenerate:
        faults.append(Fault(name, "", "", "no position of the pixels", "a GeoTIFF with a geotransform"))
        return faults
    if raster.crs is None:
        faults.append(Fault(name, "", "", "no coordinate system", "one that is declared, such as EPSG:4326"))
    return faults


def _cut_off(raster: Any, name: str, held: int) -> list[Fault]:  # noqa: ANN401 - rasterio ships no types
    """Refuse a file that ends before its last block: half a download has the header of a whole one."""
    height, width = raster.block_shapes[0]
    across, down = -(-raster.width // width), -(-raster.height // height)
    step = max(1, across * down // BLOCKS_LOOKED)
    end = 0
    for number in (*range(0, across * down, step), across * down - 1):
        block = f"{number % across}_{number // across}"
        # A block that is not there was never written; it has no people.
        offset = raster.get_tag_item(f"BLOCK_OFFSET_{block}", "TIFF", bidx=1)
        size = raster.get_tag_item(f"BLOCK_SIZE_{block}", "TIFF", bidx=1)
        if offset is not None and size is not None:
            end = max(end, int(offset) + int(size))
    if end <= held:
        return []
    found = f"{held:,} bytes with pixels up to byte {end:,}"
    return [Fault(name, "", "", found, "a whole file: this one is cut off")]


def _overlap_faults(
    raster: Any,  # noqa: ANN401 - rasterio ships no types
    name: str,
    bounds: Bounds | None,
) -> list[Fault]:
    if bounds is None:
        return []
    try:
        turn = pyproj.Transformer.from_crs(raster.crs.to_wkt(), "EPSG:4326", always_xy=True)
        west, south, east, north = turn.transform_bounds(*_extent(raster))
    except (pyproj.exceptions.ProjError, rasterio.errors.RasterioError):
        found = "a coordinate system that does not lead to WGS 84"
        return [Fault(name, "", "", found, "one of the Earth, such as EPSG:4326")]
    if west < bounds[2] and east > bounds[0] and south < bounds[3] and north > bounds[1]:
        return []
    found = f"pixels from {west:.3f}, {south:.3f} to {east:.3f}, {north:.3f}"
    wanted = "an overlap with the counties ({:.3f}, {:.3f} to {:.3f}, {:.3f})".format(*bounds)
    return [Fault(name, "", "", found, wanted)]


def _extent(raster: Any) -> Bounds:  # noqa: ANN401 - rasterio ships no types
    """Return the box around the pixels in the raster's own system, whichever way they are turned."""
    place = raster.transform
    cols, rows = np.array([[0, 0, 1, 1], [0, 1, 0, 1]]) * [[raster.width], [raster.height]]
    x, y = place.a * cols + place.b * rows + place.c, place.d * cols + place.e * rows + place.f
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())


def _mosaic_faults(paths: Sequence[Path], names: Sequence[str]) -> list[Fault]:
    """Refuse tiles of another system or pixel size than the first, and tiles that overlap."""
    if len(paths) == 1:
        return []
    faults = []
    boxes = []
    with open_geotiff(paths[0]) as first:
        crs, turn, back = first.crs, first.transform, ~first.transform
    for path, name in zip(paths, names, strict=True):
        with open_geotiff(path) as raster:
            place, (height, width) = raster.transform, raster.shape
            if raster.crs != crs:
                found = f"the coordinate system {raster.crs}"
                faults.append(Fault(name, "", "", found, f"that of {names[0]}, {crs}"))
                continue
        sides = np.array([place.a, place.b, place.d, place.e])
        wanted = np.array([turn.a, turn.b, turn.d, turn.e])
        if np.abs(sides - wanted).max() > SIDE_SLACK * np.abs(wanted).max():
            found = f"pixels of {place.a:.10g} by {-place.e:.10g}"
            faults.append(Fault(name, "", "", found, f"those of {names[0]}, {turn.a:.10g} by {-turn.e:.10g}"))
            continue
        col = back.a * place.c + back.b * place.f + back.c
        row = back.d * place.c + back.e * place.f + back.f
        boxes.append((name, col, row, col + width, row + height))
    return faults or _double_faults(boxes)


def _double_faults(boxes: list[tuple[str, float, float, float, float]]) -> list[Fault]:
    faults = []
    for i, (name, west, top, east, bottom) in enumerate(boxes):
        for other, other_west, other_top, other_east, other_bottom in boxes[:i]:
            across = min(east, other_east) - max(west, other_west)
            down = min(bottom, other_bottom) - max(top, other_top)
            if across > OVERLAP_PIXELS and down > OVERLAP_PIXELS:
                found = f"an overlap of {across:,.2f} x {down:,.2f} pixels with {other}"
                faults.append(Fault(name, "", "", found, "tiles side by side: people would count twice"))
    return faults
