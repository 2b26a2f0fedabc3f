import geopandas as gpd
import numba
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from planted_city import small_grid

from siteplanner.model.focal import (
    Disc,
    focal_mean,
    make_disc,
    make_flat_disc,
    spread,
    sum_near,
    sum_within,
    take,
)
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


def sum_one_by_one(field, half_widths):
    """Every cell of every disc, in plain Python."""
    n_rows, n_cols = field.shape
    reach = half_widths.shape[1] // 2
    out = np.zeros(field.shape)
    for row, col in np.ndindex(field.shape):
        for d, width in enumerate(half_widths[row]):
            other = row + d - reach
            if width >= 0 and 0 <= other < n_rows:
                out[row, col] += field[other, max(col - width, 0) : min(col + width + 1, n_cols)].sum()
    return out


@given(data=st.data())
def test_whole_numbers_are_summed_exactly_over_any_discs(data):
    n_rows, n_cols = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 12))
    reach = data.draw(st.integers(0, 5))
    seed = data.draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    # Rows without a disc, holes in it, discs wider than the lattice: a disc is any set of runs.
    half_widths = rng.integers(-1, n_cols + 3, (n_rows, 2 * reach + 1)).astype(np.int32)
    field = rng.integers(-(10**9), 10**9, (n_rows, n_cols)).astype(float)
    assert (sum_within(field, Disc(half_widths)) == sum_one_by_one(field, half_widths)).all()


def test_a_lattice_of_many_strips_and_blocks_has_no_seams():
    # More than two strips of 128 rows, more than two blocks of 4,096 columns.
    field = np.random.default_rng(3).integers(0, 1_000, (300, 9_000)).astype(float)
    disc = Disc(np.tile(np.array([0, 2, 3, 2, 0], dtype=np.int32), (300, 1)))
    expected = np.zeros(field.shape)
    padded = np.pad(field, 3)
    for d, width in zip(range(-2, 3), (0, 2, 3, 2, 0), strict=True):
        for shift in range(-width, width + 1):
            expected += padded[3 + d : 303 + d, 3 + shift : 9_003 + shift]
    assert (sum_within(field, disc) == expected).all()


def test_threads_change_no_bit():
    field = np.random.default_rng(9).lognormal(0.0, 3.0, (700, 50))
    grid = small_grid(700, 50)
    disc = make_disc(grid.lattice, 3_000.0)
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        alone = sum_within(field, disc), focal_mean(grid, field.ravel(), 1_700.0)
    finally:
        numba.set_num_threads(before)
    together = sum_within(field, disc), focal_mean(grid, field.ravel(), 1_700.0)
    assert all((one == other).all() for one, other in zip(alone, together, strict=True))


def test_the_same_people_have_the_same_sum_wherever_the_lattice_begins():
    town = np.random.default_rng(4).lognormal(size=(9, 9))
    disc = Disc(np.tile(np.array([1, 3, 3, 3, 1], dtype=np.int32), (40, 1)))
    here, there = np.zeros((40, 60)), np.zeros((40, 60))
    here[5:14, 5:14], there[22:31, 37:46] = town, town
    here[30:, 30:] = 1e9
    assert (sum_within(here, disc)[5:14, 5:14] == sum_within(there, disc)[22:31, 37:46]).all()


def test_a_multitude_far_away_does_not_hide_a_single_person():
    field = np.zeros((3, 4_000))
    field[1, 0], field[1, 3_990] = 1e14, 1.0
    summed = sum_within(field, Disc(np.full((3, 3), 4, dtype=np.int32)))
    assert (summed[:, 3_986:3_995] == 1.0).all()
    assert summed.sum() == 3 * 5 * 1e14 + 27.0


def test_values_go_to_the_lattice_and_back(grid, values):
    field = spread(values, grid.cells, grid.lattice)
    assert field.sum() == values.sum()
    assert (take(field, grid) == values).all()


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
