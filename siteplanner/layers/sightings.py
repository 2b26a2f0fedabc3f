"""Rows of points, H3 cells and our own cells in batches, with every bad value named by its line."""

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

from siteplanner.errors import Fault, InputError, first_line
from siteplanner.layers.clock import FIRST_YEAR, LAST_YEAR
from siteplanner.layers.encodings import EXPECTED, UndecodableError, decode
from siteplanner.layers.ping_columns import instants, is_text
from siteplanner.layers.records import FootfallSource
from siteplanner.layers.row_faults import (
    WEIGHT_MAX,
    Origin,
    look_swapped,
    out_of_years,
    swapped_fault,
    wrong_rows,
)
from siteplanner.layers.text_tables import UnreadableError, bytes_of
from siteplanner.layers.typed import LOCAL_ZONE
from siteplanner.tables import FOOTFALL

# Rows held at once.
BATCH_ROWS = 1 << 20

# What tells the place, by kind.
PLACE_COLUMNS = {"points": ("lon", "lat"), "cells": ("cell_id",), "h3": ("h3",)}
ZONE_EXPECTED = f"inputs.footfall.time_zone, e.g. {LOCAL_ZONE}"


@dataclass(frozen=True, slots=True, eq=False)
class Sightings:
    """Some rows of foot traffic.

    Parameters
    ----------
    lon, lat
        In the datum of the source; empty for cells.
    cell_id
        Our own cells as the file names them; empty for places with coordinates.
    times
        int64 since 1970; None for a file without times.
    unit, zoned
        Unit of the times, and whether they are Universal Time or local already.
    count
        People of each row.
    counted
        Whether the file says how many they are.
    origin
        Where the rows come from.
    """

    lon: np.ndarray
    lat: np.ndarray
    cell_id: np.ndarray
    times: np.ndarray | None
    unit: str
    zoned: bool
    count: np.ndarray
    counted: bool
    origin: Origin


def read_sightings(source: FootfallSource) -> Iterator[Sightings]:
    """Stream the rows of points, cells or H3 cells; InputError at the first batch with a bad value."""
    path = Path(source.path)
    try:
        for sightings, faults in check_sightings(path, path.name, source):
            if faults:
                raise InputError(faults)
            yield sightings
    except UnreadableError as error:
        raise InputError([error.fault(path.name)]) from None


def check_sightings(path: Path, name: str, source: FootfallSource) -> Iterator[tuple[Sightings, list[Fault]]]:
    """Stream the rows of a file with what is wrong with them; UnreadableError when it is no such file."""
    for start, batch in _batches(path, source):
        word = "line" if batch.num_rows and name.lower().endswith((".csv", ".gz")) else "row"
        yield _sightings(batch, Origin(name, start, word), source)


def column_names(
    there: list[str], canonical: tuple[tuple[str, ...], tuple[str, ...]], columns: dict[str, str]
) -> dict[str, str]:
    """Return the names in the file of the columns that are there, by canonical name.

    Parameters
    ----------
    canonical
        Needed and optional columns.
    """
    needed, known = canonical[0], (*canonical[0], *canonical[1])
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
    return {name: there_name for name, there_name in names.items() if there_name in there}


def _batches(path: Path, source: FootfallSource) -> Iterator[tuple[int, pa.Table]]:
    """Read a file in runs of rows with canonical column names, each with the number of its first row."""
    canonical = PLACE_COLUMNS[source.kind], ("time", "count")
    try:
        if path.suffix.lower() == ".parquet":
            with pq.ParquetFile(path, page_checksum_verification=True) as file:
                names = column_names(file.schema_arrow.names, canonical, source.columns)
                start = 1
                for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=list(names.values())):
                    batch.validate(full=True)
                    yield start, pa.table({n: batch.column(there) for n, there in names.items()})
                    start += batch.num_rows
            return
        table = _read_csv(path)
        names = column_names(table.column_names, canonical, source.columns)
        # Line 1 is the header.
        for start in range(0, table.num_rows, BATCH_ROWS):
            part = table.slice(start, BATCH_ROWS)
            columns = {n: part.column(there).combine_chunks() for n, there in names.items()}
            yield start + 2, pa.table(columns)
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


def _sightings(batch: pa.Table, origin: Origin, source: FootfallSource) -> tuple[Sightings, list[Fault]]:
    lon = lat = np.empty(0)
    cell_id = np.empty(0, dtype=np.int64)
    if source.kind == "h3":
        lon, lat, faults = _h3_centres(batch.column("h3"), origin)
    elif source.kind == "cells":
        cell_id, faults = _cell_ids(batch.column("cell_id"), origin)
    else:
        lon, lat, faults = _coordinates(batch, origin)
    counted = "count" in batch.column_names
    count = np.ones(batch.num_rows)
    if counted:
        count, wrong = _numbers(batch, "count", origin)
        faults += wrong
    sightings = Sightings(lon, lat, cell_id, None, "us", False, count, counted, origin)
    if "time" in batch.column_names:
        times, unit, zoned, wrong = _times(batch.column("time"), origin, source)
        sightings = replace(sightings, times=times, unit=unit, zoned=zoned)
        faults += wrong
    return sightings, faults


def _coordinates(batch: pa.Table, origin: Origin) -> tuple[np.ndarray, np.ndarray, list[Fault]]:
    lon, faults = _numbers(batch, "lon", origin)
    lat, more = _numbers(batch, "lat", origin)
    if look_swapped(lon, lat):
        return lon, lat, [swapped_fault(origin.file)]
    return lon, lat, faults + more


def _numbers(batch: pa.Table, column: str, origin: Origin) -> tuple[np.ndarray, list[Fault]]:
    raw = batch.column(column)
    promise = FOOTFALL.column(column)
    low = promise.low if promise.low is not None else -WEIGHT_MAX
    high = promise.high if promise.high is not None else WEIGHT_MAX
    kind = raw.type
    if is_text(kind):
        values = pd.to_numeric(raw.to_pandas(), errors="coerce").to_numpy(dtype=float)
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        values = raw.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False).astype(float)
    else:
        expected = f"numbers in column {column}"
        raise UnreadableError("", f"values of type {kind}", expected)
    wrong = ~((values >= low) & (values <= high))
    words = f"a number >= {low:g}" if promise.high is None else f"a number from {low:g} to {high:g}"
    return values, wrong_rows(raw, wrong, (origin, column, words))


def _h3_centres(raw: pa.ChunkedArray, origin: Origin) -> tuple[np.ndarray, np.ndarray, list[Fault]]:
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
    faults = wrong_rows(raw, ~valid[codes], (origin, "h3", "an H3 cell"))
    return centres[codes, 1], centres[codes, 0], faults


def _h3_name(cell: object) -> str:
    if isinstance(cell, int | np.integer):
        return h3.int_to_str(int(cell)) if cell > 0 else ""
    return str(cell).strip().lower()


def _cell_ids(raw: pa.ChunkedArray, origin: Origin) -> tuple[np.ndarray, list[Fault]]:
    """Return our own cells, given as text or as numbers; ids of no lattice at all are wrong."""
    if not (pa.types.is_integer(raw.type) or is_text(raw.type)):
        raise UnreadableError("", f"cells of type {raw.type}", "whole numbers in column cell_id")
    values = pd.to_numeric(raw.to_pandas(), errors="coerce").to_numpy(dtype=float)
    wrong = ~((values >= 0.0) & (values == np.floor(values)) & (values < WEIGHT_MAX))
    faults = wrong_rows(raw, wrong, (origin, "cell_id", "the cell_id of this scenario's own cells.parquet"))
    return np.where(wrong, -1.0, values).astype(np.int64), faults


def _times(
    raw: pa.ChunkedArray, origin: Origin, source: FootfallSource
) -> tuple[np.ndarray, str, bool, list[Fault]]:
    """Return times since 1970, their unit, whether they are Universal Time, and which are wrong."""
    if not is_text(raw.type):
        times, unit, zoned = instants(_whole(raw), source)
        expected = f"a time from {FIRST_YEAR} to {LAST_YEAR}, in {unit}"
        return times, unit, zoned, wrong_rows(raw, out_of_years(times, unit), (origin, "time", expected))
    local, naive = _parsed(raw.to_pandas(), source.time_zone or LOCAL_ZONE)
    if naive and source.time_zone is None:
        raise UnreadableError("", "times without a zone", ZONE_EXPECTED)
    times = local.to_numpy("datetime64[us]").astype(np.int64)
    expected = f"a time YYYY-MM-DD HH:MM:SS from {FIRST_YEAR} to {LAST_YEAR}"
    return times, "us", False, wrong_rows(raw, out_of_years(times, "us"), (origin, "time", expected))


def _whole(raw: "pa.ChunkedArray | pa.Array") -> pa.Array:
    return raw.combine_chunks() if isinstance(raw, pa.ChunkedArray) else raw


def _parsed(texts: "pd.Series[str]", zone: str) -> "tuple[pd.Series[pd.Timestamp], bool]":
    """Parse ISO times to the clock of a zone, and tell whether any of them had no offset.

    Each distinct text is parsed once, because hourly data repeat a few.
    """
    codes, unique = pd.factorize(texts, use_na_sentinel=False)
    words = pd.Series(unique).astype(str)
    zoned = words.str.contains(r"(?:Z|[+-]\d{2}:?\d{2})$").to_numpy()
    parsed = np.full(len(unique), np.datetime64("NaT", "us"), dtype="datetime64[us]")
    naive = pd.to_datetime(words[~zoned], errors="coerce", format="ISO8601")
    parsed[~zoned] = naive.to_numpy("datetime64[us]")
    aware = pd.to_datetime(words[zoned], errors="coerce", format="ISO8601", utc=True).dt.tz_convert(zone)
    parsed[zoned] = aware.dt.tz_localize(None).to_numpy("datetime64[us]")
    return pd.Series(parsed[codes]), bool(naive.notna().any())
