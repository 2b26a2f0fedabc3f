"""Every case on both engines: the same frames, bit by bit."""

import numpy as np
import pandas as pd
import pytest
import shapely

from siteplanner.engines.embedded import EmbeddedEngine
from siteplanner.errors import InputError
from siteplanner.layers.records import FootfallSource, RasterSource
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


@pytest.mark.parametrize("method", ["area", "centre", "auto"])
@pytest.mark.parametrize("block", [16, 64])
def test_rasters(tmp_path, spark, counties, write_raster, people, monkeypatch, method, block):
    monkeypatch.setattr("siteplanner.layers.pixels.WINDOW_PIXELS", 4_000)
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
