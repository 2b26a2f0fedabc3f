"""The loops over pings: cell, hour and sum of each row, compiled and free of the interpreter's lock."""

import numpy as np
from numba import njit

from siteplanner.layers.typed import LAT_MAX, LON_MAX

# Weights are summed as whole numbers, so that no order of rows, threads or machines shows in a sum: a high
# part in units of 2**-20 people and a low part in units of 2**-62.
HIGH_PER_PERSON = 2.0**20
LOW_BITS = 42
LOW_PER_HIGH = 2.0**LOW_BITS

# Places of a table of counts that are counted together: 2**16 of 2 bytes.
STRETCH_BITS = 16

# Points within this part of a cell from an edge are placed by the closed form itself. Its rounding and that
# of the tables is below 1e-9 of a cell of 50 m anywhere on Earth.
NEAR_CELLS = 1e-6


@njit(nogil=True, cache=True)
def locate(
    lon: np.ndarray,
    lat: np.ndarray,
    columns: tuple[float, float, int],
    rows: tuple[np.ndarray, np.ndarray, float, float, float],
    out: tuple[np.ndarray, np.ndarray],
) -> tuple[int, int]:
    """Write the lattice cell of each point, -1 off the lattice.

    Returns how many points are left to the closed form, and how many have impossible coordinates.

    Parameters
    ----------
    columns
        Western edge in degrees, columns per degree, number of columns.
    rows
        Latitudes of the rows' edges between -inf and +inf; row at the start of each bin of latitude; bins per
        degree; how near to an edge is near, degrees; width of a column's near strip, columns.
    out
        Cells, and the places of the points near an edge (room for all).
    """
    west, per_degree, n_cols = columns
    edges, first_row, bins_per_degree, near_deg, near_cols = rows
    cells, near = out
    n_rows = edges.size - 3
    south, north = edges[1], edges[n_rows + 1]
    n_near = wrong = 0
    for i in range(lon.size):
        u = (lon[i] - west) * per_degree
        y = lat[i]
        # Comparisons with NaN are false: a point without coordinates is off the lattice.
        if not (-near_cols < u < n_cols + near_cols and south - near_deg < y < north + near_deg):
            cells[i] = -1
            wrong += not (-LON_MAX <= lon[i] <= LON_MAX and -LAT_MAX <= y <= LAT_MAX)
            continue
        row = first_row[min(max(int((y - south) * bins_per_degree), 0), first_row.size - 1)]
        while y < edges[row + 1]:
            row -= 1
        while y >= edges[row + 2]:
            row += 1
        col = int(u)
        part = u - col
        if (
            part < near_cols
            or part > 1.0 - near_cols
            or y - edges[row + 1] < near_deg
            or edges[row + 2] - y < near_deg
        ):
            near[n_near] = i
            n_near += 1
        cells[i] = row * n_cols + col
    return n_near, wrong


@njit(nogil=True, cache=True)
def impossible(lon: np.ndarray, lat: np.ndarray) -> int:
    """Count the points whose coordinates are impossible or no numbers."""
    wrong = 0
    for i in range(lon.size):
        wrong += not (-LON_MAX <= lon[i] <= LON_MAX and -LAT_MAX <= lat[i] <= LAT_MAX)
    return wrong


@njit(nogil=True, cache=True)
def tell_time(
    times: np.ndarray,
    zone: tuple[np.ndarray, np.ndarray],
    hours: tuple[int, int, np.ndarray],
    keys: tuple[np.ndarray, int],
    out: tuple[np.ndarray, np.ndarray],
) -> int:
    """Write key and local hour of each row; return how many times lie outside the years of the table.

    Parameters
    ----------
    times
        int64, since 1970 in any unit.
    zone
        First times of the stretches of equal offset, ascending, the first below all times; what each adds to
        a time, in the same unit.
    hours
        Local time at which hour 0 of the table begins; length of an hour; band of every hour of the table.
    keys
        Cell of each row, -1 for none; the key that stands for none.
    out
        Keys ``cell * 8 + band``; hours of the table. The hour of a wrong time is -1.
    """
    begins, shifts = zone
    base, length, bands = hours
    cells, outside = keys
    key, hour = out
    per_unit = 1.0 / length
    wrong = 0
    stretch = 0
    for i in range(times.size):
        t = times[i]
        if t < begins[stretch] or (stretch + 1 < begins.size and t >= begins[stretch + 1]):
            stretch = max(np.searchsorted(begins, t, side="right") - 1, 0)
        since = t + shifts[stretch] - base
        h = int(since * per_unit)
        # The product is rounded; the remainder is not.
        rest = since - h * length
        if rest < 0:
            h -= 1
        elif rest >= length:
            h += 1
        if t < begins[0] or h < 0 or h >= bands.size:
            wrong += 1
            hour[i] = -1
            key[i] = outside
            continue
        hour[i] = h
        key[i] = cells[i] * 8 + bands[h] if cells[i] >= 0 else outside
    return wrong


@njit(nogil=True, cache=True)
def note_rows(key: np.ndarray, hour: np.ndarray, n_keys: int, waiting: np.ndarray, seen: np.ndarray) -> None:
    """Write the place of each row's key, and mark the hours that occur.

    Parameters
    ----------
    n_keys
        The key that stands for none.
    waiting
        Key ``cell * 8 + band`` becomes ``band * cells + cell``: rows mostly come in the order of time, and
        the counts of a band lie together.
    """
    n_cells = n_keys // 8
    for i in range(key.size):
        k = key[i]
        waiting[i] = (k & 7) * n_cells + (k >> 3) if k != n_keys else n_keys
        seen[hour[i]] = 1


@njit(nogil=True, cache=True)
def count_places(waiting: np.ndarray, sorted_by: np.ndarray, counts: np.ndarray, over: np.ndarray) -> int:
    """Count places in 16 bits, a stretch of the table at a time; return how often a count went round.

    At random a table of many megabytes is waited for at every row; sorted by stretches of 128 kB, which the
    processor's cache holds, rows are counted more than twice as fast, the sorting included.

    Parameters
    ----------
    waiting, sorted_by
        Places; room for as many.
    over
        Places whose count went from 65,535 to 0, as often as it did (room for all).
    """
    ends = np.zeros((counts.size >> STRETCH_BITS) + 2, dtype=np.int64)
    for place in waiting:
        ends[(place >> STRETCH_BITS) + 1] += 1
    for i in range(1, ends.size):
        ends[i] += ends[i - 1]
    for place in waiting:
        stretch = place >> STRETCH_BITS
        sorted_by[ends[stretch]] = place
        ends[stretch] += 1
    n = 0
    for i in range(waiting.size):
        place = sorted_by[i]
        count = np.uint16(counts[place] + np.uint16(1))
        counts[place] = count
        if count == 0:
            over[n] = place
            n += 1
    return n


@njit(nogil=True, cache=True)
def list_counts(counts: np.ndarray, keys: np.ndarray, rows: np.ndarray) -> None:
    """Write keys that occur, ascending, and their counts, from the order of `count_rows`; room for all."""
    n_cells = (counts.size - 1) // 8
    n = 0
    for cell in range(n_cells):
        for band in range(8):
            count = counts[band * n_cells + cell]
            if count:
                keys[n], rows[n] = cell * 8 + band, count
                n += 1
    if counts[-1]:
        keys[n], rows[n] = counts.size - 1, counts[-1]


@njit(nogil=True, cache=True)
def lay_on_cells(keys: np.ndarray, people: np.ndarray, known: np.ndarray, table: np.ndarray) -> float:
    """Write the sums of keys into the rows of their cells; return the sum of those of other cells.

    Parameters
    ----------
    keys
        ``cell * 8 + band``, ascending.
    known
        Cells of the table's rows, ascending.
    table
        Rows x 8, zero.
    """
    outside, at = 0.0, 0
    for i in range(keys.size):
        cell = keys[i] >> 3
        while at < known.size and known[at] < cell:
            at += 1
        if at < known.size and known[at] == cell:
            table[at, keys[i] & 7] = people[i]
        else:
            outside += people[i]
    return outside


@njit(nogil=True, cache=True)
def split_weights(weights: np.ndarray, most: float, high: np.ndarray, low: np.ndarray) -> int:
    """Write weights in whole units; return how many are negative, above `most` or no number."""
    wrong = 0
    for i in range(weights.size):
        w = weights[i]
        if not 0.0 <= w <= most:
            wrong += 1
            high[i] = low[i] = 0
            continue
        units = w * HIGH_PER_PERSON
        whole = np.floor(units)
        high[i] = int(whole)
        low[i] = int((units - whole) * LOW_PER_HIGH)
    return wrong


@njit(nogil=True, cache=True)
def add_weights(
    key: np.ndarray, high: np.ndarray, low: np.ndarray, highs: np.ndarray, lows: np.ndarray
) -> None:
    """Add weights by key; the low part carries, so that it never overflows."""
    for i in range(key.size):
        k = key[i]
        part = lows[k] + low[i]
        highs[k] += high[i] + (part >> LOW_BITS)
        lows[k] = part & ((1 << LOW_BITS) - 1)
