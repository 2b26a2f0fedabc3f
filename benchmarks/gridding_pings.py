"""Pings to cells and hour bands: ours, the floors and the rivals, each as a task for `measuring`."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from gridding_inputs import PING_REGION, make_pings, make_region
from measuring import Job, descendants

if TYPE_CHECKING:
    from siteplanner.model.grid import Grid

# First hours of the bands of a day: night, morning, day, evening.
BAND_STARTS_H = (0, 6, 9, 17)
WARM_UP_ROWS = 100_000
BATCH_ROWS = 1 << 18
EMPTY = "CREATE TABLE counts (row INT, col INT, band INT, weekend BOOL, n BIGINT)"
GROUPED = """
    INSERT INTO counts
    SELECT row, col, (hour(time) >= 6)::INT + (hour(time) >= 9)::INT + (hour(time) >= 17)::INT AS band,
        isodow(time) > 5 AS weekend, count(*) AS n
    FROM projected GROUP BY ALL
"""
TOGETHER = "SELECT sum(n) FROM (SELECT row, col, band, weekend, sum(n) AS n FROM counts GROUP BY ALL)"
SPARK_CORES = 2
# Whose clock the naive times of the pings show.
ZONE = "Asia/Shanghai"


def duckdb_sums(path: str, threads: int) -> Job:
    """Sum the same columns with DuckDB: the floor."""
    import duckdb

    def work() -> float:
        with duckdb.connect(config={"threads": threads}) as database:
            query = "SELECT count(*), sum(lon), sum(lat), sum(epoch_us(time)) FROM read_parquet(?)"
            return float(database.execute(query, [f"{path}/*.parquet"]).fetchone()[0])

    return Job(work)


def spark_sums(path: str) -> Job:
    """Sum the same columns with Spark, its session started and warm: Spark's own floor."""
    spark = _spark_session()

    def work(folder: str) -> float:
        rows = spark.read.parquet(folder)
        # Times cannot be summed there.
        summed = rows.selectExpr("count(*)", "sum(lon)", "sum(lat)", "max(time)")
        return float(summed.collect()[0][0])

    work(_warm_up(path))
    return Job(lambda: work(path), others=descendants)


def count_pings(path: str, cell_m: float, engine: str, scheme: str = "") -> Job:
    """Our engine; the value is the number of pings in cells and outside.

    Parameters
    ----------
    scheme
        Put before the path: behind a URI the files are read by Spark's connectors, not by its workers.
    """
    from siteplanner.engines.engine import get_engine
    from siteplanner.layers.records import FootfallSource
    from siteplanner.scenario import EngineSettings

    grid = _grid(cell_m)
    if engine == "spark":
        # The engine counts on the session that it finds.
        _spark_session()
    counter = get_engine(EngineSettings(kind=engine))

    def count(folder: str) -> float:
        summed = counter.sum_points(
            FootfallSource(scheme + folder, "pings", "wgs84", {}, time_zone=ZONE), grid
        )
        return float(summed.account["count_in"].sum())

    count(_warm_up(path))
    return Job(lambda: count(path), others=descendants)


def duckdb_pyproj(path: str, cell_m: float, threads: int) -> Job:
    """Project every batch with pyproj, let DuckDB group by cell and band."""
    import duckdb
    import pyproj

    turn = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:6933", always_xy=True)

    def work() -> float:
        with duckdb.connect(config={"threads": threads}) as database:
            database.execute(EMPTY)
            for file in sorted(Path(path).glob("*.parquet")):
                for batch in pq.ParquetFile(file).iter_batches(BATCH_ROWS):
                    plane = turn.transform(batch["lon"].to_numpy(), batch["lat"].to_numpy())
                    col, row = (pa.array(np.floor(metres / cell_m).astype(np.int32)) for metres in plane)
                    columns = {"col": col, "row": row, "time": batch["time"]}
                    database.register("projected", pa.table(columns))
                    database.execute(GROUPED)
            return float(database.execute(TOGETHER).fetchone()[0])

    return Job(work)


def h3_loop(path: str, rows: int) -> Job:
    """Ask h3 for the cell of each ping (resolution 8, about 0.7 km2) and count; the first rows only."""
    import h3

    def work() -> float:
        lon, lat, band = _sample(path, rows)
        cells = [h3.latlng_to_cell(y, x, 8) for x, y in zip(lon.tolist(), lat.tolist(), strict=True)]
        counted: dict[tuple[str, int], int] = {}
        for key in zip(cells, band.tolist(), strict=True):
            counted[key] = counted.get(key, 0) + 1
        return float(sum(counted.values()))

    return Job(work)


def geopandas_join(path: str, cell_m: float, rows: int) -> Job:
    """Join points to cells as polygons with geopandas; the first rows only."""
    import geopandas as gpd
    import shapely

    from siteplanner.model.lattice import to_plane

    lattice = _grid(cell_m).lattice
    west, south = np.meshgrid(np.arange(lattice.n_cols), np.arange(lattice.n_rows))
    side = lattice.cell_m
    x, y = lattice.x0_m + west.ravel() * side, lattice.y0_m + south.ravel() * side
    cells = gpd.GeoDataFrame(geometry=shapely.box(x, y, x + side, y + side))

    def work() -> float:
        lon, lat, band = _sample(path, rows)
        points = gpd.GeoDataFrame({"band": band}, geometry=gpd.points_from_xy(*to_plane(lattice, lon, lat)))
        joined = points.sjoin(cells, predicate="within")
        return float(joined.groupby(["index_right", "band"]).size().sum())

    return Job(work)


def _grid(cell_m: float) -> "Grid":
    from siteplanner.model.grid import make_grid
    from siteplanner.scenario import GridSettings

    return make_grid(make_region(PING_REGION), GridSettings(cell_m=cell_m))


def _warm_up(path: str) -> str:
    return str(make_pings(Path(path).parent, WARM_UP_ROWS))


def _spark_session() -> Any:  # noqa: ANN401 - pyspark may be absent
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    session = SparkSession.builder.master(f"local[{SPARK_CORES}]").config("spark.ui.enabled", "false")
    return session.config("spark.ui.showConsoleProgress", "false").getOrCreate()


def _sample(path: str, rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    batch = next(pq.ParquetFile(min(Path(path).glob("*.parquet"))).iter_batches(rows))
    seconds = batch["time"].to_numpy().astype("datetime64[s]").astype(np.int64)
    band = np.searchsorted(BAND_STARTS_H, seconds % 86_400 // 3_600, side="right") - 1
    return batch["lon"].to_numpy(), batch["lat"].to_numpy(), band
