"""Meso sets layout: dense zones, potential-blank zones and the classes needed to act."""

from dataclasses import dataclass

import geopandas as gpd
import pandas as pd

from siteplanner import tables
from siteplanner.model.access import Access
from siteplanner.model.demand import Demand
from siteplanner.model.grid import Grid
from siteplanner.model.market import Market
from siteplanner.scenario import ZoneSettings


@dataclass(frozen=True, slots=True, eq=False)
class Zones:
    """Zones with their polygons, and the zone of every cell."""

    zones: gpd.GeoDataFrame
    cells: pd.DataFrame

    def __post_init__(self) -> None:
        tables.check(self.zones, tables.ZONES)
        tables.check(self.cells, tables.ZONE_CELLS)


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """What names and classes of zones are taken from: counties, townships, developments (checked tables)."""

    counties: gpd.GeoDataFrame
    townships: pd.DataFrame
    developments: pd.DataFrame


def find_zones(
    grid: Grid, demand: Demand, access: Access, market: Market, places: Places, settings: ZoneSettings
) -> Zones:
    """Classify every cell (D§6.3), join contiguous cells of one class and county, dissolve and name them."""
    raise NotImplementedError
