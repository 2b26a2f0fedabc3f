"""People and footfall by H3 cell: against cutting every pixel, and against H3's own word."""

from types import SimpleNamespace

import h3
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from siteplanner.engines.borders import Borders
from siteplanner.engines.hexagons import sum_hexagons
from siteplanner.engines.people import sum_people
from siteplanner.engines.polygons import sum_people_of, sum_polygons
from siteplanner.errors import EngineError
from siteplanner.layers import pixels
from siteplanner.layers.sources import RasterSource
from siteplanner.model.grid import make_grid
from siteplanner.model.hexagons import lay_hexagons
from siteplanner.scenario import GridSettings
from siteplanner.tables import FOOTFALL_BANDS

PLACE = (0.004, 0.0, 111.98, 0.0, -0.004, 37.07)
NOBODY = pd.DataFrame(columns=list(FOOTFALL_BANDS), index=pd.Index([], name="cell_id", dtype="int64"))


def layers_of(counties, population, earlier=None, aged=None):
    return SimpleNamespace(counties=counties, population=population, population_earlier=earlier, aged_60=aged)


def hexagon(name):
    return shapely.Polygon([(lon, lat) for lat, lon in h3.cell_to_boundary(name)])


def pixel_boxes(values, place=PLACE):
    rows, cols = np.indices(values.shape)
    west, north = place[2] + place[0] * cols, place[5] + place[4] * rows
    return shapely.box(west, north + place[4], west + place[0], north)


def own_people(values, counties, place=PLACE):
    """Keep the people of pixels whose centre lies in a county."""
    centres = shapely.centroid(pixel_boxes(values, place))
    return np.where(shapely.intersects(centres, counties.geometry.union_all()), values, 0.0)


def conserved(sums):
    for account in sums.accounts.values():
        assert account["count_out"].iloc[0] == pytest.approx(account["count_in"].iloc[0], rel=1e-9)
    return sums.accounts


def test_without_a_resolution_there_are_none(counties, grid):
    sums = sum_hexagons(layers_of(counties, None), grid, None, NOBODY, None)
    assert sums.cells.empty
    assert sums.accounts == {}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1), resolution=st.integers(6, 9), kind=st.sampled_from(["area", "centre"]))
def test_cells_hold_what_cutting_every_pixel_gives(
    tmp_path, engine, counties, write_raster, seed, resolution, kind
):
    values = np.random.default_rng(seed).gamma(0.3, 100.0, (25, 40))
    source = write_raster(tmp_path / "r.tif", values, PLACE)
    grid = make_grid(counties, GridSettings(cell_m=500.0, pixel_method=kind))
    layers = layers_of(counties, source)
    people = sum_people(engine, layers, grid)
    sums = sum_hexagons(layers, grid, people, NOBODY, resolution)
    conserved(sums)
    shapes = [hexagon(name) for name in sums.cells.index]
    boxes, own = pixel_boxes(values), own_people(values, counties)
    share = (
        [shapely.area(shapely.intersection(boxes, shape)) / (0.004 * 0.004) for shape in shapes]
        if kind == "area"
        else [shapely.contains(shape, shapely.centroid(boxes)) for shape in shapes]
    )
    expected = [(one * own).sum() for one in share]
    assert sums.cells["residents"].to_numpy() == pytest.approx(expected, rel=1e-9, abs=1e-7)
    # No cell that touches a county is missing, none is there for nothing.
    region = counties.geometry.union_all()
    assert all(shape.intersects(region) or total > 0.0 for shape, total in zip(shapes, expected, strict=True))
    touching = h3.h3shape_to_cells_experimental(h3.geo_to_h3shape(region), resolution, contain="overlap")
    assert set(touching) <= set(sums.cells.index)


def test_whole_pixels_go_where_h3_puts_their_centre(tmp_path, engine, counties, write_raster):
    place = (0.0005, 0.0, 111.99, 0.0, -0.0005, 37.06)
    values = np.random.default_rng(3).gamma(0.3, 100.0, (140, 240))
    layers = layers_of(counties, write_raster(tmp_path / "r.tif", values, place))
    grid = make_grid(counties, GridSettings(cell_m=500.0))
    sums = sum_hexagons(layers, grid, sum_people(engine, layers, grid), NOBODY, 8)
    conserved(sums)
    own = own_people(values, counties, place)
    expected = {}
    for row, col in zip(*np.nonzero(own), strict=True):
        name = h3.latlng_to_cell(37.06 - 0.0005 * (row + 0.5), 111.99 + 0.0005 * (col + 0.5), 8)
        expected[name] = expected.get(name, 0.0) + own[row, col]
    # Pixels of 50 m are small beside cells of 0.7 km2: auto leaves them whole.
    got = sums.cells["residents"]
    assert got.to_numpy() == pytest.approx(pd.Series(expected).reindex(got.index, fill_value=0.0).to_numpy())


def test_rasters_that_are_not_given_are_filled_as_everywhere(tmp_path, engine, counties, grid, write_raster):
    values = np.random.default_rng(4).gamma(0.3, 100.0, (25, 40))
    layers = layers_of(counties, write_raster(tmp_path / "r.tif", values, PLACE))
    alone = sum_hexagons(layers, grid, sum_people(engine, layers, grid), NOBODY, 7).cells
    assert alone["residents_earlier"].equals(alone["residents"].rename("residents_earlier"))
    assert not alone["aged_60"].any()
    assert not set(FOOTFALL_BANDS) & set(alone.columns)
    aged = layers_of(
        counties, layers.population,
        write_raster(tmp_path / "e.tif", values[::-1].copy(), PLACE),
        write_raster(tmp_path / "a.tif", values * 0.25, PLACE),
    )  # fmt: skip
    sums = sum_hexagons(aged, grid, sum_people(engine, aged, grid), NOBODY, 7)
    assert set(conserved(sums)) == {"h3_residents", "h3_residents_earlier", "h3_aged_60"}
    assert sums.cells["aged_60"].to_numpy() == pytest.approx(alone["residents"].to_numpy() * 0.25)


def test_coarse_pixels_may_stick_out_of_the_counties(tmp_path, engine, counties, write_raster):
    """Cells of 130 m beside pixels of 3 km: what sticks out by half a pixel is still somewhere."""
    place = (0.03, 0.0, 111.98, 0.0, -0.03, 37.07)
    values = np.random.default_rng(5).gamma(0.3, 100.0, (4, 5)) + 1.0
    layers = layers_of(counties, write_raster(tmp_path / "r.tif", values, place))
    grid = make_grid(counties, GridSettings(cell_m=500.0))
    conserved(sum_hexagons(layers, grid, sum_people(engine, layers, grid), NOBODY, 10))


def test_footfall_of_a_cell_is_shared_by_area(tmp_path, engine, counties, grid, write_raster):
    values = np.ones((25, 40))
    layers = layers_of(counties, write_raster(tmp_path / "r.tif", values, PLACE))
    rng = np.random.default_rng(6)
    traffic = pd.DataFrame(
        rng.gamma(0.3, 100.0, (len(grid.cells), len(FOOTFALL_BANDS))),
        columns=list(FOOTFALL_BANDS), index=grid.cells.index,
    ).iloc[::3]  # fmt: skip
    sums = sum_hexagons(layers, grid, sum_people(engine, layers, grid), traffic, 9)
    conserved(sums)
    for band in FOOTFALL_BANDS:
        assert sums.cells[band].sum() == pytest.approx(traffic[band].sum(), rel=1e-9)
    alone = traffic.iloc[[7]]
    cell = sum_hexagons(layers, grid, sum_people(engine, layers, grid), alone, 9).cells
    lit = cell[cell[FOOTFALL_BANDS[0]] > 0.0]
    # A cell of the lattice, 0.25 km2, meets a handful of cells of 0.1 km2, which lie around it.
    middle = grid.cells.loc[alone.index[0], ["lat", "lon"]].to_list()
    assert 4 <= len(lit) <= 12
    assert all(h3.great_circle_distance(h3.cell_to_latlng(name), middle) < 0.7 for name in lit.index)


@pytest.mark.parametrize(
    ("west", "south", "resolution"),
    [(10.0, 64.2, 5), (179.6, -17.0, 6), (-180.0, -17.0, 6), (112.0, 37.0, 4)],
    ids=["around a pentagon", "west of the antimeridian", "east of it", "larger than the region"],
)
def test_cells_leave_no_gap(tmp_path, make_counties, write_raster, west, south, resolution):
    counties = make_counties(shapely.box(west, south, west + 0.4, south + 0.7))
    hexagons = lay_hexagons(counties, 0.02, resolution)
    has_pentagon = any(h3.is_pentagon(h3.int_to_str(number)) for number in hexagons.ids.tolist())
    assert has_pentagon == (south == 64.2)
    values = np.random.default_rng(7).gamma(0.3, 100.0, (70, 40))
    source = write_raster(tmp_path / "r.tif", values, (0.01, 0.0, west, 0.0, -0.01, south + 0.7))
    n = len(hexagons.ids)
    for method in ("area", "centre"):
        borders = Borders(hexagons.points, hexagons.ring, np.arange(n), n)
        people = sum_people_of(counties, source, borders, lambda _, method=method: method)
        assert people.sum() == pytest.approx(values.sum(), rel=1e-9)
        assert people.min() > -1e-9


def test_too_fine_a_resolution_is_refused_by_name(make_counties):
    counties = make_counties(shapely.box(100.0, 30.0, 110.0, 40.0))
    grid = make_grid(counties, GridSettings(cell_m=5000.0))
    with pytest.raises(EngineError, match=r"grid\.h3_resolution 10 makes about .* set it to 8 or less"):
        sum_hexagons(layers_of(counties, None), grid, None, NOBODY, 10)


def test_the_number_of_threads_is_nothing(tmp_path, counties, write_raster, monkeypatch):
    monkeypatch.setattr(pixels, "WINDOW_PIXELS", 1 << 10)
    values = np.random.default_rng(8).gamma(0.3, 100.0, (100, 160)).astype(np.float32)
    place = (0.001, 0.0, 111.98, 0.0, -0.001, 37.07)
    tiled = {"tiled": True, "blockxsize": 16, "blockysize": 16}
    west = write_raster(tmp_path / "w.tif", values[:, :64].copy(), place, **tiled)
    east = write_raster(tmp_path / "e.tif", values[:, 64:].copy(), (0.001, 0.0, 112.044, *place[3:]), **tiled)
    source = RasterSource(west.paths + east.paths, west.names + east.names, 2020)
    hexagons = lay_hexagons(counties, 0.002, 9)
    n = len(hexagons.ids)
    borders = Borders(hexagons.points, hexagons.ring, np.arange(n), n)
    answers = [
        sum_people_of(counties, source, borders, lambda _: "area", threads=threads) for threads in (1, 2, 5)
    ]
    assert all(np.array_equal(answers[0], other) for other in answers[1:])
    totals = [sum_polygons(source, counties, threads=threads) for threads in (1, 3)]
    assert totals[0].equals(totals[1])
