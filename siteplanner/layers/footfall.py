"""Foot traffic is checked before the long work starts: files, columns, and of the rows what can be known."""

from dataclasses import dataclass, replace
from pathlib import Path

from siteplanner.errors import Fault
from siteplanner.layers.findings import FAULTS_SHOWN
from siteplanner.layers.paths import RASTER_SUFFIXES, find_file, find_place, is_uri
from siteplanner.layers.ping_files import check_pings, parquet_files
from siteplanner.layers.rasters import Bounds, check_headers
from siteplanner.layers.records import FootfallSource
from siteplanner.layers.sightings import Sightings, check_sightings
from siteplanner.layers.sources import RasterSource
from siteplanner.layers.text_tables import UnreadableError
from siteplanner.scenario import FootfallInput

POINT_SUFFIXES = (".csv", ".csv.gz", ".parquet")
# Kinds whose places cannot be shifted: a pixel and a cell lie where they lie.
UNSHIFTED = {"raster": "a raster", "cells": "a cell"}

Notes = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, eq=False)
class CheckedFootfall:
    """A source that can be read, or why it cannot; its files by their name in the scenario."""

    source: FootfallSource | None
    faults: tuple[Fault, ...]
    notes: Notes
    files: dict[str, Path]


def check_footfall(
    spec: FootfallInput, folder: Path, bounds: Bounds | None, *, remote: bool = False
) -> CheckedFootfall:
    """Check the file or files of foot traffic; of pings the statistics and the first rows of each file.

    Parameters
    ----------
    remote
        Whether pings may lie behind a URI; these the engine checks before it counts.
    """
    if remote and spec.kind == "pings" and is_uri(spec.path):
        return CheckedFootfall(_source_of(spec, spec.path), (), (("unhashed_footfall", spec.path),), {})
    files = _files_of(spec, folder)
    if isinstance(files, Fault):
        return CheckedFootfall(None, (files,), (), {})
    source = _source_of(spec, str(find_place(spec.path, folder)))
    if spec.kind in UNSHIFTED and spec.datum != "wgs84":
        expected = f"wgs84: {UNSHIFTED[spec.kind]} cannot be shifted"
        wrong = Fault(spec.path, "", "datum", f'"{spec.datum}"', expected)
        return CheckedFootfall(None, (wrong,), (), files)
    notes: Notes
    if spec.kind == "raster":
        faults = list(check_headers(list(files.values()), list(files), bounds))
        source = replace(source, raster=RasterSource(tuple(map(str, files.values())), tuple(files), 0))
        notes = (("absent_column", "footfall", "time"),)
    elif spec.kind == "pings":
        faults, notes = check_pings(source, spec.path, files, bounds)
    else:
        faults, notes = _check_rows(source, files, bounds)
    return CheckedFootfall(None if faults else source, tuple(faults), notes, files)


def _source_of(spec: FootfallInput, path: str) -> FootfallSource:
    return FootfallSource(
        path,
        spec.kind,
        spec.datum,
        dict(spec.columns),
        spec.time_zone,
        spec.time_unit,
        spec.distinct_devices,
        spec.suppress_below if spec.suppress else None,
    )


def _files_of(spec: FootfallInput, folder: Path) -> dict[str, Path] | Fault:
    suffixes = {"raster": RASTER_SUFFIXES, "pings": (".parquet",)}.get(spec.kind, POINT_SUFFIXES)
    where = find_place(spec.path, folder)
    if spec.kind == "pings" and isinstance(where, Path) and where.is_dir():
        files = parquet_files(where)
        if not files:
            return Fault(spec.path, "", "", "a folder without .parquet files", "Parquet files")
        return {f"{spec.path.rstrip('/')}/{name}": path for name, path in files}
    found = {name: find_file(name, folder, suffixes) for name in (spec.path, *spec.tiles)}
    there = {name: path for name, path in found.items() if isinstance(path, Path)}
    return next((path for path in found.values() if isinstance(path, Fault)), there)


def _check_rows(
    source: FootfallSource, files: dict[str, Path], bounds: Bounds | None
) -> tuple[list[Fault], Notes]:
    faults: list[Fault] = []
    rows = inside = 0
    absent: set[str] = set()
    (name, path), *_ = files.items()
    try:
        for sightings, wrong in check_sightings(path, name, source):
            absent |= {"time"} if sightings.times is None else set()
            absent |= set() if sightings.counted else {"count"}
            faults += wrong
            rows += len(sightings.count)
            inside += _count_inside(sightings, bounds)
            if len(faults) > FAULTS_SHOWN:
                break
    except UnreadableError as error:
        faults.append(error.fault(name))
    if not faults and rows == 0:
        faults.append(Fault(name, "", "", "no rows", "foot traffic"))
    elif not faults and inside == 0 and bounds is not None:
        wanted = "some in the counties ({:.3f}, {:.3f} to {:.3f}, {:.3f})".format(*bounds)
        faults.append(Fault(name, "", "lon, lat", f"{rows:,} rows, all outside", wanted))
    return faults, tuple(("absent_column", "footfall", name) for name in sorted(absent))


def _count_inside(sightings: Sightings, bounds: Bounds | None) -> int:
    if bounds is None or len(sightings.cell_id):
        return len(sightings.count)
    west, south, east, north = bounds
    lon, lat = sightings.lon, sightings.lat
    return int(((lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)).sum())
