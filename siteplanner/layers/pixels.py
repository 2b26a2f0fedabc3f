"""Pixels in windows: fixed units of work, read by one driver, cleaned and judged while they pass.

A raster is cut into windows of whole blocks. The cut depends on the files alone, never on the number of
threads, so that sums added in the order of the windows have the same bits everywhere.
"""

from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from numba import njit

from siteplanner.errors import Fault
from siteplanner.layers.gdal import open_geotiff, rasterio

# Pixels of a window, unless one block holds more: 16 MB as float32, a few thousand windows in a nation.
WINDOW_PIXELS = 1 << 22

# No pixel holds an eighth of mankind: what is larger is a value that stands for no data. No source.
PEOPLE_MAX = 1e9
# Values that stand for no data in undeclared files: the largest of the integer types, and runs of nines.
FILL_VALUES = (32_767.0, 65_535.0, *(float("9" * n) for n in range(4, 10)))
# Such a value stands alone: no other count is more than half of it. No source.
FILL_GAP = 2.0
# The largest byte may be a true count; as the largest of this share of all pixels it is not. No source.
BYTE_FILL = 255.0
BYTE_FILL_SHARE = 0.01

# Kinds of wrong pixels, in the order of their numbers in the kernels.
WRONG = ("negative", "missing", "infinite", "impossibly large")


@dataclass(frozen=True, slots=True)
class Window:
    """Some pixels of one file of a raster, aligned to its blocks: an independent unit of work.

    Parameters
    ----------
    number
        Place in the order in which windows are added up.
    tile
        Number of the file in the raster.
    """

    number: int
    tile: int
    row: int
    col: int
    height: int
    width: int


class Coding(NamedTuple):
    """How stored numbers mean people: ``stored * scale + offset``, unless they stand for no data.

    Parameters
    ----------
    low, high
        Stored numbers from low to high stand for no data; none when low is above high.
    nan_is_nodata
        Whether NaN is declared to stand for no data.
    """

    low: float
    high: float
    nan_is_nodata: bool
    scale: float
    offset: float


class Report(NamedTuple):
    """What passed: grows while the rows of one window are cleaned.

    Parameters
    ----------
    counts
        Pixels by kind of `WRONG`, int64.
    first
        Row, column and value of the first pixel of each kind, kinds x 3.
    largest
        Largest count, how many pixels have it, row and column of the first of them, and the largest of the
        other counts, told only for counts that may stand for no data.
    """

    counts: np.ndarray
    first: np.ndarray
    largest: np.ndarray


def new_report() -> Report:
    """Return a report on nothing yet."""
    n = len(WRONG)
    return Report(np.zeros(n, dtype=np.int64), np.zeros((n, 3)), np.array([0.0, 0.0, -1.0, -1.0, 0.0]))


def list_windows(shape: tuple[int, int], block: tuple[int, int], tile: int, start: int) -> list[Window]:
    """Cut one file into windows of whole blocks with about `WINDOW_PIXELS` pixels, row by row.

    Parameters
    ----------
    shape, block
        Rows and columns of the file and of its blocks.
    start
        Number of the first window.
    """
    height, width = shape
    block_height, block_width = min(block[0], height), min(block[1], width)
    cols = min(width, max(1, WINDOW_PIXELS // (block_height * block_width)) * block_width)
    rows = max(1, WINDOW_PIXELS // (block_height * cols)) * block_height
    places = [(row, col) for row in range(0, height, rows) for col in range(0, width, cols)]
    return [
        Window(start + i, tile, row, col, min(rows, height - row), min(cols, width - col))
        for i, (row, col) in enumerate(places)
    ]


class PixelReader:
    """Reads windows of some files; keeps each file open and one buffer for all windows.

    Not to be shared between threads: each thread has its own.
    """

    def __init__(self, paths: tuple[str, ...]) -> None:
        self._paths = paths
        self._open: dict[int, Any] = {}
        self._buffer = np.empty(0, dtype=np.float32)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        for raster in self._open.values():
            raster.close()
        self._open.clear()

    def read(self, window: Window) -> tuple[np.ndarray, Coding]:
        """Return the stored numbers of a window, float32 or float64, and what they mean.

        The array is valid until the next call. Whole numbers of at most 16 bits come as float32, larger ones
        as float64: both hold them exactly.
        """
        raster = self._raster(window.tile)
        kind = np.dtype(raster.dtypes[0])
        wide = kind == np.float64 or (kind.kind in "iu" and kind.itemsize > 2)  # noqa: PLR2004 - bytes
        size = window.height * window.width
        dtype: np.dtype[np.floating[Any]] = np.dtype(np.float64 if wide else np.float32)
        if self._buffer.size < size or self._buffer.dtype != dtype:
            self._buffer = np.empty(size, dtype=dtype)
        values = self._buffer[:size].reshape(window.height, window.width)
        area = rasterio.windows.Window(window.col, window.row, window.width, window.height)
        raster.read(1, window=area, out=values)
        coding = coding_of(raster, dtype)
        if rasterio.enums.MaskFlags.per_dataset in raster.mask_flag_enums[0]:
            hidden = raster.read_masks(1, window=area) == 0
            if coding.low > coding.high:
                lowest = float(np.finfo(dtype).min)
                coding = coding._replace(low=lowest, high=lowest)
            values[hidden] = dtype.type(coding.low)
        return values, coding

    def _raster(self, tile: int) -> Any:  # noqa: ANN401 - rasterio ships no types
        if tile not in self._open:
            self._open[tile] = open_geotiff(self._paths[tile])
        return self._open[tile]


def coding_of(raster: Any, dtype: np.dtype[np.floating[Any]]) -> Coding:  # noqa: ANN401 - rasterio ships no types
    """Return what the stored numbers of a raster mean when they are held as `dtype`.

    A nodata value is written as decimal text: stored numbers within two units in the last place of it stand
    for no data, as GDAL has it.
    """
    nodata = raster.nodata
    low, high, nan = 1.0, -1.0, False
    if nodata is not None:
        nan = bool(np.isnan(nodata))
        if not nan:
            with np.errstate(over="ignore"):
                near = float(dtype.type(nodata))
            slack = abs(near) * 4.0 * float(np.finfo(dtype).eps) if np.isfinite(near) else 0.0
            low, high = near - slack, near + slack
    return Coding(low, high, nan, float(raster.scales[0]), float(raster.offsets[0]))


@njit(nogil=True, cache=True)
def clean_pixels(
    stored: np.ndarray, people: np.ndarray, place: tuple[int, int, int, int], coding: Coding, report: Report
) -> int:
    """Turn part of a row into people, 0 where there is no data; return the pixels that stand for no data.

    Parameters
    ----------
    stored, people
        One row of the window each; `people` is written.
    place
        First column and last column + 1 in the window, and the row and column of the window's corner in the
        file, for the report.
    """
    first, last = place[0], place[1]
    good = 0
    for i in range(first, last):
        x = np.float64(stored[i])
        count = x * coding.scale + coding.offset
        # Comparisons with NaN are false.
        ok = (count >= 0.0) & (count < PEOPLE_MAX) & ((x < coding.low) | (x > coding.high))
        people[i] = count if ok else 0.0
        good += 1 if ok else 0
    if good == last - first:
        return 0
    nodata = 0
    for i in range(first, last):
        x = np.float64(stored[i])
        nodata += 1 if ((x >= coding.low) & (x <= coding.high)) | (coding.nan_is_nodata & np.isnan(x)) else 0
    if good + nodata < last - first:
        _report_wrong(stored, place, coding, report)
    return nodata


@njit(nogil=True, cache=True)
def _report_wrong(
    stored: np.ndarray, place: tuple[int, int, int, int], coding: Coding, report: Report
) -> None:
    for i in range(place[0], place[1]):
        x = np.float64(stored[i])
        if (x >= coding.low and x <= coding.high) or (coding.nan_is_nodata and np.isnan(x)):
            continue
        count = x * coding.scale + coding.offset
        if count >= 0.0 and count < PEOPLE_MAX:
            continue
        kind = 1 if np.isnan(count) else 2 if np.isinf(count) else 0 if count < 0.0 else 3
        if report.counts[kind] == 0:
            report.first[kind, 0] = place[2]
            report.first[kind, 1] = place[3] + i
            report.first[kind, 2] = count
        report.counts[kind] += 1


# The largest of numbers that are no NaN does not depend on the order in which they are compared.
@njit(nogil=True, cache=True, fastmath={"nnan", "nsz"})
def largest_of(people: np.ndarray) -> float:
    """Return the largest count of a row of clean pixels."""
    largest = 0.0
    for i in range(people.size):
        largest = max(largest, people[i])
    return largest


@njit(nogil=True, cache=True)
def note_largest(people: np.ndarray, row: int, col: int, report: Report) -> None:
    """Remember the largest count of a row of clean pixels, and how often it occurs."""
    most = report.largest
    largest = largest_of(people)
    if largest < most[0]:
        most[4] = max(most[4], largest)
        return
    if largest <= 0.0:
        return
    if largest > most[0]:
        most[4] = max(most[4], most[0])
        most[0], most[1], most[2] = largest, 0.0, -1.0
    told = is_fill_like(largest)
    for i in range(people.size):
        if people[i] == largest:
            most[1] += 1.0
            if most[2] < 0.0:
                most[2], most[3] = row, col + i
        elif told:
            most[4] = max(most[4], people[i])


@njit(nogil=True, cache=True)
def is_fill_like(count: float) -> bool:
    """Whether files are known to use this number for no data without declaring it."""
    found = False
    for value in FILL_VALUES:
        found |= count == value
    return found


@njit(nogil=True, cache=True)
def judge_window(stored: np.ndarray, corner: tuple[int, int], coding: Coding, report: Report) -> float:
    """Pass over a window without counting it anywhere; return the sum of its people."""
    n_rows, n_cols = stored.shape
    people = np.empty(n_cols)
    total = 0.0
    for row in range(n_rows):
        clean_pixels(stored[row], people, (0, n_cols, corner[0] + row, corner[1]), coding, report)
        note_largest(people, corner[0] + row, corner[1], report)
        total += people.sum()
    return total


def merge_reports(reports: list[Report]) -> Report:
    """Put the reports on the windows of one file into one; the first pixel is that of the first row."""
    whole = new_report()
    for kind in range(len(WRONG)):
        whole.counts[kind] = sum(int(report.counts[kind]) for report in reports)
        firsts = [tuple(report.first[kind]) for report in reports if report.counts[kind]]
        if firsts:
            whole.first[kind] = min(firsts, key=lambda first: first[:2])
    largest = max((float(report.largest[0]) for report in reports), default=0.0)
    same = [report.largest for report in reports if report.largest[0] == largest and largest > 0.0]
    if same:
        others = [report.largest[0] for report in reports if report.largest[0] < largest]
        second = max(*others, *(one[4] for one in same), 0.0)
        row, col = min((one[2], one[3]) for one in same)
        whole.largest[:] = (largest, sum(one[1] for one in same), row, col, second)
    return whole


def pixel_faults(report: Report, name: str, n_pixels: int) -> list[Fault]:
    """Return what is wrong with the pixels of one file.

    Parameters
    ----------
    n_pixels
        All pixels of the file.
    """
    wanted = "persons >= 0; declare the value that stands for no data"
    faults = []
    for kind, word in enumerate(WRONG):
        if report.counts[kind]:
            row, col, value = report.first[kind]
            found = f"{value:g} ({word} pixels in all: {report.counts[kind]:,})"
            faults.append(Fault(name, f"pixel row {row:.0f}, column {col:.0f}", "", found, wanted))
    value, times, row, col, second = report.largest
    alone = is_fill_like(value) and times > 1.0 and FILL_GAP * second <= value
    if alone or (value == BYTE_FILL and times > BYTE_FILL_SHARE * n_pixels):
        found = f"{value:.10g} as the largest count, {times:,.0f} times"
        faults.append(Fault(name, f"pixel row {row:.0f}, column {col:.0f}", "", found, wanted))
    return faults
