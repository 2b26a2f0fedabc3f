"""Text to types: one strict reading of every value, every fault with its place."""

import datetime as dt
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from siteplanner.errors import Fault
from siteplanner.layers.text_tables import TextTable
from siteplanner.tables import Column, Table

# A thousands separator is refused: "1,234" is 1234 in one office and 1.234 in another.
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
# Year first, or nobody knows which is the month.
_DATE = re.compile(r"(\d{4})([-/])(\d{1,2})\2(\d{1,2})([ T]00:00(:00(\.0+)?)?)?")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?")
_SERIAL = re.compile(r"\d{1,7}(\.\d+)?")

# Day 0 of spreadsheet dates, and the last day they know (31 December 9999).
EXCEL_EPOCH = np.datetime64("1899-12-30", "us")
EXCEL_DAY_MAX = 2_958_465
DAY_US = 86_400_000_000

BOOLEANS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}

# Times with an offset are shown on the clock of the branch; the whole of China keeps one (UTC+8).
LOCAL_ZONE = "Asia/Shanghai"

# Bounds of a position, degrees (tables: lon, lat).
LON_MAX, LAT_MAX = 180.0, 85.0

FOUND_CHARS_MAX = 60


@dataclass(frozen=True, slots=True, eq=False)
class Typed:
    """A table of typed columns with the place of each row and the faults met on the way.

    Parameters
    ----------
    places
        Where each row stands, e.g. ``line 9 (branch_id B0008)``.
    absent
        Optional columns that the file does not hold.
    """

    frame: pd.DataFrame
    places: np.ndarray
    absent: tuple[str, ...]
    faults: tuple[Fault, ...]


def quoted(text: str) -> str:
    """Quote text of a file for a message; long text is cut, control characters are shown."""
    shown = text if len(text) <= FOUND_CHARS_MAX else text[:FOUND_CHARS_MAX] + "..."
    shown = "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in shown)
    return f'"{shown}"' if text else "nothing"


def rename(
    text: TextTable, table: Table, columns: dict[str, str], name: str
) -> tuple[TextTable, list[Fault]]:
    """Give the columns their canonical names; a fault for each required or declared one that is missing."""
    faults = []
    there = list(text.frame.columns)
    shown = "the columns " + ", ".join(there) if there else "no columns"
    chosen: dict[str, pd.Series[str]] = {}
    for column in table.columns:
        source = columns.get(column.name, column.name)
        if source in text.frame.columns:
            chosen[column.name] = text.frame[source]
        elif column.name in columns or (column.required and column.kind != "geometry"):
            located = (
                text.geometry is not None and column.name in {"lon", "lat"} and column.name not in columns
            )
            if not located:
                wanted = f'a column "{source}"' + (
                    "" if column.name in columns else ", or columns = { ... } to name it"
                )
                faults.append(Fault(name, "", column.name, shown, wanted))
    for canonical in sorted(set(columns) - {column.name for column in table.columns}):
        known = ", ".join(column.name for column in table.columns)
        faults.append(
            Fault(
                name, "", canonical, f"a column name that table {table.name} does not have", f"one of {known}"
            )
        )
    frame = pd.DataFrame(chosen, index=text.frame.index)
    return replace(text, frame=frame), faults


def typed(text: TextTable, table: Table, name: str) -> Typed:
    """Type every column that is there; the key is checked, not yet made the index."""
    places = _places(text, table.key)
    faults: list[Fault] = []
    columns: dict[str, object] = {}
    for column in table.columns:
        if column.name not in text.frame.columns:
            continue
        raw = text.frame[column.name].to_numpy(dtype=object)
        values, wrong, expected = _READ[column.kind](raw, column, text.excel)
        columns[column.name] = values
        faults += _value_faults(raw, wrong, (name, places, column, expected))
    if table.key in text.frame.columns:
        faults += _key_faults(text.frame[table.key].to_numpy(dtype=object), name, table.key, places)
    absent = tuple(c.name for c in table.columns if not c.required and c.name not in text.frame.columns)
    return Typed(pd.DataFrame(columns, index=text.frame.index), places, absent, tuple(faults))


def _places(text: TextTable, key: str) -> np.ndarray:
    if key in text.frame.columns:
        ids = text.frame[key].to_numpy(dtype=object)
        pairs = zip(text.numbers, ids, strict=True)
        return np.array(
            [f"{text.places} {n} ({key} {k})" if k else f"{text.places} {n}" for n, k in pairs], dtype=object
        )
    return np.array([f"{text.places} {n}" for n in text.numbers], dtype=object)


def _value_faults(
    raw: np.ndarray, wrong: np.ndarray, about: tuple[str, np.ndarray, Column, str]
) -> list[Fault]:
    name, places, column, expected = about
    return [Fault(name, places[i], column.name, quoted(raw[i]), expected) for i in np.flatnonzero(wrong)]


def _key_faults(ids: np.ndarray, name: str, key: str, places: np.ndarray) -> list[Fault]:
    faults = []
    first: dict[str, str] = {}
    for value, place in zip(ids, places, strict=True):
        if value != value.strip():
            faults.append(Fault(name, place, key, quoted(value), "an id without blanks around it"))
        elif value in first:
            faults.append(
                Fault(name, place, key, f"{quoted(value)} again", f"a unique id (first in {first[value]})")
            )
        elif value:
            first[value] = place.split(" (", 1)[0]
    return faults


def _read_text(raw: np.ndarray, column: Column, excel: bool) -> tuple[object, np.ndarray, str]:  # noqa: ARG001, FBT001
    wrong = np.array([not value.strip() for value in raw], dtype=bool) & column.required
    expected = "a text"
    if column.values:  # noqa: PD011 - a tuple of words, not a frame
        known = set(column.values) | ({""} if not column.required else set())
        wrong = np.array([value.strip() not in known for value in raw], dtype=bool)
        expected = "one of " + ", ".join(column.values)
    return (
        np.array([value if column.name.endswith("_id") else value.strip() for value in raw], dtype=object),
        wrong,
        expected,
    )


def _read_number(raw: np.ndarray, column: Column, excel: bool) -> tuple[object, np.ndarray, str]:  # noqa: ARG001, FBT001
    # Full-width digits are the same digits (NFKC); everything else is taken as it stands.
    texts = [unicodedata.normalize("NFKC", value).strip() for value in raw]
    fits = np.array([_NUMBER.fullmatch(text) is not None for text in texts], dtype=bool)
    values = np.array(
        [float(text) if fit else np.nan for text, fit in zip(texts, fits, strict=True)], dtype=float
    )
    empty = np.array([not text for text in texts], dtype=bool)
    wrong = ~fits & ~(empty & (not column.required))
    with np.errstate(invalid="ignore"):
        wrong |= np.isinf(values)
        if column.kind == "int":
            wrong |= fits & (values != np.floor(values))
        if column.low is not None:
            wrong |= values < column.low
        if column.high is not None:
            wrong |= values > column.high
    return values, wrong, _range_words(column)


def _range_words(column: Column) -> str:
    noun = "a whole number" if column.kind == "int" else "a number"
    if column.low is not None and column.high is not None:
        return f"{noun} from {column.low:g} to {column.high:g}"
    return f"{noun} >= {column.low:g}" if column.low is not None else noun


def _read_bool(raw: np.ndarray, column: Column, excel: bool) -> tuple[object, np.ndarray, str]:  # noqa: ARG001, FBT001
    texts = [value.strip().lower() for value in raw]
    wrong = np.array([text not in BOOLEANS and (column.required or text != "") for text in texts], dtype=bool)
    return (
        np.array([BOOLEANS.get(text, False) for text in texts], dtype=bool),
        wrong,
        "one of 0, 1, true, false, yes, no",
    )


def _read_date(raw: np.ndarray, column: Column, excel: bool) -> tuple[object, np.ndarray, str]:  # noqa: FBT001
    return _read_moments(raw, column, (_DATE, _date_of, excel), "a date YYYY-MM-DD")


def _read_time(raw: np.ndarray, column: Column, excel: bool) -> tuple[object, np.ndarray, str]:  # noqa: FBT001
    return _read_moments(raw, column, (_TIME, _local_time_of, excel), "a time YYYY-MM-DD HH:MM:SS")


def _date_of(text: re.Match[str]) -> dt.datetime:
    return dt.datetime(int(text[1]), int(text[3]), int(text[4]))  # noqa: DTZ001 - a date has no zone


def _local_time_of(text: re.Match[str]) -> dt.datetime:
    """Read an ISO time: with an offset it is put on the local clock, without one it is local already."""
    stamp = pd.Timestamp(text[0])
    if stamp.tzinfo is not None:
        stamp = stamp.tz_convert(LOCAL_ZONE).tz_localize(None)
    return stamp.to_pydatetime(warn=False)


def _read_moments(
    raw: np.ndarray,
    column: Column,
    way: tuple[re.Pattern[str], Callable[[re.Match[str]], dt.datetime], bool],
    expected: str,
) -> tuple[object, np.ndarray, str]:
    pattern, read, excel = way
    values = np.full(len(raw), np.datetime64("NaT", "us"), dtype="datetime64[us]")
    wrong = np.zeros(len(raw), dtype=bool)
    for i, value in enumerate(raw):
        text = value.strip()
        match = pattern.fullmatch(text)
        try:
            if match is not None:
                values[i] = read(match)
            elif excel and _SERIAL.fullmatch(text) and 1.0 <= float(text) <= EXCEL_DAY_MAX:
                days = float(text) if column.kind == "time" else float(int(float(text)))
                values[i] = EXCEL_EPOCH + np.timedelta64(round(days * DAY_US), "us")
            else:
                # A call is missing when the customer left: the reader of tickets says what that means.
                wrong[i] = bool(text) or (column.required and column.name != "called")
        except ValueError:
            wrong[i] = True
    return values, wrong, expected


def _read_geometry(raw: np.ndarray, column: Column, excel: bool) -> tuple[object, np.ndarray, str]:  # noqa: ARG001, FBT001
    return raw, np.zeros(len(raw), dtype=bool), "a geometry"


_READ: dict[str, Callable[[np.ndarray, Column, bool], tuple[object, np.ndarray, str]]] = {
    "text": _read_text,
    "float": _read_number,
    "int": _read_number,
    "bool": _read_bool,
    "date": _read_date,
    "time": _read_time,
    "geometry": _read_geometry,
}
