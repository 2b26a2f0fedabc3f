"""Exact counts of distinct devices: rows are put aside on disk by device, then counted part by part.

All rows of a device lie in one part, so what is distinct within the parts is distinct on the whole and the
counts of the parts add up. No sketch and no fingerprint stands for a device: ids are compared as they are.
"""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from siteplanner.engines.pings import Placed
from siteplanner.engines.tallies import Partial, Tally
from siteplanner.engines.threads import n_threads, side_by_side
from siteplanner.errors import EngineError, InputError
from siteplanner.layers.clock import N_HOURS
from siteplanner.layers.ping_columns import is_text
from siteplanner.layers.row_faults import Origin, wrong_rows
from siteplanner.stopwatch import Report

# Rows of a part: what is held at once by each thread of the count, about 100 bytes a row.
PART_ROWS = 1 << 20
# Files that are open at once.
PARTS_MAX = 256

# FNV-1a, 64 bits (Fowler, Noll & Vo), and the finaliser of SplitMix64 (Steele et al. 2014): which part.
_FNV_START = np.uint64(0xCBF29CE484222325)
_FNV_PRIME = np.uint64(0x100000001B3)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


@contextmanager
def device_spool(n_rows: int, *, weighted: bool) -> Iterator["DeviceSpool"]:
    """Lend a spool; its files are removed when it is returned, whatever happened.

    Parameters
    ----------
    n_rows
        Rows to come, about.
    weighted
        Whether rows have weights; of the rows of a device in a cell and hour the largest counts.

    Raises
    ------
    EngineError
        When the temporary folder cannot be written to.
    """
    n_parts = min(max(n_rows // PART_ROWS + 1, n_threads()), PARTS_MAX)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="siteplanner-") as folder,
            ExitStack() as files,
        ):
            yield DeviceSpool(Path(folder), n_parts, files, weighted=weighted)
    except OSError as error:
        raise EngineError(f"temporary files of devices: {error.strerror or error}") from error


class DeviceSpool:
    """Rows put aside by device; many threads may add to it."""

    def __init__(self, folder: Path, n_parts: int, files: ExitStack, *, weighted: bool) -> None:
        self._paths = [folder / f"{number}.arrow" for number in range(n_parts)]
        self._locks = [Lock() for _ in range(n_parts)]
        self._writers: list[pa.RecordBatchFileWriter | None] = [None] * n_parts
        self._files = files
        self._weighted = weighted

    def add(self, placed: Placed, device: pa.Array, origin: Origin) -> None:
        """Put some rows aside; InputError names rows without a device."""
        for number, rows in rows_by_part((placed, device, origin), len(self._paths), weighted=self._weighted):
            with self._locks[number]:
                self._writer(number, rows.schema).write_batch(rows)

    def count(self, present: Tally | None, devices: Tally | None, report: Report) -> None:
        """Count distinct devices: by key and hour in one account, by key alone in another."""
        for writer in self._writers:
            if writer is not None:
                writer.close()
        written = [path for path, writer in zip(self._paths, self._writers, strict=True) if writer]

        def work(path: Path) -> Iterator[float]:
            with pa.memory_map(str(path)) as file, pa.ipc.open_file(file) as reader:
                rows = reader.read_all()
                if present is not None:
                    present.take(count_present(rows, weighted=self._weighted))
                if devices is not None:
                    devices.take(count_devices(rows))
            path.unlink()
            yield 1.0

        threads = max(min(n_threads(), len(written)), 1)
        side_by_side(written, [work] * threads, len(written), report)

    def _writer(self, number: int, schema: pa.Schema) -> pa.RecordBatchFileWriter:
        writer = self._writers[number]
        if writer is None:
            sink = self._files.enter_context(pa.OSFile(str(self._paths[number]), "wb"))
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            writer = self._writers[number] = pa.ipc.new_file(sink, schema, options=options)
        return writer


def rows_by_part(
    seen: tuple[Placed, pa.Array, Origin], n_parts: int, *, weighted: bool
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Sort rows by part; all rows of a device go to the same part, wherever that is decided.

    Parameters
    ----------
    seen
        Rows on the lattice, their devices, and where they come from.

    Raises
    ------
    InputError
        Naming rows without a device.
    """
    placed, device, origin = seen
    device = _plain(device)
    if device.null_count:
        missing = device.is_null().to_numpy(zero_copy_only=False)
        raise InputError(wrong_rows(device, missing, (origin, "device", "a device in every row")))
    part = _parts(device, n_parts)
    columns = {"device": device, "key": placed.keys, "hour": placed.hours}
    if weighted:
        columns |= {"high": placed.high, "low": placed.low}
    rows = pa.RecordBatch.from_pydict(columns).take(pa.array(np.argsort(part, kind="stable")))
    ends = np.cumsum(np.bincount(part, minlength=n_parts)).tolist()
    for number, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        if end > start:
            yield number, rows.slice(start, end - start)


def _plain(device: pa.Array) -> pa.Array:
    """Return devices as text, bytes or whole numbers of one layout."""
    if pa.types.is_dictionary(device.type):
        device = device.dictionary_decode()
    if is_text(device.type):
        return device.cast(pa.large_string())
    if pa.types.is_integer(device.type):
        wide = pa.types.is_uint64(device.type)
        return device.view(pa.int64()) if wide else device.cast(pa.int64())
    return device.cast(pa.large_binary())


def _parts(device: pa.Array, n_parts: int) -> np.ndarray:
    """Return the part of each device, uint8: of PARTS_MAX at most."""
    if pa.types.is_integer(device.type):
        return np.asarray(_mixed(device.to_numpy().view(np.uint64)) % np.uint64(n_parts), dtype=np.uint8)
    _, offsets, letters = device.buffers()
    starts = np.frombuffer(offsets, dtype=np.int64)[device.offset : device.offset + len(device) + 1]
    text = np.frombuffer(letters, dtype=np.uint8) if letters is not None else np.empty(0, dtype=np.uint8)
    return np.asarray(_mixed(_fnv(starts, text)) % np.uint64(n_parts), dtype=np.uint8)


def _mixed(values: np.ndarray) -> np.ndarray:
    values = (values ^ (values >> np.uint64(30))) * _MIX_1
    values = (values ^ (values >> np.uint64(27))) * _MIX_2
    return np.asarray(values ^ (values >> np.uint64(31)))


@njit(nogil=True, cache=True)
def _fnv(starts: np.ndarray, text: np.ndarray) -> np.ndarray:
    out = np.empty(starts.size - 1, dtype=np.uint64)
    for i in range(out.size):
        code = _FNV_START
        for j in range(starts[i], starts[i + 1]):
            code = (code ^ np.uint64(text[j])) * _FNV_PRIME
        out[i] = code
    return out


def _codes(rows: pa.Table) -> tuple[np.ndarray, int]:
    """Return a number for each row's device, and how many devices there are."""
    coded = pc.dictionary_encode(rows.column("device")).combine_chunks()
    return coded.indices.to_numpy().astype(np.int64), len(coded.dictionary)


def _distinct(values: np.ndarray) -> np.ndarray:
    """Return the distinct values, sorted; several times as fast as a table of hashes where most differ."""
    values.sort()
    return np.asarray(values[np.flatnonzero(np.diff(values, prepend=-1))])


def count_present(rows: pa.Table, *, weighted: bool) -> Partial:
    """Count distinct devices of each key and hour, and add them up by key."""
    code, n_codes = _codes(rows)
    key, hour = (rows.column(name).to_numpy().astype(np.int64) for name in ("key", "hour"))
    when, place = np.unique(key * N_HOURS + hour, return_inverse=True)
    once, high, low = place * n_codes + code, np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    if weighted:
        high, low = (rows.column(name).to_numpy() for name in ("high", "low"))
        # The largest weight of a device comes last of its own.
        order = np.lexsort((low, high, once))
        last = np.flatnonzero(np.diff(once[order], append=-1))
        once, high, low = once[order][last], high[order][last], low[order][last]
    else:
        once = _distinct(once)
    keys = when[once // n_codes] // N_HOURS
    return Partial.of_rows(keys, high, low, np.unique(hour))


def count_devices(rows: pa.Table) -> Partial:
    """Count distinct devices of each key."""
    code, n_codes = _codes(rows)
    keys, place = np.unique(rows.column("key").to_numpy(), return_inverse=True)
    once = _distinct(place * n_codes + code)
    none = np.empty(0, dtype=np.int64)
    return Partial.of_rows(keys[once // n_codes], none, none, none)
