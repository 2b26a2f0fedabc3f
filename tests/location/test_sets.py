"""Merged sets: what rows become, what locks settle, and what order must not change."""

import numpy as np
import pytest
import scipy.sparse as sp
from instances import tiny_matrix

from siteplanner.location.set_kernels import COVERED, EMPTY, LONE
from siteplanner.location.sets import (
    find_levels,
    gather,
    merge_sets,
    restrict_sets,
    spread,
    value_of,
)
from siteplanner.location.verify import objective_of

NOBODY = np.zeros(4, dtype=bool)


def test_equal_rows_become_one_set():
    # By hand: rows 0 and 2 see sites {0, 2}; row 1 sees only site 3; row 3 sees nothing.
    cover = sp.csr_array(np.array([[1, 0, 1, 0], [0, 0, 0, 1], [1, 0, 1, 0], [0, 0, 0, 0]], dtype=np.uint8))
    sets, origin = merge_sets(cover, np.array([3.0, 5.0, 4.0, 9.0]), np.ones(1), NOBODY, NOBODY)
    assert (sets.n_sets, sets.sites.tolist()) == (1, [0, 2])
    assert sets.weight[0] * sets.unit == 7.0
    assert (sets.by_site * sets.unit).tolist() == [0.0, 0.0, 0.0, 5.0]
    assert origin.ravel().tolist() == [0, LONE, 0, EMPTY]


def test_rings_become_nested_sets():
    # By hand: worth 1 from site 0, 0.5 from site 1: 4 * (1 - 0.5) for {0}, 4 * 0.5 for {0, 1}.
    cover = sp.csr_array(np.array([[1.0, 0.5, 0, 0]]))
    sets, origin = merge_sets(cover, np.array([4.0]), np.array([1.0, 0.5]), NOBODY, NOBODY)
    assert origin.tolist() == [[LONE, 0]]
    assert (sets.by_site * sets.unit).tolist() == [2.0, 0.0, 0.0, 0.0]
    assert (sets.weight * sets.unit).tolist() == [2.0]


def test_locked_sites_settle_the_levels_they_reach():
    # By hand: site 1 is open for certain at 0.5, so only the upper half of site 0 is in question.
    cover = sp.csr_array(np.array([[1.0, 0.5, 1.0, 0]]))
    locked = np.array([False, True, False, False])
    sets, origin = merge_sets(cover, np.array([4.0]), np.array([1.0, 0.5]), locked, NOBODY)
    assert sets.amount * sets.unit == 2.0
    assert origin.tolist() == [[0, COVERED]]
    assert sets.sites.tolist() == [0, 2]


@pytest.mark.parametrize("n_levels", [1, 3])
def test_sets_are_worth_what_rows_are(n_levels):
    rng = np.random.default_rng([21, n_levels])
    for _ in range(40):
        matrix = tiny_matrix(rng, 30, 7, "max_coverage")
        matrix = matrix if n_levels > 1 else sp.csr_array((matrix.toarray() > 0).astype(np.uint8))
        weight = rng.random(30) * 10 * (rng.random(30) < 0.9)
        state = rng.choice(3, 7, p=[0.6, 0.2, 0.2])
        levels = find_levels(matrix)
        sets, _ = merge_sets(matrix, weight, levels, state == 1, state == 2)
        smaller, origin = restrict_sets(sets, np.arange(7) == 3, np.arange(7) == 4)
        assert origin.size == sets.n_sets
        for code in range(2**7):
            chosen = ((code >> np.arange(7) & 1).astype(bool) | (state == 1)) & (state != 2)
            expected = objective_of("max_coverage", chosen, matrix.astype(float), weight=weight)
            assert value_of(sets, chosen) == pytest.approx(expected, rel=1e-12)
            if (chosen[3] or state[3] > 0) and not chosen[4]:
                assert value_of(smaller, chosen) == pytest.approx(expected, rel=1e-12)


def test_row_order_changes_nothing_to_the_last_bit():
    rng = np.random.default_rng(22)
    matrix = tiny_matrix(rng, 500, 9, "max_coverage")
    weight, order = rng.random(500), rng.permutation(500)
    nobody = np.zeros(9, dtype=bool)
    first, _ = merge_sets(matrix, weight, find_levels(matrix), nobody, nobody)
    second, _ = merge_sets(sp.csr_array(matrix[order]), weight[order], find_levels(matrix), nobody, nobody)
    for left, right in zip(first, second, strict=True):
        assert np.array_equal(left, right)


def test_whole_weights_are_kept_exactly():
    cover = sp.csr_array(np.ones((3, 4)))
    sets, _ = merge_sets(cover, np.array([1.0, 2.0**40, 3.0]), np.ones(1), NOBODY, NOBODY)
    assert sets.weight[0] * sets.unit == 2.0**40 + 4


def test_many_worths_are_not_split():
    rng = np.random.default_rng(23)
    assert find_levels(sp.csr_array(rng.random((9, 9)))) is None
    assert find_levels(sp.csr_array((4, 5))).tolist() == []


def test_amounts_move_between_old_and_new_sets():
    origin = np.array([1, LONE, 0, COVERED, 1, EMPTY], dtype=np.int32)
    assert gather(np.arange(6.0), origin, 2).tolist() == [2.0, 4.0]
    assert spread(np.array([0.25, 0.5]), origin).tolist() == [0.5, 1.0, 0.25, 0.0, 0.5, 1.0]
