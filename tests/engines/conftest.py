"""A one-county region on a real lattice, and rasters laid over it."""

import geopandas as gpd
import numpy as np
import pytest
import shapely

from siteplanner.engines.embedded import EmbeddedEngine
from siteplanner.engines.engine import get_engine
from siteplanner.errors import EngineError
from siteplanner.layers.gdal import rasterio
from siteplanner.layers.sources import RasterSource
from siteplanner.model.grid import make_grid
from siteplanner.scenario import EngineSettings, GridSettings


def make_counties(*shapes):
    ids = [f"{number:02d}" for number in range(1, len(shapes) + 1)]
    frame = {"county_id": ids, "name": ids, "geometry": list(shapes)}
    return gpd.GeoDataFrame(frame, crs="EPSG:4326").set_index("county_id")


def write_raster(path, values, place, *, crs="EPSG:4326", scale=None, mask=None, **options):
    height, width = values.shape
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(
            path, "w", driver="GTiff", height=height, width=width, count=1, dtype=values.dtype, crs=crs,
            transform=rasterio.Affine(*place), **options,
        ) as file,
    ):  # fmt: skip
        file.write(values, 1)
        if scale is not None:
            file.scales, file.offsets = (scale[0],), (scale[1],)
        if mask is not None:
            file.write_mask(mask)
    return RasterSource((str(path),), (path.name,), 2020)


@pytest.fixture(params=["embedded", "spark"])
def engine(request):
    """Each engine in turn: what holds for one holds for the other."""
    return EmbeddedEngine() if request.param == "embedded" else request.getfixturevalue("spark")


@pytest.fixture
def counties():
    return make_counties(shapely.box(112.0, 37.0, 112.05, 37.05), shapely.box(112.05, 37.0, 112.1, 37.05))


@pytest.fixture
def grid(counties):
    return make_grid(counties, GridSettings(cell_m=500.0))


@pytest.fixture
def random_people():
    return np.random.default_rng(7).integers(0, 50, (30, 40)).astype("float64")


@pytest.fixture(name="write_raster", scope="session")
def _write_raster():
    return write_raster


@pytest.fixture(name="make_counties", scope="session")
def _make_counties():
    return make_counties


@pytest.fixture(scope="session")
def spark():
    """One Spark engine for all tests of this process: its session takes seconds to begin."""
    pytest.importorskip("pyspark", reason="the extra siteplanner[spark] is not installed")
    try:
        engine = get_engine(EngineSettings(kind="spark", master="local[2]"))
    except EngineError as error:
        pytest.skip(str(error))
    yield engine
    engine.close()
