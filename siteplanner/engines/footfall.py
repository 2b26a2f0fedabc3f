"""Sums of foot traffic to the mean people per hour of each cell and band, and their account."""

import numpy as np
import pandas as pd

from siteplanner.engines import FootfallSum
from siteplanner.engines.tallies import Partial
from siteplanner.layers.clock import BAND_STARTS_H, N_BANDS, days_of_hours, is_weekend
from siteplanner.model.grid import Grid
from siteplanner.tables import FOOTFALL_BANDS

OUTSIDE = "outside"
REGION = "region"


def footfall_sum(partial: Partial, grid: Grid) -> FootfallSum:
    """Make the answer of an engine from the sums by key of all rows.

    The total of a band is divided by its hours and by the distinct dates of its day type in the file.
    """
    people = partial.people()
    cell, band = np.divmod(partial.keys, N_BANDS)
    known = grid.cells.index.to_numpy()
    place = np.searchsorted(known, cell)
    inside = place < len(known)
    inside[inside] = known[place[inside]] == cell[inside]
    table = np.zeros((len(known), N_BANDS))
    table[place[inside], band[inside]] = people[inside]
    account = footfall_account(float(people[inside].sum()), float(people[~inside].sum()), float(table.sum()))
    return FootfallSum(per_hour(table, np.unique(days_of_hours(partial.hours)), grid), account)


def per_hour(table: np.ndarray, days: np.ndarray, grid: Grid) -> pd.DataFrame:
    """Divide the totals of cells and bands by the hours of the bands on those days.

    Parameters
    ----------
    days
        Distinct local dates, days since 1970-01-01; none when the totals are means already.
    """
    weekend = int(is_weekend(days).sum())
    n_days = np.repeat([len(days) - weekend, weekend], N_BANDS // 2)
    hours = np.tile(np.diff(BAND_STARTS_H), 2)
    divisor = np.where(n_days > 0, n_days * hours, 1) if len(days) else np.ones(N_BANDS)
    busy = table.sum(axis=1) > 0.0
    return pd.DataFrame(table[busy] / divisor, columns=list(FOOTFALL_BANDS), index=grid.cells.index[busy])


def footfall_account(inside: float, outside: float, out: float) -> pd.DataFrame:
    """Return who went in and who came out."""
    columns = {"count_in": [inside, outside], "count_out": [out, 0.0]}
    return pd.DataFrame(columns, index=pd.Index([REGION, OUTSIDE]))
