"""The cell of the grid for a place beside it."""

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def grid_cells(home: np.ndarray, row: np.ndarray, col: np.ndarray) -> np.ndarray:
    """Return the cell of each lattice place: its own, or the nearest cell that belongs to the grid.

    The distance is taken between the middles of cells in the plane; of cells at the same distance the one
    with the smallest id is taken.

    Parameters
    ----------
    home
        Lattice rows x columns; -1 for cells that do not belong to the grid, of which there is at least one
        other.
    row, col
        May lie beyond the lattice.
    """
    cells = np.empty(row.size, dtype=np.int64)
    n_rows, n_cols = home.shape
    for i in range(row.size):
        r, c = row[i], col[i]
        if r >= 0 and r < n_rows and c >= 0 and c < n_cols and home[r, c] >= 0:
            cells[i] = r * n_cols + c
        elif i > 0 and r == row[i - 1] and c == col[i - 1]:
            cells[i] = cells[i - 1]
        else:
            cells[i] = _search(home, r, c)
    return cells


@njit(nogil=True, cache=True)
def _search(home: np.ndarray, row: int, col: int) -> int:
    """Look at the squares around a place, one by one, until no nearer cell can come."""
    n_rows, n_cols = home.shape
    best, far2 = -1, np.inf
    # The lattice begins this many squares away.
    ring = max(0, -row, row - n_rows + 1, -col, col - n_cols + 1)
    end = max(row, n_rows - 1 - row, col, n_cols - 1 - col)
    while ring <= end and ring * ring <= far2:
        for r in range(max(row - ring, 0), min(row + ring + 1, n_rows)):
            # Only the first and last row of the square are walked from end to end.
            edge = abs(r - row) == ring
            left, right = (
                (max(col - ring, 0), min(col + ring, n_cols - 1)) if edge else (col - ring, col + ring)
            )
            for c in range(left, right + 1, 1 if edge else 2 * ring):
                if c < 0 or c >= n_cols or home[r, c] < 0:
                    continue
                d2 = float((r - row) ** 2 + (c - col) ** 2)
                cell = r * n_cols + c
                if d2 < far2 or (d2 == far2 and cell < best):
                    best, far2 = cell, d2
        ring += 1
    return best
