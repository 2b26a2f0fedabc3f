"""Parquet files of pings: what they hold, and what their statistics tell before a row is counted."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from siteplanner.errors import Fault, first_line
from siteplanner.layers.clock import FIRST_YEAR, LAST_YEAR
from siteplanner.layers.findings import FAULTS_SHOWN
from siteplanner.layers.ping_columns import is_text, time_unit
from siteplanner.layers.rasters import Bounds
from siteplanner.layers.records import FootfallSource
from siteplanner.layers.row_faults import WEIGHT_MAX, Origin, out_of_years, ping_faults, swapped_fault
from siteplanner.layers.sightings import column_names
from siteplanner.layers.text_tables import UnreadableError
from siteplanner.layers.typed import LAT_MAX, LON_MAX

NEEDED = ("lon", "lat", "time")
OPTIONAL = ("device", "weight")
# Rows of each file that are looked at before the count.
FIRST_ROWS = 1 << 13
# GCJ-02 and BD-09 move a point by less than this, degrees.
SHIFT_MAX_DEG = 0.02
BUFFER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class RowGroup:
    """A run of rows of one file.

    Parameters
    ----------
    name
        The file as messages name it.
    start
        Number of its first row in the file, from 1.
    """

    path: Path
    name: str
    number: int
    start: int
    n_rows: int


@dataclass(frozen=True, slots=True)
class PingFiles:
    """Files of pings that hold the same columns.

    Parameters
    ----------
    weighted, with_devices
        Whether there are columns of weights and of devices.
    """

    groups: tuple[RowGroup, ...]
    weighted: bool
    with_devices: bool

    @property
    def n_rows(self) -> int:
        """Rows of all files."""
        return sum(group.n_rows for group in self.groups)


def parquet_files(folder: Path) -> list[tuple[str, Path]]:
    """Return the Parquet files of a folder and all folders in it, by name.

    Names that begin with ``_`` or ``.`` stand for what is not finished or not data, as clusters have it.
    """
    found = sorted((path.relative_to(folder), path) for path in folder.rglob("*.parquet") if path.is_file())
    return [
        (name.as_posix(), path) for name, path in found if not any(part[0] in "_." for part in name.parts)
    ]


def open_pings(source: FootfallSource) -> PingFiles:
    """List the row groups of a checked source; UnreadableError when it has changed since."""
    where = Path(source.path)
    files = parquet_files(where) if where.is_dir() else [(where.name, where)]
    groups: list[RowGroup] = []
    columns: dict[str, str] = {}
    for name, path in files:
        metadata = _metadata(path)
        columns = _columns(metadata, source)
        groups += _groups(metadata, name, path)
    return PingFiles(tuple(groups), "weight" in columns, "device" in columns)


@contextmanager
def steady_memory() -> Iterator[None]:
    """Let Arrow take memory where fresh pages are cheap, as long as pings are read.

    Its default allocator was measured to need five times as long for the first pages of a process as the
    system's or jemalloc, which not every platform has.
    """
    before = pa.default_memory_pool()
    try:
        pool = pa.jemalloc_memory_pool()
    except NotImplementedError:
        pool = pa.system_memory_pool()
    pa.set_memory_pool(pool)
    try:
        yield
    finally:
        pa.set_memory_pool(before)


def read_batches(group: RowGroup, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
    """Stream the rows of a row group in batches; a broken page is an error, not other numbers."""
    with pq.ParquetFile(
        group.path, page_checksum_verification=True, pre_buffer=False, buffer_size=BUFFER_BYTES
    ) as file:
        leaf = {name: file.metadata.schema.column(i) for i, name in enumerate(file.metadata.schema.names)}
        universal = {name for name in columns if name in leaf and leaf[name].physical_type == "INT96"}
        for batch in file.iter_batches(
            batch_size=rows, row_groups=[group.number], columns=list(columns), use_threads=False
        ):
            yield _as_universal(batch, universal) if universal else batch


def check_pings(
    source: FootfallSource, path: str, files: dict[str, Path], bounds: Bounds | None
) -> tuple[list[Fault], tuple[tuple[str, ...], ...]]:
    """Check columns, statistics and first rows of every file; what only the count can tell, it tells.

    Parameters
    ----------
    path
        The file or folder as the scenario names it.
    """
    faults: list[Fault] = []
    seen: dict[str, tuple[str, ...]] = {}
    n_rows, near = 0, bounds is None
    for name, place in files.items():
        try:
            metadata = _metadata(place)
            columns = _columns(metadata, source)
            seen[name] = tuple(key for key in OPTIONAL if key in columns)
            n_rows += metadata.num_rows
            wrong = _statistics_faults(metadata, name, columns, source)
            faults += wrong or _first_rows(metadata, (name, place), columns, source)
            near = near or _may_overlap(metadata, columns, bounds, source)
        except UnreadableError as error:
            faults.append(error.fault(name))
        if len(faults) > FAULTS_SHOWN:
            break
    if not faults:
        faults += _uneven(seen)
    if not faults and n_rows == 0:
        faults.append(Fault(path, "", "", "no rows", "foot traffic"))
    elif not faults and not near and bounds is not None:
        wanted = "some in the counties ({:.3f}, {:.3f} to {:.3f}, {:.3f})".format(*bounds)
        faults.append(Fault(path, "", "lon, lat", f"{n_rows:,} rows, all outside", wanted))
    with_devices = any("device" in optional for optional in seen.values())
    unsure = source.suppress_below is not None and not with_devices
    return faults, (("footfall_unsure",),) if unsure else ()


def _metadata(path: Path) -> pq.FileMetaData:
    try:
        return pq.read_metadata(path)
    except (pa.ArrowException, OSError) as error:
        raise UnreadableError("", f"a broken Parquet file ({first_line(error)})", "a Parquet file") from None


def _groups(metadata: pq.FileMetaData, name: str, path: Path) -> Iterator[RowGroup]:
    start = 1
    for number in range(metadata.num_row_groups):
        n_rows = metadata.row_group(number).num_rows
        yield RowGroup(path, name, number, start, n_rows)
        start += n_rows


def _columns(metadata: pq.FileMetaData, source: FootfallSource) -> dict[str, str]:
    schema = metadata.schema.to_arrow_schema()
    for number, name in enumerate(metadata.schema.names):
        # The old 96-bit timestamps are Universal Time and do not say so.
        if metadata.schema.column(number).physical_type == "INT96" and name in schema.names:
            schema = schema.set(schema.get_field_index(name), pa.field(name, pa.timestamp("ns", "UTC")))
    return checked_columns(schema, source)


def checked_columns(schema: pa.Schema, source: FootfallSource) -> dict[str, str]:
    """Return the names in the file by canonical name; UnreadableError when a column or its type is wrong."""
    columns = column_names(schema.names, (NEEDED, OPTIONAL), source.columns)
    for name in columns.keys() & {"lon", "lat", "weight"}:
        kind = schema.field(columns[name]).type
        if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind)):
            raise UnreadableError("", f"values of type {kind} in column {columns[name]}", "numbers")
    kind = schema.field(columns["time"]).type
    if not is_text(kind):
        time_unit(kind, source)
    if "device" in columns:
        kind = schema.field(columns["device"]).type
        inner = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not (is_text(inner) or pa.types.is_integer(inner) or pa.types.is_binary(inner)):
            raise UnreadableError("", f"devices of type {kind}", "text or whole numbers in column device")
    elif source.distinct_devices:
        raise UnreadableError("", "no column of devices", "a column device, for distinct_devices = true")
    return columns


def _as_universal(batch: pa.RecordBatch, names: set[str]) -> pa.RecordBatch:
    arrays = [
        batch.column(name).cast(pa.timestamp("ns", "UTC")) if name in names else batch.column(name)
        for name in batch.schema.names
    ]
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def _uneven(seen: dict[str, tuple[str, ...]]) -> list[Fault]:
    """Refuse files of which some have a column of devices or weights and some have not."""
    (first, usual), *_ = seen.items()
    return [
        Fault(name, "", "", f"the optional columns {list(there)}", f"{list(usual)}, as in {first}")
        for name, there in seen.items()
        if there != usual
    ][:FAULTS_SHOWN]


def _first_rows(
    metadata: pq.FileMetaData, file: tuple[str, Path], columns: dict[str, str], source: FootfallSource
) -> list[Fault]:
    group = next(_groups(metadata, *file), None)
    if group is None:
        return []
    try:
        batch = next(read_batches(group, list(columns.values()), FIRST_ROWS), None)
    except (pa.ArrowException, OSError) as error:
        raise UnreadableError("", f"a broken Parquet file ({first_line(error)})", "a Parquet file") from None
    return [] if batch is None else ping_faults(batch, source, Origin(file[0]))


def _statistics_faults(
    metadata: pq.FileMetaData, name: str, columns: dict[str, str], source: FootfallSource
) -> list[Fault]:
    """Find row groups that hold impossible values by their least and largest ones, without reading them."""
    faults: list[Fault] = []
    kind = metadata.schema.to_arrow_schema().field(columns["time"]).type
    for group in _groups(metadata, name, Path()):
        place = f"rows {group.start}-{group.start + group.n_rows - 1}"
        ranges = {key: _range(metadata, group.number, columns[key]) for key in columns.keys() - {"device"}}
        if _swapped(ranges):
            return [swapped_fault(name)]
        for key, (low, high, nulls) in sorted(ranges.items()):
            if nulls:
                faults.append(Fault(name, place, key, f"{nulls:,} times nothing", "a value in every row"))
            for value in dict.fromkeys((low, high)):
                expected = _expected(key, value, kind, source)
                if expected:
                    faults.append(Fault(name, place, key, f'"{value}"', expected))
        if len(faults) > FAULTS_SHOWN:
            break
    return faults


def _range(metadata: pq.FileMetaData, number: int, name: str) -> tuple[Any, Any, int]:
    """Return least and largest value of a column of a row group, None when unknown, and its nulls."""
    column = metadata.row_group(number).column(metadata.schema.names.index(name))
    statistics = column.statistics
    if statistics is None:
        return None, None, 0
    nulls = (statistics.null_count or 0) if statistics.has_null_count else 0
    if not statistics.has_min_max:
        return None, None, nulls
    try:
        return statistics.min, statistics.max, nulls
    except (ValueError, OverflowError):
        # A time of which no calendar knows the year.
        return statistics.min_raw, statistics.max_raw, nulls


def _swapped(ranges: dict[str, tuple[Any, Any, int]]) -> bool:
    lat, lon = ranges["lat"], ranges["lon"]
    if lat[0] is None or lon[0] is None:
        return False
    beyond = lat[0] > LAT_MAX or lat[1] < -LAT_MAX
    return bool(beyond and lon[0] >= -LAT_MAX and lon[1] <= LAT_MAX)


def _expected(key: str, value: Any, kind: pa.DataType, source: FootfallSource) -> str:  # noqa: ANN401 - of any type
    """Return what a value should have been, or nothing when it is possible."""
    if value is None or isinstance(value, str | bytes):
        return ""
    if key == "time":
        years = f"a time from {FIRST_YEAR} to {LAST_YEAR}"
        if isinstance(value, datetime):
            aware = value if value.tzinfo else value.replace(tzinfo=UTC)
            late = out_of_years(np.array([int(aware.timestamp())]), "s")[0]
            return years if late else ""
        if pa.types.is_integer(kind) and source.time_unit is not None:
            unit = source.time_unit
            return f"{years}, in {unit}" if out_of_years(np.array([int(value)]), unit)[0] else ""
        return years
    low, high = {"lon": (-LON_MAX, LON_MAX), "lat": (-LAT_MAX, LAT_MAX)}.get(key, (0.0, WEIGHT_MAX))
    if low <= float(value) <= high:
        return ""
    return "a number >= 0" if key == "weight" else f"a number from {low:g} to {high:g}"


def _may_overlap(
    metadata: pq.FileMetaData, columns: dict[str, str], bounds: Bounds | None, source: FootfallSource
) -> bool:
    """Whether some row group may hold points within the bounds, as far as statistics tell."""
    if bounds is None:
        return True
    slack = 0.0 if source.datum == "wgs84" else SHIFT_MAX_DEG
    west, south, east, north = bounds
    for number in range(metadata.num_row_groups):
        lon, lat = (_range(metadata, number, columns[key]) for key in ("lon", "lat"))
        if lon[0] is None or lat[0] is None:
            return True
        if (
            lon[0] <= east + slack
            and lon[1] >= west - slack
            and lat[0] <= north + slack
            and lat[1] >= south - slack
        ):
            return True
    return False
