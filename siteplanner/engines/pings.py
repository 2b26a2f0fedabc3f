"""Pings to cells and hours: one small object that every engine hands its batches of rows to.

A `PingBinner` is a value: it can be pickled, sent to another process and used by many threads at once. What
it counts is gathered in a `Tally` of whole numbers, so neither the order of rows nor the number of threads
or machines shows in a sum.

    binner = make_binner(grid.lattice, source)
    tally = binner.tally()
    for batch in batches:                   # Arrow record batches with the file's own column names
        tally.add(binner.place(batch, origin))
    partial = tally.partial()               # sorted keys and sums; `Partial.to_batch` to send it elsewhere
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa

from siteplanner.engines.ping_kernels import NEAR_CELLS, impossible, locate, split_weights, tell_time
from siteplanner.engines.shifts import shift, shift_table
from siteplanner.engines.tallies import Tally, make_tally
from siteplanner.errors import InputError
from siteplanner.layers.clock import (
    FIRST_DAY,
    N_BANDS,
    N_HOURS,
    SECONDS_PER_DAY,
    SECONDS_PER_HOUR,
    TICKS_PER_SECOND,
    WEEKDAY_DAY,
    band_of_hours,
    no_offset,
    offsets_of,
)
from siteplanner.layers.datum import to_wgs84
from siteplanner.layers.ping_columns import column_of, floats, instants, sealed
from siteplanner.layers.records import FootfallSource
from siteplanner.layers.row_faults import WEIGHT_MAX, Origin, ping_faults
from siteplanner.model.lattice import Lattice, edge_lines, lattice_ids

# The bins that tell a row are this much finer than the narrowest row.
BINS_PER_ROW = 8.0


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """Rows on the lattice.

    Parameters
    ----------
    keys
        ``cell_id * 8 + band``; the number of all such keys stands for off the lattice.
    hours
        Local hours since the first year counted (`clock.days_of_hours` tells the dates).
    high, low
        Weights in units of 2**-20 and 2**-62 people; empty when each row counts 1.
    """

    keys: np.ndarray
    hours: np.ndarray
    high: np.ndarray
    low: np.ndarray


@dataclass(frozen=True, slots=True)
class PingBinner:
    """Puts rows of longitude, latitude and time on the cells of a lattice and the hours of a clock.

    Every point gets the cell that `model.grid.cell_ids` gives it, edges included.

    Parameters
    ----------
    source
        Columns, datum and time zone of the rows.
    weighted
        Whether a row counts its weight in place of 1.
    """

    lattice: Lattice
    source: FootfallSource
    weighted: bool = False

    @property
    def n_keys(self) -> int:
        """Number of keys of the lattice; also the key of rows off it."""
        return self.lattice.n_rows * self.lattice.n_cols * N_BANDS

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns it reads, as the file gives them."""
        wanted = ("lon", "lat", "time", *(("weight",) if self.weighted else ()))
        return tuple(self.source.columns.get(name, name) for name in wanted)

    def tally(self) -> Tally:
        """Return an empty account."""
        return make_tally(self.n_keys, weighted=self.weighted)

    def place(self, batch: pa.RecordBatch, origin: Origin) -> Placed:
        """Place the rows of a batch; InputError names rows with impossible values.

        Parameters
        ----------
        origin
            Where the batch comes from, for messages.
        """
        lon, lat = (floats(column_of(batch, name, self.source)) for name in ("lon", "lat"))
        cells, wrong = self.cells(lon, lat)
        placed, late = self.at(cells, *instants(column_of(batch, "time", self.source), self.source))
        wrong += late
        if self.weighted:
            wrong += split_weights(
                floats(column_of(batch, "weight", self.source)), WEIGHT_MAX, placed.high, placed.low
            )
        if wrong:
            raise InputError(ping_faults(batch, self.source, origin))
        return placed

    def cells(self, lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, int]:
        """Return the lattice cell of each point, -1 off the lattice, and how many points are impossible."""
        datum = self.source.datum
        cells, near = np.empty(len(lon), dtype=np.int64), np.empty(len(lon), dtype=np.int64)
        if datum == "wgs84":
            n_near, wrong = locate(lon, lat, *_edge_tables(self.lattice, 0.0), (cells, near))
            left = near[:n_near]
        else:
            table = shift_table(self.lattice, datum)
            moved = [sealed(part) for part in shift(table, lon, lat)]
            n_near, _ = locate(
                moved[0], moved[1], *_edge_tables(self.lattice, table.error_deg), (cells, near)
            )
            left = np.concatenate([near[:n_near], np.flatnonzero(np.isnan(moved[0]))])
            wrong = impossible(lon, lat)
        if len(left):
            cells[left] = lattice_ids(self.lattice, *to_wgs84(lon[left], lat[left], datum))
        return cells, wrong

    def untimed(self, cells: np.ndarray) -> Placed:
        """Put rows without a time in the daytime of a weekday; of no hour."""
        keys = np.where(cells >= 0, cells * N_BANDS + WEEKDAY_DAY, self.n_keys)
        high, low = (np.empty(len(cells) if self.weighted else 0, dtype=np.int64) for _ in range(2))
        return Placed(keys, np.full(len(cells), N_HOURS, dtype=np.int32), high, low)

    def at(self, cells: np.ndarray, times: np.ndarray, unit: str, zoned: bool) -> tuple[Placed, int]:  # noqa: FBT001 - as `instants` returns it
        """Put rows with cells on the clock; return also how many times lie outside the years counted."""
        ticks = TICKS_PER_SECOND[unit]
        offsets = offsets_of(self.source.time_zone) if zoned else no_offset()
        zone = offsets.begins_s * ticks, offsets.shifts_s * ticks
        hours = FIRST_DAY * SECONDS_PER_DAY * ticks, SECONDS_PER_HOUR * ticks, band_of_hours()
        keys, hour = np.empty(len(cells), dtype=np.int64), np.empty(len(cells), dtype=np.int32)
        late = tell_time(times, zone, hours, (cells, self.n_keys), (keys, hour))
        high, low = (np.empty(len(cells) if self.weighted else 0, dtype=np.int64) for _ in range(2))
        return Placed(keys, hour, high, low), late


def make_binner(lattice: Lattice, source: FootfallSource, *, weighted: bool = False) -> PingBinner:
    """Return what puts pings of a source on a lattice.

    Parameters
    ----------
    weighted
        Whether the files have a column of weights.
    """
    return PingBinner(lattice, source, weighted)


@lru_cache(maxsize=4)
def _edge_tables(
    lattice: Lattice, error_deg: float
) -> tuple[tuple[float, float, int], tuple[np.ndarray, np.ndarray, float, float, float]]:
    """Return what `locate` needs to know of the columns and rows, for points that are out by so much."""
    lons, lats = edge_lines(lattice)
    per_degree = lattice.n_cols / (lons[-1] - lons[0])
    bins_per_degree = BINS_PER_ROW / np.diff(lats).min()
    n_bins = int((lats[-1] - lats[0]) * bins_per_degree) + 1
    first_row = np.searchsorted(lats, lats[0] + np.arange(n_bins) / bins_per_degree, side="right") - 1
    edges = np.concatenate([[-np.inf], lats, [np.inf]])
    near_deg = NEAR_CELLS * float(np.diff(lats).min()) + error_deg
    near_cols = NEAR_CELLS + error_deg * float(per_degree)
    columns = float(lons[0]), float(per_degree), lattice.n_cols
    return columns, (edges, first_row.clip(0).astype(np.int32), float(bins_per_degree), near_deg, near_cols)
