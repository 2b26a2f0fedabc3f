import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import shapely

from siteplanner.engines.embedded import EmbeddedEngine
from siteplanner.engines.lattice_sums import sum_raster
from siteplanner.errors import InputError
from siteplanner.layers.sources import RasterSource
from siteplanner.model.grid import Grid
from siteplanner.model.lattice import centre_lines, edge_lines, lay_lattice, to_lonlat

BOX = (112.0, 37.0, 112.1, 37.05)
PLACE = (0.0033, 0.0, 111.985, 0.0, -0.0027, 37.07)
TURNED = (300.0, 40.0, 587_500.0, 40.0, -300.0, 4_103_000.0)
# What the whole process may hold: the interpreter, numpy, numba with its compiled kernels, GDAL and PROJ take
# 200 to 250 MB where it was measured, and the work below 40.
PEAK_MB = 330.0


def run_alone(script, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_one_pixel_over_four_cells_is_split_by_area(tmp_path, write_raster):
    lattice = lay_lattice(BOX, 500.0)
    # A pixel of one by one cell, a quarter cell east and a half cell north of the corner of cell (2, 3).
    x = lattice.x0_m + lattice.cell_m * np.array([3.25, 4.25])
    y = lattice.y0_m + lattice.cell_m * np.array([2.5, 3.5])
    lon, lat = to_lonlat(lattice, x, y)
    place = (lon[1] - lon[0], 0.0, lon[0], 0.0, lat[0] - lat[1], lat[1])
    answer = sum_raster(write_raster(tmp_path / "p.tif", np.array([[800.0]]), place), lattice)
    expected = np.zeros((lattice.n_rows, lattice.n_cols))
    expected[2:4, 3:5] = [[300.0, 100.0], [300.0, 100.0]]
    assert answer.people == pytest.approx(expected, rel=1e-9)
    assert (answer.count_in, answer.count_outside) == (800.0, 0.0)


def test_the_account_tells_what_is_outside_and_what_has_no_data(tmp_path, write_raster):
    people = np.random.default_rng(3).integers(0, 50, (30, 40)).astype("float64")
    people[4:7, 5:9] = -1.0
    people[0, :2] = -1.0
    lattice = lay_lattice(BOX, 500.0)
    answer = sum_raster(write_raster(tmp_path / "p.tif", people, PLACE, nodata=-1.0), lattice)
    west, east = edge_lines(lattice)[0][[0, -1]]
    south, north = edge_lines(lattice)[1][[0, -1]]
    row, col = np.indices(people.shape)
    lon, lat = PLACE[2] + PLACE[0] * (col + 0.5), PLACE[5] + PLACE[4] * (row + 0.5)
    inside = (lon > west) & (lon < east) & (lat > south) & (lat < north)
    known = people >= 0.0
    assert answer.count_in == people[inside & known].sum()
    assert answer.count_outside == people[~inside & known].sum() > 0.0
    assert answer.nodata_in == (inside & ~known).sum() > 0
    assert answer.nodata_outside == (~inside & ~known).sum() > 0
    assert answer.people.sum() == pytest.approx(answer.count_in, rel=1e-12)


@pytest.mark.parametrize("method", ["area", "centre", "auto"])
@pytest.mark.parametrize(("crs", "place"), [("EPSG:4326", PLACE), ("EPSG:32649", TURNED)])
def test_a_grid_that_fills_its_lattice_has_the_same_bits(
    tmp_path, random_people, write_raster, make_counties, method, crs, place
):
    # One county, as large as the lattice.
    lattice = lay_lattice(BOX, 500.0)
    (west, east), (south, north) = (line[[0, -1]] for line in edge_lines(lattice))
    counties = make_counties(shapely.box(west, south, east, north))
    ids = np.arange(lattice.n_rows * lattice.n_cols)
    row, col = np.divmod(ids, lattice.n_cols)
    lons, lats = centre_lines(lattice)
    cells = {"row": row.astype("int32"), "col": col.astype("int32"), "lon": lons[col], "lat": lats[row]}
    index = pd.Index(ids, name="cell_id")
    frame = pd.DataFrame({**cells, "county_id": "01"}, index=index).astype({"county_id": "str"})
    grid = Grid(lattice, frame, method)
    source = write_raster(tmp_path / "p.tif", random_people, place, crs=crs)
    bare = sum_raster(source, lattice, pixel_method=method)
    whole = EmbeddedEngine().sum_raster(source, grid, counties)
    of_grid = np.zeros(len(ids))
    of_grid[whole.parts["cell_id"]] = whole.parts["people"]
    assert bare.people.any()
    assert bare.people.ravel().tolist() == of_grid.tolist()
    assert whole.account["count_in"].tolist() == [bare.count_in, bare.count_outside]


@pytest.mark.parametrize("method", ["area", "centre"])
@pytest.mark.parametrize(("crs", "place"), [("EPSG:4326", PLACE), ("EPSG:32649", TURNED)])
def test_threads_change_no_bit(tmp_path, random_people, write_raster, method, crs, place):
    tiled = {"tiled": True, "blockxsize": 16, "blockysize": 16}
    source = write_raster(tmp_path / "p.tif", random_people, place, crs=crs, **tiled)
    lattice = lay_lattice(BOX, 300.0)
    one, three = (sum_raster(source, lattice, pixel_method=method, threads=n) for n in (1, 3))
    assert one.people.tobytes() == three.people.tobytes()
    assert (one.count_in, one.count_outside) == (three.count_in, three.count_outside)


def test_what_is_no_raster_or_lies_elsewhere_is_one_line_each(tmp_path, random_people, write_raster):
    (tmp_path / "no.tif").write_bytes(b"no raster")
    with pytest.raises(InputError, match=r"no\.tif: found no readable GeoTIFF"):
        sum_raster(RasterSource((str(tmp_path / "no.tif"),), ("no.tif",), 0), lay_lattice(BOX, 500.0))
    source = write_raster(tmp_path / "p.tif", random_people, PLACE)
    with pytest.raises(InputError, match=r"p\.tif: found pixels from 111\.985"):
        sum_raster(source, lay_lattice((100.0, 30.0, 100.1, 30.1), 500.0))


def test_tables_and_geometries_are_not_loaded_for_it():
    loaded = run_alone("import sys, siteplanner.engines.lattice_sums; print(*sys.modules)").split()
    assert "siteplanner.engines.lattice_sums" in loaded
    heavy = {"pandas", "geopandas", "shapely", "pyarrow", "pyogrio", "h3", "pydantic", "scipy.spatial"}
    assert not heavy & set(loaded)


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read where Linux tells it")
def test_memory_does_not_grow_with_the_raster(tmp_path, write_raster):
    # 96 MB of pixels; the peak is that of the whole process.
    people = np.tile(np.arange(64.0, dtype="float32"), (6_000, 63))[:, :4_000]
    tiled = {"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate", "zlevel": 1}
    place = (1.0 / 3_600.0, 0.0, 112.0, 0.0, -1.0 / 3_600.0, 38.0)
    write_raster(tmp_path / "p.tif", people, place, **tiled)
    script = """
import re, sys
from pathlib import Path
from siteplanner.engines.lattice_sums import sum_raster
from siteplanner.layers.sources import RasterSource
from siteplanner.model.lattice import lay_lattice
lattice = lay_lattice((112.0, 36.0, 113.5, 38.0), 500.0)
summed = sum_raster(RasterSource((sys.argv[1],), ("p",), 0), lattice, pixel_method="area", threads=2)
peak_kb = re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]
print(summed.people.sum(), int(peak_kb) / 1024)
"""
    # Kernels that are not compiled yet are compiled by the first run, which takes memory of its own.
    run_alone(script, tmp_path / "p.tif")
    total, peak_mb = map(float, run_alone(script, tmp_path / "p.tif").split())
    assert total == pytest.approx(people.sum(dtype="float64"), rel=1e-9)
    assert peak_mb < PEAK_MB
