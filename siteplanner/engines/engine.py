"""What every engine does and answers; engines are chosen by name."""

from dataclasses import dataclass, field
from typing import Protocol

import geopandas as gpd
import pandas as pd

from siteplanner.errors import EngineError
from siteplanner.layers.records import FootfallSource
from siteplanner.layers.sources import RasterSource
from siteplanner.model.grid import Grid
from siteplanner.scenario import EngineSettings
from siteplanner.stopwatch import Report, unreported


@dataclass(frozen=True, slots=True, eq=False)
class PeopleSum:
    """A raster summed to cells.

    Parameters
    ----------
    parts
        ``cell_id, county_id, people``: sorted, one row per cell and county with people.
    account
        Index ``county_id`` plus ``outside``; columns ``count_in`` (sum of the pixels whose centre lies there,
        taken from the raster itself), ``count_out`` (sum of the parts; 0 for ``outside``) and
        ``nodata_pixels`` (pixels there that stand for no data).
    """

    parts: pd.DataFrame
    account: pd.DataFrame


@dataclass(frozen=True, slots=True)
class UnhashedFile:
    """What is known of a file whose content was not hashed.

    Parameters
    ----------
    modified
        ISO 8601, Universal Time.
    """

    size_bytes: int
    modified: str


@dataclass(frozen=True, slots=True, eq=False)
class FootfallSum:
    """Foot traffic summed to cells.

    Parameters
    ----------
    cells
        Index ``cell_id`` (only cells with traffic, sorted); columns `tables.FOOTFALL_BANDS`: mean people per
        hour of the band.
    account
        Index ``region`` and ``outside``; columns ``count_in`` and ``count_out``.
    unhashed
        Files that the engine alone could read, by name.
    """

    cells: pd.DataFrame
    account: pd.DataFrame
    unhashed: dict[str, UnhashedFile] = field(default_factory=dict)


class Engine(Protocol):
    """What every engine can do; answers are ordinary sorted tables."""

    def sum_raster(self, source: RasterSource, grid: Grid, counties: gpd.GeoDataFrame) -> PeopleSum:
        """Sum persons per pixel to cells, as `Grid.pixel_method` says; people are never resampled."""
        ...

    def sum_points(self, source: FootfallSource, grid: Grid, report: Report = unreported) -> FootfallSum:
        """Sum foot traffic to cells by day type and hour band; tell from time to time how much is done."""
        ...

    def close(self) -> None:
        """Give back what the engine holds: sessions, processes, memory."""
        ...


def get_engine(settings: EngineSettings) -> Engine:
    """Return the engine that the scenario names; close it when the counting is done.

    There is no silent fall-back to another engine.

    Raises
    ------
    EngineError
        When what the engine needs is not installed.
    """
    if settings.kind == "embedded":
        from siteplanner.engines.embedded import EmbeddedEngine

        return EmbeddedEngine()
    try:
        from siteplanner.engines.spark import SparkEngine
    except ModuleNotFoundError as error:
        if error.name not in {"pyspark", "py4j"}:
            raise
        raise EngineError(
            "engine 'spark' needs the extra siteplanner[spark]: pip install 'siteplanner[spark]'"
        ) from None
    return SparkEngine(settings)
