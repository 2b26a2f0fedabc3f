"""One raster to cells as independent windows: plan the job, sum each window anywhere, merge in order.

A job holds all that a window needs and can be pickled; ``sum_window(job, window)`` does one window in any
process; ``add_windows(job, sums)`` takes the sums in the order of ``job.windows``, and ``merge`` makes a list
of what they add up to. The answer has the same bits wherever and in whatever number at a time the windows
were done.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from siteplanner.engines.control import labelled_box, lay_control, touched_cells
from siteplanner.engines.nearest import grid_cells
from siteplanner.engines.placing import Placing
from siteplanner.engines.runs import Runs
from siteplanner.engines.shares import Columns, Parts
from siteplanner.engines.slanted import sum_slanted
from siteplanner.engines.straight import Spill, Target, sum_straight
from siteplanner.errors import InputError
from siteplanner.layers.gdal import rasterio
from siteplanner.layers.pixels import (
    PixelReader,
    Report,
    Window,
    merge_reports,
    new_report,
    pixel_faults,
)
from siteplanner.layers.rasters import unreadable_window
from siteplanner.layers.threads import in_order
from siteplanner.model.lattice import Lattice


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """How one file of the raster lies on the lattice, and which region its pixels belong to.

    Parameters
    ----------
    shape
        Rows and columns of pixels.
    axes
        Cells of the rows and columns of pixels; None when their edges do not run along the lattice.
    split
        Whether pixels are split by area; otherwise each goes whole to the cell of its centre.
    """

    shape: tuple[int, int]
    axes: tuple[Parts, Columns] | None
    placing: Placing
    runs: Runs
    split: bool


@dataclass(frozen=True, slots=True, eq=False)
class RasterJob:
    """Everything that summing a window needs; read only, can be pickled.

    Parameters
    ----------
    paths, names
        Files, and what the scenario calls them.
    windows
        Units of work, in the order in which they are merged.
    home
        Label of each cell of the lattice, rows x columns; -1 for cells that do not belong to the grid.
    n_labels
        Regions; their labels are 0 to n_labels - 1.
    """

    paths: tuple[str, ...]
    names: tuple[str, ...]
    tiles: tuple[Tile, ...]
    windows: tuple[Window, ...]
    lattice: Lattice
    home: np.ndarray
    n_labels: int


@dataclass(frozen=True, slots=True, eq=False)
class WindowSum:
    """What one window adds to the whole.

    Parameters
    ----------
    dense, corner
        People by lattice row and column from `corner` on, whose label is that of their cell.
    key, people
        People of other labels: ``cell_id * n_labels + label``, sorted, each once.
    count_in, nodata
        People and pixels without data by label + 1.
    report
        What is wrong with the pixels.
    """

    window: Window
    dense: np.ndarray
    corner: tuple[int, int]
    key: np.ndarray
    people: np.ndarray
    count_in: np.ndarray
    nodata: np.ndarray
    report: Report


@dataclass(frozen=True, slots=True, eq=False)
class LatticeSum:
    """A whole raster on the lattice.

    Parameters
    ----------
    people
        People by cell, rows x columns, whose label is that of their cell.
    key, others
        People of other labels: ``cell_id * n_labels + label``, sorted, each once.
    count_in, nodata
        People and pixels without data by label + 1, from the raster itself.
    """

    people: np.ndarray
    key: np.ndarray
    others: np.ndarray
    count_in: np.ndarray
    nodata: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class RasterSum:
    """A whole raster by cell and label.

    Parameters
    ----------
    cell_id, label, people
        One entry a cell and label with people, sorted.
    count_in, nodata
        People and pixels without data by label + 1, from the raster itself.
    """

    cell_id: np.ndarray
    label: np.ndarray
    people: np.ndarray
    count_in: np.ndarray
    nodata: np.ndarray


def sum_window(job: RasterJob, window: Window, reader: PixelReader | None = None) -> WindowSum:
    """Sum one window; needs nothing but the job and the window's file.

    Parameters
    ----------
    reader
        Keeps files open from window to window; without one the file is opened for this window.

    Raises
    ------
    InputError
        When the pixels cannot be decoded.
    """
    if reader is None:
        with PixelReader(job.paths) as own:
            return sum_window(job, window, own)
    tile = job.tiles[window.tile]
    try:
        stored, coding = reader.read(window)
    except rasterio.errors.RasterioError as error:
        raise InputError([unreadable_window(window, job.names[window.tile], error)]) from None
    report = new_report()
    read = (stored, (window.row, window.col), coding)
    if tile.axes is not None:
        target = _make_target(job, _straight_box(tile.axes, window))
        spill = sum_straight(read, tile.axes, tile.runs, target, report)
    else:
        control = lay_control(tile.placing, job.lattice, labelled_box(tile.runs, window))
        target = _make_target(job, touched_cells(control))
        spill = sum_slanted(read, (control, tile.split), tile.runs, target, report)
    key, people = _settle(job, spill)
    return WindowSum(window, target.dense, target.corner, key, people, target.count_in, target.nodata, report)


def sum_windows(job: RasterJob, threads: int) -> Iterator[WindowSum]:
    """Sum all windows in this process, in the order of the job."""
    return in_order(lambda reader, window: sum_window(job, window, reader), job.paths, job.windows, threads)


def add_windows(job: RasterJob, sums: Iterable[WindowSum]) -> LatticeSum:
    """Add up the windows in the order of the job.

    Raises
    ------
    InputError
        When pixels are negative, missing, infinite, impossibly large or undeclared fills.
    """
    dense = np.zeros(job.home.shape)
    count_in, nodata = np.zeros(job.n_labels + 1), np.zeros(job.n_labels + 1, dtype=np.int64)
    keys, people = [np.zeros(0, dtype=np.int64)], [np.zeros(0)]
    reports: list[list[Report]] = [[] for _ in job.tiles]
    for part in sums:
        row, col = part.corner
        height, width = part.dense.shape
        dense[row : row + height, col : col + width] += part.dense
        count_in += part.count_in
        nodata += part.nodata
        keys.append(part.key)
        people.append(part.people)
        reports[part.window.tile].append(part.report)
    _refuse(job, reports)
    key, total = _add_equal(np.concatenate(keys), np.concatenate(people))
    cell, label = np.divmod(key, job.n_labels)
    at_home = job.home.ravel()[cell] == label
    dense.ravel()[cell[at_home]] += total[at_home]
    return LatticeSum(dense, key[~at_home], total[~at_home], count_in, nodata)


def merge(job: RasterJob, sums: Iterable[WindowSum]) -> RasterSum:
    """Add up the windows in the order of the job and list what is in the cells; errors as `add_windows`."""
    total = add_windows(job, sums)
    cell, label = np.divmod(total.key, job.n_labels)
    flat, home = total.people.ravel(), job.home.ravel()
    own = np.flatnonzero(flat)
    own_label, own_people = home[own], flat[own]
    if len(cell):
        # Where a cell has people of its own label, those of larger labels come after them.
        at = np.searchsorted(own, cell) + ((flat[cell] != 0.0) & (home[cell] < label))
        own, own_label = np.insert(own, at, cell), np.insert(own_label, at, label)
        own_people = np.insert(own_people, at, total.others)
    return RasterSum(own, own_label, own_people, total.count_in, total.nodata)


def _straight_box(axes: tuple[Parts, Columns], window: Window) -> tuple[int, int, int, int]:
    """Return the first and last lattice row, and the first and last lattice column that a window touches."""
    rows, cols = axes
    touched = rows.cell[rows.at[window.row] : rows.at[window.row + window.height]]
    across = slice(window.col, window.col + window.width)
    low, high = cols.low[across], cols.high[across]
    return int(touched.min()), int(touched.max()), int(low.min()), int(high.max())


def _make_target(job: RasterJob, box: tuple[int, int, int, int]) -> Target:
    """Return an empty table over the cells of the lattice from first to last row, first to last column."""
    n_rows, n_cols = job.home.shape
    first_row, last_row = np.clip([box[0], box[1] + 1], 0, n_rows).tolist()
    first_col, last_col = np.clip([box[2], box[3] + 1], 0, n_cols).tolist()
    return Target(
        job.home,
        np.zeros((last_row - first_row, last_col - first_col)),
        (first_row, first_col),
        np.zeros(job.n_labels + 1),
        np.zeros(job.n_labels + 1, dtype=np.int64),
    )


def _settle(job: RasterJob, spill: Spill) -> tuple[np.ndarray, np.ndarray]:
    """Give every entry a cell of the grid, and add up those of one cell and label."""
    row, col, label = spill.place[: spill.size].astype(np.int64).T
    cell = grid_cells(job.home, np.ascontiguousarray(row), np.ascontiguousarray(col))
    return _add_equal(cell * job.n_labels + label, spill.people[: spill.size])


def _add_equal(key: np.ndarray, people: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    kept, entry = np.unique(key, return_inverse=True)
    return kept, np.bincount(entry, weights=people, minlength=len(kept))


def _refuse(job: RasterJob, reports: list[list[Report]]) -> None:
    faults = []
    for name, tile, passed in zip(job.names, job.tiles, reports, strict=True):
        faults += pixel_faults(merge_reports(passed), name, tile.shape[0] * tile.shape[1])
    if faults:
        raise InputError(faults)
