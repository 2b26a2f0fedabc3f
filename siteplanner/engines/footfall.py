"""Sums of foot traffic to mean people per hour of each cell and band; what rests on too few is missing."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from siteplanner.engines.engine import FootfallSum
from siteplanner.engines.ping_kernels import lay_on_cells
from siteplanner.engines.tallies import Partial
from siteplanner.layers.clock import BAND_STARTS_H, N_BANDS, days_of_hours, is_weekend
from siteplanner.model.grid import Grid
from siteplanner.tables import FOOTFALL_BANDS

OUTSIDE = "outside"
REGION = "region"
SUPPRESSED = "suppressed"


@dataclass(frozen=True, slots=True, eq=False)
class Totals:
    """Totals of cells and bands before they become means.

    Parameters
    ----------
    table
        People, shape (cells of the grid, bands).
    days
        Distinct local dates, days since 1970-01-01; none when the totals are means already.
    inside, outside
        People of the source inside the region and outside.
    """

    table: np.ndarray
    days: np.ndarray
    inside: float
    outside: float


def footfall_sum(
    sums: Partial, grid: Grid, *, suppress_below: int | None = None, devices: Partial | None = None
) -> FootfallSum:
    """Make the answer of an engine from the sums by key of all rows.

    Parameters
    ----------
    suppress_below
        Figures that rest on fewer people are missing; None to show all.
    devices
        Distinct devices of each key, as ``rows``; None when people are not told apart.
    """
    table, outside = _by_cell(sums.keys, sums.people(), grid)
    days = np.unique(days_of_hours(sums.hours))
    behind = None if devices is None else _by_cell(devices.keys, devices.rows.astype(float), grid)[0]
    totals = Totals(table, days, float(table.sum()), outside)
    return finish(totals, grid, suppress_below=suppress_below, behind=behind)


def finish(
    totals: Totals, grid: Grid, *, suppress_below: int | None = None, behind: np.ndarray | None = None
) -> FootfallSum:
    """Divide totals by hours and dates, suppress, and draw up the account.

    The total of a band is divided by its hours and by the distinct dates of its day type in the file: mean
    people (with ``distinct_devices``: devices) present per hour. A figure rests on the distinct devices that
    were seen in its cell and band on any date. Without devices the people behind it are at least those of its
    mean hour, because nobody is counted twice in one hour of a count; of pings without devices even that is
    not known, and a note says so.

    Parameters
    ----------
    behind
        People behind each figure, shape of the table; None when only counts are known.
    """
    busy = np.asarray((totals.table > 0.0).any(axis=1))
    people = totals.table[busy]
    figures = people / _divisor(totals.days)
    account = {REGION: (totals.inside, float(totals.table.sum())), OUTSIDE: (totals.outside, 0.0)}
    if suppress_below is not None:
        few = (people > 0.0) & ((figures if behind is None else behind[busy]) < suppress_below)
        hidden = float(people[few].sum())
        kept = float(people[~few].sum())
        account = {
            REGION: (totals.inside - hidden, kept),
            SUPPRESSED: (hidden, 0.0),
            OUTSIDE: (totals.outside, 0.0),
        }
        figures = np.where(few, np.nan, figures)
    index = grid.cells.index[busy]
    cells = pd.DataFrame(figures, columns=list(FOOTFALL_BANDS), index=index, copy=False)
    return FootfallSum(
        cells, pd.DataFrame.from_dict(account, orient="index", columns=["count_in", "count_out"])
    )


def _by_cell(keys: np.ndarray, people: np.ndarray, grid: Grid) -> tuple[np.ndarray, float]:
    """Lay sums by key on the cells of the grid; return also what lies in none of them."""
    table = np.zeros((len(grid.cells), N_BANDS))
    return table, float(lay_on_cells(keys, people, grid.cells.index.to_numpy(), table))


def _divisor(days: np.ndarray) -> np.ndarray:
    """Return the hours of each band on those days."""
    if not len(days):
        return np.ones(N_BANDS)
    weekend = int(is_weekend(days).sum())
    n_days = np.repeat([len(days) - weekend, weekend], N_BANDS // 2)
    hours = np.tile(np.diff(BAND_STARTS_H), 2)
    return np.asarray(np.where(n_days > 0, n_days * hours, 1), dtype=float)
