import numpy as np
import pytest
import shapely
from test_access import PACE, REACH_KM, SETTINGS, demand_on, dense, grid_at, outlets_in

from siteplanner.model.access import Travel, pairs_within
from siteplanner.model.barriers import Barriers
from siteplanner.model.lattice import to_plane


def minutes_with(barriers, grid, outlets, demand=None):
    travel = Travel(SETTINGS, barriers=barriers)
    return dense(pairs_within(demand or demand_on(grid), grid, outlets, travel))


def by_shapely(grid, demand, outlets, shapes, factors):
    """Every trip as a line in the plane of the lattice, and every barrier, by GEOS."""
    people = demand.cells["residents"].to_numpy() > 0
    cells = grid.cells[people]

    def flat(xy):
        return np.column_stack(to_plane(grid.lattice, xy[:, 0], xy[:, 1]))

    starts, ends = (flat(frame[["lon", "lat"]].to_numpy()) for frame in (cells, outlets))
    walls = [shapely.transform(shapely.segmentize(shape, 0.001), flat) for shape in shapes]
    times = np.ones((len(starts), len(ends)))
    for wall, factor in zip(walls, factors, strict=True):
        line = shapely.boundary(wall) if wall.geom_type == "Polygon" else wall
        inside = [
            shapely.contains_xy(wall, points) if wall.geom_type == "Polygon" else np.zeros(len(points), bool)
            for points in (starts, ends)
        ]
        for i, start in enumerate(starts):
            trips = shapely.linestrings(np.stack([np.broadcast_to(start, ends.shape), ends], axis=1))
            crossed = shapely.intersects(trips, line) & ~inside[0][i] & ~inside[1]
            times[i] = np.where(crossed, np.maximum(times[i], factor), times[i])
    limit = demand.cells["settlement"][people].map({name: PACE[name] * REACH_KM[name] for name in PACE})
    return times, limit.to_numpy()[:, None]


def test_trips_across_barriers_are_those_of_geos():
    grid = grid_at(112.5, 37.8, width=0.2)
    demand, outlets = demand_on(grid), outlets_in(grid, 25)
    rng = np.random.default_rng(7)
    river = np.column_stack((np.linspace(112.45, 112.75, 30), 37.9 + 0.02 * rng.standard_normal(30)))
    lake = shapely.Point(112.56, 37.86).buffer(0.02)
    # Two halves of one lake, a railway whose factor is larger, and a ring with an island.
    ring = shapely.Point(112.65, 37.95).buffer(0.015) - shapely.Point(112.65, 37.95).buffer(0.006)
    shapes = [shapely.LineString(river), lake, shapely.LineString([(112.6, 37.7), (112.62, 38.1)]), ring]
    factors = [1.5, 2.0, 3.0, 2.5]
    halves = [shapely.box(112.5, 37.8, 112.56, 37.9) & lake, shapely.box(112.56, 37.8, 112.6, 37.9) & lake]
    given = np.array([shapes[0], *halves, *shapes[2:]], dtype=object)
    found = minutes_with(Barriers(given, np.array([1.5, 2.0, 2.0, 3.0, 2.5])), grid, outlets, demand)
    times, limit = by_shapely(grid, demand, outlets, shapes, factors)
    free = minutes_with(None, grid, outlets, demand)
    expected = np.where((times > 1.0) & (free * times > limit), np.inf, free * times)
    assert {1.0, 1.5, 2.0, 3.0} <= set(np.unique(times[np.isfinite(free)]))
    assert (np.isinf(expected) & np.isfinite(free)).any()
    np.testing.assert_array_equal(np.isinf(found), np.isinf(expected))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_river_by_hand():
    """Two places 1 km either side of a river: only the trip across takes twice as long."""
    grid = grid_at(112.5, 37.8, width=0.1)
    demand = demand_on(grid)
    middle = float(np.median(grid.cells["lat"]))
    demand.cells["settlement"] = "rural"
    outlets = outlets_in(grid, 2).assign(lon=112.55, lat=[middle + 0.009, middle - 0.009])
    river = shapely.LineString([(112.4, middle + 0.001), (112.7, middle + 0.001)])
    free = minutes_with(None, grid, outlets, demand)
    found = minutes_with(Barriers(np.array([river]), np.array([2.0])), grid, outlets, demand)
    north = grid.cells["lat"][demand.cells["residents"] > 0].to_numpy() > middle + 0.001
    across = np.column_stack((~north, north))
    np.testing.assert_allclose(found, np.where(across, 2.0, 1.0) * free, rtol=1e-6)


def test_no_barrier_and_one_far_away_change_nothing():
    grid = grid_at(112.5, 37.8, width=0.1)
    outlets = outlets_in(grid, 8)
    free = minutes_with(None, grid, outlets)
    far = shapely.LineString([(120.0, 30.0), (121.0, 31.0)])
    for shapes in ([], [far]):
        barriers = Barriers(np.array(shapes, dtype=object), np.full(len(shapes), 3.0))
        np.testing.assert_array_equal(minutes_with(barriers, grid, outlets), free)


@pytest.mark.parametrize("factor", [1.0, 1.7])
def test_who_is_inside_a_barrier_is_on_all_its_banks(factor):
    grid = grid_at(112.5, 37.8, width=0.1)
    outlets = outlets_in(grid, 8)
    everything = shapely.box(112.0, 37.0, 113.0, 38.5)
    barriers = Barriers(np.array([everything]), np.array([factor]))
    np.testing.assert_array_equal(minutes_with(barriers, grid, outlets), minutes_with(None, grid, outlets))


def test_a_barrier_never_shortens_a_trip_and_its_order_is_irrelevant():
    grid = grid_at(112.5, 37.8, width=0.1)
    outlets = outlets_in(grid, 20)
    rng = np.random.default_rng(3)
    lines = [shapely.LineString(rng.uniform((112.5, 37.8), (112.6, 37.9), (4, 2))) for _ in range(6)]
    factor = np.linspace(1.2, 3.0, 6)
    found = minutes_with(Barriers(np.array(lines, dtype=object), factor), grid, outlets)
    turned = minutes_with(Barriers(np.array(lines[::-1], dtype=object), factor[::-1]), grid, outlets)
    np.testing.assert_array_equal(found, turned)
    assert (found >= minutes_with(None, grid, outlets)).all()


def test_a_barrier_that_tells_no_factor_takes_the_usual_one():
    grid = grid_at(112.5, 37.8, width=0.1)
    demand, outlets = demand_on(grid), outlets_in(grid, 20)
    lines = np.array([shapely.LineString([(112.5, 37.85), (112.6, 37.84)])])
    usual = Travel(
        SETTINGS.model_copy(update={"barrier_factor": 1.4}), barriers=Barriers(lines, np.array([np.nan]))
    )
    found = dense(pairs_within(demand, grid, outlets, usual))
    told = minutes_with(Barriers(lines, np.array([1.4])), grid, outlets, demand)
    np.testing.assert_array_equal(found, told)
    assert (found > minutes_with(None, grid, outlets, demand)).any()
