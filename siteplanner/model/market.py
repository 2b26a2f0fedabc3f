"""Whom each outlet wins: Huff shares over all banks with an outside option."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from siteplanner import tables
from siteplanner.model.access import Access, Reach
from siteplanner.model.demand import Demand
from siteplanner.scenario import AccessSettings, MarketSettings


@dataclass(frozen=True, slots=True, eq=False)
class Market:
    """Shares by cell and volumes by outlet.

    Parameters
    ----------
    outside
        Utility of the outside option by row of the reach, without any bank.
    level
        Observed over predicted visits of all own branches together (1 when nothing is observed): the only
        calibration of this model; predicted volumes are already multiplied by it.
    """

    cells: pd.DataFrame
    outlets: pd.DataFrame
    outside: np.ndarray
    level: float
    level_deposits: float

    def __post_init__(self) -> None:
        tables.check(self.cells, tables.MARKET_CELLS)


def utilities(reach: Reach, attractiveness: np.ndarray, settings: MarketSettings) -> np.ndarray:
    """Return A_j exp(-lambda minutes) for every pair of the reach, float64."""
    raise NotImplementedError


def outside_utility(
    demand: Demand, reach: Reach, access: AccessSettings, settings: MarketSettings
) -> np.ndarray:
    """Return U0 = u f(1 km) by row of the reach, with the minutes of 1 km in the cell's settlement class (D§4)."""
    raise NotImplementedError


def share_market(
    demand: Demand, access: Access, branches: pd.DataFrame, settings: tuple[MarketSettings, AccessSettings]
) -> Market:
    """Share visits and deposits of every cell among all outlets and the outside option (D§4)."""
    raise NotImplementedError
