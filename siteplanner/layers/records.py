"""What leaves this room: checked tables, and handles to what is too big to hold."""

from dataclasses import dataclass

import geopandas as gpd
import pandas as pd

from siteplanner.layers.sources import RasterSource
from siteplanner.model.barriers import Barriers
from siteplanner.model.catalogue import Catalogue
from siteplanner.model.roads import RoadNetwork
from siteplanner.scenario import Datum


@dataclass(frozen=True, slots=True)
class FootfallSource:
    """Checked foot traffic.

    Parameters
    ----------
    columns
        Canonical names to the names in the file.
    time_zone
        IANA zone: that of times without an offset, and that on whose clock all are counted; None when the
        scenario names none.
    time_unit
        Unit of whole numbers since 1970 that stand for times: ``s``, ``ms``, ``us`` or ``ns``.
    distinct_devices
        Whether a device counts once per cell and hour.
    suppress_below
        Figures that rest on fewer people are missing; None when all are shown.
    raster
        The files of the kind raster; the one at `path` when absent.
    """

    path: str
    kind: str
    datum: Datum
    columns: dict[str, str]
    time_zone: str | None = None
    time_unit: str | None = None
    distinct_devices: bool = False
    suppress_below: int | None = None
    raster: RasterSource | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Layers:
    """Everything a run reads, checked, renamed, in WGS 84, sorted by key.

    Absent optional tables are empty frames with the right columns. Point tables carry `tables.PLACED` beside
    their own columns; absent optional columns are filled as `tables` says. Where that is a value of the
    format catalogue or a prediction, the cell stays missing and the step that knows the value fills it.

    Parameters
    ----------
    notes
        What the run does without, as a label key with arguments: ``absent_column`` (table, column),
        ``absent_layer`` (name), ``moved_into_county`` (table, points), ``outside_region`` (table, points),
        ``repaired_polygons`` (table, polygons), ``tier_unknown`` (table, tier taken, points).
    files
        SHA-256 of every file read, by its path in the scenario.
    """

    counties: gpd.GeoDataFrame
    branches: pd.DataFrame
    competitors: pd.DataFrame
    developments: pd.DataFrame
    townships: pd.DataFrame
    sites: pd.DataFrame
    tickets: pd.DataFrame
    catalogue: Catalogue
    population: RasterSource
    population_earlier: RasterSource | None
    aged_60: RasterSource | None
    footfall: FootfallSource | None
    roads: RoadNetwork | None
    notes: tuple[tuple[str, ...], ...]
    files: dict[str, str]
    service_points: pd.DataFrame | None = None
    barriers: Barriers | None = None
    customers: pd.DataFrame | None = None
    shares: pd.DataFrame | None = None
