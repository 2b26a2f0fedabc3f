"""Windows of pixels whose edges do not run along the lattice: each pixel is a quadrilateral of its own.

The corners are interpolated between those of a control grid. A pixel within one cell goes there whole; any
other is cut along the lines of the lattice and shared by area.
"""

import numpy as np
from numba import njit

from siteplanner.engines.control import Control, Line, interpolate
from siteplanner.engines.runs import Runs, runs_of_row
from siteplanner.engines.shares import SNAP
from siteplanner.engines.straight import SPILL_START, Spill, Target, add_up, make_room
from siteplanner.layers.pixels import Coding, Report, add_rows

# A quadrilateral cut by lines has at most one corner more for each of the four sides of a cell.
CORNERS_MAX = 16


@njit(nogil=True, cache=True)
def sum_slanted(
    read: tuple[np.ndarray, tuple[int, int], Coding],
    how: tuple[Control, bool],
    runs: Runs,
    target: Target,
    report: Report,
) -> Spill:
    """Sum one window to cells.

    Parameters
    ----------
    read
        The stored numbers of the window, its first row and column in the file, and what they mean.
    how
        Where the pixels lie, and whether they are split by area.
    """
    stored, corner, coding = read
    control, split = how
    height, width = stored.shape
    people = np.empty(width)
    n = control.cols.start.size
    upper, lower = Line(np.empty(n), np.empty(n)), Line(np.empty(n), np.empty(n))
    along = (np.empty(control.x.shape[1]), np.empty(control.x.shape[1]))
    cut = np.empty((10, CORNERS_MAX))
    # The row of pixels whose corners the lines hold.
    held = -2
    spill = Spill(np.empty((SPILL_START, 3), dtype=np.int32), np.empty(SPILL_START), 0)
    for i in range(height):
        row = corner[0] + i
        found = runs_of_row(runs, row, (corner[1], width))
        for k in range(len(found)):
            first, last, label = found[k, 0], found[k, 1], found[k, 2]
            part = (i, i + 1, first, last)
            target.nodata[label + 1] += add_rows(stored, part, people, corner, (coding, report))
            total = add_up(people, first, last)
            target.count_in[label + 1] += total
            if label < 0 or total <= 0.0:
                continue
            if held != row:
                upper, lower = lower, upper
                if held != row - 1:
                    interpolate(control, row, along, upper)
                interpolate(control, row + 1, along, lower)
                held = row
            where = (first, last, corner[1] - control.cols.first, label)
            if split:
                spill = _split_run(people, where, (upper, lower, cut), target, spill)
            else:
                spill = _place_run(people, where, (upper, lower), target, spill)
    return spill


@njit(nogil=True, cache=True)
def _place_run(
    people: np.ndarray,
    where: tuple[int, int, int, int],
    lines: tuple[Line, Line],
    target: Target,
    spill: Spill,
) -> Spill:
    """Give each pixel of a run to the cell of its middle."""
    first, last, offset, label = where
    spill = make_room(spill, last - first)
    place, spilt, n = spill.place, spill.people, spill.size
    home, dense, corner = target.home, target.dense, target.corner
    n_rows, n_cols = dense.shape
    held = corner
    upper_x, upper_y, lower_x, lower_y = lines[0].x, lines[0].y, lines[1].x, lines[1].y
    for i in range(first, last):
        count = people[i]
        if count <= 0.0:
            continue
        j = i + offset
        x = (upper_x[j] + upper_x[j + 1] + lower_x[j] + lower_x[j + 1]) / 4.0
        y = (upper_y[j] + upper_y[j + 1] + lower_y[j] + lower_y[j + 1]) / 4.0
        # A pixel at the edge of its coordinate system goes with its neighbour.
        row, col = (int(np.floor(y)), int(np.floor(x))) if np.isfinite(x + y) else held
        held = (row, col)
        r, c = row - corner[0], col - corner[1]
        if r >= 0 and r < n_rows and c >= 0 and c < n_cols and home[row, col] == label:
            dense[r, c] += count
        else:
            place[n, 0], place[n, 1], place[n, 2] = row, col, label
            spilt[n] = count
            n += 1
    return Spill(place, spilt, n)


@njit(nogil=True, cache=True)
def _split_run(
    people: np.ndarray,
    where: tuple[int, int, int, int],
    how: tuple[Line, Line, np.ndarray],
    target: Target,
    spill: Spill,
) -> Spill:
    """Share each pixel of a run among the cells that it touches, by area."""
    first, last, offset, label = where
    spill = make_room(spill, last - first)
    place, spilt, n = spill.place, spill.people, spill.size
    home, dense, corner = target.home, target.dense, target.corner
    n_rows, n_cols = dense.shape
    held = corner
    upper_x, upper_y, lower_x, lower_y = how[0].x, how[0].y, how[1].x, how[1].y
    cut, areas = how[2], np.ones(1)
    for i in range(first, last):
        if people[i] <= 0.0:
            continue
        j = i + offset
        x0, x1, x2, x3 = upper_x[j], upper_x[j + 1], lower_x[j + 1], lower_x[j]
        y0, y1, y2, y3 = upper_y[j], upper_y[j + 1], lower_y[j + 1], lower_y[j]
        if np.isfinite(x0 + x1 + x2 + x3 + y0 + y1 + y2 + y3):
            west, east = _cells_of(x0, x1, x2, x3)
            south, north = _cells_of(y0, y1, y2, y3)
        else:
            # A pixel at the edge of its coordinate system goes with its neighbour.
            south, west = held
            north, east = held
        held = (south, west)
        n_pieces, height, unit = 1, north - south + 1, people[i]
        if west < east or south < north:
            n_pieces = (east - west + 1) * height
            # Near the origin no digits are lost.
            cut[0, 0], cut[0, 1], cut[0, 2], cut[0, 3] = x0 - west, x1 - west, x2 - west, x3 - west
            cut[1, 0], cut[1, 1], cut[1, 2], cut[1, 3] = y0 - south, y1 - south, y2 - south, y3 - south
            if n_pieces > areas.size:
                areas = np.empty(n_pieces)
            unit = people[i] / _cut_up(cut, (east - west, north - south), areas)
        if n + n_pieces > spilt.size:
            spill = make_room(Spill(place, spilt, n), n_pieces)
            place, spilt = spill.place, spill.people
        for k in range(n_pieces):
            count = areas[k] * unit if n_pieces > 1 else unit
            if count <= 0.0:
                continue
            row, col = south + k % height, west + k // height
            r, c = row - corner[0], col - corner[1]
            if r >= 0 and r < n_rows and c >= 0 and c < n_cols and home[row, col] == label:
                dense[r, c] += count
            else:
                place[n, 0], place[n, 1], place[n, 2] = row, col, label
                spilt[n] = count
                n += 1
    return Spill(place, spilt, n)


@njit(nogil=True, cache=True)
def _cells_of(a: float, b: float, c: float, d: float) -> tuple[int, int]:
    """Return the first and last cell along one axis that four corners reach."""
    first = int(np.floor(min(a, b, c, d) + SNAP))
    return first, max(first, int(np.ceil(max(a, b, c, d) - SNAP)) - 1)


@njit(nogil=True, cache=True)
def _cut_up(cut: np.ndarray, size: tuple[int, int], areas: np.ndarray) -> float:
    """Cut a pixel into its cells, column by column from the south; return its whole area.

    Parameters
    ----------
    cut
        The corners from the first column and row in its first two rows; the others are room.
    size
        Last column and last row of cells.
    areas
        Area in each cell; written.
    """
    if size[0] + size[1] == 1:
        whole = _area(cut[0], cut[1], 4)
        areas[0] = min(_area_below(cut[0], cut[1]) if size[0] == 1 else _area_below(cut[1], cut[0]), whole)
        areas[1] = whole - areas[0]
        return whole
    n, whole = 0, 0.0
    rest, length = 0, 4
    for col in range(size[0] + 1):
        # Rows of `cut`: 0-1 and 2-3 take turns as the rest of the pixel, 4-5 is the column, 6-9 its cells.
        other = 2 - rest
        if col < size[0]:
            column, left = _cut(cut, (rest, rest + 1), (4, 5, other, other + 1), length, col + 1.0)
        else:
            cut[4, :length], cut[5, :length] = cut[rest, :length], cut[rest + 1, :length]
            column, left = length, 0
        for row in range(size[1] + 1):
            if row < size[1]:
                piece, above = _cut(cut, (5, 4), (7, 6, 9, 8), column, row + 1.0)
            else:
                cut[6, :column], cut[7, :column] = cut[4, :column], cut[5, :column]
                piece, above = column, 0
            areas[n] = _area(cut[6], cut[7], piece)
            whole += areas[n]
            n += 1
            cut[4, :above], cut[5, :above] = cut[8, :above], cut[9, :above]
            column = above
        rest, length = other, left
    return whole


@njit(nogil=True, cache=True)
def _area_below(u: np.ndarray, v: np.ndarray) -> float:
    """Return the area of the part of a quadrilateral whose first coordinate is below 1."""
    twice = 0.0
    first_u = first_v = last_u = last_v = 0.0
    none = True
    for i in range(4):
        k = (i + 1) % 4
        for end in range(2):
            # First the corner itself, then where the side to the next corner meets the line.
            if end == 0:
                if u[i] > 1.0:
                    continue
                at_u, at_v = u[i], v[i]
            else:
                if (u[i] < 1.0) == (u[k] < 1.0) or u[i] == 1.0 or u[k] == 1.0:
                    continue
                at_u, at_v = 1.0, v[i] + (v[k] - v[i]) * ((1.0 - u[i]) / (u[k] - u[i]))
            if none:
                first_u, first_v, none = at_u, at_v, False
            else:
                twice += (last_u - first_u) * (at_v - first_v) - (at_u - first_u) * (last_v - first_v)
            last_u, last_v = at_u, at_v
    return abs(twice) / 2.0


@njit(nogil=True, cache=True)
def _cut(
    cut: np.ndarray, source: tuple[int, int], parts: tuple[int, int, int, int], size: int, line: float
) -> tuple[int, int]:
    """Cut a convex polygon at a value of its first coordinate (Sutherland & Hodgman 1974).

    Parameters
    ----------
    source
        Rows of `cut` with the coordinate that is compared and with the other one.
    parts
        The same for the part below the line and for the part above it.
    """
    low = high = 0
    for i in range(size):
        k = i + 1 if i + 1 < size else 0
        u0, v0, u1, v1 = cut[source[0], i], cut[source[1], i], cut[source[0], k], cut[source[1], k]
        if u0 <= line:
            cut[parts[0], low], cut[parts[1], low] = u0, v0
            low += 1
        if u0 >= line:
            cut[parts[2], high], cut[parts[3], high] = u0, v0
            high += 1
        if (u0 < line and u1 > line) or (u0 > line and u1 < line):
            v = v0 + (v1 - v0) * ((line - u0) / (u1 - u0))
            cut[parts[0], low], cut[parts[1], low] = line, v
            cut[parts[2], high], cut[parts[3], high] = line, v
            low += 1
            high += 1
    return low, high


@njit(nogil=True, cache=True)
def _area(x: np.ndarray, y: np.ndarray, size: int) -> float:
    """Return the area of a polygon, from its first corner so that no digits are lost far from the origin."""
    twice = 0.0
    for i in range(1, size - 1):
        twice += (x[i] - x[0]) * (y[i + 1] - y[0]) - (x[i + 1] - x[0]) * (y[i] - y[0])
    return abs(twice) / 2.0
