"""How the pixels of one axis fall into the lattice's cells along it.

On a cylindrical equal-area lattice the edges of a pixel in degrees are straight lines, and the share of a
pixel that falls into a cell is the product of a share along the columns and a share along the rows.
"""

from typing import NamedTuple

import numpy as np

# An edge this close to a line of the lattice lies on it, in cells: rounding must not make slivers.
SNAP = 1e-9


class Parts(NamedTuple):
    """The cells that each pixel touches: those of pixel i are entries ``at[i]`` to ``at[i + 1]``."""

    at: np.ndarray
    cell: np.ndarray
    share: np.ndarray


class Columns(NamedTuple):
    """The pixels that each cell touches.

    Parameters
    ----------
    base
        First cell of the tables by cell: cell k is row ``k - base``; it may lie beyond the lattice.
    low, high
        First and last cell of each pixel.
    whole_from, whole_to
        Pixels that lie wholly in each cell, from the first to before the second.
    piece_at, piece_pixel, piece_share
        Pixels of which a share lies in a cell: those of row k are entries ``piece_at[k]`` to
        ``piece_at[k + 1]``.
    """

    base: int
    low: np.ndarray
    high: np.ndarray
    whole_from: np.ndarray
    whole_to: np.ndarray
    piece_at: np.ndarray
    piece_pixel: np.ndarray
    piece_share: np.ndarray


def share_out(edges: np.ndarray) -> Parts:
    """Share each interval between neighbouring edges among the cells [k, k + 1) by length.

    Parameters
    ----------
    edges
        Monotonic, in cells; n + 1 edges make n intervals.
    """
    lines = np.round(edges)
    edges = np.where(np.abs(edges - lines) < SNAP, lines, edges)
    low, high = np.minimum(edges[:-1], edges[1:]), np.maximum(edges[:-1], edges[1:])
    first = np.floor(low).astype(np.int64)
    touched = np.maximum(np.ceil(high).astype(np.int64) - first, 1)
    at = np.concatenate([[0], np.cumsum(touched)])
    interval = np.repeat(np.arange(len(low)), touched)
    cell = first[interval] + np.arange(at[-1]) - at[interval]
    length = np.minimum(high[interval], cell + 1.0) - np.maximum(low[interval], cell)
    whole = np.bincount(interval, weights=length, minlength=len(low))[interval]
    # A pixel beyond the poles has no height and is taken whole.
    share = np.where(whole > 0.0, length / np.where(whole > 0.0, whole, 1.0), 1.0 / touched[interval])
    return Parts(at, cell, share)


def assign_centres(edges: np.ndarray) -> Parts:
    """Give each interval between neighbouring edges wholly to the cell of its middle."""
    cell = np.floor((edges[:-1] + edges[1:]) / 2.0).astype(np.int64)
    return Parts(np.arange(len(cell) + 1), cell, np.ones(len(cell)))


def by_column(parts: Parts) -> Columns:
    """Turn the cells of each pixel into the pixels of each cell."""
    n_pixels = len(parts.at) - 1
    low, high = parts.cell[parts.at[:-1]], parts.cell[parts.at[1:] - 1]
    base = int(low.min())
    n_cells = int(high.max()) - base + 1
    pixel = np.repeat(np.arange(n_pixels), np.diff(parts.at))
    is_whole = np.diff(parts.at) == 1
    whole_from, whole_to = np.zeros(n_cells, dtype=np.int64), np.zeros(n_cells, dtype=np.int64)
    held, first, count = np.unique(low[is_whole] - base, return_index=True, return_counts=True)
    # Pixels follow each other along the axis: those of one cell are neighbours.
    whole_from[held] = np.flatnonzero(is_whole)[first]
    whole_to[held] = whole_from[held] + count
    split = ~is_whole[pixel]
    order = np.lexsort((pixel[split], parts.cell[split]))
    cells = parts.cell[split][order] - base
    piece_at = np.concatenate([[0], np.cumsum(np.bincount(cells, minlength=n_cells))])
    return Columns(
        base, low, high, whole_from, whole_to, piece_at, pixel[split][order], parts.share[split][order]
    )
