"""Rasters to cells and to counties: ours, the floor and the rivals, each as a task for `measuring`."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import rasterio
from gridding_inputs import Shape, make_counties, make_raster
from measuring import Job

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

    from siteplanner.layers.sources import RasterSource

CACHE_BYTES = 64 << 20
# The raster that compiles or loads the kernels before the clock starts.
WARM_UP = Shape(512, 512)
M_PER_DEG = 111_195.0


def read_blocks(path: str) -> Job:
    """Read every block once, in one thread, and keep nothing: the floor."""

    def work() -> float:
        with rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES), rasterio.open(path) as raster:
            for _, window in raster.block_windows(1):
                raster.read(1, window=window)
        return 0.0

    return Job(work)


def sum_to_lattice(path: str, cell_m: float, threads: int) -> Job:
    """Our sum to a bare lattice, pixels split by exact area; the value is the total of all cells."""
    from siteplanner.engines.lattice_sums import sum_raster
    from siteplanner.model.lattice import lay_lattice

    def sum_one(file: Path) -> Job:
        with rasterio.open(file) as raster:
            lattice = lay_lattice(raster.bounds, cell_m)

        def work() -> float:
            summed = sum_raster(_source(file), lattice, pixel_method="area", threads=threads)
            return float(summed.people.sum() + summed.count_outside)

        return Job(work)

    sum_one(make_raster(Path(path).parent, WARM_UP, "tiled")[0]).work()
    return sum_one(Path(path))


def sum_to_grid(path: str, cell_m: float, threads: int, counties: int) -> Job:
    """Our engine as a run uses it: a grid with its counties, and tables of people by cell and county.

    The value is the total of all cells and what lies outside.
    """
    from siteplanner.engines.embedded import EmbeddedEngine
    from siteplanner.model.grid import make_grid
    from siteplanner.scenario import GridSettings

    engine = EmbeddedEngine(threads=threads)
    settings = GridSettings(cell_m=cell_m, pixel_method="area")

    def sum_one(file: Path, n: int) -> Job:
        with rasterio.open(file) as raster:
            region = make_counties(raster.bounds, n)
        grid = make_grid(region, settings)

        def work() -> float:
            summed = engine.sum_raster(_source(file), grid, region)
            return float(summed.parts["people"].sum() + summed.account["count_in"]["outside"])

        return Job(work)

    sum_one(make_raster(Path(path).parent, WARM_UP, "tiled")[0], counties).work()
    return sum_one(Path(path), counties)


def sum_to_counties(path: str, counties: int, threads: int, out: str) -> Job:
    """Our totals of counties by exact overlap, saved for comparison; the value is their sum."""
    from siteplanner.engines.polygons import sum_polygons

    small = make_raster(Path(path).parent, WARM_UP, "tiled")[0]
    sum_polygons(_source(small), make_counties(WARM_UP.bounds(), 3), threads=threads)
    polygons = _counties_of(path, counties)

    def work() -> float:
        people = sum_polygons(_source(Path(path)), polygons, threads=threads).to_numpy()
        np.save(out, people)
        return float(people.sum())

    return Job(work)


def exactextract_counties(path: str, counties: int, out: str) -> Job:
    """Totals of counties by exactextract, feature by feature as it comes."""
    from exactextract import exact_extract

    polygons = _counties_of(path, counties).reset_index()

    def work() -> float:
        people = exact_extract(path, polygons, ["sum"], include_cols=["county_id"], output="pandas")["sum"]
        np.save(out, people.to_numpy())
        return float(people.sum())

    return Job(work)


def rasterstats_counties(path: str, counties: int) -> Job:
    """Totals of counties by rasterstats: pixels by their centre."""
    from rasterstats import zonal_stats

    polygons = _counties_of(path, counties)

    def work() -> float:
        return float(sum(row["sum"] or 0.0 for row in zonal_stats(polygons, path, stats=["sum"])))

    return Job(work)


def exactextract_cells(path: str, cell_m: float) -> Job:
    """Give exactextract the cells of our lattice as polygons."""
    import geopandas as gpd
    import shapely
    from exactextract import exact_extract

    from siteplanner.model.lattice import edge_lines, lay_lattice

    with rasterio.open(path) as raster:
        lattice = lay_lattice(raster.bounds, cell_m)
    lons, lats = edge_lines(lattice)
    west, south = np.meshgrid(lons[:-1], lats[:-1])
    east, north = np.meshgrid(lons[1:], lats[1:])
    boxes = shapely.box(west.ravel(), south.ravel(), east.ravel(), north.ravel())
    cells = gpd.GeoDataFrame(geometry=boxes, crs=4326)

    def work() -> float:
        return float(exact_extract(path, cells, ["sum"], output="pandas")["sum"].sum())

    return Job(work)


def warp_sum(path: str, cell_m: float) -> Job:
    """Warp to an equal-area plane (EPSG:6933) with GDAL's Resampling.sum."""
    from rasterio.warp import Resampling, calculate_default_transform, reproject

    def work() -> float:
        with rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES), rasterio.open(path) as raster:
            place, cols, rows = calculate_default_transform(
                raster.crs, "EPSG:6933", raster.width, raster.height, *raster.bounds, resolution=cell_m
            )
            cells = np.zeros((rows, cols), dtype=np.float64)
            reproject(
                rasterio.band(raster, 1),
                cells,
                dst_transform=place,
                dst_crs="EPSG:6933",
                resampling=Resampling.sum,
                src_nodata=raster.nodata,
                dst_nodata=-1.0,
            )
        return float(cells[cells > 0.0].sum())

    return Job(work)


def xarray_coarsen(path: str, cell_m: float) -> Job:
    """Add up blocks of whole pixels about as wide as a cell with xarray: neither equal-area nor in cells."""
    import rioxarray

    def work() -> float:
        people = rioxarray.open_rasterio(path, masked=True).astype("float64")
        pixels = max(1, round(cell_m / (people.rio.resolution()[0] * M_PER_DEG)))
        return float(people.coarsen(x=pixels, y=pixels, boundary="pad").sum().sum())

    return Job(work)


def _source(path: Path) -> "RasterSource":
    from siteplanner.layers.sources import RasterSource

    return RasterSource((str(path),), (path.name,), 0)


def _counties_of(path: str, n: int) -> "GeoDataFrame":
    with rasterio.open(path) as raster:
        return make_counties(raster.bounds, n)
