"""Whole-number accounts of sightings by key: dense where it fits, sorted runs where it does not."""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa

from siteplanner.engines.ping_kernels import (
    HIGH_PER_PERSON,
    LOW_BITS,
    LOW_PER_HIGH,
    add_weights,
    count_places,
    list_counts,
    note_rows,
)
from siteplanner.errors import EngineError
from siteplanner.layers.clock import N_BANDS, N_HOURS

if TYPE_CHECKING:
    from siteplanner.engines.pings import Placed

# A lattice whose account is larger than this is counted in sorted runs; about ten provinces at 500 m.
DENSE_BYTES_MAX = 192 << 20
# Runs wait until they hold this many entries, then they become one.
RUN_ENTRIES = 1 << 22
HALF_BITS = LOW_BITS // 2
# Rows that a dense account puts aside before it counts them.
WAITING_ROWS = 1 << 21
# Rows of one key beyond what 16 bits hold are told as so many times round.
ROUND_BITS = 16
# Sums of weights above this could overflow: 2**42 people.
HIGH_MAX = 2.0**62

PARTIAL_SCHEMA = pa.schema(
    [("key", pa.int64()), ("rows", pa.int64()), ("high", pa.int64()), ("low", pa.int64())]
)


@dataclass(frozen=True, slots=True, eq=False)
class Partial:
    """Sums by key, sorted, of some of the rows.

    Parameters
    ----------
    keys
        ``cell_id * 8 + band``; the number of all such keys stands for off the lattice.
    rows
        Rows of each key.
    high, low
        Sums of their weights in units of 2**-20 and 2**-62 people, the low part below one of the high; empty
        when each row counts 1.
    hours
        Local hours that occur, sorted.
    """

    keys: np.ndarray
    rows: np.ndarray
    high: np.ndarray
    low: np.ndarray
    hours: np.ndarray

    @staticmethod
    def of_rows(keys: np.ndarray, high: np.ndarray, low: np.ndarray, hours: np.ndarray) -> "Partial":
        """Add up rows by key; weights are empty when each row counts 1."""
        if len(high):
            return Partial(*_added([keys, np.ones(len(keys), dtype=np.int64), high, low]), hours)
        keys, rows = np.unique(keys, return_counts=True)
        return Partial(keys, rows, high, low, hours)

    def people(self) -> np.ndarray:
        """Return the sums of the weights, or the rows where each counts 1."""
        if not len(self.high):
            return self.rows.astype(float)
        return np.asarray(self.high / HIGH_PER_PERSON + self.low / (HIGH_PER_PERSON * LOW_PER_HIGH))

    def to_batch(self) -> pa.RecordBatch:
        """Return the sums as rows that may be added up by key anywhere; hour h stands as key -1 - h."""
        sums = [part if len(part) else np.zeros_like(self.keys) for part in (self.rows, self.high, self.low)]
        none = np.zeros(len(self.hours), dtype=np.int64)
        columns = [
            np.concatenate([-1 - self.hours.astype(np.int64), self.keys]),
            *(np.concatenate([none, part]) for part in sums),
        ]
        return pa.RecordBatch.from_arrays([pa.array(column) for column in columns], schema=PARTIAL_SCHEMA)

    @staticmethod
    def from_batch(batch: "pa.RecordBatch | pa.Table", *, weighted: bool) -> "Partial":
        """Gather rows of `to_batch`, in any order, added up by key or not."""
        columns = [batch.column(name).to_numpy(zero_copy_only=False) for name in PARTIAL_SCHEMA.names]
        is_hour = columns[0] < 0
        hours = np.unique(-1 - columns[0][is_hour])
        sums = [column[~is_hour] for column in columns[: 4 if weighted else 2]]
        return Partial(*_added(sums), hours)


def merge(partials: Sequence[Partial]) -> Partial:
    """Add up partial sums, at least one; the result does not depend on their order."""
    names = ("keys", "rows", "high", "low")
    sums = [np.concatenate([getattr(partial, name) for partial in partials]) for name in names]
    hours = np.unique(np.concatenate([partial.hours for partial in partials]))
    return Partial(*_added(sums if len(sums[2]) else sums[:2]), hours)


class Tally(Protocol):
    """An account that grows; many threads may add to it."""

    def add(self, placed: "Placed") -> None:
        """Count some rows."""
        ...

    def take(self, partial: Partial) -> None:
        """Add sums of rows counted elsewhere."""
        ...

    def partial(self) -> Partial:
        """Return what was counted so far."""
        ...


def total(tallies: Sequence[Tally]) -> Partial:
    """Add up accounts of one kind, at least one; the first dense one takes up the others and is spent."""
    first = tallies[0]
    if isinstance(first, DenseTally):
        for other in tallies[1:]:
            first.absorb(other)
        return first.partial()
    return merge([tally.partial() for tally in tallies])


def make_tally(n_keys: int, *, weighted: bool) -> Tally:
    """Return an empty account: dense where `dense_bytes` allows, else of sorted runs.

    Parameters
    ----------
    n_keys
        Number of keys; the key of that number stands for off the lattice.
    weighted
        Whether weights are summed beside the rows.
    """
    if dense_bytes(n_keys, weighted=weighted) <= DENSE_BYTES_MAX:
        return DenseTally(n_keys, weighted=weighted)
    return RunTally()


def dense_bytes(n_keys: int, *, weighted: bool) -> int:
    """Return what a dense account of so many keys takes."""
    return (n_keys + 1) * (18 if weighted else 2)


class DenseTally:
    """One place for every key of the lattice."""

    def __init__(self, n_keys: int, *, weighted: bool) -> None:
        self._lock = Lock()
        # One place more, for rows without a time.
        self._seen = np.zeros(N_HOURS + 1, dtype=np.uint8)
        # Band by band, see `note_rows`; and how often which places have gone round.
        self._counts = np.zeros(n_keys + 1, dtype=np.uint16)
        self._rounds: list[tuple[np.ndarray, np.ndarray]] = []
        self._waiting = np.empty(WAITING_ROWS, dtype=np.uint32)
        self._n_waiting = 0
        self._high, self._low = (np.zeros(n_keys + 1 if weighted else 0, dtype=np.int64) for _ in range(2))
        self._heavy = 0.0

    def add(self, placed: "Placed") -> None:
        """Count some rows."""
        with self._lock:
            n_rows = len(placed.keys)
            if self._n_waiting + n_rows > len(self._waiting):
                self._count_waiting()
                if n_rows > len(self._waiting):
                    self._waiting = np.empty(n_rows, dtype=np.uint32)
            part = self._waiting[self._n_waiting : self._n_waiting + n_rows]
            note_rows(placed.keys, placed.hours, self._counts.size - 1, part, self._seen)
            self._n_waiting += n_rows
            if len(self._high):
                self._heavy = _weighed(self._heavy, placed.high)
                add_weights(placed.keys, placed.high, placed.low, self._high, self._low)

    def take(self, partial: Partial) -> None:
        """Add sums of rows counted elsewhere."""
        with self._lock:
            places = self._places(partial.keys)
            rows = self._counts[places] + partial.rows
            self._counts[places] = rows & ((1 << ROUND_BITS) - 1)
            over = rows >> ROUND_BITS
            self._go_round(places[over > 0], over[over > 0])
            self._seen[partial.hours] = 1
            if len(self._high):
                self._heavy = _weighed(self._heavy, partial.high)
                add_weights(partial.keys, partial.high, partial.low, self._high, self._low)

    def absorb(self, other: Tally) -> None:
        """Add what another dense account of the same keys holds."""
        if not isinstance(other, DenseTally):
            msg = "accounts of different kinds"
            raise TypeError(msg)
        self._heavy = _weighed(self._heavy, other._high)  # noqa: SLF001 - of its own class
        self._seen |= other._seen  # noqa: SLF001
        self._count_waiting()
        other._count_waiting()  # noqa: SLF001
        self._counts += other._counts  # noqa: SLF001
        # A sum that went round is less than each of its parts.
        over = np.flatnonzero(self._counts < other._counts)  # noqa: SLF001
        self._go_round(over, np.ones(len(over), dtype=np.int64))
        self._rounds += other._rounds  # noqa: SLF001
        self._high += other._high  # noqa: SLF001
        self._low += other._low  # noqa: SLF001
        self._high += self._low >> LOW_BITS
        self._low &= (1 << LOW_BITS) - 1

    def partial(self) -> Partial:
        """Return what was counted so far."""
        self._count_waiting()
        keys = np.empty(np.count_nonzero(self._counts), dtype=np.int64)
        rows = np.empty_like(keys)
        list_counts(self._counts, keys, rows)
        keys, rows = self._with_rounds(keys, rows)
        high, low = (part[keys] if len(part) else part for part in (self._high, self._low))
        return Partial(keys, rows, high, low, np.flatnonzero(self._seen[:N_HOURS]))

    def _places(self, keys: np.ndarray) -> np.ndarray:
        last = self._counts.size - 1
        return np.where(keys < last, (keys % N_BANDS) * (last // N_BANDS) + keys // N_BANDS, last)

    def _with_rounds(self, keys: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Add the rounds to the counts of few bits; a key may have rounds alone."""
        if not self._rounds:
            return keys, rows
        places, times = (np.concatenate(part) for part in zip(*self._rounds, strict=True))
        last = self._counts.size - 1
        n_cells = last // N_BANDS
        told = np.where(places < last, places % n_cells * N_BANDS + places // n_cells, last)
        told, which = np.unique(told, return_inverse=True)
        more = np.zeros(len(told), dtype=np.int64)
        np.add.at(more, which, times << ROUND_BITS)
        at = np.searchsorted(keys, told)
        new = np.append(keys, -1)[at] != told
        if new.any():
            keys, rows = np.insert(keys, at[new], told[new]), np.insert(rows, at[new], 0)
        rows[np.searchsorted(keys, told)] += more
        return keys, rows

    def _count_waiting(self) -> None:
        waiting = self._waiting[: self._n_waiting]
        over = np.empty(len(waiting), dtype=np.int64)
        n_over = count_places(waiting, np.empty_like(waiting), self._counts, over)
        self._go_round(over[:n_over].copy(), np.ones(n_over, dtype=np.int64))
        self._n_waiting = 0

    def _go_round(self, places: np.ndarray, rounds: np.ndarray) -> None:
        if len(places):
            self._rounds.append((places, rounds))


class RunTally:
    """Sorted runs, joined whenever they grow long: memory follows the keys that occur."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._runs: list[Partial] = []
        self._waiting = 0
        self._heavy = 0.0

    def add(self, placed: "Placed") -> None:
        """Count some rows."""
        hours = np.unique(placed.hours)
        self.take(Partial.of_rows(placed.keys, placed.high, placed.low, hours[hours < N_HOURS]))

    def take(self, partial: Partial) -> None:
        """Add sums of rows counted elsewhere."""
        with self._lock:
            self._heavy = _weighed(self._heavy, partial.high)
            self._runs.append(partial)
            self._waiting += len(partial.keys)
            if self._waiting > max(RUN_ENTRIES, len(self._runs[0].keys)):
                self._runs = [merge(self._runs)]
                self._waiting = 0

    def partial(self) -> Partial:
        """Return what was counted so far."""
        none = np.empty(0, dtype=np.int64)
        return merge(self._runs) if self._runs else Partial(none, none, none, none, none)


def _weighed(heavy: float, high: np.ndarray) -> float:
    total = heavy + float(high.sum(dtype=float))
    if total > HIGH_MAX:
        raise EngineError(
            "weights of the footfall sum to more than 4e12 people, more than is counted exactly"
        )
    return total


def _added(sums: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Add up entries (keys, rows and, with weights, high and low) by key, sorted."""
    keys, rows = sums[0], sums[1]
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    none = np.empty(0, dtype=np.int64)
    if not len(starts):
        return none, none, none, none
    answer = ordered[starts], np.add.reduceat(rows[order], starts)
    if len(sums) == 2:  # noqa: PLR2004 - keys and rows
        return *answer, none, none
    # Halves of the low part cannot overflow, however many entries there are.
    low, mask = sums[3][order], (1 << HALF_BITS) - 1
    rest = np.add.reduceat(low & mask, starts)
    top = np.add.reduceat(low >> HALF_BITS, starts) + (rest >> HALF_BITS)
    high = np.add.reduceat(sums[2][order], starts) + (top >> (LOW_BITS - HALF_BITS))
    return *answer, high, ((top & mask) << HALF_BITS) + (rest & mask)
