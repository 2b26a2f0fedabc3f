"""How far people are from service, and how much of it is there for them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from siteplanner import tables
from siteplanner.model.demand import Demand
from siteplanner.model.grid import Grid
from siteplanner.scenario import AccessSettings, MarketSettings


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """All pairs of demand cell and place within reach, as compressed rows.

    Parameters
    ----------
    cell_id
        Cells with residents or visits, sorted: the rows.
    n_places
        Number of columns; column j is row j of the table of places that was given.
    indptr, indices
        CSR structure, int64 and int32; columns ascending within a row.
    minutes
        Travel time by pair, float32: straight km x detour / speed of the cell's settlement class.
    """

    cell_id: np.ndarray
    n_places: int
    indptr: np.ndarray
    indices: np.ndarray
    minutes: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Access:
    """Outlets of all banks, pairs within reach, and service by cell (all cells of the grid)."""

    outlets: pd.DataFrame
    reach: Reach
    cells: pd.DataFrame

    def __post_init__(self) -> None:
        tables.check(self.outlets, tables.OUTLETS)
        tables.check(self.cells, tables.ACCESS)


def list_outlets(branches: pd.DataFrame, competitors: pd.DataFrame, settings: MarketSettings) -> pd.DataFrame:
    """Put the outlets of all banks in one table with attractiveness and counter-hours (D§4)."""
    raise NotImplementedError


def pairs_within(demand: Demand, grid: Grid, places: pd.DataFrame, settings: AccessSettings) -> Reach:
    """Find every pair of demand cell and place within the reach of the cell's settlement class.

    Distances are great-circle km between the cell's centre and the place, never less than a quarter cell.
    """
    raise NotImplementedError


def floating_catchment(
    reach: Reach, people: np.ndarray, supply: np.ndarray, settings: AccessSettings
) -> np.ndarray:
    """Return E2SFCA supply per person by row of `reach` (Luo & Qi 2009); sum people x access = sum of reachable supply."""
    raise NotImplementedError


def measure_access(demand: Demand, grid: Grid, outlets: pd.DataFrame, settings: AccessSettings) -> Access:
    """Measure nearest minutes and E2SFCA on counter-hours, own and rival banks."""
    raise NotImplementedError
