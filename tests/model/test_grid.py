import geopandas as gpd
import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from siteplanner.model.grid import cell_ids, make_grid
from siteplanner.model.lattice import Lattice, centre_lines, edge_lines, to_lonlat, to_plane
from siteplanner.scenario import GridSettings

LATTICE = Lattice(500.0, 37.7, 9_721_000.0, 4_545_500.0, 1_368, 764)


def counties_of(**polygons):
    frame = {"county_id": list(polygons), "name": list(polygons)}
    return gpd.GeoDataFrame(frame, geometry=list(polygons.values()), crs=4326).set_index("county_id")


def two_counties(lon=112.5, lat=37.8):
    return counties_of(
        a=shapely.box(lon, lat, lon + 0.1, lat + 0.1),
        b=shapely.box(lon + 0.1, lat, lon + 0.23, lat + 0.1),
    )


@given(st.floats(-179.0, 179.0), st.floats(-85.0, 85.0), st.floats(0.0, 60.0))
def test_the_plane_is_projs_cylindrical_equal_area(lon, lat, parallel):
    lattice = Lattice(500.0, parallel, 0.0, 0.0, 1, 1)
    x_m, y_m = to_plane(lattice, np.array([lon]), np.array([lat]))
    expected = pyproj.Proj(proj="cea", lat_ts=parallel, ellps="WGS84")(lon, lat)
    assert (x_m[0], y_m[0]) == pytest.approx(expected, abs=1e-6)


@given(st.floats(-179.0, 179.0), st.floats(-85.0, 85.0))
def test_the_inverse_undoes_the_projection(lon, lat):
    back = to_lonlat(LATTICE, *to_plane(LATTICE, np.array([lon]), np.array([lat])))
    assert (back[0][0], back[1][0]) == pytest.approx((lon, lat), abs=1e-12)


def test_every_cell_has_the_same_true_area():
    lons, lats = edge_lines(LATTICE)
    geod = pyproj.Geod(ellps="WGS84")
    for row in (0, 700, 1_367):
        # A parallel is no geodesic: its many short pieces follow the cell's edge.
        step = np.linspace(lons[0], lons[1], 50)
        ring_lon = np.concatenate([step, step[::-1]])
        ring_lat = np.concatenate([np.full(50, lats[row]), np.full(50, lats[row + 1])])
        area, _ = geod.polygon_area_perimeter(ring_lon, ring_lat)
        assert abs(area) == pytest.approx(250_000.0, rel=1e-6)


def test_the_lattice_is_snapped_and_its_parallel_is_the_middle_latitude():
    lattice = make_grid(two_counties(), GridSettings()).lattice
    assert lattice.standard_parallel_deg == pytest.approx(37.8)
    assert lattice.x0_m % 500 == 0
    assert lattice.y0_m % 500 == 0


def test_the_grid_is_every_cell_that_touches_the_region():
    # A thin triangle, a hole and two counties: compared with shapely's own answer, cell by cell.
    region = counties_of(
        a=shapely.Polygon(
            [(112.501, 37.802), (112.62, 37.81), (112.55, 37.9)],
            [[(112.55, 37.82), (112.57, 37.82), (112.56, 37.85)]],
        ),
        b=shapely.Polygon([(112.62, 37.81), (112.66, 37.8101), (112.62, 37.8102)]),
    )
    grid = make_grid(region, GridSettings())
    lons, lats = edge_lines(grid.lattice)
    row, col = np.divmod(np.arange(grid.lattice.n_rows * grid.lattice.n_cols), grid.lattice.n_cols)
    boxes = shapely.box(lons[col], lats[row], lons[col + 1], lats[row + 1])
    touching = np.flatnonzero(shapely.intersects(region.union_all(), boxes))
    np.testing.assert_array_equal(grid.cells.index, touching)


def test_a_county_in_several_parts_has_the_cells_of_all_of_them():
    one, other = two_counties().geometry
    alone = make_grid(counties_of(a=one, b=other), GridSettings())
    parts = shapely.MultiPolygon([one]), shapely.MultiPolygon([other])
    assert make_grid(counties_of(a=parts[0], b=parts[1]), GridSettings()).cells.equals(alone.cells)
    far = shapely.box(112.5, 38.1, 112.6, 38.2)
    both = make_grid(counties_of(a=shapely.MultiPolygon([one, far]), b=other), GridSettings())
    apart = make_grid(counties_of(a=one, b=other, c=far), GridSettings())
    assert both.cells.index.equals(apart.cells.index)


def test_a_cell_belongs_to_the_county_of_its_centre_else_to_the_nearest():
    region = two_counties()
    grid = make_grid(region, GridSettings())
    centres = gpd.GeoSeries(gpd.points_from_xy(grid.cells["lon"], grid.cells["lat"]), crs=4326)
    inside_a = centres.within(region.geometry["a"]).to_numpy()
    inside_b = centres.within(region.geometry["b"]).to_numpy()
    owner = grid.cells["county_id"].to_numpy()
    assert (owner[inside_a] == "a").all()
    assert (owner[inside_b] == "b").all()
    lost = ~inside_a & ~inside_b
    assert lost.any()
    west = grid.cells["lon"].to_numpy() < 112.6
    np.testing.assert_array_equal(owner[lost] == "a", west[lost])


def test_overlapping_counties_give_the_cell_to_the_smallest_id():
    box = shapely.box(112.5, 37.8, 112.6, 37.9)
    grid = make_grid(counties_of(z=box, k=box), GridSettings())
    assert set(grid.cells["county_id"]) == {"k"}


def test_the_grid_does_not_depend_on_the_order_of_counties():
    region = two_counties()
    grid, turned = (make_grid(frame, GridSettings()) for frame in (region, region.iloc[::-1]))
    assert grid.lattice == turned.lattice
    assert grid.cells.equals(turned.cells)


def test_points_find_their_cell():
    grid = make_grid(two_counties(), GridSettings())
    ids = cell_ids(grid, grid.cells["lon"].to_numpy(), grid.cells["lat"].to_numpy())
    np.testing.assert_array_equal(ids, grid.cells.index)
    stray = cell_ids(grid, np.array([np.nan, 112.55, -60.0, 113.5]), np.array([37.85, np.nan, 37.85, 37.85]))
    np.testing.assert_array_equal(stray, -1)


def test_every_point_of_the_region_has_a_cell():
    grid = make_grid(two_counties(), GridSettings())
    lon, lat = np.meshgrid(np.linspace(112.5, 112.73, 301), np.linspace(37.8, 37.9, 301))
    assert (cell_ids(grid, lon.ravel(), lat.ravel()) >= 0).all()


def test_centres_lie_between_edges():
    for centres, edges in zip(centre_lines(LATTICE), edge_lines(LATTICE), strict=True):
        assert (edges[:-1] < centres).all()
        assert (centres < edges[1:]).all()
