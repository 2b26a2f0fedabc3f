"""Pixels to lattice cells by exact area, with nobody lost at the edge of the grid.

On a cylindrical equal-area lattice the edges of a pixel in degrees are straight lines, and the share of a
pixel that falls into a cell is the product of a share along the columns and a share along the rows. A whole
window of pixels is therefore spread by two sparse matrices.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyproj
from scipy import ndimage, sparse
from scipy.spatial import cKDTree

from siteplanner.layers.rasters import Band, read_bands
from siteplanner.model.grid import Grid, Lattice, to_plane

# Geographic systems whose degrees are WGS 84 degrees to a few centimetres.
LONLAT_CODES = (4326, 4490)

# Of the cells at the same distance from a pixel, this many are compared to take the one with the smallest id.
NEAREST_COMPARED = 8


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """People of some pixels by label and cell; one row an entry, entries may repeat.

    Parameters
    ----------
    label
        What the pixel's centre lies in, as `spread` was told.
    cell_id
        Cell of the grid.
    """

    label: np.ndarray
    cell_id: np.ndarray
    people: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class _Frame:
    """Where the pixels of one raster lie on the lattice.

    Parameters
    ----------
    rows, cols
        Share of each pixel row (column) in each lattice row (column), pixels x lattice.
    centre_row, centre_col
        Lattice row (column) of the centres, which may lie beyond the lattice.
    in_grid
        Whether a lattice cell belongs to the grid, rows x columns.
    """

    rows: sparse.csr_array
    cols: sparse.csr_array
    centre_row: np.ndarray
    centre_col: np.ndarray
    in_grid: np.ndarray


Labeller = Callable[[Band], np.ndarray]


def is_lonlat(raster: Any) -> bool:  # noqa: ANN401 - rasterio ships no types
    """Whether pixel edges are lines of constant longitude and latitude."""
    code = raster.crs.to_epsg()
    return code in LONLAT_CODES and raster.transform.b == 0.0 and raster.transform.d == 0.0


def spread(raster: Any, grid: Grid, label: Labeller) -> Iterator[Spread]:  # noqa: ANN401 - rasterio ships no types
    """Spread the people of a raster over the grid, band by band.

    A pixel whose label is not negative keeps all its people on the grid: the share of its area that falls on
    cells outside the grid is put into the cell of its centre, or the nearest cell of the grid.

    Parameters
    ----------
    label
        Returns the label of each pixel of a band, -1 for pixels that are left out.
    """
    nearest = _Nearest(grid)
    if is_lonlat(raster):
        frame = _lay(raster, grid)
        for band in read_bands(raster):
            yield from _spread_lonlat(band, label(band), frame, nearest)
    else:
        for band in read_bands(raster):
            yield _spread_projected(raster, band, label(band), nearest)


def centre_in_grid(raster: Any, grid: Grid) -> Labeller:  # noqa: ANN401 - rasterio ships no types
    """Return a labeller that gives 0 to pixels whose centre lies in a cell of the grid."""
    known = _mask(grid)

    def label(band: Band) -> np.ndarray:
        n_rows, n_cols = band.people.shape
        rows, cols = np.meshgrid(np.arange(n_rows) + 0.5, np.arange(n_cols) + 0.5, indexing="ij")
        lon, lat = _degrees(raster, rows + band.row, cols)
        row, col = _lattice_index(grid.lattice, lon, lat)
        return np.where(_lookup(known, row, col), 0, -1)

    return label


class _Nearest:
    """The cell of a pixel's centre, or the nearest cell of the grid."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.known = _mask(grid)
        self.tree: cKDTree | None = None

    def cells(self, row: np.ndarray, col: np.ndarray) -> np.ndarray:
        """Return cell ids for lattice rows and columns, which may lie off the grid."""
        ids: np.ndarray = row.astype(np.int64) * self.grid.lattice.n_cols + col
        away = np.flatnonzero(~_lookup(self.known, row, col))
        if away.size:
            ids[away] = self._search(row[away], col[away])
        return ids

    def _search(self, row: np.ndarray, col: np.ndarray) -> np.ndarray:
        cells = self.grid.cells
        if self.tree is None:
            self.tree = cKDTree(cells[["row", "col"]].to_numpy(dtype=float))
        compared = min(NEAREST_COMPARED, len(cells))
        found = self.tree.query(np.column_stack([row, col]).astype(float), k=range(1, compared + 1))
        far, at = np.asarray(found[0]), np.asarray(found[1])
        ids = cells.index.to_numpy()[at]
        tied = np.where(far <= far[:, :1], ids, np.iinfo(np.int64).max)
        return np.asarray(tied.min(axis=1))


def _mask(grid: Grid) -> np.ndarray:
    known = np.zeros(grid.lattice.n_rows * grid.lattice.n_cols, dtype=bool)
    known[grid.cells.index.to_numpy()] = True
    return known.reshape(grid.lattice.n_rows, grid.lattice.n_cols)


def _lookup(known: np.ndarray, row: np.ndarray, col: np.ndarray) -> np.ndarray:
    n_rows, n_cols = known.shape
    on = (row >= 0) & (row < n_rows) & (col >= 0) & (col < n_cols)
    return np.asarray(on & known[np.where(on, row, 0), np.where(on, col, 0)])


def _lattice_index(lattice: Lattice, lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x_m, y_m = to_plane(lattice, lon, lat)
    row = np.floor((y_m - lattice.y0_m) / lattice.cell_m).astype(np.int64)
    return row, np.floor((x_m - lattice.x0_m) / lattice.cell_m).astype(np.int64)


def _lay(raster: Any, grid: Grid) -> _Frame:  # noqa: ANN401 - rasterio ships no types
    lattice, place = grid.lattice, raster.transform
    lon = place.c + place.a * np.arange(raster.width + 1)
    lat = place.f + place.e * np.arange(raster.height + 1)
    x_m, _ = to_plane(lattice, lon, np.zeros_like(lon))
    _, y_m = to_plane(lattice, np.zeros_like(lat), np.clip(lat, -90.0, 90.0))
    mid_lon, mid_lat = (lon[:-1] + lon[1:]) / 2.0, (lat[:-1] + lat[1:]) / 2.0
    centre_row, _ = _lattice_index(lattice, np.zeros_like(mid_lat), np.clip(mid_lat, -90.0, 90.0))
    _, centre_col = _lattice_index(lattice, mid_lon, np.zeros_like(mid_lon))
    return _Frame(
        rows=share_matrix((y_m - lattice.y0_m) / lattice.cell_m, lattice.n_rows),
        cols=share_matrix((x_m - lattice.x0_m) / lattice.cell_m, lattice.n_cols),
        centre_row=centre_row,
        centre_col=centre_col,
        in_grid=_mask(grid),
    )


def share_matrix(edges: np.ndarray, n_cells: int) -> sparse.csr_array:
    """Return the share of each interval between neighbouring edges in each of the cells [k, k + 1).

    Parameters
    ----------
    edges
        Monotonic, in cells from the lattice's corner; n + 1 edges make n intervals.
    n_cells
        Cells 0 to n_cells - 1; what lies beyond them is left out, so that a row may sum to less than 1.
    """
    low, high = np.minimum(edges[:-1], edges[1:]), np.maximum(edges[:-1], edges[1:])
    interval, cell, share = _overlaps(low, high)
    keep = (cell >= 0) & (cell < n_cells)
    return sparse.csr_array((share[keep], (interval[keep], cell[keep])), shape=(len(low), n_cells))


def _overlaps(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return interval, cell and share for every cell [k, k + 1) that an interval touches, in their order."""
    first = np.floor(low).astype(np.int64)
    touched = np.maximum(np.ceil(high).astype(np.int64) - first, 1)
    interval = np.repeat(np.arange(len(low)), touched)
    cell = first[interval] + _count_up(touched)
    overlap = np.minimum(high[interval], cell + 1.0) - np.maximum(low[interval], cell)
    share = overlap / np.bincount(interval, weights=overlap, minlength=len(low))[interval]
    some = share > 0.0
    return interval[some], cell[some], share[some]


def _count_up(lengths: np.ndarray) -> np.ndarray:
    """Return 0, 1, ... within each run of the given lengths."""
    starts = np.cumsum(lengths) - lengths
    return np.asarray(np.arange(int(lengths.sum())) - np.repeat(starts, lengths))


def _spread_lonlat(band: Band, labels: np.ndarray, frame: _Frame, nearest: _Nearest) -> Iterator[Spread]:
    windows: list[Any] = ndimage.find_objects(labels + 1)
    for number, window in enumerate(windows):
        # A county without a pixel in this band has no window.
        if window is None:
            continue
        people = np.where(labels[window] == number, band.people[window], 0.0)
        if not people.any():
            continue
        rows = slice(window[0].start + band.row, window[0].stop + band.row)
        for cell, count in _spread_window(people, (rows, window[1]), frame, nearest):
            yield Spread(np.full(len(cell), number), cell, count)


def _spread_window(
    people: np.ndarray, window: tuple[slice, slice], frame: _Frame, nearest: _Nearest
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    by_row, top = _trimmed(frame.rows[window[0]])
    by_col, left = _trimmed(frame.cols[window[1]])
    known = frame.in_grid[top : top + by_row.shape[1], left : left + by_col.shape[1]]
    on_cells = (by_row.T @ people @ by_col) * known
    row, col = np.nonzero(on_cells)
    yield (row + top) * np.int64(frame.in_grid.shape[1]) + col + left, on_cells[row, col]
    kept = by_row @ known.astype(np.float64) @ by_col.T
    # Shares add up to 1 within rounding; what is really off the grid is far more than that.
    row, col = np.nonzero((people > 0.0) & (kept < 1.0 - 1e-12))
    lost = people[row, col] * (1.0 - kept[row, col])
    yield nearest.cells(frame.centre_row[window[0]][row], frame.centre_col[window[1]][col]), lost


def _trimmed(shares: sparse.csr_array) -> tuple[sparse.csr_array, int]:
    """Cut a share matrix to the cells it touches; return the first of them too."""
    if shares.nnz == 0:
        return shares[:, :1], 0
    first, last = int(shares.indices.min()), int(shares.indices.max())
    return shares[:, first : last + 1], first


def _degrees(raster: Any, row: np.ndarray, col: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # noqa: ANN401
    place = raster.transform
    x, y = place.c + place.a * col + place.b * row, place.f + place.d * col + place.e * row
    if raster.crs.to_epsg() in LONLAT_CODES:
        return x, y
    turn = pyproj.Transformer.from_crs(raster.crs.to_wkt(), "EPSG:4326", always_xy=True)
    lon, lat = turn.transform(x, y)
    return np.asarray(lon), np.asarray(lat)


def _spread_projected(raster: Any, band: Band, labels: np.ndarray, nearest: _Nearest) -> Spread:  # noqa: ANN401
    """Split each pixel of another system by area, one by one.

    On the lattice such a pixel is nearly a parallelogram; it is taken as the rectangle of the same middle
    whose sides are its extents along x and along y. A turn of a degree or two, as in a UTM zone, moves a few
    per cent of a pixel into a neighbouring cell; nobody is lost.
    """
    row, col = np.nonzero((labels >= 0) & (band.people > 0.0))
    lattice = nearest.grid.lattice
    low_x, high_x, low_y, high_y = _rectangles(raster, lattice, row + band.row, col)
    of_x, cell_x, share_x = _overlaps(low_x, high_x)
    of_y, cell_y, share_y = _overlaps(low_y, high_y)
    # Every lattice row of a pixel meets every lattice column of the same pixel.
    columns = np.bincount(of_x, minlength=len(row))
    first = np.cumsum(columns) - columns
    at_y = np.repeat(np.arange(len(of_y)), columns[of_y])
    pixel = of_y[at_y]
    at_x = first[pixel] + _count_up(columns[of_y])
    people = band.people[row, col][pixel] * share_y[at_y] * share_x[at_x]
    on = _lookup(nearest.known, cell_y[at_y], cell_x[at_x])
    home_row = np.floor((low_y + high_y) / 2.0).astype(np.int64)
    home = nearest.cells(home_row, np.floor((low_x + high_x) / 2.0).astype(np.int64))
    cell = np.where(on, cell_y[at_y] * np.int64(lattice.n_cols) + cell_x[at_x], home[pixel])
    return Spread(labels[row, col][pixel], cell, people)


def _rectangles(
    raster: Any,  # noqa: ANN401 - rasterio ships no types
    lattice: Lattice,
    row: np.ndarray,
    col: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return west, east, south and north of each pixel on the lattice, in cells from its corner."""
    spots = {
        "middle": (0.5, 0.5),
        "left": (0.5, 0.0),
        "right": (0.5, 1.0),
        "top": (0.0, 0.5),
        "bottom": (1.0, 0.5),
    }
    x: dict[str, np.ndarray] = {}
    y: dict[str, np.ndarray] = {}
    for name, (down, right) in spots.items():
        x_m, y_m = to_plane(lattice, *_degrees(raster, row + down, col + right))
        x[name], y[name] = (x_m - lattice.x0_m) / lattice.cell_m, (y_m - lattice.y0_m) / lattice.cell_m
    half_x = np.hypot(x["right"] - x["left"], x["bottom"] - x["top"]) / 2.0
    half_y = np.hypot(y["right"] - y["left"], y["bottom"] - y["top"]) / 2.0
    return x["middle"] - half_x, x["middle"] + half_x, y["middle"] - half_y, y["middle"] + half_y
