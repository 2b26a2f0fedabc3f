"""What each move gains and loses, and the network before and after: one whole-network run, balanced."""

from dataclasses import dataclass

import pandas as pd

from siteplanner import tables
from siteplanner.model.access import Access
from siteplanner.model.market import Market


@dataclass(frozen=True, slots=True, eq=False)
class Ledger:
    """Moves, network and counties before and after, with the access and market of the network after."""

    moves: pd.DataFrame
    kpis: pd.DataFrame
    counties: pd.DataFrame
    access_after: Access
    market_after: Market

    def __post_init__(self) -> None:
        tables.check(self.moves, tables.LEDGER)
        tables.check(self.kpis, tables.KPIS)
        tables.check(self.counties, tables.COUNTY_KPIS)
