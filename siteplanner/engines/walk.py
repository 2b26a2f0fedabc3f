"""Exact sums of a raster over areas, from a walk along their borders alone.

By Green's theorem the sum of people over an area, every pixel counted by the share of it that lies inside, is
the integral of P dv along the area's border: v is the row, and P(u, v) the people of that row west of column u,
the pixels' people spread evenly over them. P is linear inside a pixel, so each piece of a border inside one
pixel contributes its height times P at its middle, and the sum is exact. Font rasterisers accumulate signed
areas in the same way. The work is one pass over the pixels, to sum the rows up, and one visit to every pixel
that a border crosses; no polygon is ever cut.

Rows are summed up in chunks of `CHUNK` pixels with compensation (Knuth 1997, TAOCP 2, section 4.2.2, theorem B),
and an area measures P from the chunk of its own western end: the rounding of a big city far away in the same row
does not reach it.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

# Pixels summed together: a sixteenth of the raster is kept as sums, and the rest of a chunk is added on demand.
CHUNK = 16


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """Directed straight edges of closed borders, in pixels: column u from the west, row v from the top.

    An area lies to the left of its border in a plane whose second axis, v, points upwards.

    Parameters
    ----------
    u0, v0, u1, v1
        Start and end.
    owner
        Number of the area that an edge bounds.
    west
        Column of the western end of each area, by number.
    """

    u0: np.ndarray
    v0: np.ndarray
    u1: np.ndarray
    v1: np.ndarray
    owner: np.ndarray
    west: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class RowSums:
    """Some whole rows of a raster and the sums of the chunks west of every chunk.

    Parameters
    ----------
    row
        The first of the rows.
    people
        Rows x columns; what is missing is 0.
    high, low
        Rows x (chunks + 1): the sum is high + low.
    """

    row: int
    people: np.ndarray
    high: np.ndarray
    low: np.ndarray


class Walk:
    """Sums over areas while the bands of a raster come by from north to south."""

    def __init__(self, edges: Edges, shape: tuple[int, int]) -> None:
        """Take the edges and the raster's rows and columns."""
        top, bottom = np.minimum(edges.v0, edges.v1), np.maximum(edges.v0, edges.v1)
        met = np.flatnonzero((top < bottom) & (bottom > 0.0) & (top < shape[0]))
        # A stable order: the sum of an area does not depend on the areas beside it.
        self._waiting = met[np.argsort(np.floor(top[met]), kind="stable")]
        self._top, self._bottom = top, bottom
        self._open = np.zeros(0, dtype=np.int64)
        columns = np.clip(edges.west, 0, shape[1]).astype(np.int64)
        self._edges = edges
        self._anchor = np.minimum(columns // CHUNK, -(-shape[1] // CHUNK))
        self.people = np.zeros(len(edges.west))

    def rows(self, sums: RowSums) -> None:
        """Walk the pieces of border inside these rows; bands come in order."""
        end = sums.row + len(sums.people)
        n_new = int(np.searchsorted(self._top[self._waiting], end))
        new, self._waiting = self._waiting[:n_new], self._waiting[n_new:]
        here = np.concatenate([self._open, new])
        edges = self._edges
        places = (edges.u0, edges.v0, edges.u1, edges.v1)
        _walk(places, (edges.owner, self._anchor), here, sums_of(sums), self.people)
        self._open = here[self._bottom[here] > end]


def sums_of(sums: RowSums) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """Return the same as a tuple, for the kernels."""
    return sums.row, sums.people, sums.high, sums.low


def sum_rows(row: int, people: np.ndarray) -> RowSums:
    """Sum rows up from the west."""
    shape = len(people), -(-people.shape[1] // CHUNK) + 1
    high, low = np.empty(shape), np.empty(shape)
    _sum_chunks(people, high, low)
    return RowSums(row, people, high, low)


@njit(cache=True, nogil=True)
def _sum_chunks(people: np.ndarray, high: np.ndarray, low: np.ndarray) -> None:
    n_rows, n_cols = people.shape
    n_chunks = high.shape[1] - 1
    for r in range(n_rows):
        total, lost = 0.0, 0.0
        for k in range(n_chunks):
            high[r, k], low[r, k] = total, lost
            chunk = 0.0
            for c in range(k * CHUNK, min((k + 1) * CHUNK, n_cols)):
                chunk += people[r, c]
            new = total + chunk
            gone = new - total
            lost += (total - (new - gone)) + (chunk - gone)
            total = new
        high[r, n_chunks], low[r, n_chunks] = total, lost


@njit(cache=True, nogil=True)
def _walk(
    places: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    areas: tuple[np.ndarray, np.ndarray],
    here: np.ndarray,
    sums: tuple[int, np.ndarray, np.ndarray, np.ndarray],
    result: np.ndarray,
) -> None:
    u0, v0, u1, v1 = places
    owner, anchor = areas
    first_row, n_rows = sums[0], sums[1].shape[0]
    for i in here:
        # Both areas beside an edge walk it from the top, so that they meet the same pixels.
        down = v1[i] > v0[i]
        top_u, top_v = (u0[i], v0[i]) if down else (u1[i], v1[i])
        end_u, end_v = (u1[i], v1[i]) if down else (u0[i], v0[i])
        slope = (end_u - top_u) / (end_v - top_v)
        total = 0.0
        begin = max(int(np.floor(top_v)), first_row)
        for row in range(begin, min(int(np.ceil(end_v)), first_row + n_rows)):
            above, below = max(top_v, float(row)), min(end_v, row + 1.0)
            start = top_u + (above - top_v) * slope
            end = end_u if below == end_v else top_u + (below - top_v) * slope
            total += (below - above) * _mean_west(
                min(start, end), max(start, end), row, anchor[owner[i]], sums
            )
        result[owner[i]] += total if down else -total


@njit(cache=True, nogil=True)
def _mean_west(
    low: float, high: float, row: int, anchor: int, sums: tuple[int, np.ndarray, np.ndarray, np.ndarray]
) -> float:
    """Mean of P over the columns from low to high, counted from the anchor's chunk."""
    people = sums[1]
    r, n_cols = row - sums[0], people.shape[1]
    column = min(max(int(np.floor(low)), 0), n_cols)
    west = _west(column, r, anchor, sums)
    if high <= 0.0 or column == n_cols:
        return west
    if low >= 0.0 and high <= column + 1.0:
        return west + ((low + high) / 2.0 - column) * people[r, column]
    at, total = low, 0.0
    if at < 0.0:
        total, at = -at * west, 0.0
    while at < high and column < n_cols:
        to = min(column + 1.0, high)
        total += (to - at) * (west + ((at + to) / 2.0 - column) * people[r, column])
        west += people[r, column]
        at = to
        column += 1
    if at < high:
        total += (high - at) * west
    return total / (high - low)


@njit(cache=True, nogil=True)
def _west(column: int, r: int, anchor: int, sums: tuple[int, np.ndarray, np.ndarray, np.ndarray]) -> float:
    """People of a row between the anchor's chunk and a column; negative west of the anchor."""
    _, people, high, low = sums
    chunk = high.shape[1] - 1 if column == people.shape[1] else column // CHUNK
    total = (high[r, chunk] - high[r, anchor]) + (low[r, chunk] - low[r, anchor])
    for c in range(chunk * CHUNK, column):
        total += people[r, c]
    return total
