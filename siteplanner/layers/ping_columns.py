"""Columns of a batch of sightings as plain arrays: floats, and whole numbers since 1970."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from siteplanner.layers.records import FootfallSource
from siteplanner.layers.text_tables import UnreadableError

TIME_EXPECTED = "timestamps, ISO text, or whole numbers with inputs.footfall.time_unit in column time"
# What stands for a time that is not there; it lies before all years counted.
NO_TIME = np.iinfo(np.int64).min


def column_of(batch: pa.RecordBatch, name: str, source: FootfallSource) -> pa.Array:
    """Return a column by its canonical name."""
    return batch.column(source.columns.get(name, name))


def floats(raw: pa.Array) -> np.ndarray:
    """Return numbers as float64, NaN where there is none; the array must not be written to."""
    kind = raw.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        raise UnreadableError("", f"values of type {kind}", "numbers")
    if not pa.types.is_float64(kind):
        raw = raw.cast(pa.float64(), safe=False)
    # Compiled loops are made for one kind of array: not to be written to.
    return sealed(raw.to_numpy(zero_copy_only=False))


def is_text(kind: pa.DataType) -> bool:
    """Whether a column holds text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def sealed(values: np.ndarray) -> np.ndarray:
    """Return a view that cannot be written to."""
    view = values.view()
    view.flags.writeable = False
    return view


def instants(raw: pa.Array, source: FootfallSource) -> tuple[np.ndarray, str, bool]:
    """Return times as int64 since 1970, their unit, and whether they are Universal Time or local already.

    Raises
    ------
    UnreadableError
        When the type does not tell the time: whole numbers without a unit, local times without a zone.
    """
    kind = raw.type
    if is_text(kind):
        raw = _parsed(raw)
        kind = raw.type
    unit, zoned = time_unit(kind, source)
    if raw.null_count:
        raw = pc.fill_null(raw.cast(pa.int64()), NO_TIME)
    return sealed(raw.cast(pa.int64()).to_numpy(zero_copy_only=False)), unit, zoned


def time_unit(kind: pa.DataType, source: FootfallSource) -> tuple[str, bool]:
    """Return the unit of a column of times, and whether it holds Universal Time or local times.

    Raises
    ------
    UnreadableError
        When the type does not tell the time.
    """
    if pa.types.is_integer(kind):
        if source.time_unit is None:
            raise UnreadableError(
                "", f"times of type {kind}", "inputs.footfall.time_unit: s, ms, us or ns since 1970 UTC"
            )
        return source.time_unit, True
    if not pa.types.is_timestamp(kind):
        raise UnreadableError("", f"times of type {kind}", TIME_EXPECTED)
    if kind.tz is None and source.time_zone is None:
        raise UnreadableError("", "times without a zone", "inputs.footfall.time_zone, e.g. Asia/Shanghai")
    return kind.unit, kind.tz is not None


def _parsed(texts: pa.Array) -> pa.Array:
    """Read ISO times; all of them with an offset, or none."""
    for kind in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            return texts.cast(kind)
        except pa.ArrowInvalid:
            continue
    return pa.nulls(len(texts), pa.timestamp("us", "UTC"))
