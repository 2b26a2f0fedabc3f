import geopandas as gpd
import numpy as np
import pytest
import shapely

from siteplanner.model.grid import make_grid
from siteplanner.model.lattice import focal_mean, focal_sum, from_lattice, to_lattice
from siteplanner.scenario import GridSettings


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
def test_a_disc_sums_the_cells_whose_centre_is_within_the_radius(grid, values, radius_m):
    rows, cols = (grid.cells[name].to_numpy() * 500.0 for name in ("row", "col"))
    near = np.hypot(rows[:, None] - rows, cols[:, None] - cols) <= radius_m
    np.testing.assert_allclose(focal_sum(grid, values, radius_m), near @ values, rtol=1e-12)


def test_an_empty_disc_is_exactly_zero(grid):
    values = np.zeros(len(grid.cells))
    values[:3] = [0.1, 0.7, 1e9]
    sums = focal_sum(grid, values, 1_000.0)
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


def test_there_and_back(grid, values):
    np.testing.assert_array_equal(from_lattice(grid, to_lattice(grid, values)), values)
    assert to_lattice(grid, values).sum() == values.sum()
