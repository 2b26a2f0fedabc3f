"""Parquet files of pings to sums, on all cores: row groups side by side, each streamed in small batches."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from siteplanner.engines.pings import make_binner
from siteplanner.engines.tallies import Partial, Tally, dense_bytes, total
from siteplanner.layers.records import FootfallSource
from siteplanner.layers.row_faults import Origin
from siteplanner.model.grid import Lattice
from siteplanner.stopwatch import Report

# Rows held at once by each thread: the columns of a batch stay in its cache.
BATCH_ROWS = 1 << 16
# Bytes read at once from a column of a row group.
BUFFER_BYTES = 1 << 20
# How often the progress is told, and an interrupt is heard, s.
REPORT_EVERY_S = 0.2
# All accounts of all threads together; threads share when each cannot have its own.
ACCOUNTS_BYTES_MAX = 512 << 20

Taker = Callable[[pa.RecordBatch, Origin], None]


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


@dataclass(slots=True)
class _Course:
    """What the threads of one reading share; each entry is written by atomic operations only."""

    waiting: deque[tuple[int, RowGroup]]
    last: float = float("inf")
    errors: dict[int, BaseException] = field(default_factory=dict)
    done: deque[int] = field(default_factory=deque)


def count_pings(source: FootfallSource, lattice: Lattice, report: Report) -> Partial:
    """Count every row of a file or folder of pings on a lattice.

    Raises
    ------
    InputError
        Naming the first rows, by file and number, that cannot be counted.
    """
    where = Path(source.path)
    paths = sorted(path for path in where.rglob("*.parquet") if path.is_file()) if where.is_dir() else [where]
    files = [(path.relative_to(where).as_posix() if where.is_dir() else path.name, path) for path in paths]
    groups = row_groups(files)
    weight = source.columns.get("weight", "weight")
    weighted = bool(files) and weight in pq.read_schema(files[0][1]).names
    binner = make_binner(lattice, source, weighted=weighted)
    threads = min(n_threads(), max(len(groups), 1))
    size = dense_bytes(binner.n_keys, weighted=weighted)
    tallies = [binner.tally() for _ in range(min(threads, max(1, ACCOUNTS_BYTES_MAX // size)))]

    def taker(tally: Tally) -> Taker:
        return lambda batch, origin: tally.add(binner.place(batch, origin))

    takers = [taker(tallies[i % len(tallies)]) for i in range(threads)]
    for_each_batch(groups, binner.columns, takers, report)
    return total(tallies)


def n_threads() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def row_groups(files: Sequence[tuple[str, Path]]) -> list[RowGroup]:
    """List the row groups of files, in order."""
    groups = []
    for name, path in files:
        metadata = pq.read_metadata(path)
        start = 1
        for number in range(metadata.num_row_groups):
            n_rows = metadata.row_group(number).num_rows
            groups.append(RowGroup(path, name, number, start, n_rows))
            start += n_rows
    return groups


def for_each_batch(
    groups: Sequence[RowGroup],
    columns: Sequence[str],
    takers: Sequence[Taker],
    report: Report,
) -> None:
    """Hand every batch of the row groups to one of the takers; each taker has a thread of its own.

    Parameters
    ----------
    columns
        Columns to read, by their names in the files.
    takers
        Called with a batch and where it comes from. What they raise ends the reading; of several errors the
        first by file and row is raised, whatever thread met it.
    """
    course = _Course(deque(enumerate(groups)))
    total = max(sum(group.n_rows for group in groups), 1)
    counted = 0
    with ThreadPoolExecutor(max_workers=len(takers)) as pool:
        try:
            futures = {pool.submit(_work, course, columns, taker) for taker in takers}
            while futures:
                _, futures = wait(futures, timeout=REPORT_EVERY_S, return_when=FIRST_EXCEPTION)
                while course.done:
                    counted += course.done.popleft()
                report(counted / total)
        finally:
            # Also when the user interrupts: the threads stop at their next batch.
            course.last = -1.0
    if course.errors:
        raise course.errors[min(course.errors)]


def _work(course: _Course, columns: Sequence[str], taker: Callable[[pa.RecordBatch, Origin], None]) -> None:
    while True:
        try:
            number, group = course.waiting.popleft()
        except IndexError:
            return
        try:
            start = group.start
            for batch in _batches(group, columns):
                # Groups before the first bad one are read to their end: the fault named is always the same.
                if number > course.last:
                    return
                taker(batch, Origin(group.name, start))
                start += batch.num_rows
                course.done.append(batch.num_rows)
        except Exception as error:  # noqa: BLE001 - raised again by the thread that waits
            course.errors[number] = error
            course.last = min(course.last, number)
            return


def _batches(group: RowGroup, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(
        group.path, page_checksum_verification=True, pre_buffer=False, buffer_size=BUFFER_BYTES
    ) as file:
        yield from file.iter_batches(
            batch_size=BATCH_ROWS, row_groups=[group.number], columns=list(columns), use_threads=False
        )
