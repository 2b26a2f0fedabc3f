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
FILL_VALUES = (9_999.0, 32_767.0, 65_535.0, *(float("9" * n) for n in range(5, 10)))
# Such a value stands alone: no other count is more than half of it. No source.
FILL_GAP = 2.0
# The largest byte may be a true count; as the largest of this share of all pixels it is not. No source.
BYTE_FILL = 255.0
BYTE_FILL_SHARE = 0.01

# Pixels of a row that are added at once: they and their sums stay in the fastest cache.
STRIP = 2_048

# Rows that are summed at once when pixels are only judged.
JUDGED_ROWS = 16

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
    watch
        From this many people on a pixel may hold a value that stands for no data without being declared.
    """

    low: float
    high: float
    nan_is_nodata: bool
    scale: float
    offset: float
    watch: float


class Report(NamedTuple):
    """What passed: grows while the rows of one window are cleaned.

    Parameters
    ----------
    counts
        Pixels by kind of `WRONG`, int64.
    first
        Row, column and value of the first pixel of each kind, kinds x 3.
    largest
        Largest of the counts that are watched, how many pixels have it, row and column of the first of them,
        and the largest of the others.
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
    """Reads windows of some files; keeps one file open and one buffer for all windows.

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
            # Windows come file by file.
            self.close()
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
    watch = BYTE_FILL if raster.dtypes[0] == "uint8" else min(FILL_VALUES) / FILL_GAP
    return Coding(low, high, nan, float(raster.scales[0]), float(raster.offsets[0]), watch)


@njit(nogil=True, cache=True)
def add_rows(
    stored: np.ndarray,
    part: tuple[int, int, int, int],
    people: np.ndarray,
    corner: tuple[int, int],
    how: tuple[Coding, Report],
) -> int:
    """Sum part of a window from top to bottom; return how many of its pixels stand for no data.

    Parameters
    ----------
    part
        First row, last row + 1, first column and last column + 1 in the window.
    people
        By column of the window; the columns of the part are written.
    corner
        Row and column of the window's corner in the file, for the report.
    """
    top, bottom, left, right = part
    coding, report = how
    nodata = 0
    # Only the sign tells people from no data: then a comparison is saved.
    is_plain = coding.scale == 1.0 and coding.offset == 0.0
    is_plain &= coding.low > coding.high or coding.high < 0.0 or coding.low >= PEOPLE_MAX
    for start in range(left, right, STRIP):
        end = min(start + STRIP, right)
        sums = people[start:end]
        sums[:] = 0.0
        for i in range(top, bottom):
            row = stored[i, start:end]
            good = _add_plain(row, sums) if is_plain else _add_coded(row, sums, coding)
            if good < end - start:
                found = _count_nodata(row, coding)
                nodata += found
                if good + found < end - start:
                    _report_wrong(row, (corner[0] + i, corner[1] + start), coding, report)
        if largest_of(sums) >= coding.watch:
            for i in range(top, bottom):
                _watch(stored[i, start:end], (corner[0] + i, corner[1] + start), coding, report)
    return int(nodata)


@njit(nogil=True, cache=True)
def _add_plain(row: np.ndarray, sums: np.ndarray) -> int:
    """Add counts that need no decoding; return how many pixels are counts."""
    zero, top = row.dtype.type(0.0), row.dtype.type(PEOPLE_MAX)
    good = np.int32(0)
    for i in range(row.size):
        x = row[i]
        # Comparisons with NaN are false.
        ok = (x >= zero) & (x < top)
        sums[i] += np.float64(x if ok else zero)
        good += np.int32(1) if ok else np.int32(0)
    return int(good)


@njit(nogil=True, cache=True)
def _add_coded(row: np.ndarray, sums: np.ndarray, coding: Coding) -> int:
    """Decode and add counts; return how many pixels are counts."""
    low, high, scale, offset = coding.low, coding.high, coding.scale, coding.offset
    good = np.int32(0)
    for i in range(row.size):
        x = np.float64(row[i])
        count = x * scale + offset
        ok = (count >= 0.0) & (count < PEOPLE_MAX) & ((x < low) | (x > high))
        sums[i] += count if ok else 0.0
        good += np.int32(1) if ok else np.int32(0)
    return int(good)


@njit(nogil=True, cache=True)
def _count_nodata(row: np.ndarray, coding: Coding) -> int:
    # In the type of the pixels, which is twice as fast; the interval is wider than the rounding.
    low, high = row.dtype.type(coding.low), row.dtype.type(coding.high)
    nodata = np.int32(0)
    if coding.nan_is_nodata:
        for i in range(row.size):
            nodata += np.int32(1) if np.isnan(row[i]) else np.int32(0)
    elif coding.low <= coding.high:
        for i in range(row.size):
            nodata += np.int32(1) if (row[i] >= low) & (row[i] <= high) else np.int32(0)
    return int(nodata)


@njit(nogil=True, cache=True)
def _report_wrong(row: np.ndarray, place: tuple[int, int], coding: Coding, report: Report) -> None:
    for i in range(row.size):
        x = np.float64(row[i])
        if (x >= coding.low and x <= coding.high) or (coding.nan_is_nodata and np.isnan(x)):
            continue
        count = x * coding.scale + coding.offset
        if count >= 0.0 and count < PEOPLE_MAX:
            continue
        kind = 1 if np.isnan(count) else 2 if np.isinf(count) else 0 if count < 0.0 else 3
        at = (np.float64(place[0]), np.float64(place[1] + i))
        # Parts of a window do not pass in the order of its rows.
        held = (report.first[kind, 0], report.first[kind, 1])
        if report.counts[kind] == 0 or at < held:
            report.first[kind, 0], report.first[kind, 1], report.first[kind, 2] = at[0], at[1], count
        report.counts[kind] += 1


@njit(nogil=True, cache=True)
def largest_of(people: np.ndarray) -> float:
    """Return the largest of some sums, in four strands."""
    a = b = c = d = 0.0
    n = people.size // 4 * 4
    for i in range(0, n, 4):
        a = max(a, people[i])
        b = max(b, people[i + 1])
        c = max(c, people[i + 2])
        d = max(d, people[i + 3])
    for i in range(n, people.size):
        a = max(a, people[i])
    return max(a, b, c, d)


@njit(nogil=True, cache=True)
def _watch(row: np.ndarray, place: tuple[int, int], coding: Coding, report: Report) -> None:
    """Remember the largest count, how often it occurs, and the largest of the others."""
    most = report.largest
    for i in range(row.size):
        x = np.float64(row[i])
        count = x * coding.scale + coding.offset
        if not (count >= coding.watch and count < PEOPLE_MAX) or (x >= coding.low and x <= coding.high):
            continue
        if count > most[0]:
            most[4] = most[0]
            most[0], most[1], most[2], most[3] = count, 0.0, place[0], place[1] + i
        if count == most[0]:
            most[1] += 1.0
            if (np.float64(place[0]), np.float64(place[1] + i)) < (most[2], most[3]):
                most[2], most[3] = place[0], place[1] + i
        elif count > most[4]:
            most[4] = count


@njit(nogil=True, cache=True)
def judge_window(stored: np.ndarray, corner: tuple[int, int], coding: Coding, report: Report) -> float:
    """Pass over a window without counting it anywhere; return the sum of its people."""
    n_rows, n_cols = stored.shape
    people = np.empty(n_cols)
    total = 0.0
    for row in range(0, n_rows, JUDGED_ROWS):
        last = min(row + JUDGED_ROWS, n_rows)
        add_rows(stored, (row, last, 0, n_cols), people, corner, (coding, report))
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
    alone = value in FILL_VALUES and times > 1.0 and FILL_GAP * second <= value
    if alone or (value == BYTE_FILL and times > BYTE_FILL_SHARE * n_pixels):
        found = f"{value:.10g} as the largest count, {times:,.0f} times"
        faults.append(Fault(name, f"pixel row {row:.0f}, column {col:.0f}", "", found, wanted))
    return faults
