"""What a table promises, and the check at each door."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from siteplanner.errors import SiteplannerError

Kind = Literal["text", "float", "int", "bool", "date", "time", "geometry"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its type, unit, meaning and range.

    Parameters
    ----------
    absent
        For an optional input column: what the run does without it. Empty for a required one.
    values
        Allowed values of a text column; empty for free text.
    """

    name: str
    kind: Kind
    unit: str
    meaning: str
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] = ()
    absent: str = ""

    @property
    def required(self) -> bool:
        """Whether the table is refused without this column."""
        return not self.absent


@dataclass(frozen=True, slots=True)
class Table:
    """A named table with a unique key."""

    name: str
    key: str
    meaning: str
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column:
        """Return the column of that name; KeyError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


class ContractError(SiteplannerError, AssertionError):
    """A step broke its promise: a defect of ours, never of the input."""


def check(frame: pd.DataFrame, table: Table) -> None:
    """Refuse a frame that breaks a table's promise; ContractError names every broken point."""
    broken = list(_broken(frame, table))
    if broken:
        raise ContractError(f"table {table.name}: " + "; ".join(broken))


def _broken(frame: pd.DataFrame, table: Table) -> Iterable[str]:
    if table.key and frame.index.name != table.key:
        yield f"index is {frame.index.name!r}, not {table.key!r}"
    if not frame.index.is_unique:
        yield "key is not unique"
    for column in table.columns:
        if column.name == table.key:
            continue
        if column.name not in frame.columns:
            if column.required:
                yield f"column {column.name} is missing"
            continue
        yield from _broken_values(frame[column.name], column)


def _broken_values(values: "pd.Series[Any]", column: Column) -> Iterable[str]:
    if column.kind in {"float", "int"}:
        numbers = values.to_numpy(dtype=float, na_value=np.nan)
        if column.required and np.isnan(numbers).any():
            yield f"column {column.name} has missing values"
        with np.errstate(invalid="ignore"):
            if column.low is not None and (numbers < column.low).any():
                yield f"column {column.name} has values below {column.low}"
            if column.high is not None and (numbers > column.high).any():
                yield f"column {column.name} has values above {column.high}"
    elif column.values:  # noqa: PD011 - a tuple of ours, not a frame
        wrong = set(values.dropna().unique()) - set(column.values)
        if wrong:
            yield f"column {column.name} has values {sorted(map(str, wrong))}"
