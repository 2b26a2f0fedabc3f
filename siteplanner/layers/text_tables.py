"""Files to tables of text: every value letter for letter, with the line it stands in."""

import csv
import datetime as dt
import gzip
import io
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from siteplanner.errors import Fault, first_line
from siteplanner.layers.encodings import EXPECTED, UndecodableError, decode

# A field longer than this is a broken quote, not a name.
FIELD_CHARS_MAX = 131_072
# A table is held in memory as text; a zipped file may claim any size (RELIABILITY 2.4).
INFLATED_BYTES_MAX = 512 << 20
INFLATED_RATIO_MAX = 100
COLUMNS_MAX = 1_000
SEPARATORS = (",", "\t", ";")
# A spreadsheet must not run what it is shown; our own exports guard such text with an apostrophe.
GUARDED_STARTS = ("'=", "'+", "'-", "'@", "'\t", "'\r")


@dataclass(frozen=True, slots=True, eq=False)
class TextTable:
    """Everything a file holds, as text.

    Parameters
    ----------
    frame
        Columns as the file names them; every value a str, "" where there is none.
    places
        What a reader would look for: ``line`` of a text file, ``row`` of a sheet, ``feature`` of a layer.
    numbers
        Its number, for each row.
    excel
        Whether dates may stand as spreadsheet serial numbers.
    geometry
        Geometry of each row, WGS 84; None for a file without.
    broken
        Rows that are left out because their fields do not fit the header.
    """

    frame: pd.DataFrame
    places: str
    numbers: np.ndarray
    excel: bool = False
    geometry: np.ndarray | None = None
    broken: tuple["UnreadableError", ...] = ()


class UnreadableError(Exception):
    """A file that is not what its name says: place, what was found, what was expected."""

    def __init__(self, place: str, found: str, expected: str) -> None:
        super().__init__(place, found, expected)
        self.place, self.found, self.expected = place, found, expected

    def fault(self, name: str) -> Fault:
        """Name the file."""
        return Fault(name, self.place, "", self.found, self.expected)


def read_csv(path: Path, encoding: str | None) -> TextTable:
    """Read comma, tab or semicolon separated text; each row must have as many fields as the header."""
    try:
        text = decode(bytes_of(path), encoding)
    except UndecodableError as error:
        expected = EXPECTED if encoding is None else f"text in {encoding}, as declared"
        raise UnreadableError("", str(error), expected) from None
    first = text.split("\n", 1)[0]
    separator = max(SEPARATORS, key=first.count)
    # A NUL ends strings in many readers; none belongs in a table.
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise UnreadableError(f"line {line}", "a NUL character", "text")
    csv.field_size_limit(FIELD_CHARS_MAX)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    return _table_of(_numbered(rows), "line")


def bytes_of(path: Path) -> bytes:
    """Return the content of a file, inflated when it is gzip."""
    if path.suffix.lower() != ".gz":
        return path.read_bytes()
    try:
        with gzip.open(path) as file:
            data = file.read(INFLATED_BYTES_MAX + 1)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise UnreadableError("", f"a broken gzip file ({error})", "a gzip file") from None
    if len(data) > INFLATED_BYTES_MAX:
        raise UnreadableError("", "more than 512 MiB of text once inflated", "a table of at most 512 MiB")
    return data


def _numbered(rows: Any) -> Iterable[tuple[int, list[str]]]:  # noqa: ANN401 - the csv reader's type is private
    before = 0
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            raise UnreadableError(
                f"line {before + 1}", f"broken quoting ({error})", "closed quotes"
            ) from None
        # A quoted field may span lines: the row is named by its first.
        yield before + 1, [field[1:] if field.startswith(GUARDED_STARTS) else field for field in row]
        before = rows.line_num


def read_xlsx(path: Path, sheet: str | None) -> TextTable:
    """Read one sheet of a workbook: values only, never formulas."""
    import openpyxl

    _refuse_bomb(path)
    try:
        with warnings.catch_warnings():
            # Styles and drop-down lists that openpyxl does not know are no matter of ours.
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
            try:
                return _table_of(_trimmed(_sheet_rows(book, sheet)), "row", excel=True)
            finally:
                book.close()
    except UnreadableError:
        raise
    except Exception as error:  # noqa: BLE001 - openpyxl raises whatever the broken part raises
        raise UnreadableError("", f"a broken workbook ({first_line(error)})", "an XLSX workbook") from None


def _sheet_rows(book: Any, sheet: str | None) -> Iterable[tuple[int, list[str]]]:  # noqa: ANN401 - untyped library
    if sheet is not None and sheet not in book.sheetnames:
        raise UnreadableError("", f"the sheets {', '.join(book.sheetnames)}", f'a sheet "{sheet}"')
    cells = book[sheet] if sheet is not None else book.worksheets[0]
    # The size that a sheet claims may be anything.
    cells.reset_dimensions()
    for number, row in enumerate(cells.iter_rows(values_only=True), start=1):
        yield number, [text_of(value) for value in row]


def _refuse_bomb(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            inflated = sum(member.file_size for member in archive.infolist())
    except Exception as error:  # noqa: BLE001 - zipfile has many ways to say no
        raise UnreadableError("", f"no workbook ({first_line(error)})", "an XLSX workbook") from None
    too_dense = inflated > INFLATED_RATIO_MAX * path.stat().st_size and inflated > INFLATED_BYTES_MAX // 16
    if inflated > INFLATED_BYTES_MAX or too_dense:
        raise UnreadableError("", f"{inflated:,} bytes once inflated", "a workbook of at most 512 MiB")


def _trimmed(rows: Iterable[tuple[int, list[str]]]) -> Iterable[tuple[int, list[str]]]:
    """Cut or fill each sheet row to the header's width: a sheet has no fields, only cells."""
    width = 0
    for number, row in rows:
        used = len(row)
        while used and not row[used - 1]:
            used -= 1
        if used > COLUMNS_MAX:
            raise UnreadableError(f"row {number}", f"{used} columns", f"at most {COLUMNS_MAX} columns")
        width = width or used
        yield number, row[: max(used, width)] + [""] * (width - len(row))


def text_of_arrow(table: pa.Table) -> TextTable:
    """Turn an Arrow table into text; binary and nested columns are left out."""
    plain = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        if not (pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
            plain[name] = [text_of(value) for value in column.to_pylist()]
    frame = pd.DataFrame(plain, index=pd.RangeIndex(table.num_rows), dtype=str)
    return TextTable(frame, "row", np.arange(1, table.num_rows + 1))


def _table_of(rows: Iterable[tuple[int, Sequence[str]]], places: str, *, excel: bool = False) -> TextTable:
    numbers: list[int] = []
    values: list[Sequence[str]] = []
    header: list[str] | None = None
    broken: list[UnreadableError] = []
    for number, row in rows:
        if not any(field.strip() for field in row):
            continue
        if header is None:
            header = _header(row, f"{places} {number}")
        elif len(row) != len(header):
            wanted = f"{len(header)} fields, as in the header"
            broken.append(UnreadableError(f"{places} {number}", f"{len(row)} fields", wanted))
        else:
            numbers.append(number)
            values.append(row)
    if header is None:
        raise UnreadableError("", "no header and no rows", "a header and rows")
    columns = list(zip(*values, strict=True)) if values else [()] * len(header)
    named = {name: list(column) for name, column in zip(header, columns, strict=True) if name}
    frame = pd.DataFrame(named, dtype=str)
    return TextTable(frame, places, np.asarray(numbers, dtype=np.int64), excel, broken=tuple(broken))


def _header(row: Sequence[str], place: str) -> list[str]:
    header = [name.strip() for name in row]
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise UnreadableError(place, "the column " + ", ".join(twice) + " twice", "each column once")
    return header


def text_of(value: object) -> str:
    """Write a value of a typed file as the text that a careful clerk would type."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        # A spreadsheet holds every number as a float: an id typed as 1001 must not become 1001.0.
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    return str(value)
