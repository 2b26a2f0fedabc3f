"""Rasters to cells: exact shares, nobody lost, nobody invented."""

import os
from pathlib import Path

import exactextract
import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from siteplanner.engines.embedded import EmbeddedEngine
from siteplanner.engines.shares import by_column, share_out
from siteplanner.layers import pixels
from siteplanner.layers.gdal import rasterio
from siteplanner.layers.sources import RasterSource
from siteplanner.model.grid import make_grid
from siteplanner.model.lattice import edge_lines, to_lonlat, to_plane
from siteplanner.scenario import GridSettings

SHARED = os.environ.get("SITEPLANNER_SHARED_DATA")


def conserved(answer):
    account = answer.account
    inside = account.drop(index="outside")
    assert np.allclose(inside["count_in"], inside["count_out"], rtol=1e-9, atol=1e-9)
    by_county = answer.parts.groupby("county_id")["people"].sum().reindex(inside.index, fill_value=0.0)
    assert np.allclose(by_county, inside["count_out"], rtol=1e-12)
    assert account.loc["outside", "count_out"] == 0.0


def nearest_by_hand(grid, row, col):
    far2 = (grid.cells["row"] - row) ** 2 + (grid.cells["col"] - col) ** 2
    return far2[far2 == far2.min()].index.min()


def brute_force(values, place, grid):
    """Cut every pixel with every lattice cell; what falls off the grid goes to the nearest cell."""
    lattice = grid.lattice
    people = dict.fromkeys(grid.cells.index, 0.0)
    for row, col in zip(*np.nonzero(values), strict=True):
        lon = place[2] + place[0] * np.array([col, col + 0.5, col + 1])
        lat = place[5] + place[4] * np.array([row + 1, row + 0.5, row])
        x = (to_plane(lattice, lon, lat * 0)[0] - lattice.x0_m) / lattice.cell_m
        y = (to_plane(lattice, lon * 0, lat)[1] - lattice.y0_m) / lattice.cell_m
        area = (x[2] - x[0]) * (y[2] - y[0])
        for r in range(int(np.floor(y[0])), int(np.ceil(y[2]))):
            for c in range(int(np.floor(x[0])), int(np.ceil(x[2]))):
                part = (min(y[2], r + 1) - max(y[0], r)) * (min(x[2], c + 1) - max(x[0], c)) / area
                people[nearest_by_hand(grid, r, c)] += part * values[row, col]
    return pd.Series(people).sort_index()


def cut_with_shapely(values, place, crs, grid):
    """Cut the quadrilateral of every pixel with the boxes of the cells, in the plane of the lattice."""
    lattice = grid.lattice
    row, col = (index.ravel() for index in np.indices(values.shape))
    corner_col, corner_row = (
        np.add.outer(at, step) for at, step in ((col, [0, 1, 1, 0]), (row, [0, 0, 1, 1]))
    )
    x, y = (
        place[2] + place[0] * corner_col + place[1] * corner_row,
        place[5] + place[3] * corner_col + place[4] * corner_row,
    )
    lon, lat = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(x, y)
    x_m, y_m = to_plane(lattice, lon, lat)
    u, v = (x_m - lattice.x0_m) / lattice.cell_m, (y_m - lattice.y0_m) / lattice.cell_m
    quads = shapely.polygons(np.stack([u, v], axis=-1))
    at_row, at_col = grid.cells["row"].to_numpy(), grid.cells["col"].to_numpy()
    cells = shapely.box(at_col, at_row, at_col + 1, at_row + 1)
    quad, cell = shapely.STRtree(cells).query(quads)
    share = shapely.area(shapely.intersection(quads[quad], cells[cell])) / shapely.area(quads[quad])
    people = np.bincount(cell, weights=share * values.ravel()[quad], minlength=len(cells))
    return pd.Series(people, index=grid.cells.index)


def test_shares_of_intervals_by_hand():
    # Intervals [-0.5, 0.5], [0.5, 1], [1, 3.25].
    parts = share_out(np.array([-0.5, 0.5, 1.0, 3.25]))
    assert parts.at.tolist() == [0, 2, 3, 6]
    assert parts.cell.tolist() == [-1, 0, 0, 1, 2, 3]
    assert np.allclose(parts.share, [0.5, 0.5, 1.0, 1 / 2.25, 1 / 2.25, 0.25 / 2.25])
    # The same from north to south.
    back = share_out(np.array([3.25, 1.0, 0.5, -0.5]))
    assert back.cell.tolist() == [1, 2, 3, 0, -1, 0]
    # By cell: cell 0 holds pixel 1 whole and half of pixel 0.
    cols = by_column(parts)
    assert (cols.base, cols.whole_from[1], cols.whole_to[1]) == (-1, 1, 2)
    assert cols.piece_pixel[cols.piece_at[1] : cols.piece_at[2]].tolist() == [0]
    assert cols.low.tolist() == [-1, 0, 1]
    assert cols.high.tolist() == [0, 0, 3]


def test_one_pixel_over_four_cells_is_split_by_area(tmp_path, engine, grid, counties, write_raster):
    lattice = grid.lattice
    # A pixel of one by one cell, a quarter cell east and a half cell north of the corner of cell (2, 3).
    x = lattice.x0_m + lattice.cell_m * np.array([3.25, 4.25])
    y = lattice.y0_m + lattice.cell_m * np.array([2.5, 3.5])
    lon, lat = to_lonlat(lattice, x, y)
    place = (lon[1] - lon[0], 0.0, lon[0], 0.0, lat[0] - lat[1], lat[1])
    answer = engine.sum_raster(write_raster(tmp_path / "p.tif", np.array([[800.0]]), place), grid, counties)
    corner = 2 * lattice.n_cols + 3
    expected = {
        corner: 300.0,
        corner + 1: 100.0,
        corner + lattice.n_cols: 300.0,
        corner + lattice.n_cols + 1: 100.0,
    }
    got = dict(zip(answer.parts["cell_id"], answer.parts["people"], strict=True))
    assert got == pytest.approx(expected, rel=1e-9)
    conserved(answer)


def test_every_cell_agrees_with_brute_force(tmp_path, engine, grid, counties, random_people, write_raster):
    place = (0.0033, 0.0, 111.985, 0.0, -0.0027, 37.07)
    answer = engine.sum_raster(write_raster(tmp_path / "p.tif", random_people, place), grid, counties)
    conserved(answer)
    row, col = np.indices(random_people.shape)
    lon, lat = place[2] + place[0] * (col + 0.5), place[5] + place[4] * (row + 0.5)
    inside = (lon > 112.0) & (lon < 112.1) & (lat > 37.0) & (lat < 37.05)
    expected = brute_force(np.where(inside, random_people, 0.0), place, grid)
    got = answer.parts.groupby("cell_id")["people"].sum().reindex(expected.index, fill_value=0.0)
    assert np.abs(got - expected).max() < 1e-9
    assert answer.account.loc["outside", "count_in"] == random_people[~inside].sum()


def test_people_live_in_the_county_of_their_pixels_centre(tmp_path, engine, grid, counties, write_raster):
    # Pixels of 0.02 degree; the third, from 112.04 to 112.06, has its centre on the border: one takes it.
    place = (0.02, 0.0, 112.0, 0.0, -0.05, 37.05)
    values = np.array([[1.0, 2.0, 4.0, 8.0, 16.0]])
    answer = engine.sum_raster(write_raster(tmp_path / "p.tif", values, place), grid, counties)
    conserved(answer)
    got = answer.account["count_in"].to_dict()
    assert got["01"] + got["02"] == 31.0
    assert got["01"] in {3.0, 7.0}


def test_a_county_in_several_parts_has_the_people_of_all_of_them(
    tmp_path, engine, random_people, write_raster, make_counties
):
    source = write_raster(tmp_path / "r.tif", random_people, (0.004, 0, 111.98, 0, -0.004, 37.08))
    one, other = shapely.box(112.0, 37.0, 112.05, 37.05), shapely.box(112.06, 37.0, 112.1, 37.05)
    apart = make_counties(one, other)
    together = make_counties(shapely.MultiPolygon([one, other]))
    answers = [
        engine.sum_raster(source, make_grid(counties, GridSettings(cell_m=500.0)), counties).account
        for counties in (apart, together)
    ]
    assert answers[1].loc["01", "count_in"] == answers[0].loc[["01", "02"], "count_in"].sum() > 0.0


def test_a_pixel_larger_than_its_county_keeps_all_its_people(tmp_path, engine, write_raster, make_counties):
    county = make_counties(shapely.box(112.04, 37.04, 112.06, 37.06))
    grid = make_grid(county, GridSettings(cell_m=500.0))
    source = write_raster(tmp_path / "p.tif", np.array([[1000.0]]), (0.1, 0.0, 112.0, 0.0, -0.1, 37.1))
    answer = engine.sum_raster(source, grid, county)
    conserved(answer)
    people = answer.parts.set_index("cell_id")["people"]
    # Every cell has its share of the area; what falls off the grid is with the cells at its rim.
    share = 1000.0 * grid.lattice.cell_m**2 / pixel_area_m2(grid.lattice, 112.0, 37.0, 112.1, 37.1)
    rows, cols = grid.cells["row"], grid.cells["col"]
    inner = grid.cells.index[rows.between(1, rows.max() - 1) & cols.between(1, cols.max() - 1)]
    assert len(inner) >= 4
    assert np.allclose(people[inner], share, rtol=1e-9)
    assert (people.drop(inner) > share * 1.5).all()
    assert people.to_dict() == pytest.approx(
        brute_force(np.array([[1000.0]]), (0.1, 0.0, 112.0, 0.0, -0.1, 37.1), grid).to_dict()
    )


def pixel_area_m2(lattice, west, south, east, north):
    x, y = to_plane(lattice, np.array([west, east]), np.array([south, north]))
    return (x[1] - x[0]) * (y[1] - y[0])


def test_nodata_mask_scale_and_offset_are_honoured(tmp_path, engine, grid, counties, write_raster):
    place = (0.01, 0.0, 112.0, 0.0, -0.01, 37.05)
    values = np.full((5, 10), 20, dtype="int16")
    values[0, 0] = -999
    mask = np.full((5, 10), 255, dtype="uint8")
    mask[4, 9] = 0
    nodata = write_raster(tmp_path / "a.tif", values, place, nodata=-999)
    assert engine.sum_raster(nodata, grid, counties).account["count_in"].sum() == 49 * 20.0
    values[0, 0] = 20
    masked = write_raster(tmp_path / "b.tif", values, place, mask=mask)
    assert engine.sum_raster(masked, grid, counties).account["count_in"].sum() == 49 * 20.0
    scaled = write_raster(tmp_path / "c.tif", values, place, scale=(0.5, 1.0))
    assert engine.sum_raster(scaled, grid, counties).account["count_in"].sum() == 50 * 11.0


def test_bands_of_rows_do_not_change_the_answer(
    tmp_path, engine, grid, counties, random_people, monkeypatch, write_raster
):
    place = (0.0033, 0.0, 111.985, 0.0, -0.0027, 37.07)
    source = write_raster(tmp_path / "p.tif", random_people, place, blockysize=1)
    whole = engine.sum_raster(source, grid, counties)
    monkeypatch.setattr(pixels, "WINDOW_PIXELS", 120)
    banded = engine.sum_raster(source, grid, counties)
    pd.testing.assert_frame_equal(whole.parts, banded.parts, rtol=1e-12)
    pd.testing.assert_frame_equal(whole.account, banded.account, rtol=1e-12)


def test_order_of_counties_does_not_change_the_answer(
    tmp_path, engine, grid, counties, random_people, write_raster
):
    source = write_raster(tmp_path / "p.tif", random_people, (0.0033, 0.0, 111.985, 0.0, -0.0027, 37.07))
    forward = engine.sum_raster(source, grid, counties)
    backward = engine.sum_raster(source, grid, counties.iloc[::-1])
    pd.testing.assert_frame_equal(forward.parts, backward.parts)
    pd.testing.assert_frame_equal(forward.account, backward.account)


def test_a_projected_raster_is_conserved_and_lands_where_it_lies(
    tmp_path, engine, grid, counties, random_people, write_raster
):
    # The region in UTM 49 N spans 589-598 km E and 4,095-4,101 km N; pixels of 300 m cover all of it.
    place = (300.0, 0.0, 587_000.0, 0.0, -300.0, 4_103_000.0)
    source = write_raster(tmp_path / "p.tif", random_people, place, crs="EPSG:32649")
    answer = engine.sum_raster(source, grid, counties)
    conserved(answer)
    assert answer.account["count_in"].sum() == random_people.sum()
    expected = cut_with_shapely(random_people, place, "EPSG:32649", grid)
    got = answer.parts.groupby("cell_id")["people"].sum()
    rows, cols = grid.cells["row"], grid.cells["col"]
    inner = grid.cells.index[rows.between(2, 9) & cols.between(2, 16)]
    assert len(inner) == 8 * 15
    assert np.allclose(got.reindex(inner), expected.reindex(inner), rtol=1e-7)


def test_sums_equal_those_of_exactextract(tmp_path, engine, write_raster, make_counties):
    # exactextract takes shares in degrees, we in area: for pixels of 0.0005 degree the same to 1e-6.
    county = make_counties(shapely.box(112.0, 37.0, 112.05, 37.05))
    grid = make_grid(county, GridSettings(cell_m=1000.0, pixel_method="area"))
    people = np.random.default_rng(3).random((140, 140))
    place = (0.0005, 0.0, 111.99, 0.0, -0.0005, 37.06)
    source = write_raster(tmp_path / "p.tif", people, place)
    lons, lats = edge_lines(grid.lattice)
    row, col = grid.cells["row"].to_numpy(), grid.cells["col"].to_numpy()
    inner = (lons[col] > 112.0) & (lons[col + 1] < 112.05) & (lats[row] > 37.0) & (lats[row + 1] < 37.05)
    row, col = row[inner], col[inner]
    boxes = gpd.GeoDataFrame(
        geometry=shapely.box(lons[col], lats[row], lons[col + 1], lats[row + 1]), crs="EPSG:4326"
    )
    with rasterio.open(source.paths[0]) as file:
        rival = exactextract.exact_extract(file, boxes, "sum", output="pandas")["sum"].to_numpy()
    ours = engine.sum_raster(source, grid, county).parts.set_index("cell_id")["people"]
    assert inner.sum() >= 9
    assert np.allclose(ours.loc[grid.cells.index[inner]], rival, rtol=1e-6)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    steps=st.tuples(st.floats(0.001, 0.03), st.floats(0.001, 0.03)),
    corner=st.tuples(st.floats(111.95, 112.05), st.floats(37.0, 37.1)),
    other=st.tuples(st.sampled_from([300.0, 500.0, 1700.0]), st.integers(0, 10_000)),
)
def test_people_are_conserved_on_any_raster(tmp_path, counties, write_raster, shape, steps, corner, other):
    cell_m, seed = other
    random = np.random.default_rng(seed)
    values = random.integers(0, 1000, shape).astype("float32")
    values[random.random(shape) < 0.3] = -99999.0
    place = (steps[0], 0.0, corner[0], 0.0, -steps[1], corner[1])
    source = write_raster(tmp_path / "p.tif", values, place, nodata=-99999.0)
    grid = make_grid(counties, GridSettings(cell_m=cell_m))
    answer = EmbeddedEngine().sum_raster(source, grid, counties)
    conserved(answer)
    # Whole numbers: the raster's own sum is exact.
    assert answer.account["count_in"].sum() == values[values >= 0].astype(float).sum()
    assert answer.parts["cell_id"].isin(grid.cells.index).all()
    assert (answer.parts["people"] > 0).all()
    assert answer.parts.equals(answer.parts.sort_values(["cell_id", "county_id"], ignore_index=True))


@pytest.mark.shared
@pytest.mark.skipif(not SHARED, reason="SITEPLANNER_SHARED_DATA is not set")
@pytest.mark.parametrize(
    ("name", "total"),
    [
        ("benchmarks/raster_aruba/abw_ppp_2020_UNadj_constrained.tif", 106_766.0),
        ("other/wuhan/wuhan_worldpop100m_age20plus.tif", None),
        ("other/wuhan/wuhan_worldpop100m_age65plus.tif", None),
    ],
)
def test_real_rasters_are_conserved(name, total, make_counties):
    path = Path(SHARED or "") / name
    with rasterio.open(path) as file:
        own = float(file.read(1, masked=True).astype("float64").sum())
        west, south, east, north = file.bounds
    middle = (west + east) / 2.0
    counties = make_counties(
        shapely.box(west - 0.01, south - 0.01, middle, north + 0.01),
        shapely.box(middle, south - 0.01, east + 0.01, north + 0.01),
    )
    grid = make_grid(counties, GridSettings(cell_m=500.0))
    answer = EmbeddedEngine().sum_raster(RasterSource((str(path),), (path.name,), 2020), grid, counties)
    conserved(answer)
    assert answer.account["count_in"].sum() == pytest.approx(own, rel=1e-9)
    if total is not None:
        assert round(answer.account["count_out"].sum()) == total
