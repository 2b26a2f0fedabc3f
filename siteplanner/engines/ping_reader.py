"""Parquet files of pings to sums, on all cores: row groups side by side, each streamed in small batches."""

from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa

from siteplanner.engines.devices import DeviceSpool, device_spool
from siteplanner.engines.pings import PingBinner, make_binner
from siteplanner.engines.tallies import Partial, Tally, dense_bytes, make_tally, total
from siteplanner.engines.threads import Worker, n_threads, side_by_side
from siteplanner.errors import Fault, InputError, first_line
from siteplanner.layers.ping_files import PingFiles, RowGroup, open_pings, read_batches, steady_memory
from siteplanner.layers.records import FootfallSource
from siteplanner.layers.row_faults import Origin
from siteplanner.layers.text_tables import UnreadableError
from siteplanner.model.lattice import Lattice
from siteplanner.stopwatch import Report

# Rows held at once by each thread: the columns of a batch stay in its cache.
BATCH_ROWS = 1 << 16
# All accounts of all threads together; threads share when each cannot have its own.
ACCOUNTS_BYTES_MAX = 512 << 20

Taker = Callable[[pa.RecordBatch, Origin], None]


def count_pings(source: FootfallSource, lattice: Lattice, report: Report) -> tuple[Partial, Partial | None]:
    """Count every row of the files on a lattice.

    Returns the sums of rows, or with ``distinct_devices`` of devices by cell and hour; and, where figures are
    to be suppressed and there is a column of devices, the devices behind each of them.

    Raises
    ------
    InputError
        Naming the first rows, by file and number, that cannot be counted.
    """
    files = open_pings(source)
    binner = make_binner(lattice, source, weighted=files.weighted)
    if files.with_devices and (source.distinct_devices or source.suppress_below is not None):
        return _count_devices(binner, files, report)
    tallies = _tallies(binner, files)
    takers = [_counter(binner, tally) for tally in tallies]
    _read(files, binner.columns, takers, report)
    return total(tallies), None


def _tallies(binner: PingBinner, files: PingFiles) -> list[Tally]:
    """Return an account for each thread; the same one for several where memory is short."""
    threads = max(min(n_threads(), len(files.groups)), 1)
    size = dense_bytes(binner.n_keys, weighted=binner.weighted)
    own = [binner.tally() for _ in range(min(threads, max(1, ACCOUNTS_BYTES_MAX // size)))]
    return [own[i % len(own)] for i in range(threads)]


def _counter(binner: PingBinner, tally: Tally) -> Taker:
    return lambda batch, origin: tally.add(binner.place(batch, origin))


def _count_devices(binner: PingBinner, files: PingFiles, report: Report) -> tuple[Partial, Partial | None]:
    """Count with devices: all rows are first put aside on disk, those of a device together."""
    source = binner.source
    distinct = source.distinct_devices
    device = source.columns.get("device", "device")
    weighted = distinct and binner.weighted
    sums = binner.tally()
    devices = None if source.suppress_below is None else make_tally(binner.n_keys, weighted=False)

    def taker(spool: DeviceSpool) -> Taker:
        def take(batch: pa.RecordBatch, origin: Origin) -> None:
            placed = binner.place(batch, origin)
            if not distinct:
                sums.add(placed)
            spool.add(placed, batch.column(device), origin)

        return take

    with device_spool(files.n_rows, weighted=weighted) as spool:
        takers = [taker(spool) for _ in range(max(min(n_threads(), len(files.groups)), 1))]
        _read(files, (*binner.columns, device), takers, lambda share: report(share / 2))
        spool.count(sums if distinct else None, devices, lambda share: report((1 + share) / 2))
    return sums.partial(), None if devices is None else devices.partial()


def _read(files: PingFiles, columns: Sequence[str], takers: Sequence[Taker], report: Report) -> None:
    workers: list[Worker[RowGroup]] = [_worker(columns, taker) for taker in takers]
    with steady_memory():
        side_by_side(files.groups, workers, files.n_rows, report)


def group_batches(group: RowGroup, columns: Sequence[str]) -> Iterator[tuple[pa.RecordBatch, Origin]]:
    """Stream the rows of a row group, each batch with where it comes from; InputError when it is broken."""
    start = group.start
    try:
        for batch in read_batches(group, columns, BATCH_ROWS):
            yield batch, Origin(group.name, start)
            start += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        found = f"a broken file ({first_line(error)})"
        raise InputError([Fault(group.name, "", "", found, "a Parquet file")]) from None


def _worker(columns: Sequence[str], taker: Taker) -> Worker[RowGroup]:
    def work(group: RowGroup) -> Iterator[float]:
        try:
            for batch, origin in group_batches(group, columns):
                taker(batch, origin)
                yield batch.num_rows
        except UnreadableError as error:
            raise InputError([error.fault(group.name)]) from None

    return work
