import numpy as np
import pytest
from planted_city import small_grid

from siteplanner.model.focal import make_disc, spread, sum_within
from siteplanner.model.sphere import great_circle_km


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
