"""Exact sums of a raster over areas, from a walk along their borders alone.

By Green's theorem the sum of people over an area, every pixel counted by the share of it that lies inside, is
the integral of P dv along the area's border: v is the row, and P(u, v) the people of that row west of
column u, a pixel's people spread evenly over it. P is linear inside a pixel, so each piece of a border inside
one pixel contributes its height times P at its middle, and the sum is exact. Font rasterisers accumulate
signed areas in the same way. The work is one pass over the pixels, to sum the rows up, and one visit to every
pixel that a border crosses; no polygon is ever cut. Where pixels go whole to the area of their centre, P is
taken where the border crosses the line through the centres of a row.

Rows are summed up in chunks of `CHUNK` pixels with compensation (Knuth 1997, TAOCP 2, section 4.2.2, theorem
B), and an area measures P from the chunk of its own western end: the rounding of a big city far away in the
same row does not reach it.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numba import njit

from siteplanner.engines.runs import Runs
from siteplanner.layers.pixels import PEOPLE_MAX, Coding, Window

# Pixels summed together: a sixteenth of the raster is kept as sums, the rest of a chunk is added on demand.
CHUNK = 16

Method = Literal["area", "centre"]
_Sums = tuple[np.ndarray, np.ndarray, np.ndarray]


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
    n_areas
        Areas are 0 to n_areas - 1; some may have no edge.
    """

    u0: np.ndarray
    v0: np.ndarray
    u1: np.ndarray
    v1: np.ndarray
    owner: np.ndarray
    n_areas: int


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """Which edges meet which rows of windows.

    Parameters
    ----------
    west, east
        Columns of the ends of each area.
    starts
        First row of each row of windows, ascending.
    first, edge
        The edges that meet row i of windows are ``edge[first[i]:first[i + 1]]``.
    """

    edges: Edges
    west: np.ndarray
    east: np.ndarray
    starts: np.ndarray
    first: np.ndarray
    edge: np.ndarray


def lay_route(edges: Edges, starts: np.ndarray, n_rows: int) -> Route:
    """Sort edges by the rows of windows that they meet.

    Parameters
    ----------
    starts
        First row of each row of windows, ascending from 0.
    n_rows
        Rows of the raster.
    """
    west, east = np.full(edges.n_areas, np.inf), np.full(edges.n_areas, -np.inf)
    for u in (edges.u0, edges.u1):
        np.minimum.at(west, edges.owner, u)
        np.maximum.at(east, edges.owner, u)
    top, bottom = np.minimum(edges.v0, edges.v1), np.maximum(edges.v0, edges.v1)
    # A level edge has no height: it contributes nothing.
    met = np.flatnonzero((top < bottom) & (bottom > 0.0) & (top < n_rows))
    above = np.searchsorted(starts, np.maximum(top[met], 0.0), side="right") - 1
    count = np.searchsorted(starts, bottom[met], side="left") - above
    row = np.repeat(above, count) + np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    order = np.argsort(row, kind="stable")
    first = np.searchsorted(row[order], np.arange(len(starts) + 1))
    return Route(edges, west, east, starts, first, np.repeat(met, count)[order])


def edges_inside(route: Route, window: Window) -> np.ndarray:
    """Return the edges that a window's people may be measured by, in a fixed order; none for an empty window.

    An edge west of the window has nobody of it on its western side, one east of it has them all.
    """
    number = int(np.searchsorted(route.starts, window.row))
    here = route.edge[route.first[number] : route.first[number + 1]]
    owner, edges = route.edges.owner[here], route.edges
    met = (route.west[owner] < window.col + window.width) & (route.east[owner] > window.col)
    met &= np.maximum(edges.u0[here], edges.u1[here]) > window.col
    return np.asarray(here[met])


def walk_window(
    route: Route, here: np.ndarray, window: Window, people: np.ndarray, method: Method
) -> np.ndarray:
    """Return what the piece of each edge inside a window adds to its area.

    Parameters
    ----------
    here
        The edges of `edges_inside`.
    people
        Pixels of the window, real numbers; 0 for those that do not count.
    """
    edges = route.edges
    places = (
        edges.u0[here] - window.col,
        edges.v0[here] - window.row,
        edges.u1[here] - window.col,
        edges.v1[here] - window.row,
    )
    west = np.clip(route.west[edges.owner[here]] - window.col, 0.0, window.width - 1.0)
    added = np.empty(len(here))
    walk = _walk_areas if method == "area" else _walk_centres
    walk(places, (west // CHUNK).astype(np.int64), _sum_rows(people), added)
    return added


def _sum_rows(people: np.ndarray) -> _Sums:
    """Return the people and the sums of the chunks west of each chunk, as high + low."""
    shape = len(people), -(-people.shape[1] // CHUNK) + 1
    high, low = np.empty(shape), np.empty(shape)
    _sum_chunks(people, high, low)
    return people, high, low


@njit(cache=True, nogil=True)
def take_people(values: np.ndarray, corner: tuple[int, int], coding: Coding, runs: Runs) -> None:
    """Turn the stored numbers of a window into the people who count, those of pixels with a label, in place.

    What is wrong with a pixel was told when the raster was summed to the lattice; here it counts 0.

    Parameters
    ----------
    corner
        First row and column of the window in the file.
    """
    for i in range(len(values)):
        row = corner[0] + i
        numbers = values[i]
        for k in range(runs.at[row], runs.at[row + 1]):
            end = runs.first[k + 1] if k + 1 < runs.at[row + 1] else corner[1] + numbers.size
            first, last = max(runs.first[k] - corner[1], 0), min(end - corner[1], numbers.size)
            if runs.label[k] < 0:
                numbers[first:last] = 0.0
            elif first < last:
                _clean(numbers[first:last], coding)


@njit(cache=True, nogil=True)
def _clean(numbers: np.ndarray, coding: Coding) -> None:
    low, high, scale, offset = coding.low, coding.high, coding.scale, coding.offset
    for j in range(numbers.size):
        x = np.float64(numbers[j])
        count = x * scale + offset
        # Comparisons with NaN are false.
        ok = (count >= 0.0) & (count < PEOPLE_MAX) & ((x < low) | (x > high))
        numbers[j] = count if ok else 0.0


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
def _downwards(
    places: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray], i: int
) -> tuple[float, float, float, float, float]:
    """Return an edge from its top to its bottom, and its sign.

    Both areas beside an edge take it alike, so that they meet the same pixels.
    """
    u0, v0, u1, v1 = places
    if v1[i] > v0[i]:
        return u0[i], v0[i], u1[i], v1[i], 1.0
    return u1[i], v1[i], u0[i], v0[i], -1.0


@njit(cache=True, nogil=True)
def _walk_areas(
    places: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    anchor: np.ndarray,
    sums: _Sums,
    added: np.ndarray,
) -> None:
    n_rows = sums[0].shape[0]
    for i in range(added.size):
        top_u, top_v, end_u, end_v, sign = _downwards(places, i)
        slope = (end_u - top_u) / (end_v - top_v)
        total = 0.0
        for row in range(max(int(np.floor(top_v)), 0), min(int(np.ceil(end_v)), n_rows)):
            above, below = max(top_v, float(row)), min(end_v, row + 1.0)
            start = top_u + (above - top_v) * slope
            end = end_u if below == end_v else top_u + (below - top_v) * slope
            mean = _mean_west(min(start, end), max(start, end), (row, anchor[i]), sums)
            total += (below - above) * mean
        added[i] = sign * total


@njit(cache=True, nogil=True)
def _walk_centres(
    places: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    anchor: np.ndarray,
    sums: _Sums,
    added: np.ndarray,
) -> None:
    """Take a pixel as inside where its centre is; one on a border belongs to the area east or south of it."""
    n_rows, n_cols = sums[0].shape
    for i in range(added.size):
        top_u, top_v, end_u, end_v, sign = _downwards(places, i)
        slope = (end_u - top_u) / (end_v - top_v)
        total = 0.0
        first, last = int(np.ceil(top_v - 0.5)), int(np.ceil(end_v - 0.5))
        for row in range(max(first, 0), min(last, n_rows)):
            u = top_u + (row + 0.5 - top_v) * slope
            column = min(max(int(np.ceil(u - 0.5)), 0), n_cols)
            total += _west(column, (row, anchor[i]), sums)
        added[i] = sign * total


@njit(cache=True, nogil=True)
def _mean_west(low: float, high: float, place: tuple[int, int], sums: _Sums) -> float:
    """Mean of P over the columns from low to high, in the row and from the chunk of a place."""
    people, row = sums[0], place[0]
    n_cols = people.shape[1]
    column = min(max(int(np.floor(low)), 0), n_cols)
    west = _west(column, place, sums)
    if high <= 0.0 or column == n_cols:
        return west
    if low >= 0.0 and high <= column + 1.0:
        return float(west + ((low + high) / 2.0 - column) * people[row, column])
    at, total = low, 0.0
    if at < 0.0:
        total, at = -at * west, 0.0
    while at < high and column < n_cols:
        to = min(column + 1.0, high)
        total += (to - at) * (west + ((at + to) / 2.0 - column) * people[row, column])
        west += people[row, column]
        at = to
        column += 1
    if at < high:
        total += (high - at) * west
    return float(total / (high - low))


@njit(cache=True, nogil=True)
def _west(column: int, place: tuple[int, int], sums: _Sums) -> float:
    """People of a row between the chunk of a place and a column; negative west of that chunk."""
    people, high, low = sums
    row, anchor = place
    chunk = high.shape[1] - 1 if column == people.shape[1] else column // CHUNK
    total = (high[row, chunk] - high[row, anchor]) + (low[row, chunk] - low[row, anchor])
    for c in range(chunk * CHUNK, column):
        total += people[row, c]
    return float(total)
