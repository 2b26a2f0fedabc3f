"""Tables fitted to known totals: scaling to one margin, raking to two (iterative proportional fitting)."""

import numpy as np

from siteplanner.errors import SiteplannerError

# A margin is met when every total is this near, relative to the group's: above the rounding of a sum of
# millions of rows, far below the 1e-9 to which totals are promised.
_NEAR = 1e-11
# Raking gains a digit or more a round on seeds without zeros; what needs more has no solution.
_MOST_ROUNDS = 2_000
# Margins are of one whole when they differ by no more than the rounding of their sums.
_SAME_WHOLE = 1e-9


class MarginError(SiteplannerError):
    """Totals that no table can have, by group.

    Parameters
    ----------
    groups
        Their numbers, ascending.
    """

    def __init__(self, groups: np.ndarray) -> None:
        self.groups = groups
        super().__init__(f"{groups.size} groups have totals that cannot be met")


def scale_to_totals(amounts: np.ndarray, group: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Scale amounts so that each group's sum is its total; a group whose total is NaN stays as it is.

    Parameters
    ----------
    amounts
        Not negative, one a row.
    group
        Number of the group of each row, from 0.
    totals
        One a group, not negative, or NaN.

    Raises
    ------
    MarginError
        A total above 0 for a group that holds nothing.
    """
    sums = np.bincount(group, weights=amounts, minlength=totals.size)
    empty = (sums <= 0.0) & (np.nan_to_num(totals) > 0.0)
    if empty.any():
        raise MarginError(np.flatnonzero(empty))
    factor = np.divide(totals, sums, out=np.ones(totals.size), where=(sums > 0.0) & ~np.isnan(totals))
    return np.asarray(amounts * factor[group])


def rake(seed: np.ndarray, rows: np.ndarray, group: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Fit a table to the totals of its rows and, within each group of rows, to the totals of its columns.

    Iterative proportional fitting (Deming & Stephan 1940): the table nearest to the seed, in relative
    entropy, that has these totals. A zero of the seed stays zero.

    Parameters
    ----------
    seed
        Not negative, rows x columns.
    rows
        Total of each row.
    group
        Number of the group of each row, from 0.
    columns
        Totals by group, groups x columns.

    Raises
    ------
    MarginError
        The totals of a group's rows and of its columns are not of one whole, or the zeros of the seed leave
        no table with them.
    """
    whole = np.bincount(group, weights=rows, minlength=len(columns))
    apart = np.abs(columns.sum(axis=1) - whole) > _SAME_WHOLE * np.maximum(whole, 1.0)
    if apart.any():
        raise MarginError(np.flatnonzero(apart))
    table = seed.astype(float)
    for _ in range(_MOST_ROUNDS):
        table = table * _ratio(rows, table.sum(axis=1))[:, None]
        sums = _column_sums(table, group, len(columns))
        off = np.abs(sums - columns).max(axis=1) > _NEAR * np.maximum(whole, 1.0)
        if not off.any():
            return np.asarray(table)
        table = table * _ratio(columns, sums)[group]
    off = np.abs(sums - columns).max(axis=1) > _SAME_WHOLE * np.maximum(whole, 1.0)
    if off.any():
        raise MarginError(np.flatnonzero(off))
    return np.asarray(table * _ratio(rows, table.sum(axis=1))[:, None])


def _column_sums(table: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    return np.column_stack(
        [np.bincount(group, weights=table[:, column], minlength=groups) for column in range(table.shape[1])]
    )


def _ratio(wanted: np.ndarray, there: np.ndarray) -> np.ndarray:
    return np.asarray(np.divide(wanted, there, out=np.zeros_like(there), where=there > 0.0))
