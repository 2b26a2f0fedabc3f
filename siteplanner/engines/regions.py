"""Outlines of regions as sides in degrees, and these in the pixels of a raster."""

from dataclasses import dataclass

import numpy as np

from siteplanner.engines.placing import Placing
from siteplanner.engines.runs import Edges, make_edges
from siteplanner.model.lattice import SEGMENT_DEG, Lattice, edge_lines


@dataclass(frozen=True, slots=True, eq=False)
class Sides:
    """Sides of regions, straight in longitude and latitude.

    Parameters
    ----------
    label
        Region of each side, 0 to n_labels - 1.
    start, stop
        Ends of the sides, n x 2, degrees.
    """

    label: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    n_labels: int


def cell_sides(lattice: Lattice, home: np.ndarray) -> Sides:
    """Return the sides between cells that belong to the grid and places that do not; the label is 0.

    Parameters
    ----------
    home
        Rows x columns of the lattice; -1 for cells that do not belong to the grid.
    """
    inside = np.zeros((lattice.n_rows + 2, lattice.n_cols + 2), dtype=bool)
    inside[1:-1, 1:-1] = home >= 0
    lons, lats = edge_lines(lattice)
    row, col = np.nonzero(inside[1:-1, :-1] != inside[1:-1, 1:])
    upright = (lons[col], lats[row], lons[col], lats[row + 1])
    row, col = np.nonzero(inside[:-1, 1:-1] != inside[1:, 1:-1])
    flat = (lons[col], lats[row], lons[col + 1], lats[row])
    west, south, east, north = (np.concatenate(pair) for pair in zip(upright, flat, strict=True))
    label = np.zeros(len(west), dtype=np.int64)
    return Sides(label, np.column_stack([west, south]), np.column_stack([east, north]), 1)


def in_pixels(sides: Sides, placing: Placing) -> Edges:
    """Put sides into columns and rows of pixels.

    Where straight lines in degrees bend in the raster's system they are cut into short pieces first. Pieces
    that the system cannot show are left out: they lie where the raster has no pixels.
    """
    label, start, stop = sides.label, sides.start, sides.stop
    if not placing.is_lonlat:
        label, start, stop = _cut_short(sides)
    first, last = (np.column_stack(placing.to_pixels(end[:, 0], end[:, 1])) for end in (start, stop))
    shown = np.isfinite(first).all(axis=1) & np.isfinite(last).all(axis=1)
    return make_edges(label[shown], first[shown], last[shown])


def _cut_short(sides: Sides) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut sides into equal pieces of at most `SEGMENT_DEG`, the same ones in both directions."""
    turned = (sides.start[:, 0] > sides.stop[:, 0]) | (
        (sides.start[:, 0] == sides.stop[:, 0]) & (sides.start[:, 1] > sides.stop[:, 1])
    )
    low = np.where(turned[:, None], sides.stop, sides.start)
    high = np.where(turned[:, None], sides.start, sides.stop)
    length = np.hypot(*(high - low).T)
    n_pieces = np.maximum(np.ceil(length / SEGMENT_DEG), 1.0).astype(np.int64)
    side = np.repeat(np.arange(len(low)), n_pieces)
    step = np.arange(len(side)) - np.repeat(np.cumsum(n_pieces) - n_pieces, n_pieces)
    last = n_pieces[side]
    # Weights of both ends, so that the ends themselves are met exactly.
    t, u = (step / last)[:, None], ((step + 1) / last)[:, None]
    start = low[side] * (1.0 - t) + high[side] * t
    stop = low[side] * (1.0 - u) + high[side] * u
    return sides.label[side], start, stop
