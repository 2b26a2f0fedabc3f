"""Sums over polygons by a walk along their borders: against cutting every pixel, and another library."""

from types import SimpleNamespace

import exactextract
import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from siteplanner.engines.people import conservation, sum_people
from siteplanner.engines.polygons import sum_polygons
from siteplanner.engines.walk import Edges, edges_inside, lay_route, walk_window
from siteplanner.layers.pixels import Window
from siteplanner.layers.sources import RasterSource

PLACE = (0.01, 0.0, 112.0, 0.0, -0.01, 37.2)
KEPT = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def frame(*shapes):
    return gpd.GeoDataFrame({"geometry": list(shapes)}, crs="EPSG:4326")


def brute_force(values, polygons, place=PLACE):
    """Cut every pixel with every polygon."""
    rows, cols = np.indices(values.shape)
    corners = []
    for down, right in ((0, 0), (0, 1), (1, 1), (1, 0)):
        row, col = rows + down, cols + right
        corners.append(
            np.dstack(
                [place[2] + place[0] * col + place[1] * row, place[5] + place[3] * col + place[4] * row]
            )
        )
    pixels = shapely.polygons(np.stack(corners, axis=2))
    area = abs(place[0] * place[4] - place[1] * place[3])
    return np.array(
        [(shapely.area(shapely.intersection(pixels, shape)) / area * values).sum() for shape in polygons]
    )


def star(rng, middle, size, n):
    """Return a star-shaped polygon with n corners: simple, rarely convex."""
    angle = np.sort(rng.uniform(0.0, 2.0 * np.pi, n))
    radius = size * rng.uniform(0.2, 1.0, n)
    points = np.column_stack([middle[0] + radius * np.cos(angle), middle[1] + radius * np.sin(angle)])
    return shapely.make_valid(shapely.Polygon(points), method="structure", keep_collapsed=False)


def tessellation(rng, n):
    """Return polygons that share their borders and cover more than the raster of 20 x 30 pixels."""
    around = shapely.box(111.9, 36.9, 112.4, 37.3)
    points = rng.uniform((111.9, 36.9), (112.4, 37.3), (n, 2))
    shapes = shapely.get_parts(shapely.voronoi_polygons(shapely.MultiPoint(points), extend_to=around))
    return shapely.intersection(shapes, around)


def test_shares_of_pixels_by_hand(tmp_path, write_raster):
    values = np.array([[1.0, 10.0], [100.0, 1000.0]])
    source = write_raster(tmp_path / "four.tif", values, PLACE)
    half_of_all = shapely.box(112.0, 37.18, 112.01, 37.2)
    middle = shapely.box(112.005, 37.185, 112.015, 37.195)
    lower_triangle = shapely.Polygon([(112.0, 37.18), (112.02, 37.18), (112.0, 37.2)])
    away = shapely.box(113.0, 37.0, 113.1, 37.1)
    wide = shapely.box(100.0, 30.0, 120.0, 40.0)
    answer = sum_polygons(source, frame(half_of_all, middle, lower_triangle, away, wide))
    assert answer.to_numpy() == pytest.approx([101.0, 1111.0 / 4.0, 0.5 + 100.0 + 500.0, 0.0, 1111.0])
    assert answer.iloc[3] == 0.0


def test_holes_and_parts(tmp_path, write_raster):
    values = np.arange(64.0).reshape(8, 8)
    source = write_raster(tmp_path / "r.tif", values, PLACE)
    outer = shapely.box(112.01, 37.13, 112.07, 37.19)
    ring = shapely.difference(outer, shapely.box(112.025, 37.145, 112.045, 37.166))
    pair = shapely.MultiPolygon(
        [shapely.box(112.0, 37.12, 112.005, 37.2), shapely.box(112.06, 37.1, 112.3, 37.15)]
    )
    assert sum_polygons(source, frame(ring, pair)).to_numpy() == pytest.approx(
        brute_force(values, [ring, pair]), rel=1e-9
    )


@KEPT
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(3, 30), size=st.floats(0.002, 0.3))
def test_random_polygons_match_cutting_and_exactextract(tmp_path, write_raster, seed, n, size):
    rng = np.random.default_rng(seed)
    values = rng.gamma(0.3, 100.0, (20, 30))
    source = write_raster(tmp_path / "r.tif", values, PLACE)
    shapes = [star(rng, rng.uniform((111.95, 36.95), (112.35, 37.25)), size, n) for _ in range(4)]
    polygons = frame(*[shape for shape in shapes if shape.area > 0.0])
    answer = sum_polygons(source, polygons).to_numpy()
    scale = values.sum() * 1e-11
    assert answer == pytest.approx(brute_force(values, polygons.geometry), rel=1e-9, abs=scale)
    other = exactextract.exact_extract(source.paths[0], polygons, "sum", output="pandas")["sum"]
    assert answer == pytest.approx(other.fillna(0.0).to_numpy(), rel=1e-6, abs=scale)


@KEPT
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 40))
def test_polygons_that_share_their_borders_share_the_people(tmp_path, write_raster, seed, n):
    rng = np.random.default_rng(seed)
    values = rng.gamma(0.3, 100.0, (20, 30))
    source = write_raster(tmp_path / "r.tif", values, PLACE)
    answer = sum_polygons(source, frame(*tessellation(rng, n)))
    assert answer.sum() == pytest.approx(values.sum(), rel=1e-12)


@KEPT
@given(seed=st.integers(0, 2**32 - 1), turn=st.integers(1, 8))
def test_where_a_ring_starts_and_which_way_it_winds_is_nothing(tmp_path, write_raster, seed, turn):
    rng = np.random.default_rng(seed)
    source = write_raster(tmp_path / "r.tif", rng.gamma(0.3, 100.0, (20, 30)), PLACE)
    one = star(rng, (112.15, 37.1), 0.12, 9)
    rings = shapely.get_rings(shapely.get_parts(one))
    other = []
    for ring in rings:
        points = shapely.get_coordinates(ring)[:-1]
        other.append(shapely.Polygon(np.roll(points, turn % len(points), axis=0)[::-1]))
    once, again = sum_polygons(source, frame(one, shapely.MultiPolygon(other)))
    assert again == pytest.approx(once, rel=1e-12)


def test_missing_pixels_count_nothing(tmp_path, write_raster):
    values = np.full((5, 10), 2.0)
    values[2, 3] = -99999.0
    all_of_it = frame(shapely.box(111.0, 36.0, 113.0, 38.0))
    nodata = write_raster(tmp_path / "n.tif", values, PLACE, nodata=-99999.0)
    assert sum_polygons(nodata, all_of_it).iloc[0] == 98.0
    mask = np.full((5, 10), 255, dtype=np.uint8)
    mask[4, :] = 0
    masked = write_raster(tmp_path / "m.tif", np.full((5, 10), 2.0), PLACE, mask=mask)
    assert sum_polygons(masked, all_of_it).iloc[0] == 80.0
    scaled = write_raster(tmp_path / "s.tif", np.full((5, 10), 2, dtype=np.uint8), PLACE, scale=(5.0, 1.0))
    assert sum_polygons(scaled, all_of_it).iloc[0] == 550.0


def test_tiles_of_a_mosaic_add_up(tmp_path, write_raster):
    values = np.random.default_rng(5).gamma(0.3, 100.0, (20, 30))
    whole = write_raster(tmp_path / "w.tif", values, PLACE)
    west = write_raster(tmp_path / "1.tif", values[:, :11].copy(), PLACE)
    east = write_raster(tmp_path / "2.tif", values[:, 11:].copy(), (0.01, 0.0, 112.11, 0.0, -0.01, 37.2))
    polygons = frame(*tessellation(np.random.default_rng(6), 7))
    together = sum_polygons(RasterSource(west.paths + east.paths, west.names + east.names, 2020), polygons)
    assert together.to_numpy() == pytest.approx(sum_polygons(whole, polygons).to_numpy(), rel=1e-12)


@pytest.mark.parametrize(
    "place",
    [
        (0.01, 0.0, 112.0, 0.0, 0.01, 37.0),
        (-0.01, 0.0, 112.3, 0.0, -0.01, 37.2),
        (0.009, 0.004, 112.0, 0.004, -0.009, 37.15),
    ],
    ids=["rows go north", "columns go west", "turned"],
)
def test_rasters_that_lie_otherwise(tmp_path, write_raster, place):
    rng = np.random.default_rng(8)
    values = rng.gamma(0.3, 100.0, (20, 30))
    source = write_raster(tmp_path / "r.tif", values, place)
    shapes = [star(rng, (112.15, 37.1), 0.1, 12) for _ in range(3)]
    answer = sum_polygons(source, frame(*shapes)).to_numpy()
    assert answer == pytest.approx(brute_force(values, shapes, place), rel=1e-9)


def test_a_projected_raster_meets_the_projected_polygons(tmp_path, write_raster):
    rng = np.random.default_rng(9)
    values = rng.gamma(0.3, 100.0, (40, 50))
    place = (1000.0, 0.0, 600_000.0, 0.0, -1000.0, 4_140_000.0)
    source = write_raster(tmp_path / "utm.tif", values, place, crs="EPSG:32649")
    polygons = frame(*tessellation(rng, 6))
    answer = sum_polygons(source, polygons)
    # Cut in the raster's own plane, with corners much closer than ours.
    dense = gpd.GeoSeries(shapely.segmentize(polygons.geometry.to_numpy(), 0.001), crs="EPSG:4326")
    expected = brute_force(values, dense.to_crs("EPSG:32649"), place)
    assert answer.to_numpy() == pytest.approx(expected, rel=1e-5, abs=1e-3)


def test_a_desert_beside_a_metropolis_keeps_its_few_people(tmp_path, write_raster):
    values = np.full((4, 2000), 1e-7)
    values[:, :1000] = 1e9 / 3.0
    source = write_raster(tmp_path / "r.tif", values, (0.01, 0.0, 100.0, 0.0, -0.01, 37.2))
    desert = frame(shapely.box(112.0, 37.161, 119.0, 37.199))
    assert sum_polygons(source, desert).iloc[0] == pytest.approx(700 * 3.8 * 1e-7, rel=1e-9)


def walked(edges, values, method, cut):
    """Walk windows of the given rows and columns, one after the other."""
    route = lay_route(edges, np.arange(0, len(values), cut[0]), len(values))
    people = np.zeros(edges.n_areas)
    for row in range(0, values.shape[0], cut[0]):
        for col in range(0, values.shape[1], cut[1]):
            part = values[row : row + cut[0], col : col + cut[1]]
            window = Window(0, 0, row, col, *part.shape)
            here = edges_inside(route, window)
            np.add.at(people, edges.owner[here], walk_window(route, here, window, part, method))
    return people


@KEPT
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 20), cols=st.integers(1, 30))
def test_the_cut_into_windows_changes_nothing(seed, rows, cols):
    rng = np.random.default_rng(seed)
    values = rng.gamma(0.3, 100.0, (20, 30))
    u, v = rng.uniform(-3.0, 33.0, (3, 6)), rng.uniform(-3.0, 23.0, (3, 6))
    ends = (u.ravel(), v.ravel(), np.roll(u, -1, axis=1).ravel(), np.roll(v, -1, axis=1).ravel())
    edges = Edges(*ends, np.repeat(np.arange(3), 6), 3)
    for method in ("area", "centre"):
        whole = walked(edges, values, method, (20, 30))
        assert walked(edges, values, method, (rows, cols)) == pytest.approx(whole, rel=1e-12, abs=1e-9)


@KEPT
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(3, 20), size=st.floats(0.5, 20.0))
def test_whole_pixels_go_where_their_centre_is(seed, n, size):
    rng = np.random.default_rng(seed)
    values = rng.gamma(0.3, 100.0, (20, 30))
    shape = star(rng, rng.uniform((-2.0, -2.0), (32.0, 22.0)), size, n)
    polygon = shapely.orient_polygons(shapely.get_parts(shape))
    rings = [shapely.get_coordinates(ring) for ring in shapely.get_rings(polygon)]
    u0, v0 = np.concatenate([ring[:-1] for ring in rings]).T
    u1, v1 = np.concatenate([ring[1:] for ring in rings]).T
    edges = Edges(u0, v0, u1, v1, np.zeros(len(u0), dtype=np.int64), 1)
    rows, cols = np.indices(values.shape)
    inside = shapely.contains_xy(shape, cols + 0.5, rows + 0.5)
    assert walked(edges, values, "centre", (20, 30))[0] == pytest.approx(values[inside].sum(), abs=1e-8)


def test_the_order_of_polygons_is_nothing(tmp_path, write_raster):
    rng = np.random.default_rng(11)
    source = write_raster(tmp_path / "r.tif", rng.gamma(0.3, 100.0, (20, 30)), PLACE)
    polygons = frame(*tessellation(rng, 9))
    turned = sum_polygons(source, polygons.iloc[::-1])
    assert turned.sort_index().equals(sum_polygons(source, polygons))


def test_counties_that_tell_their_census_are_told_what_lies_within_their_borders(
    tmp_path, engine, grid, counties, write_raster
):
    values = np.random.default_rng(13).gamma(0.3, 100.0, (20, 30))
    source = write_raster(tmp_path / "r.tif", values, (0.004, 0.0, 111.99, 0.0, -0.004, 37.06))
    silent = SimpleNamespace(counties=counties, population=source, population_earlier=None, aged_60=None)
    assert "count_exact" not in conservation(sum_people(engine, silent, grid).accounts)
    told = SimpleNamespace(**{**vars(silent), "counties": counties.assign(residents=[7.0, np.nan])})
    table = conservation(sum_people(engine, told, grid).accounts).set_index("county_id")["count_exact"]
    expected = brute_force(values, counties.geometry, (0.004, 0.0, 111.99, 0.0, -0.004, 37.06))
    assert table[["01", "02"]].to_numpy() == pytest.approx(expected, rel=1e-9)
    assert np.isnan(table["outside"])
