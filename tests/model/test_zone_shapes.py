import numpy as np
import shapely
from planted_city import small_grid

from siteplanner.model.lattice import edge_lines
from siteplanner.model.zone_shapes import dissolve, join_cells, smooth_kinds


def test_a_single_cell_takes_the_kind_of_its_neighbours_and_a_block_keeps_its_own():
    kinds = np.zeros((9, 13), dtype=np.int64)
    kinds[4, 2] = 1  # alone
    kinds[2:7, 6:11] = 2  # a block of 5 x 5
    kinds[4, 8] = 0  # with a hole
    smoothed = smooth_kinds(kinds, np.zeros_like(kinds), 3)
    assert smoothed[4, 2] == 0
    # Corners of a block have 3 of 8 neighbours inside and round off; those beside them then have 4 and stay.
    expected = np.ones((5, 5), dtype=bool)
    for corner in [(0, 0), (0, 4), (4, 0), (4, 4)]:
        expected[corner] = False
    assert (smoothed[2:7, 6:11] == 2)[expected].all()
    assert (smoothed == 2).sum() == 21


def test_smoothing_does_not_look_over_the_county_border_or_outside():
    kinds = np.array([[1, 1, 0, 1, 1, -1]] * 3)
    counties = np.array([[0, 0, 1, 2, 2, -1]] * 3)
    assert (smooth_kinds(kinds, counties, 2) == kinds).all()


def test_parts_join_over_corners_but_not_between_keys():
    keys = np.array([[5, 0, 5, -1], [0, 5, 0, -1], [0, 0, 0, 5]])
    parts = join_cells(keys)
    assert (parts[keys == -1] == -1).all()
    fives = {parts[0, 0], parts[1, 1], parts[0, 2]}
    assert len(fives) == 1
    assert parts[2, 3] not in fives
    assert len(set(parts[keys == 0])) == 1


def test_polygons_cover_their_cells_with_holes_corners_and_shared_borders():
    grid = small_grid(5, 6)
    zones = np.array(
        [
            [0, 0, 0, 1, 1, 1],
            [0, 2, 0, 1, 0, 1],
            [0, 0, 0, 1, 1, 0],
            [1, 1, 1, 2, 0, 0],
            [1, 1, 1, 0, 0, -1],
        ]
    )
    shapes = dissolve(zones, 3, grid.lattice)
    lon, lat = edge_lines(grid.lattice)
    assert shapely.is_valid(shapes).all()
    for zone, shape in enumerate(shapes):
        rows, cols = np.nonzero(zones == zone)
        boxes = shapely.box(lon[cols], lat[rows], lon[cols + 1], lat[rows + 1])
        assert shapely.covers(shapely.buffer(shape, 1e-9), boxes).all()
        np.testing.assert_allclose(shape.area, shapely.area(boxes).sum(), rtol=1e-9)
    assert shapely.intersection(shapes[0], shapes[1]).area == 0
    # Corners are those of the lattice, to the bit.
    assert set(shapely.get_coordinates(shapes)[:, 0]) <= set(lon)
    assert set(shapely.get_coordinates(shapes)[:, 1]) <= set(lat)
