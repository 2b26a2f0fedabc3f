import geopandas as gpd
import numpy as np
import pytest
import shapely
from planted_city import small_grid

from siteplanner.model.focal import focal_mean, make_disc, make_flat_disc, spread, sum_near, sum_within
from siteplanner.model.grid import make_grid
from siteplanner.model.sphere import great_circle_km
from siteplanner.scenario import GridSettings


@pytest.mark.parametrize("radius_m", [0.0, 499.0, 1_000.0, 1_500.0, 5_000.0, 100_000.0])
def test_a_focal_sum_is_the_sum_over_all_cells_within_the_great_circle_distance(radius_m):
    grid = small_grid(17, 23)
    lon, lat = grid.cells["lon"].to_numpy(), grid.cells["lat"].to_numpy()
    values = np.random.default_rng(5).normal(size=lon.size)
    km = great_circle_km(lon[:, None], lat[:, None], lon[None, :], lat[None, :])
    expected = ((km * 1_000.0 <= radius_m + 1e-6) * values[None, :]).sum(axis=1)
    field = sum_within(spread(values, grid.cells, grid.lattice), make_disc(grid.lattice, radius_m))
    np.testing.assert_allclose(field.ravel(), expected, rtol=1e-12, atol=1e-11)


def test_a_degree_along_the_equator_is_a_360th_of_the_sphere():
    # 2 pi 6371.0088 / 360
    assert great_circle_km(np.array(10.0), np.array(0.0), np.array(11.0), np.array(0.0)) == pytest.approx(
        111.19508, abs=1e-5
    )


def test_a_lattice_of_one_row_has_discs():
    grid = small_grid(1, 9)
    field = sum_within(np.ones((1, 9)), make_disc(grid.lattice, 1_100.0))
    # Two cells of about 500 m on either side, fewer at the ends.
    assert field.tolist() == [[3, 4, 5, 5, 5, 5, 5, 4, 3]]


def test_a_sum_of_nothing_is_nothing():
    # Running totals of thirds do not cancel to the last bit.
    field = np.zeros((3, 200))
    field[:, :100] = 1.0 / 3.0
    grid = small_grid(3, 200)
    summed = sum_within(field, make_disc(grid.lattice, 1_600.0))
    assert (summed[:, 110:] == 0).all()
    assert (summed[:, :100] > 0).all()


@pytest.fixture(scope="module")
def grid():
    # A corner is missing, so that some neighbours are no cells of the region.
    shape = shapely.box(112.5, 37.8, 112.6, 37.88) - shapely.box(112.55, 37.84, 112.7, 37.9)
    frame = gpd.GeoDataFrame({"county_id": ["a"], "name": ["a"]}, geometry=[shape], crs=4326)
    return make_grid(frame.set_index("county_id"), GridSettings())


@pytest.fixture(scope="module")
def values(grid):
    return np.random.default_rng(5).integers(0, 100, len(grid.cells)).astype(float)


@pytest.mark.parametrize("radius_m", [0.0, 499.0, 500.0, 1_000.0, 1_500.0, 2_600.0])
def test_a_flat_disc_sums_the_cells_whose_centre_is_within_the_radius(grid, values, radius_m):
    rows, cols = (grid.cells[name].to_numpy() * 500.0 for name in ("row", "col"))
    near = np.hypot(rows[:, None] - rows, cols[:, None] - cols) <= radius_m
    np.testing.assert_allclose(
        sum_near(values, grid, make_flat_disc(grid.lattice, radius_m)), near @ values, rtol=1e-12
    )


def test_an_empty_disc_is_exactly_zero(grid):
    values = np.zeros(len(grid.cells))
    values[:3] = [0.1, 0.7, 1e9]
    sums = sum_near(values, grid, make_flat_disc(grid.lattice, 1_000.0))
    rows, cols = (grid.cells[name].to_numpy() for name in ("row", "col"))
    far = (rows > rows[2] + 2) | (cols > cols[2] + 2)
    assert (sums[far] == 0.0).all()


@pytest.mark.parametrize("side_m", [200.0, 500.0, 1_000.0, 1_500.0, 3_000.0])
def test_a_box_averages_the_region_by_area(grid, values, side_m):
    centre = {name: grid.cells[name].to_numpy() * 500.0 for name in ("row", "col")}
    weight = np.ones((len(values), len(values)))
    for place in centre.values():
        apart = np.abs(place[:, None] - place)
        weight *= np.clip((side_m + 500.0) / 2.0 - apart, 0.0, min(side_m, 500.0))
    expected = weight @ values / weight.sum(axis=1)
    np.testing.assert_allclose(focal_mean(grid, values, side_m), expected, rtol=1e-12)
