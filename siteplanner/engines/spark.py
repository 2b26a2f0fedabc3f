"""The engine that counts on Apache Spark: a cluster, or all cores of this machine.

Only this module and `spark_session` know pyspark. No object of the cluster leaves them.
"""

import geopandas as gpd
from pyspark.sql import SparkSession

from siteplanner.engines import FootfallSum, PeopleSum
from siteplanner.engines.embedded import EmbeddedEngine
from siteplanner.engines.spark_session import Session, begin, check_needs
from siteplanner.layers.records import FootfallSource, RasterSource
from siteplanner.model.grid import Grid
from siteplanner.scenario import EngineSettings


class SparkEngine:
    """Counts on Spark: the session begins with the first layer that is counted there and ends with `close`.

    A session that runs already is used, with settings of its own, and left running.
    """

    def __init__(self, settings: EngineSettings) -> None:
        check_needs()
        self._settings = settings
        self._local = EmbeddedEngine()
        self._session: Session | None = None

    def sum_raster(self, source: RasterSource, grid: Grid, counties: gpd.GeoDataFrame) -> PeopleSum:
        """Sum persons per pixel to cells by exact area overlap; people are never resampled."""
        return self._local.sum_raster(source, grid, counties)

    def sum_points(self, source: FootfallSource, grid: Grid) -> FootfallSum:
        """Sum foot traffic to cells by day type and hour band: pings on Spark, smaller kinds right here."""
        return self._local.sum_points(source, grid)

    def close(self) -> None:
        """End the session, if one was begun here."""
        if self._session is not None:
            self._session.end()
        self._session = None

    def _spark(self) -> SparkSession:
        if self._session is None:
            self._session = begin(self._settings)
        return self._session.spark
