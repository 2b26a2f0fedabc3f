import warnings

import numba
import numpy as np
import pytest
from scipy.special import ndtri

from siteplanner.model.focal import Disc
from siteplanner.model.gi_star import adjust_upper_tail, gi_star


def plane_disc(n_rows, radius_cells):
    """A disc on a flat lattice, the same in every row."""
    reach = int(radius_cells)
    offsets = np.arange(-reach, reach + 1)
    widths = np.floor(np.sqrt(radius_cells**2 - offsets**2)).astype(np.int32)
    return Disc(np.tile(widths, (n_rows, 1)))


def test_six_points_of_ord_and_getis():
    # The case of esda's tests (after Ord & Getis 1995), distance band 15: they publish -1.39727626 for the
    # first point; the others follow from the formula by hand.
    points = [(10, 10), (20, 10), (40, 10), (15, 20), (30, 20), (30, 30)]
    values = [2.0, 3.0, 3.2, 5.0, 8.0, 7.0]
    field, populated = np.full((7, 9), 99.0), np.zeros((7, 9), dtype=bool)
    for (x, y), value in zip(points, values, strict=True):
        field[y // 5, x // 5], populated[y // 5, x // 5] = value, True
    z = gi_star(field, populated, plane_disc(7, 3.0))
    expected = [-1.39727626, -0.28917762, 0.65064964, -0.28917762, 1.23452088, 2.02424331]
    found = [z[y // 5, x // 5] for x, y in points]
    np.testing.assert_allclose(found, expected, atol=1e-8)
    assert (z[~populated] == 0).all()


def test_scores_equal_the_published_formula_on_a_random_lattice():
    rng = np.random.default_rng(8)
    values, populated = rng.lognormal(size=(15, 21)), rng.random((15, 21)) < 0.8
    z = gi_star(values, populated, plane_disc(15, 2.5))
    rows, cols = np.nonzero(populated)
    x = values[rows, cols]
    n, mean = x.size, x.mean()
    s = np.sqrt((x**2).mean() - mean**2)
    for i in range(n):
        w = (np.hypot(rows - rows[i], cols - cols[i]) <= 2.5).astype(float)
        expected = (w @ x - mean * w.sum()) / (s * np.sqrt((n * (w**2).sum() - w.sum() ** 2) / (n - 1)))
        assert z[rows[i], cols[i]] == pytest.approx(expected, abs=1e-9)


def test_scores_equal_those_of_esda():
    # A package of its own (extra siteplanner[bench]), with weights from the distances between centres.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        getisord = pytest.importorskip("esda.getisord")
        weights = pytest.importorskip("libpysal.weights")
    rng = np.random.default_rng(21)
    values, populated = rng.lognormal(2.0, 2.0, (40, 33)), rng.random((40, 33)) < 0.7
    rows, cols = np.nonzero(populated)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        near = weights.DistanceBand(np.column_stack([cols, rows]), threshold=4.0, binary=True)
        expected = getisord.G_Local(values[populated], near, star=True, transform="B", permutations=0).Zs
    np.testing.assert_allclose(
        gi_star(values, populated, plane_disc(40, 4.0))[populated], expected, atol=1e-9
    )


def test_threads_change_no_bit():
    rng = np.random.default_rng(6)
    values, populated = rng.lognormal(size=(500, 40)), rng.random((500, 40)) < 0.5
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        alone = gi_star(values, populated, plane_disc(500, 6.0))
    finally:
        numba.set_num_threads(before)
    assert (gi_star(values, populated, plane_disc(500, 6.0)) == alone).all()


def test_what_stands_in_empty_cells_is_not_looked_at():
    rng = np.random.default_rng(11)
    values, populated = rng.lognormal(size=(30, 30)), rng.random((30, 30)) < 0.5
    holes = np.where(populated, values, np.nan)
    assert (
        gi_star(holes, populated, plane_disc(30, 2.0)) == gi_star(values, populated, plane_disc(30, 2.0))
    ).all()


def test_scores_do_not_move_with_the_origin_of_the_values():
    # A mean a million times the spread: totals that the mean must cancel would lose six digits.
    rng = np.random.default_rng(12)
    values, populated = rng.random((60, 60)), np.ones((60, 60), dtype=bool)
    far = gi_star(np.round(values, 3) + 2.0**20, populated, plane_disc(60, 10.0))
    np.testing.assert_allclose(far, gi_star(np.round(values, 3), populated, plane_disc(60, 10.0)), atol=1e-7)


def test_discs_of_more_cells_than_a_narrow_count_holds():
    # 513 rows of 513 cells are more than 2^16.
    values = np.arange(600.0 * 600.0).reshape(600, 600) % 17
    wide = Disc(np.full((600, 513), 256, dtype=np.int32))
    z = gi_star(values, np.ones((600, 600), dtype=bool), wide)
    n, near = 360_000, 513 * 513
    middle = values[300 - 256 : 300 + 257, 300 - 256 : 300 + 257].sum()
    s = values.std() * np.sqrt((n * near - near**2) / (n - 1))
    assert z[300, 300] == pytest.approx((middle - values.mean() * near) / s, abs=1e-8)


@pytest.mark.parametrize("populated", [np.ones((4, 5), dtype=bool), np.zeros((4, 5), dtype=bool)])
def test_equal_values_have_no_hot_spots(populated):
    assert (gi_star(np.full((4, 5), 0.1), populated, plane_disc(4, 1.0)) == 0).all()


def test_a_band_that_holds_everything_tells_nothing():
    values = np.arange(6.0).reshape(2, 3)
    assert (gi_star(values, np.ones((2, 3), dtype=bool), plane_disc(2, 9.0)) == 0).all()


def test_discoveries_of_benjamini_and_hochberg_1995():
    # Their section 4, after Neuhaus et al. (1992): 15 p-values, four rejected at q = 0.05.
    p = [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
        0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000,
    ]  # fmt: skip
    order = np.random.default_rng(2).permutation(15)
    adjusted = adjust_upper_tail(-ndtri(np.array(p)[order]))
    by_p = adjusted[np.argsort(order)]
    assert (by_p <= 0.05).tolist() == [True] * 4 + [False] * 11
    # By hand: 0.0095 * 15 / 4 = 0.035625; 0.0344 * 15 / 8 = 0.0645 bounds its three predecessors from above,
    # 0.0201 * 15 / 5 = 0.0603 and 0.0298 * 15 / 7 = 0.063857 being smaller.
    np.testing.assert_allclose(by_p[3:8], [0.035625, 0.0603, 0.063857, 0.063857, 0.0645], atol=1e-6)
    assert by_p[-1] == 1.0
