"""Rows of sightings that cannot be counted, by file, row and column."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from siteplanner.errors import Fault
from siteplanner.layers.clock import (
    FIRST_DAY,
    FIRST_YEAR,
    LAST_YEAR,
    N_DAYS,
    SECONDS_PER_DAY,
    TICKS_PER_SECOND,
)
from siteplanner.layers.findings import FAULTS_SHOWN
from siteplanner.layers.ping_columns import column_of, floats, instants
from siteplanner.layers.records import FootfallSource
from siteplanner.layers.typed import LAT_MAX, LON_MAX

# Latitudes beyond the Earth in more than this share of the rows mean swapped columns.
SWAPPED_SHARE_MIN = 0.5
# A row that stands for more people than this is a slip; it keeps sums of weights far from overflow.
WEIGHT_MAX = 2.0**40


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a run of rows comes from.

    Parameters
    ----------
    start
        Number of its first row; None when the file is read in parts that do not tell.
    word
        What a row is called there.
    """

    file: str
    start: int | None = 1
    word: str = "row"

    def place(self, row: int) -> str:
        """Return where a row of the run stands, counted from 0."""
        return "" if self.start is None else f"{self.word} {self.start + row}"


def ping_faults(batch: pa.RecordBatch, source: FootfallSource, origin: Origin) -> list[Fault]:
    """Return what is wrong with the coordinates, times and weights of a batch."""
    lon, lat = (floats(column_of(batch, name, source)) for name in ("lon", "lat"))
    if look_swapped(lon, lat):
        return [swapped_fault(origin.file)]
    faults = []
    for name, values, most in (("lon", lon, LON_MAX), ("lat", lat, LAT_MAX)):
        raw = column_of(batch, name, source)
        expected = f"a number from {-most:g} to {most:g}"
        faults += wrong_rows(raw, ~(np.abs(values) <= most), (origin, name, expected))
    raw = column_of(batch, "time", source)
    times, unit, _ = instants(raw, source)
    expected = f"a time from {FIRST_YEAR} to {LAST_YEAR}, in {unit}"
    faults += wrong_rows(raw, out_of_years(times, unit), (origin, "time", expected))
    if source.columns.get("weight", "weight") in batch.schema.names:
        raw = column_of(batch, "weight", source)
        weights = floats(raw)
        wrong = ~((weights >= 0.0) & (weights <= WEIGHT_MAX))
        faults += wrong_rows(raw, wrong, (origin, "weight", "a number >= 0"))
    return faults


def look_swapped(lon: np.ndarray, lat: np.ndarray) -> bool:
    """Whether most latitudes are impossible and would make good longitudes."""
    return len(lat) > 0 and bool(
        np.mean((np.abs(lat) > LAT_MAX) & (np.abs(lon) <= LAT_MAX)) > SWAPPED_SHARE_MIN
    )


def swapped_fault(file: str) -> Fault:
    """Return the fault of a file whose columns are swapped."""
    return Fault(file, "", "lat", "latitudes beyond 85 (lon and lat look swapped)", "degrees")


def out_of_years(times: np.ndarray, unit: str) -> np.ndarray:
    """Whether times since 1970 lie outside the years that are counted, to the day of any zone."""
    day = SECONDS_PER_DAY * TICKS_PER_SECOND[unit]
    return np.asarray((times < FIRST_DAY * day - day // 2) | (times >= (FIRST_DAY + N_DAYS) * day + day // 2))


def wrong_rows(
    raw: "pa.Array | pa.ChunkedArray", wrong: np.ndarray, about: tuple[Origin, str, str]
) -> list[Fault]:
    """Return the first wrong rows of a column as faults, and how many more there are.

    Parameters
    ----------
    about
        Origin of the rows, name of the column, what was expected.
    """
    origin, column, expected = about
    at: Sequence[int] = np.flatnonzero(wrong).tolist()
    shown = [Fault(origin.file, origin.place(i), column, _shown(raw[i]), expected) for i in at[:FAULTS_SHOWN]]
    more = len(at) - FAULTS_SHOWN
    if more > 0:
        shown.append(Fault(origin.file, "", column, f"{more:,} more of this kind", expected))
    return shown


def _shown(value: pa.Scalar) -> str:
    content = value.as_py()
    return "nothing" if content in (None, "") else f'"{str(content)[:60]}"'
