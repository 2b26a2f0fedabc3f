"""Every case on both engines: the same frames, bit by bit."""

import shutil
from dataclasses import replace

import h3
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import shapely

from siteplanner.engines.embedded import EmbeddedEngine
from siteplanner.errors import EngineError, InputError
from siteplanner.layers.records import FootfallSource
from siteplanner.layers.sources import RasterSource
from siteplanner.model.grid import make_grid
from siteplanner.scenario import GridSettings

# West, north and sizes of pixels, degrees, of rasters over the two counties of `counties`.
PLACE = (0.0011, 0.0, 111.98, 0.0, -0.0009, 37.07)


def same(one, other):
    """Assert that two answers hold the same tables, to the last bit."""
    assert type(one) is type(other)
    for name in one.__slots__:
        mine, theirs = getattr(one, name), getattr(other, name)
        if isinstance(mine, pd.DataFrame):
            pd.testing.assert_frame_equal(mine, theirs, check_exact=True)
        else:
            assert mine == theirs, name


@pytest.fixture
def people():
    values = np.random.default_rng(11).exponential(3.0, (130, 140)).astype("float32")
    values[20:30, 40:60] = np.nan
    return values


@pytest.fixture
def small_windows(monkeypatch):
    monkeypatch.setattr("siteplanner.layers.pixels.WINDOW_PIXELS", 4_000)


@pytest.mark.usefixtures("small_windows")
@pytest.mark.parametrize(("method", "block"), [("area", 16), ("area", 64), ("centre", 16), ("auto", 64)])
def test_rasters(tmp_path, spark, counties, write_raster, people, method, block):
    grid = make_grid(counties, GridSettings(cell_m=500.0, pixel_method=method))
    source = write_raster(
        tmp_path / "r.tif", people, PLACE, tiled=True, blockxsize=block, blockysize=block, nodata=np.nan
    )
    same(spark.sum_raster(source, grid, counties), EmbeddedEngine().sum_raster(source, grid, counties))


def test_a_mosaic_in_another_system(tmp_path, spark, make_counties, write_raster):
    values = np.random.default_rng(3).integers(0, 9, (60, 70)).astype("int16")
    counties = make_counties(shapely.box(111.2, 37.0, 111.3, 37.1))
    grid = make_grid(counties, GridSettings(cell_m=500.0))
    west, north = 517_000.0, 4_106_000.0
    tiles = [
        write_raster(
            tmp_path / f"{number}.tif", values, (100.0, 0.0, west + shift, 0.0, -100.0, north),
            crs="EPSG:32649", nodata=-1,
        )
        for number, shift in enumerate((0.0, 7_000.0))
    ]  # fmt: skip
    source = RasterSource(tuple(t.paths[0] for t in tiles), tuple(t.names[0] for t in tiles), 2020)
    answer = spark.sum_raster(source, grid, counties)
    same(answer, EmbeddedEngine().sum_raster(source, grid, counties))
    assert answer.account["count_in"].sum() == 2 * values.sum()


def test_a_raster_of_footfall(tmp_path, spark, grid, write_raster, people):
    write_raster(tmp_path / "f.tif", people, PLACE, nodata=np.nan)
    source = FootfallSource(str(tmp_path / "f.tif"), "raster", "wgs84", {})
    same(spark.sum_points(source, grid), EmbeddedEngine().sum_points(source, grid))


def test_a_bad_pixel_is_named_alike(tmp_path, spark, grid, counties, write_raster, people):
    people[77, 33] = -5.0
    source = write_raster(tmp_path / "bad.tif", people, PLACE, nodata=np.nan)
    told = []
    for engine in (spark, EmbeddedEngine()):
        with pytest.raises(InputError, match=r"bad\.tif") as error:
            engine.sum_raster(source, grid, counties)
        told.append(str(error.value))
    assert told[0] == told[1]


# --- pings --------------------------------------------------------------------------------------------------

N_ROWS = 6_000


def ping_columns(seed=5):
    """Pings around the two counties over three days and a weekend, some of them outside."""
    rng = np.random.default_rng(seed)
    return {
        "lon": pa.array(rng.uniform(111.98, 112.12, N_ROWS)),
        "lat": pa.array(rng.uniform(36.98, 37.07, N_ROWS)),
        "time": pa.array(1_709_830_800 + rng.integers(0, 3 * 86_400, N_ROWS)),
    }


def write_pings(folder, columns, **options):
    """Write two files, the second in a folder of its own."""
    table = pa.table(columns)
    (folder / "more").mkdir(parents=True)
    pq.write_table(table.slice(0, 4_000), folder / "b.parquet", row_group_size=700, **options)
    pq.write_table(table.slice(4_000), folder / "more" / "a.parquet", row_group_size=700, **options)
    return folder


def sources(folder, **about):
    """Return the folder as a path and as a URI."""
    about = {"columns": {}, "datum": "wgs84", "kind": "pings", **about}
    return [FootfallSource(path=path, **about) for path in (str(folder), f"file://{folder}")]


def agree(spark, folder, grid, **about):
    local, uri = sources(folder, **about)
    expected = EmbeddedEngine().sum_points(local, grid)
    same(spark.sum_points(local, grid), expected)
    answer = spark.sum_points(uri, grid)
    same(replace(answer, unhashed={}), expected)
    assert expected.account.loc["region", "count_in"] > 0.0
    return answer


TIMES = {
    "microseconds": ("us", "UTC"),
    "milliseconds": ("ms", "UTC"),
    "nanoseconds": ("ns", "UTC"),
    "local": ("us", None),
    "local_nanoseconds": ("ns", None),
}


@pytest.mark.parametrize("kind", TIMES)
def test_pings_of_every_kind_of_time(tmp_path, spark, grid, kind):
    unit, zone = TIMES[kind]
    columns = ping_columns()
    columns["time"] = (
        columns["time"].cast(pa.timestamp("s")).cast(pa.timestamp(unit)).cast(pa.timestamp(unit, zone))
    )
    agree(spark, write_pings(tmp_path / "p", columns), grid, time_zone="America/New_York")


def test_pings_with_old_timestamps(tmp_path, spark, grid):
    columns = ping_columns()
    columns["time"] = columns["time"].cast(pa.timestamp("s")).cast(pa.timestamp("ns"))
    agree(spark, write_pings(tmp_path / "p", columns, use_deprecated_int96_timestamps=True), grid)


def test_pings_with_whole_numbers_or_text_for_times(tmp_path, spark, grid):
    columns = ping_columns()
    agree(spark, write_pings(tmp_path / "s", columns), grid, time_unit="s")
    stamps = columns["time"].cast(pa.timestamp("s")).cast(pa.timestamp("us"))
    columns["time"] = pc.strftime(stamps, format="%Y-%m-%dT%H:%M:%SZ")
    agree(spark, write_pings(tmp_path / "t", columns), grid)


def test_pings_with_weights_odd_names_and_another_datum(tmp_path, spark, grid):
    columns = ping_columns()
    columns["weight"] = pa.array(np.random.default_rng(1).exponential(3.0, N_ROWS))
    names = {"lon": "x.y z", "lat": "LON", "time": "when", "weight": "n people"}
    renamed = {names[name]: values for name, values in columns.items()}
    renamed["lon"] = pa.nulls(N_ROWS, pa.int8())
    folder = write_pings(tmp_path / "a b%20c", renamed)
    agree(spark, folder, grid, columns=names, datum="gcj02", time_unit="s")


@pytest.mark.parametrize("as_number", [False, True])
@pytest.mark.parametrize(("distinct", "k"), [(True, None), (False, 4), (True, 3)])
def test_devices_are_told_apart_exactly(tmp_path, spark, grid, monkeypatch, as_number, distinct, k):
    monkeypatch.setattr("siteplanner.engines.spark.PART_ROWS", 1_500)
    columns = ping_columns()
    devices = np.random.default_rng(2).integers(0, 900, N_ROWS)
    columns["device"] = pa.array(devices if as_number else np.char.add("d-", devices.astype(str)))
    columns["weight"] = pa.array(np.random.default_rng(1).integers(1, 4, N_ROWS).astype("float64"))
    folder = write_pings(tmp_path / "p", columns)
    answer = agree(spark, folder, grid, time_unit="s", distinct_devices=distinct, suppress_below=k)
    assert answer.cells.isna().to_numpy().any() == (k is not None)


def test_what_a_writer_left_unfinished_is_no_data(tmp_path, spark, grid):
    folder = write_pings(tmp_path / "p", ping_columns())
    expected = EmbeddedEngine().sum_points(sources(folder, time_unit="s")[0], grid)
    (folder / "_temporary" / "0").mkdir(parents=True)
    shutil.copyfile(folder / "b.parquet", folder / "_temporary" / "0" / "b.parquet")
    shutil.copyfile(folder / "b.parquet", folder / ".b.parquet")
    same(replace(agree(spark, folder, grid, time_unit="s"), unhashed={}), expected)


def test_files_behind_a_uri_are_listed_not_hashed(tmp_path, spark, grid):
    folder = write_pings(tmp_path / "p", ping_columns())
    answer = spark.sum_points(sources(folder, time_unit="s")[1], grid)
    assert {name: file.size_bytes for name, file in answer.unhashed.items()} == {
        name: (folder / name).stat().st_size for name in ("b.parquet", "more/a.parquet")
    }
    assert all(file.modified.endswith("+00:00") for file in answer.unhashed.values())


@pytest.mark.parametrize(("column", "value"), [("lat", 95.0), ("lon", None), ("time", -5)])
def test_bad_pings_are_named_by_file_and_row(tmp_path, spark, grid, column, value, monkeypatch):
    # Seen in the first rows, and missed there.
    monkeypatch.setattr("siteplanner.engines.spark_remote.FIRST_ROWS", 4_000 if column == "lat" else 9)
    columns = ping_columns()
    values = columns[column].to_pylist()
    for row in (3_511, 3_600, 5_900):
        values[row] = value
    columns[column] = pa.array(values, columns[column].type)
    folder = write_pings(tmp_path / "p", columns)
    for source, engine in [(one, spark) for one in sources(folder, time_unit="s")] + [
        (sources(folder, time_unit="s")[0], EmbeddedEngine())
    ]:
        with pytest.raises(InputError, match=rf"^b\.parquet row 3512, column {column}: found "):
            engine.sum_points(source, grid)


def break_a_file(folder):
    (folder / "b.parquet").write_bytes(b"PAR1" + bytes(90))


def add_whole_degrees(folder):
    pq.write_table(pa.table({"lon": [1], "lat": [2.0], "time": [3]}), folder / "c.parquet")


def take_all_files(folder):
    for file in folder.rglob("*.parquet"):
        file.unlink()


def take_latitudes(folder):
    for file in folder.rglob("*.parquet"):
        pq.write_table(pq.read_table(file).drop("lat"), file)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (break_a_file, r"^b\.parquet: found a broken"),
        (add_whole_degrees, "files whose columns differ in type"),
        (take_all_files, "found no .parquet files"),
        (shutil.rmtree, "found nothing there"),
        (take_latitudes, r'expected the column "lat"'),
    ],
)
def test_a_bad_folder_behind_a_uri_is_one_line(tmp_path, spark, grid, spoil, told):
    folder = write_pings(tmp_path / "p", ping_columns())
    spoil(folder)
    with pytest.raises(InputError, match=told) as error:
        spark.sum_points(sources(folder, time_unit="s")[1], grid)
    assert "\n" not in str(error.value)


def test_pings_that_are_all_elsewhere_are_refused(tmp_path, spark, grid):
    columns = ping_columns() | {"lon": pa.array(np.full(N_ROWS, 10.0))}
    folder = write_pings(tmp_path / "p", columns)
    with pytest.raises(InputError, match="found 6,000 people, all outside"):
        spark.sum_points(sources(folder, time_unit="s")[1], grid)


def test_a_store_that_the_cluster_has_no_connector_for_is_one_line(spark, grid):
    with pytest.raises(EngineError, match="S3AFileSystem not found") as error:
        spark.sum_points(FootfallSource("s3a://nobody/pings", "pings", "wgs84", {}), grid)
    assert "\n" not in str(error.value)


# --- tables that fit in memory ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["points", "h3", "cells"])
def test_small_kinds(tmp_path, spark, grid, kind):
    rng = np.random.default_rng(8)
    lon, lat = rng.uniform(111.99, 112.11, 500), rng.uniform(36.99, 37.06, 500)
    place = {
        "points": {"lon": lon, "lat": lat},
        "h3": {"h3": [h3.latlng_to_cell(*at, 9) for at in zip(lat, lon, strict=True)]},
        "cells": {"cell_id": rng.choice(grid.cells.index.to_numpy(), 500)},
    }[kind]
    times = pd.Timestamp("2024-03-04") + pd.to_timedelta(rng.integers(0, 7 * 24, 500), unit="h")
    pd.DataFrame({**place, "time": times, "count": rng.exponential(5.0, 500)}).to_csv(
        tmp_path / "f.csv", index=False
    )
    source = FootfallSource(str(tmp_path / "f.csv"), kind, "wgs84", {}, "Asia/Shanghai")
    same(spark.sum_points(source, grid), EmbeddedEngine().sum_points(source, grid))
