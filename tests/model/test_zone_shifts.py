import numpy as np
import pandas as pd
import pytest
from planted_city import BLANK, DENSE, City, small_grid

from siteplanner.model.zone_shifts import measure_stability, offsets, shift_cells, shift_grid
from siteplanner.model.zones import find_zones
from siteplanner.scenario import ZoneSettings


def some_cells(grid, **columns):
    usual = {
        "visits": 1.0, "residents": 1.0, "potential_wan": 1.0, "supply_own": 1.0, "unreached": 0.0,
        "growth_per_year": 0.0, "remote": 0.0, "people_gained": 0.0, "pipeline_near": 0.0,
        "settlement": "urban",
    }  # fmt: skip
    return pd.DataFrame({**usual, **columns}, index=grid.cells.index)


def test_offsets_are_halton_s():
    expected = [[1 / 2, 1 / 3], [1 / 4, 2 / 3], [3 / 4, 1 / 9], [1 / 8, 4 / 9]]
    np.testing.assert_allclose(offsets(4), expected)
    assert offsets(0).shape == (0, 2)


def test_one_cell_shifted_by_hand():
    # A quarter east and a third north: the cell lies under four new ones, by 3/4 and 1/4 of its width and 2/3
    # and 1/3 of its height. New cells begin at the old corner less 3/4 and 2/3 of a cell.
    grid = small_grid(1, 1)
    shift = shift_grid(grid, 0.25, 1.0 / 3.0)
    assert len(shift.grid.cells) == 4
    assert shift.grid.lattice.x0_m == pytest.approx(grid.lattice.x0_m - 0.75 * grid.lattice.cell_m)
    moved = shift_cells(shift, some_cells(grid, visits=12.0, supply_own=7.0))
    # South-west, south-east, north-west, north-east.
    np.testing.assert_allclose(moved["visits"], [1.0, 3.0, 2.0, 6.0])
    np.testing.assert_allclose(moved["supply_own"], 7.0)


def test_people_are_kept_and_means_weigh_as_they_should():
    grid = small_grid(1, 2)
    cells = some_cells(
        grid, visits=[3.0, 1.0], residents=[1.0, 4.0], supply_own=[10.0, 2.0], growth_per_year=[0.0, 0.5],
        people_gained=[100.0, 300.0], settlement=["town", "core"],
    )  # fmt: skip
    moved = shift_cells(shift_grid(grid, 0.5, 0.5), cells)
    assert moved[["visits", "residents"]].sum().tolist() == pytest.approx([4.0, 5.0])
    between = moved.iloc[1]
    # Half of each: visits 3 to 1, residents 1 to 4, area 1 to 1.
    assert between["supply_own"] == pytest.approx((3 * 10.0 + 1 * 2.0) / 4)
    assert between["growth_per_year"] == pytest.approx(4 * 0.5 / 5)
    assert between["people_gained"] == pytest.approx(200.0)
    assert between["settlement"] == "town"


def test_the_shares_of_the_four_cells_above_sum_to_the_cell():
    city = City()
    kind = np.zeros(len(city.grid.cells), dtype=int)
    cells = some_cells(city.grid)
    same = measure_stability(city.grid, cells, kind, 3, lambda grid, _: np.zeros(len(grid.cells), dtype=int))
    np.testing.assert_allclose(same, 1.0)
    other = measure_stability(city.grid, cells, kind, 3, lambda grid, _: np.ones(len(grid.cells), dtype=int))
    assert (other == 0.0).all()
    assert np.isnan(measure_stability(city.grid, cells, kind, 0, lambda *_: kind)).all()


def test_a_kind_that_covers_a_known_part_is_told_by_area():
    # The new kind 1 west of the middle line of the only cell: half of its area.
    grid = small_grid(1, 1)
    western = lambda new, _: (new.cells["col"] == 0).to_numpy().astype(int)  # noqa: E731
    kept = measure_stability(grid, some_cells(grid), np.array([1]), 1, western)
    assert kept[0] == pytest.approx(0.5)


def test_planted_zones_are_stable_and_rims_less_so():
    city = City()
    settings = ZoneSettings(min_residents=500.0)
    found = find_zones(city.grid, city.demand, city.access, city.market, city.places, settings)
    stable = found.cells["stability"]
    for area in (DENSE, BLANK):
        rows, cols = area
        inner = (slice(rows.start + 2, rows.stop - 2), slice(cols.start + 2, cols.stop - 2))
        assert stable[city.block(inner)].mean() > 0.97
        assert stable[city.block(area, rim=1) & ~city.block(inner)].mean() < 0.95
    by_class = found.zones.set_index("zone_class")["stability"]
    assert by_class[["dense", "blank", "inflow"]].between(0.6, 1.0).all()
    mean = stable.groupby(found.cells["zone_id"]).mean()
    pd.testing.assert_series_equal(found.zones["stability"].sort_index(), mean, check_names=False)


def test_without_shifts_nothing_is_said():
    city = City()
    settings = ZoneSettings(shifts=0)
    found = find_zones(city.grid, city.demand, city.access, city.market, city.places, settings)
    assert found.zones["stability"].isna().all()
