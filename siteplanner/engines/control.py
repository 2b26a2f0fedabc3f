"""Where the corners of pixels lie on the lattice when their edges do not run along it.

The corners come from a control grid of points that are projected one by one; between them positions are
interpolated by cubics along both axes. The control grid is made finer until the interpolation, measured where
it is worst, is right to `CONTROL_ERROR` of a pixel.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from siteplanner.engines.placing import Placing
from siteplanner.engines.runs import Runs
from siteplanner.layers.pixels import Window
from siteplanner.model.lattice import Lattice

# Pixels between control points to begin with. Over 32 pixels of 100 m the cubic is right to a micrometre.
CONTROL_STEP = 32
# Largest error of an interpolated corner, in shorter sides of a pixel.
CONTROL_ERROR = 1e-5
# Control points along one axis from which a corner is interpolated: a cubic (Lagrange).
STENCIL = 4


class Axis(NamedTuple):
    """How corners along one axis follow from control points.

    Parameters
    ----------
    first
        Row or column of the first corner.
    start, weight
        First control point and the weights of it and its followers, by corner.
    """

    first: int
    start: np.ndarray
    weight: np.ndarray


class Control(NamedTuple):
    """Positions of some corners of pixels on the lattice; empty where no pixel has a label.

    Parameters
    ----------
    rows, cols
        How the other corners follow.
    x, y
        Column and row of the lattice, fractions included, by row and column of the control grid.
    """

    rows: Axis
    cols: Axis
    x: np.ndarray
    y: np.ndarray


class Line(NamedTuple):
    """Corners along one line between rows of pixels, from the control grid's first column to its last."""

    x: np.ndarray
    y: np.ndarray


def labelled_box(runs: Runs, window: Window) -> tuple[int, int, int, int]:
    """Return first row, last row + 1, first column, last column + 1 of the window's pixels with a label."""
    at = runs.at[window.row : window.row + window.height + 1]
    part = slice(int(at[0]), int(at[-1]))
    first = runs.first[part].astype(np.int64)
    row = np.repeat(np.arange(window.height), np.diff(at))
    ends = np.append(first[1:], 0)
    is_last = np.append(row[1:] != row[:-1], True)
    last = np.where(is_last, window.col + window.width, ends)
    first, last = np.maximum(first, window.col), np.minimum(last, window.col + window.width)
    inside = (runs.label[part] >= 0) & (first < last)
    if not inside.any():
        return (0, 0, 0, 0)
    rows = row[inside] + window.row
    return int(rows.min()), int(rows.max()) + 1, int(first[inside].min()), int(last[inside].max())


def lay_control(placing: Placing, lattice: Lattice, box: tuple[int, int, int, int]) -> Control:
    """Project as many corners of the pixels in a box as are needed to interpolate the others.

    Parameters
    ----------
    box
        First row, last row + 1, first column, last column + 1.
    """
    top, bottom, left, right = box
    if top == bottom:
        none = Axis(0, np.zeros(0, dtype=np.int64), np.zeros((0, STENCIL)))
        return Control(none, none, np.zeros((0, 0)), np.zeros((0, 0)))
    step = CONTROL_STEP
    while True:
        row, col = _nodes(top, bottom, step), _nodes(left, right, step)
        x, y = placing.to_cells(lattice, *np.meshgrid(col, row))
        if step == 1 or _error((row, col), (x, y), placing, lattice) <= CONTROL_ERROR:
            rows = _weigh(row, np.arange(top, bottom + 1.0))
            return Control(rows, _weigh(col, np.arange(left, right + 1.0)), x, y)
        step //= 2


def touched_cells(control: Control) -> tuple[int, int, int, int]:
    """Return the first and last lattice row, and the first and last lattice column of a control grid."""
    shown = np.isfinite(control.x) & np.isfinite(control.y)
    if not shown.any():
        return (0, -1, 0, -1)
    x, y = control.x[shown], control.y[shown]
    # One cell more on each side. Between control points corners may lie farther out: people there are spilt.
    return int(y.min()) - 1, int(y.max()) + 1, int(x.min()) - 1, int(x.max()) + 1


def _nodes(first: int, last: int, step: int) -> np.ndarray:
    """Return corner lines about a step apart, both ends among them, and enough of them for a stencil."""
    n = max(-(-(last - first) // step), min(STENCIL - 1, last - first))
    return np.unique(np.round(np.linspace(first, last, n + 1)))


def _weigh(nodes: np.ndarray, at: np.ndarray) -> Axis:
    """Return the weights with which values at the nodes make values elsewhere (Lagrange)."""
    size = min(STENCIL, len(nodes))
    middle = np.searchsorted(nodes, at, side="right") - STENCIL // 2
    start = np.clip(middle, 0, len(nodes) - size).astype(np.int64)
    near = nodes[start[:, None] + np.arange(size)]
    weight = np.ones((len(at), size))
    for i in range(size):
        for j in range(size):
            if i != j:
                weight[:, i] *= (at - near[:, j]) / (near[:, i] - near[:, j])
    return Axis(int(at[0]), start, weight)


def _error(
    nodes: tuple[np.ndarray, np.ndarray],
    cells: tuple[np.ndarray, np.ndarray],
    placing: Placing,
    lattice: Lattice,
) -> float:
    """Return the largest error of interpolation between control points, in shorter sides of a pixel.

    Measured in the middle of each patch and of its sides, where a smooth projection bends most.
    """
    x, y = cells
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return np.inf
    row, col = nodes
    side = min(
        float((np.hypot(np.diff(x, axis=0), np.diff(y, axis=0)) / np.diff(row)[:, None]).min()),
        float((np.hypot(np.diff(x, axis=1), np.diff(y, axis=1)) / np.diff(col)[None, :]).min()),
    )
    mid_row, mid_col = (row[:-1] + row[1:]) / 2.0, (col[:-1] + col[1:]) / 2.0
    worst = 0.0
    for at_row, at_col in ((mid_row, mid_col), (row, mid_col), (mid_row, col)):
        true_x, true_y = placing.to_cells(lattice, *np.meshgrid(at_col, at_row))
        down, right = _matrix(row, at_row), _matrix(col, at_col)
        far = np.hypot(down @ x @ right.T - true_x, down @ y @ right.T - true_y)
        worst = max(worst, float(far.max()))
    return worst / side if side > 0.0 else np.inf


def _matrix(nodes: np.ndarray, at: np.ndarray) -> np.ndarray:
    axis = _weigh(nodes, at)
    matrix = np.zeros((len(at), len(nodes)))
    for i in range(axis.weight.shape[1]):
        matrix[np.arange(len(at)), axis.start + i] = axis.weight[:, i]
    return matrix


@njit(nogil=True, cache=True)
def interpolate(control: Control, row: int, along: tuple[np.ndarray, np.ndarray], line: Line) -> None:
    """Find the corners along the line above a row of pixels.

    Parameters
    ----------
    along
        Room for the positions on the line at the control columns.
    """
    i = row - control.rows.first
    start, weight = control.rows.start[i], control.rows.weight[i]
    x, y = along
    x[:] = 0.0
    y[:] = 0.0
    for k in range(weight.size):
        x += weight[k] * control.x[start + k]
        y += weight[k] * control.y[start + k]
    for j in range(line.x.size):
        at, share = control.cols.start[j], control.cols.weight[j]
        u = v = 0.0
        for k in range(share.size):
            u += share[k] * x[at + k]
            v += share[k] * y[at + k]
        line.x[j], line.y[j] = u, v
