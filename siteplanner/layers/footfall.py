"""Foot traffic in batches: where, in which band of hours, how many; never all of it in memory."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import h3
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from siteplanner.errors import Fault, InputError
from siteplanner.layers.clock import BAND_STARTS_H, WEEKDAY_DAY, is_weekend
from siteplanner.layers.datum import to_wgs84
from siteplanner.layers.encodings import EXPECTED, UndecodableError, decode
from siteplanner.layers.findings import FAULTS_SHOWN
from siteplanner.layers.paths import RASTER_SUFFIXES, find_file, find_place
from siteplanner.layers.rasters import Bounds, check_headers
from siteplanner.layers.records import FootfallSource, RasterSource
from siteplanner.layers.text_tables import UnreadableError, bytes_of, first_line
from siteplanner.layers.typed import LAT_MAX, LOCAL_ZONE
from siteplanner.scenario import FootfallInput
from siteplanner.tables import FOOTFALL

# Rows held at once.
BATCH_ROWS = 1 << 20

# Latitudes beyond the Earth in more than this share of the rows mean swapped columns.
SWAPPED_SHARE_MIN = 0.5

POINT_SUFFIXES = (".csv", ".csv.gz", ".parquet")


@dataclass(frozen=True, slots=True, eq=False)
class Sightings:
    """Some rows of foot traffic, WGS 84.

    Parameters
    ----------
    band
        Index into `tables.FOOTFALL_BANDS`.
    day
        Days since 1970-01-01, local; -1 without a time.
    """

    lon: np.ndarray
    lat: np.ndarray
    band: np.ndarray
    day: np.ndarray
    count: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class CheckedFootfall:
    """A source that can be read, or why it cannot; its files by their name in the scenario."""

    source: FootfallSource | None
    faults: tuple[Fault, ...]
    notes: tuple[tuple[str, ...], ...]
    files: dict[str, Path]


def check_footfall(spec: FootfallInput, folder: Path, bounds: Bounds | None) -> CheckedFootfall:
    """Check the file or files of foot traffic; of pings only the first rows of each file."""
    files = _files_of(spec, folder)
    if isinstance(files, Fault):
        return CheckedFootfall(None, (files,), (), {})
    where = find_place(spec.path, folder)
    source = FootfallSource(str(where), spec.kind, spec.datum, dict(spec.columns))
    if spec.kind == "raster":
        if spec.datum != "wgs84":
            wrong = Fault(spec.path, "", "datum", f'"{spec.datum}"', "wgs84: a raster cannot be shifted")
            return CheckedFootfall(None, (wrong,), (), files)
        faults = check_headers(list(files.values()), list(files), bounds)
        source = replace(source, raster=RasterSource(tuple(map(str, files.values())), tuple(files), 0))
        notes: tuple[tuple[str, ...], ...] = (("absent_column", "footfall", "time"),)
    else:
        faults, notes = _check_rows(spec, files, bounds)
    return CheckedFootfall(None if faults else source, tuple(faults), notes, files)


def read_sightings(source: FootfallSource) -> Iterator[Sightings]:
    """Stream the rows of points, pings or H3 cells; InputError at the first batch with a bad value."""
    where = Path(source.path)
    for path in _parquet_files(where) if where.is_dir() else [where]:
        try:
            for start, batch in _batches(path, source.kind, source.columns):
                sightings, faults = _sightings(batch, (path.name, start), source)
                if faults:
                    raise InputError(faults)
                yield sightings
        except UnreadableError as error:
            raise InputError([error.fault(path.name)]) from None


def _files_of(spec: FootfallInput, folder: Path) -> dict[str, Path] | Fault:
    suffixes = {"raster": RASTER_SUFFIXES, "pings": (".parquet",)}.get(spec.kind, POINT_SUFFIXES)
    where = find_place(spec.path, folder)
    if spec.kind == "pings" and isinstance(where, Path) and where.is_dir():
        files = _parquet_files(where)
        if not files:
            return Fault(spec.path, "", "", "a folder without .parquet files", "Parquet files")
        return {f"{spec.path.rstrip('/')}/{path.relative_to(where).as_posix()}": path for path in files}
    found = {name: find_file(name, folder, suffixes) for name in (spec.path, *spec.tiles)}
    there = {name: path for name, path in found.items() if isinstance(path, Path)}
    return next((path for path in found.values() if isinstance(path, Fault)), there)


def _parquet_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.parquet") if path.is_file())


def _check_rows(
    spec: FootfallInput, files: dict[str, Path], bounds: Bounds | None
) -> tuple[list[Fault], tuple[tuple[str, ...], ...]]:
    faults: list[Fault] = []
    rows = inside = 0
    absent: set[str] = set()
    source = FootfallSource("", spec.kind, spec.datum, spec.columns)
    for name, path in files.items():
        try:
            for start, batch in _batches(path, spec.kind, spec.columns):
                absent |= {"time", "count"} - set(batch.column_names)
                sightings, wrong = _sightings(batch, (name, start), source)
                faults += wrong
                rows += len(sightings.lon)
                inside += _count_inside(sightings, bounds)
                if spec.kind == "pings" or len(faults) > FAULTS_SHOWN:
                    break
        except UnreadableError as error:
            faults.append(error.fault(name))
    if not faults and rows == 0:
        faults.append(Fault(spec.path, "", "", "no rows", "foot traffic"))
    elif not faults and inside == 0 and bounds is not None:
        wanted = "some in the counties ({:.3f}, {:.3f} to {:.3f}, {:.3f})".format(*bounds)
        faults.append(Fault(spec.path, "", "lon, lat", f"{rows:,} rows, all outside", wanted))
    return faults, tuple(("absent_column", "footfall", name) for name in sorted(absent))


def _count_inside(sightings: Sightings, bounds: Bounds | None) -> int:
    if bounds is None:
        return len(sightings.lon)
    west, south, east, north = bounds
    lon, lat = sightings.lon, sightings.lat
    return int(((lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)).sum())


def _batches(path: Path, kind: str, columns: dict[str, str]) -> Iterator[tuple[int, pa.Table]]:
    """Read a file in runs of rows with canonical column names, each with the number of its first row."""
    try:
        if path.suffix.lower() == ".parquet":
            with pq.ParquetFile(path, page_checksum_verification=True) as file:
                names = _names(file.schema_arrow.names, kind, columns)
                start = 1
                for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=list(names.values())):
                    batch.validate(full=True)
                    yield start, pa.table({n: batch.column(source) for n, source in names.items()})
                    start += batch.num_rows
            return
        table = _read_csv(path)
        names = _names(table.column_names, kind, columns)
        # Line 1 is the header.
        for start in range(0, table.num_rows, BATCH_ROWS):
            part = table.slice(start, BATCH_ROWS)
            yield (
                start + 2,
                pa.table({n: part.column(source).combine_chunks() for n, source in names.items()}),
            )
    except (pa.ArrowException, OSError) as error:
        raise UnreadableError("", f"a broken file ({first_line(error)})", f"a {path.suffix} file") from None


def _read_csv(path: Path) -> pa.Table:
    try:
        text = decode(bytes_of(path), None)
    except UndecodableError as error:
        raise UnreadableError("", str(error), EXPECTED) from None
    header = text.split("\n", 1)[0].rstrip("\r").split(",")
    options = pacsv.ConvertOptions(
        column_types={name.strip('"'): pa.string() for name in header}, strings_can_be_null=False
    )
    return pacsv.read_csv(io.BytesIO(text.encode()), convert_options=options)


def _names(there: list[str], kind: str, columns: dict[str, str]) -> dict[str, str]:
    needed = ("h3",) if kind == "h3" else ("lon", "lat")
    known = (*needed, "time", "count")
    names = {name: columns.get(name, name) for name in known}
    missing = [name for name in known if names[name] not in there and (name in needed or name in columns)]
    if missing:
        wanted = ", ".join(f'"{names[name]}"' for name in missing)
        raise UnreadableError(
            "", "the columns " + ", ".join(there), f"the column {wanted} (for {', '.join(missing)})"
        )
    strange = sorted(set(columns) - set(known))
    if strange:
        raise UnreadableError("", f"a name for {', '.join(strange)}", f"names only for {', '.join(known)}")
    return {name: source for name, source in names.items() if source in there}


def _sightings(
    batch: pa.Table, about: tuple[str, int], source: FootfallSource
) -> tuple[Sightings, list[Fault]]:
    name, start = about
    places = _Places(
        name, "line" if batch.num_rows and name.lower().endswith((".csv", ".gz")) else "row", start
    )
    if source.kind == "h3":
        lon, lat, faults = _h3_centres(batch.column("h3"), places)
    else:
        lon, lat, faults = _coordinates(batch, places)
    rows = batch.num_rows
    count, wrong = _numbers(batch, "count", places) if "count" in batch.column_names else (np.ones(rows), [])
    faults += wrong
    band, day = np.full(rows, WEEKDAY_DAY, dtype=np.int8), np.full(rows, -1, dtype=np.int64)
    if "time" in batch.column_names:
        band, day, wrong = _bands(batch.column("time"), places)
        faults += wrong
    if not faults:
        lon, lat = to_wgs84(lon, lat, source.datum)
    return Sightings(lon, lat, band, day, count), faults


@dataclass(frozen=True, slots=True)
class _Places:
    name: str
    word: str
    start: int


def _wrong(
    places: _Places, column: str, wrong: np.ndarray, raw: pa.ChunkedArray, expected: str
) -> list[Fault]:
    at = np.flatnonzero(wrong)
    shown = [
        Fault(places.name, f"{places.word} {places.start + i}", column, _shown(raw[int(i)]), expected)
        for i in at[:FAULTS_SHOWN]
    ]
    more = len(at) - FAULTS_SHOWN
    if more > 0:
        shown.append(Fault(places.name, "", column, f"{more:,} more of this kind", expected))
    return shown


def _shown(value: pa.Scalar) -> str:
    content = value.as_py()
    return "nothing" if content in (None, "") else f'"{str(content)[:60]}"'


def _coordinates(batch: pa.Table, places: _Places) -> tuple[np.ndarray, np.ndarray, list[Fault]]:
    lon, faults = _numbers(batch, "lon", places)
    lat, more = _numbers(batch, "lat", places)
    if len(lat) and np.mean((np.abs(lat) > LAT_MAX) & (np.abs(lon) <= LAT_MAX)) > SWAPPED_SHARE_MIN:
        return (
            lon,
            lat,
            [Fault(places.name, "", "lat", "latitudes beyond 85 (lon and lat look swapped)", "degrees")],
        )
    return lon, lat, faults + more


def _numbers(batch: pa.Table, column: str, places: _Places) -> tuple[np.ndarray, list[Fault]]:
    raw = batch.column(column)
    promise = FOOTFALL.column(column)
    low, high = (
        promise.low if promise.low is not None else -np.inf,
        promise.high if promise.high is not None else np.inf,
    )
    kind = raw.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        values = pd.to_numeric(raw.to_pandas(), errors="coerce").to_numpy(dtype=float)
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        values = raw.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False).astype(float)
    else:
        expected = f"numbers in column {column}"
        raise UnreadableError("", f"values of type {kind}", expected)
    wrong = ~(np.isfinite(values) & (values >= low) & (values <= high))
    words = f"a number from {low:g} to {high:g}" if np.isfinite(high) else f"a number >= {low:g}"
    return values, _wrong(places, column, wrong, raw, words)


def _h3_centres(raw: pa.ChunkedArray, places: _Places) -> tuple[np.ndarray, np.ndarray, list[Fault]]:
    """Return the centres of H3 cells, given as text or as 64-bit numbers."""
    codes, cells = pd.factorize(raw.to_pandas(), use_na_sentinel=False)
    names = [_h3_name(cell) for cell in cells]
    valid = np.array([h3.is_valid_cell(name) for name in names], dtype=bool)
    centres = np.array(
        [
            h3.cell_to_latlng(name) if fine else (np.nan, np.nan)
            for name, fine in zip(names, valid, strict=True)
        ]
    ).reshape(-1, 2)
    faults = _wrong(places, "h3", ~valid[codes], raw, "an H3 cell")
    return centres[codes, 1], centres[codes, 0], faults


def _h3_name(cell: object) -> str:
    if isinstance(cell, int | np.integer):
        return h3.int_to_str(int(cell)) if cell > 0 else ""
    return str(cell).strip().lower()


def _bands(raw: pa.ChunkedArray, places: _Places) -> tuple[np.ndarray, np.ndarray, list[Fault]]:
    """Return the band and the local day of each time; naive times are local already."""
    kind = raw.type
    if pa.types.is_timestamp(kind):
        times = raw.to_pandas()
        if kind.tz is not None:
            times = times.dt.tz_convert(LOCAL_ZONE).dt.tz_localize(None)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        times = _parsed(raw.to_pandas())
    else:
        raise UnreadableError("", f"times of type {kind}", "timestamps or ISO text in column time")
    wrong = times.isna().to_numpy()
    seconds = times.to_numpy().astype("datetime64[s]").astype(np.int64)
    day, second = np.divmod(seconds, 86_400)
    band = np.searchsorted(BAND_STARTS_H, second // 3_600, side="right") - 1
    weekend = is_weekend(day)
    band = np.where(wrong, WEEKDAY_DAY, band + 4 * weekend).astype(np.int8)
    return band, np.where(wrong, -1, day), _wrong(places, "time", wrong, raw, "a time YYYY-MM-DD HH:MM:SS")


def _parsed(texts: "pd.Series[str]") -> "pd.Series[pd.Timestamp]":
    """Parse ISO times; each distinct text once, because hourly data repeat a few."""
    codes, unique = pd.factorize(texts, use_na_sentinel=False)
    zoned = pd.Series(unique).astype(str).str.contains(r"(?:Z|[+-]\d{2}:?\d{2})$").to_numpy()
    parsed = np.full(len(unique), np.datetime64("NaT", "us"), dtype="datetime64[us]")
    words = pd.Series(unique).astype(str)
    parsed[~zoned] = pd.to_datetime(words[~zoned], errors="coerce", format="ISO8601").to_numpy(
        "datetime64[us]"
    )
    local = pd.to_datetime(words[zoned], errors="coerce", format="ISO8601", utc=True).dt.tz_convert(
        LOCAL_ZONE
    )
    parsed[zoned] = local.dt.tz_localize(None).to_numpy("datetime64[us]")
    return pd.Series(parsed[codes])
