"""What the workers of a cluster do with pings, rows to pieces and pieces to sums, and what is made of these.

A piece is a name and some bytes. Its name says what the bytes hold (`Kind`) and which part of it: a block of
keys, a part of the devices, or where a fault was met. Pieces of one name may be brought together anywhere and
in any order; sums are whole numbers, so the answer does not show it.

    count_groups    row groups -> sums by block, or rows by device
    count_rows      batches of rows -> the same
    count_parts     rows of all devices of a part -> sums by block
    add_up          sums of a block -> their sum
    gather          sums of all blocks -> the answer
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from enum import IntEnum
from itertools import chain

import numpy as np
import pyarrow as pa

from siteplanner.engines.devices import count_devices, count_present, rows_by_part
from siteplanner.engines.ping_reader import group_batches
from siteplanner.engines.pings import PingBinner
from siteplanner.engines.tallies import DenseTally, Partial, make_tally
from siteplanner.errors import EngineError, Fault, InputError
from siteplanner.layers.ping_files import RowGroup
from siteplanner.layers.row_faults import Origin
from siteplanner.layers.text_tables import UnreadableError

# Keys of a block: its sums take 2 MB in memory, 6 MB with weights.
BLOCK_BITS = 18
# Rows put aside by device that wait before they become pieces.
WAITING_ROWS = 1 << 20

_NONE = np.empty(0, dtype=np.int64)


class Kind(IntEnum):
    """What the bytes of a piece hold."""

    LIMIT = 0
    FAULTS = 1
    SUMS = 2
    DEVICES = 3
    ROWS = 4


Name = tuple[int, int]
Piece = tuple[Name, bytes]
Batches = Iterable[tuple[pa.RecordBatch, Origin]]


@dataclass(frozen=True, slots=True)
class PingCount:
    """What is to be counted; can be pickled.

    Parameters
    ----------
    distinct
        Whether a device counts once per cell and hour.
    behind
        Whether the devices behind each figure are counted.
    n_parts
        Parts that devices are sorted into.
    """

    binner: PingBinner
    distinct: bool
    behind: bool
    n_parts: int

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns it reads, as the files give them."""
        return (*self.binner.columns, *((self.device,) if self.by_device else ()))

    @property
    def device(self) -> str:
        """Name of the column of devices."""
        return self.binner.source.columns.get("device", "device")

    @property
    def by_device(self) -> bool:
        """Whether rows of a device must come together."""
        return self.distinct or self.behind

    @property
    def n_blocks(self) -> int:
        """Blocks of keys of the lattice."""
        return (self.binner.n_keys >> BLOCK_BITS) + 1


def share_out(groups: Sequence[RowGroup], n_tasks: int) -> list[tuple[int, tuple[RowGroup, ...]]]:
    """Cut row groups into numbered runs with about the same number of rows."""
    ends = np.cumsum([group.n_rows for group in groups])
    task = (ends - 1) * n_tasks // max(int(ends[-1]), 1) if len(groups) else ends
    runs: dict[int, list[RowGroup]] = {}
    for number, group in zip(task.tolist(), groups, strict=True):
        runs.setdefault(number, []).append(group)
    return [(number, tuple(run)) for number, run in runs.items()]


def count_groups(count: PingCount, number: int, groups: Sequence[RowGroup]) -> Iterator[Piece]:
    """Count a run of row groups, read right where this runs.

    Parameters
    ----------
    number
        Of the run, for faults.
    """
    lost = [group.name for group in groups if not group.path.exists()]
    if lost:
        remedy = "put the files where every machine finds them under the same path, or give a URI"
        yield (Kind.LIMIT, number), f"{lost[0]} is not there on a machine of the cluster: {remedy}".encode()
        return
    yield from count_rows(
        count, chain.from_iterable(group_batches(group, count.columns) for group in groups), number
    )


def count_rows(count: PingCount, batches: Batches, number: int) -> Iterator[Piece]:
    """Count some rows; what is wrong with them is a piece too: an error would be tried again elsewhere.

    Parameters
    ----------
    number
        Name of these rows among all, for faults.
    """
    try:
        yield from _count(count, batches)
    except InputError as error:
        yield (Kind.FAULTS, number), json.dumps([asdict(fault) for fault in error.faults]).encode()
    except EngineError as error:
        yield (Kind.LIMIT, number), str(error).encode()


def count_parts(count: PingCount, pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Count distinct devices part by part; a part is held as a whole. Other pieces are passed on."""
    parts: dict[int, list[bytes]] = {}
    for name, content in pieces:
        if name[0] == Kind.ROWS:
            parts.setdefault(name[1], []).append(content)
        else:
            yield name, content
    for contents in parts.values():
        rows = pa.concat_tables([_read(content) for content in contents])
        if count.distinct:
            yield from _in_blocks(count_present(rows, weighted=count.binner.weighted), Kind.SUMS)
        if count.behind:
            yield from _in_blocks(count_devices(rows), Kind.DEVICES)


def add_up(count: PingCount, pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Add up the sums of each block; other pieces are passed on."""
    tallies: dict[Name, DenseTally] = {}
    for name, content in pieces:
        kind, block = name
        if kind not in {Kind.SUMS, Kind.DEVICES} or block < 0:
            yield name, content
            continue
        weighted = count.binner.weighted and kind == Kind.SUMS
        if name not in tallies:
            tallies[name] = DenseTally(1 << BLOCK_BITS, weighted=weighted)
        partial = Partial.from_batch(_read(content), weighted=weighted)
        tallies[name].take(replace(partial, keys=partial.keys - (block << BLOCK_BITS)))
    for (kind, block), tally in tallies.items():
        partial = tally.partial()
        yield (kind, block), _write(replace(partial, keys=partial.keys + (block << BLOCK_BITS)).to_batch())


def gather(count: PingCount, pieces: Iterable[Piece]) -> tuple[Partial, Partial | None]:
    """Return the sums of rows or of devices by cell and hour, and the devices behind each figure if wanted.

    Raises
    ------
    InputError
        With the faults of the first rows that have any.
    EngineError
        When a limit was passed.
    """
    sums = count.binner.tally()
    devices = make_tally(count.binner.n_keys, weighted=False) if count.behind else None
    faults: dict[int, bytes] = {}
    for (kind, number), content in pieces:
        if kind == Kind.LIMIT:
            raise EngineError(content.decode())
        if kind == Kind.FAULTS:
            faults[number] = content
        elif kind == Kind.SUMS:
            sums.take(Partial.from_batch(_read(content), weighted=count.binner.weighted))
        elif devices is not None:
            devices.take(Partial.from_batch(_read(content), weighted=False))
    if faults:
        raise InputError(Fault(**fault) for fault in json.loads(faults[min(faults)]))
    return sums.partial(), None if devices is None else devices.partial()


def _count(count: PingCount, batches: Batches) -> Iterator[Piece]:
    tally = count.binner.tally()
    waiting: dict[int, list[pa.RecordBatch]] = {}
    n_waiting = 0
    for batch, origin in batches:
        try:
            placed = count.binner.place(batch, origin)
        except UnreadableError as error:
            raise InputError([error.fault(origin.file)]) from None
        if not count.distinct:
            tally.add(placed)
        if count.by_device:
            seen = placed, batch.column(count.device), origin
            for part, rows in rows_by_part(seen, count.n_parts, weighted=_weighs(count)):
                waiting.setdefault(part, []).append(rows)
            n_waiting += batch.num_rows
        if n_waiting >= WAITING_ROWS:
            yield from _put_aside(waiting)
            waiting, n_waiting = {}, 0
    yield from _put_aside(waiting)
    yield from _in_blocks(tally.partial(), Kind.SUMS)


def _weighs(count: PingCount) -> bool:
    return count.distinct and count.binner.weighted


def _put_aside(waiting: dict[int, list[pa.RecordBatch]]) -> Iterator[Piece]:
    for part, rows in waiting.items():
        yield (Kind.ROWS, part), _write(*rows)


def _in_blocks(partial: Partial, kind: Kind) -> Iterator[Piece]:
    """Cut sums into blocks of keys; the hours go as a block of their own, -1."""
    if len(partial.hours):
        yield (kind, -1), _write(replace(partial, keys=_NONE, rows=_NONE, high=_NONE, low=_NONE).to_batch())
    if not len(partial.keys):
        return
    blocks = partial.keys >> BLOCK_BITS
    starts = np.flatnonzero(np.diff(blocks, prepend=-1))
    for start, end in zip(starts, [*starts[1:], len(blocks)], strict=True):
        here = slice(start, end)
        high, low = (part[here] if len(part) else part for part in (partial.high, partial.low))
        cut = Partial(partial.keys[here], partial.rows[here], high, low, _NONE)
        yield (kind, int(blocks[start])), _write(cut.to_batch())


def _write(*batches: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_stream(sink, batches[0].schema, options=options) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return bytes(sink.getvalue())


def _read(content: bytes) -> pa.Table:
    return pa.ipc.open_stream(content).read_all()
