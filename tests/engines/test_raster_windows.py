"""Windows, runs, tiles and threads: the same bits, however a raster is cut and whoever sums it."""

import itertools
import pickle

import exactextract
import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from siteplanner.engines.borders import polygon_sides
from siteplanner.engines.embedded import EmbeddedEngine, people_sum
from siteplanner.engines.grid_plans import plan_people
from siteplanner.engines.nearest import grid_cells
from siteplanner.engines.placing import Placing
from siteplanner.engines.raster_jobs import merge, sum_window
from siteplanner.engines.regions import cell_sides, in_pixels
from siteplanner.engines.runs import fill_runs
from siteplanner.errors import InputError
from siteplanner.layers import pixels
from siteplanner.layers.gdal import rasterio
from siteplanner.layers.pixels import list_windows
from siteplanner.layers.sources import RasterSource
from siteplanner.model.grid import make_grid
from siteplanner.model.lattice import edge_lines, to_lonlat
from siteplanner.scenario import GridSettings

PLACE = (0.0033, 0.0, 111.985, 0.0, -0.0027, 37.07)
# Pixels of 300 m in UTM 49 N over the same region, and the same turned by 30 degrees.
UTM = (300.0, 0.0, 587_000.0, 0.0, -300.0, 4_103_000.0)
TURNED = (260.0, 150.0, 585_000.0, 150.0, -260.0, 4_101_500.0)


def same_bits(one, other):
    pd.testing.assert_frame_equal(one.parts, other.parts, check_exact=True)
    pd.testing.assert_frame_equal(one.account, other.account, check_exact=True)


def labels_of(runs, width):
    """Write the runs out as an array of pixels."""
    rows = []
    for at, end in itertools.pairwise(runs.at):
        first = runs.first[at:end]
        rows.append(np.repeat(runs.label[at:end], np.diff(np.append(first, width))))
    return np.array(rows)


# --- runs ---------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n_points=st.integers(3, 12),
    shape=st.tuples(st.integers(1, 25), st.integers(1, 25)),
)
def test_runs_hold_the_pixels_whose_centres_shapely_finds_inside(seed, n_points, shape):
    random = np.random.default_rng(seed)
    cells = shapely.get_parts(
        shapely.voronoi_polygons(shapely.multipoints(random.random((n_points, 2)) * 10))
    )
    # One county in two parts, with a hole.
    parts = [
        shapely.box(8.0, 8.0, 9.1, 9.7),
        shapely.box(2.0, 2.0, 7.3, 6.1).difference(shapely.box(3.0, 3.0, 4.0, 4.0)),
    ]
    cells = np.append(cells, shapely.MultiPolygon(parts))
    cells = np.roll(cells, 1) if seed % 2 else cells
    frame = gpd.GeoDataFrame(geometry=cells, crs="EPSG:4326")
    a, e = 11.0 / shape[1], -11.0 / shape[0]
    sides = polygon_sides(frame.geometry.to_numpy())
    runs = fill_runs(in_pixels(sides, Placing((a, 0.0, -0.5, 0.0, e, 10.5), "")), shape, len(cells))
    lon = -0.5 + a * (np.arange(shape[1]) + 0.5)
    lat = 10.5 + e * (np.arange(shape[0]) + 0.5)
    lon, lat = np.meshgrid(lon, lat)
    inside = np.array([shapely.contains_xy(cell, lon, lat) for cell in cells])
    expected = np.where(inside.any(axis=0), inside.argmax(axis=0), -1)
    # A centre on a border is in no polygon for shapely; the tests below say whose it is.
    borders = shapely.union_all([cell.boundary for cell in cells])
    clear = shapely.distance(shapely.points(lon, lat), borders) > 1e-9
    assert (labels_of(runs, shape[1]) == expected)[clear].all()


def test_a_centre_on_a_common_border_belongs_to_one_county(make_counties):
    # Borders run through the centres of the third row and the fourth column; the counties fill the raster.
    counties = make_counties(
        shapely.box(0.0, 0.0, 3.5, 2.5), shapely.box(3.5, 0.0, 8.0, 2.5), shapely.box(0.0, 2.5, 8.0, 5.0)
    )
    sides = polygon_sides(counties.geometry.to_numpy())
    edges = in_pixels(sides, Placing((1.0, 0.0, 0.0, 0.0, -1.0, 5.0), ""))
    labels = labels_of(fill_runs(edges, (5, 8), 3), 8)
    assert (labels >= 0).all()
    # East of an upright border; and of a flat one, what lies south of the raster's first rows.
    assert labels[3].tolist() == [0, 0, 0, 1, 1, 1, 1, 1]
    assert labels[1].tolist() == [2] * 8
    assert len(set(labels[2].tolist())) in {1, 2}


def test_where_counties_overlap_the_smallest_id_holds(make_counties):
    counties = make_counties(shapely.box(4.0, 0.0, 8.0, 5.0), shapely.box(0.0, 0.0, 6.0, 5.0))
    sides = polygon_sides(counties.geometry.to_numpy())
    edges = in_pixels(sides, Placing((1.0, 0.0, 0.0, 0.0, -1.0, 5.0), ""))
    assert labels_of(fill_runs(edges, (5, 8), 2), 8)[0].tolist() == [1, 1, 1, 1, 0, 0, 0, 0]


def test_the_outline_of_the_grid_holds_the_centres_of_its_cells(make_counties):
    ring = shapely.Point(112.05, 37.05).buffer(0.04).difference(shapely.Point(112.05, 37.05).buffer(0.02))
    grid = make_grid(make_counties(ring), GridSettings(cell_m=700.0))
    lattice = grid.lattice
    home = np.full((lattice.n_rows, lattice.n_cols), -1)
    home[grid.cells["row"], grid.cells["col"]] = 0
    for crs in ("", pyproj.CRS("EPSG:32649").to_wkt()):
        placing = (
            Placing(PLACE, "") if not crs else Placing((211.0, 0.0, 587_000.0, 0.0, -211.0, 4_106_000.0), crs)
        )
        shape = (60, 70)
        labels = labels_of(fill_runs(in_pixels(cell_sides(lattice, home), placing), shape, 1), shape[1])
        col, row = np.meshgrid(np.arange(shape[1]) + 0.5, np.arange(shape[0]) + 0.5)
        u, v = placing.to_cells(lattice, col, row)
        on = (u >= 0) & (v >= 0) & (u < lattice.n_cols) & (v < lattice.n_rows)
        cell = np.where(on, np.floor(v) * lattice.n_cols + np.floor(u), -1)
        assert ((labels == 0) == np.isin(cell, grid.cells.index)).all()
        assert 0 < (labels == 0).sum() < labels.size


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_nearest_cell_of_the_grid_is_found(seed):
    random = np.random.default_rng(seed)
    home = np.where(random.random((7, 9)) < 0.15, 0, -1).astype(np.int32)
    home[random.integers(7), random.integers(9)] = 1
    row, col = random.integers(-6, 14, 40), random.integers(-6, 16, 40)
    rows, cols = np.nonzero(home >= 0)
    far2 = (row[:, None] - rows) ** 2 + (col[:, None] - cols) ** 2
    assert grid_cells(home, row, col).tolist() == (rows * 9 + cols)[far2.argmin(axis=1)].tolist()


# --- windows ------------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    block=st.tuples(st.integers(1, 400), st.integers(1, 400)),
)
def test_windows_cover_every_pixel_once_in_whole_blocks(shape, block):
    seen = np.zeros(shape, dtype=int)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pixels, "WINDOW_PIXELS", 5_000)
        windows = list_windows(shape, block, 3, 10)
    for number, window in enumerate(windows):
        assert (window.number, window.tile) == (10 + number, 3)
        seen[window.row : window.row + window.height, window.col : window.col + window.width] += 1
        assert window.row % min(block[0], shape[0]) == 0
        assert window.col % min(block[1], shape[1]) == 0
        one_block = min(block[0], shape[0]) * min(block[1], shape[1])
        assert window.height * window.width <= max(5_000, one_block)
    assert (seen == 1).all()


@pytest.mark.parametrize("method", ["area", "centre"])
@pytest.mark.parametrize(
    ("crs", "place"), [("EPSG:4326", PLACE), ("EPSG:32649", UTM), ("EPSG:32649", TURNED)]
)
def test_threads_and_processes_change_no_bit(
    tmp_path, counties, write_raster, monkeypatch, method, crs, place
):
    monkeypatch.setattr(pixels, "WINDOW_PIXELS", 300)
    people = np.random.default_rng(2).gamma(0.4, 9.0, (48, 64)).astype("float32")
    tiled = {"tiled": True, "blockxsize": 16, "blockysize": 16}
    source = write_raster(tmp_path / "p.tif", people, place, crs=crs, **tiled)
    grid = make_grid(counties, GridSettings(cell_m=500.0, pixel_method=method))
    one, two, four = (EmbeddedEngine(threads=n).sum_raster(source, grid, counties) for n in (1, 2, 4))
    same_bits(one, two)
    same_bits(one, four)
    # Windows in any order and in another process: the job and its sums are pickled.
    job = pickle.loads(pickle.dumps(plan_people(source, grid, counties)))  # noqa: S301 - our own bytes
    assert len(job.windows) > 5
    sums = {window.number: sum_window(job, window) for window in reversed(job.windows)}
    sums = pickle.loads(pickle.dumps(sums))  # noqa: S301 - our own bytes
    same_bits(one, people_sum(merge(job, (sums[window.number] for window in job.windows)), counties.index))


@pytest.mark.parametrize("system", [("EPSG:4326", PLACE), ("EPSG:32649", TURNED)])
@pytest.mark.parametrize(
    "options", [{}, {"blockysize": 3}, {"tiled": True, "blockxsize": 16, "blockysize": 32}]
)
def test_blocks_and_windows_change_no_count(
    tmp_path, grid, counties, random_people, write_raster, system, options
):
    crs, place = system
    engine = EmbeddedEngine()
    whole = engine.sum_raster(write_raster(tmp_path / "a.tif", random_people, place, crs=crs), grid, counties)
    source = write_raster(tmp_path / "b.tif", random_people, place, crs=crs, **options)
    for window_pixels in (64, 700, 1 << 22):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pixels, "WINDOW_PIXELS", window_pixels)
            alike(whole, engine.sum_raster(source, grid, counties), crs)


def alike(whole, other, crs):
    # Corners of slanted pixels are interpolated within a window.
    rtol = 1e-12 if crs == "EPSG:4326" else 1e-8
    pd.testing.assert_frame_equal(whole.parts, other.parts, rtol=rtol)
    pd.testing.assert_frame_equal(whole.account, other.account, rtol=rtol)


@pytest.mark.parametrize(
    "kind", ["uint8", "int16", "uint16", "int32", "uint32", "int64", "float32", "float64"]
)
def test_every_type_of_pixel_gives_the_same_sums(
    tmp_path, engine, grid, counties, random_people, write_raster, kind
):
    people = random_people.copy()
    people[::3, ::2] = 77.0
    expected = engine.sum_raster(write_raster(tmp_path / "a.tif", people, PLACE, nodata=77.0), grid, counties)
    source = write_raster(tmp_path / "b.tif", people.astype(kind), PLACE, nodata=77)
    same_bits(expected, engine.sum_raster(source, grid, counties))
    assert expected.account["nodata_pixels"].sum() == (people == 77.0).sum()
    assert expected.account["count_in"].sum() == people[people != 77.0].sum()


def test_nodata_pixels_are_told_by_county(tmp_path, engine, grid, counties, write_raster):
    # Columns of 0.01 degree from 111.99: one outside, five in each county, one outside; two rows in both.
    values = np.ones((2, 12), dtype="float32")
    values[:, 0] = values[0, 1:4] = np.nan
    values[1, 6:8] = np.nan
    place = (0.01, 0.0, 111.99, 0.0, -0.01, 37.03)
    account = engine.sum_raster(
        write_raster(tmp_path / "p.tif", values, place, nodata=np.nan), grid, counties
    ).account
    assert account["nodata_pixels"].to_dict() == {"01": 3, "02": 2, "outside": 2}
    assert account["count_in"].to_dict() == {"01": 7.0, "02": 8.0, "outside": 2.0}


# --- mosaics ------------------------------------------------------------------------------------------------


def test_a_mosaic_gives_the_sums_of_the_whole(tmp_path, engine, grid, counties, random_people, write_raster):
    whole = engine.sum_raster(write_raster(tmp_path / "a.tif", random_people, PLACE), grid, counties)
    paths = []
    for number, (rows, cols) in enumerate(
        [(slice(0, 13), slice(0, 40)), (slice(13, 30), slice(0, 22)), (slice(13, 30), slice(22, 40))]
    ):
        corner = (*PLACE[:2], PLACE[2] + PLACE[0] * cols.start, *PLACE[3:5], PLACE[5] + PLACE[4] * rows.start)
        paths.append(str(tmp_path / f"{number}.tif"))
        write_raster(tmp_path / f"{number}.tif", random_people[rows, cols], corner)
    tiles = engine.sum_raster(RasterSource(tuple(paths), ("0", "1", "2"), 2020), grid, counties)
    pd.testing.assert_frame_equal(whole.parts, tiles.parts, rtol=1e-9)
    pd.testing.assert_frame_equal(whole.account, tiles.account, rtol=1e-12)


def test_faults_of_pixels_name_their_tile(tmp_path, engine, grid, counties, random_people, write_raster):
    wrong = random_people.copy()
    wrong[4, 5], wrong[9, 1] = -1.0, np.inf
    write_raster(tmp_path / "a.tif", random_people, PLACE)
    write_raster(tmp_path / "b.tif", wrong, (*PLACE[:2], PLACE[2] + 40 * PLACE[0], *PLACE[3:]))
    source = RasterSource((str(tmp_path / "a.tif"), str(tmp_path / "b.tif")), ("west", "east"), 2020)
    with pytest.raises(InputError) as caught:
        engine.sum_raster(source, grid, counties)
    assert [str(fault).split(", expected")[0] for fault in caught.value.faults] == [
        "east pixel row 4, column 5: found -1 (negative pixels in all: 1)",
        "east pixel row 9, column 1: found inf (infinite pixels in all: 1)",
    ]


def test_pixels_that_cannot_be_decoded_are_a_fault(tmp_path, engine, grid, counties, write_raster):
    people = np.random.default_rng(1).random((64, 64)).astype("float32")
    source = write_raster(tmp_path / "p.tif", people, PLACE, compress="deflate", blockysize=16)
    data = bytearray((tmp_path / "p.tif").read_bytes())
    data[len(data) // 2 : len(data) // 2 + 400] = bytes(400)
    (tmp_path / "p.tif").write_bytes(data)
    with pytest.raises(InputError, match=r"^p\.tif pixel rows 0 to 63: found pixels that cannot be read \("):
        engine.sum_raster(source, grid, counties)


# --- against brute force and exactextract -------------------------------------------------------------------


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10_000),
    cells=st.tuples(st.sampled_from([150.0, 500.0, 1700.0]), st.sampled_from(["auto", "area", "centre"])),
    system=st.sampled_from(
        [("EPSG:4326", 0), ("EPSG:4326", 33), ("EPSG:32649", 0), ("ESRI:54009", 0), ("ESRI:102025", -20)]
    ),
    nodata=st.sampled_from([None, -99999.0, 0.0, np.nan]),
)
def test_people_are_conserved_in_every_system(tmp_path, counties, write_raster, seed, cells, system, nodata):
    crs, angle = system
    random = np.random.default_rng(seed)
    values = random.integers(0, 1000, random.integers(2, 25, 2)).astype("float64")
    values[0, 0] = 1.0
    if nodata is not None:
        values[random.random(values.shape) < 0.4] = nodata
    x, y = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(112.03, 37.03)
    side = random.uniform(0.0007, 0.01) if crs == "EPSG:4326" else random.uniform(70.0, 1000.0)
    turn = (
        rasterio.Affine.translation(x, y)
        @ rasterio.Affine.rotation(angle)
        @ rasterio.Affine.scale(side, -side)
    )
    turn = turn @ rasterio.Affine.translation(-values.shape[1] / 2, -values.shape[0] / 2)
    source = write_raster(tmp_path / "p.tif", values, turn[:6], crs=crs, nodata=nodata)
    grid = make_grid(counties, GridSettings(cell_m=cells[0], pixel_method=cells[1]))
    answer = EmbeddedEngine().sum_raster(source, grid, counties)
    gone = np.isnan(values) if nodata is not None and np.isnan(nodata) else values == nodata
    inside = answer.account.drop(index="outside")
    assert np.allclose(inside["count_in"], inside["count_out"], rtol=1e-9, atol=0.0)
    assert answer.account["count_in"].sum() == values[~gone].sum()
    assert answer.account["nodata_pixels"].sum() == gone.sum()
    assert answer.parts["cell_id"].isin(grid.cells.index).all()
    assert not answer.parts.duplicated(["cell_id", "county_id"]).any()


@pytest.mark.parametrize(
    ("crs", "place"), [("EPSG:4326", PLACE), ("EPSG:32649", UTM), ("EPSG:32649", TURNED)]
)
def test_by_centres_every_pixel_goes_whole_to_one_cell(
    tmp_path, engine, counties, random_people, write_raster, crs, place
):
    grid = make_grid(counties, GridSettings(cell_m=500.0, pixel_method="centre"))
    source = write_raster(tmp_path / "p.tif", random_people, place, crs=crs)
    row, col = (index.ravel() + 0.5 for index in np.indices(random_people.shape))
    x, y = place[2] + place[0] * col + place[1] * row, place[5] + place[3] * col + place[4] * row
    lon, lat = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(x, y)
    people = random_people.ravel()
    points = gpd.GeoDataFrame({"people": people}, geometry=gpd.points_from_xy(lon, lat), crs="EPSG:4326")
    lons, lats = edge_lines(grid.lattice)
    cells = grid.cells
    boxes = gpd.GeoDataFrame(
        {"cell_id": cells.index},
        geometry=shapely.box(
            lons[cells["col"]], lats[cells["row"]], lons[cells["col"] + 1], lats[cells["row"] + 1]
        ),
        crs="EPSG:4326",
    )
    homes = (
        points.sjoin(counties[["geometry"]])
        .rename(columns={"county_id": "home"})
        .drop(columns="index_right", errors="ignore")
    )
    expected = homes.sjoin(boxes).groupby(["cell_id", "home"])["people"].sum()
    got = engine.sum_raster(source, grid, counties).parts.set_index(["cell_id", "county_id"])["people"]
    expected = expected[expected > 0]
    assert got.index.to_list() == expected.index.to_list()
    assert (got.to_numpy() == expected.to_numpy()).all()


def test_projected_sums_equal_those_of_exactextract(tmp_path, engine, write_raster, make_counties):
    # Cells as polygons in UTM, their sides cut fine: people by share of the pixel's area.
    county = make_counties(shapely.box(112.0, 37.0, 112.05, 37.05))
    grid = make_grid(county, GridSettings(cell_m=1000.0, pixel_method="area"))
    people = np.random.default_rng(3).random((160, 160))
    source = write_raster(
        tmp_path / "p.tif", people, (50.0, 0.0, 588_000.0, 0.0, -50.0, 4_102_500.0), crs="EPSG:32649"
    )
    lattice, rows, cols = grid.lattice, grid.cells["row"].to_numpy(), grid.cells["col"].to_numpy()
    ours = engine.sum_raster(source, grid, county).parts.set_index("cell_id")["people"]
    squares = shapely.segmentize(shapely.box(cols, rows, cols + 1, rows + 1), 0.05)

    def to_utm(uv):
        lonlat = to_lonlat(
            lattice, lattice.x0_m + uv[:, 0] * lattice.cell_m, lattice.y0_m + uv[:, 1] * lattice.cell_m
        )
        return np.column_stack(
            pyproj.Transformer.from_crs("EPSG:4326", "EPSG:32649", always_xy=True).transform(*lonlat)
        )

    boxes = gpd.GeoDataFrame(
        geometry=shapely.transform(squares, to_utm), crs="EPSG:32649", index=grid.cells.index
    )
    west, south, east, north = county.to_crs("EPSG:32649").geometry.iloc[0].bounds
    bounds = boxes.bounds
    inner = bounds[
        (bounds.minx > west + 100)
        & (bounds.maxx < east - 100)
        & (bounds.miny > south + 100)
        & (bounds.maxy < north - 100)
    ].index
    assert len(inner) >= 9
    with rasterio.open(source.paths[0]) as file:
        rival = exactextract.exact_extract(file, boxes.loc[inner], "sum", output="pandas")["sum"].to_numpy()
    assert np.allclose(ours.loc[inner], rival, rtol=1e-6)
