"""Who might come, and how often: residents, people present, developments."""

from dataclasses import dataclass

import pandas as pd

from siteplanner import tables
from siteplanner.model.grid import Grid
from siteplanner.scenario import AccessSettings, DemandSettings


@dataclass(frozen=True, slots=True, eq=False)
class Demand:
    """Demand by cell, and people by cell and county for exact county totals."""

    cells: pd.DataFrame
    parts: pd.DataFrame

    def __post_init__(self) -> None:
        tables.check(self.cells, tables.DEMAND)


@dataclass(frozen=True, slots=True)
class Epochs:
    """Years of the two population rasters; equal when there is one."""

    now: int
    earlier: int


def estimate_demand(
    grid: Grid,
    parts: pd.DataFrame,
    footfall: pd.DataFrame,
    developments: pd.DataFrame,
    epochs: Epochs,
    settings: tuple[DemandSettings, AccessSettings],
) -> Demand:
    """Mix home, work and leisure after scaling each to the same total; add developments without double counting.

    Parameters
    ----------
    parts
        `tables.PARTS`: people by cell and county.
    footfall
        `tables.FOOTFALL_BANDS` by cell; empty without a footfall layer (then all weight is on home).
    """
    raise NotImplementedError
