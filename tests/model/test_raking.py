import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from siteplanner.model.raking import MarginError, rake, scale_to_totals


def test_one_margin_is_plain_scaling():
    amounts, group = np.array([1.0, 3.0, 5.0, 0.0]), np.array([0, 0, 1, 1])
    scaled = scale_to_totals(amounts, group, np.array([8.0, np.nan]))
    np.testing.assert_array_equal(scaled, [2.0, 6.0, 5.0, 0.0])
    np.testing.assert_array_equal(scale_to_totals(amounts, group, np.array([0.0, 10.0])), [0, 0, 10, 0])


def test_a_total_for_nothing_is_named():
    amounts, group = np.array([1.0, 0.0, 0.0]), np.array([0, 1, 2])
    with pytest.raises(MarginError) as caught:
        scale_to_totals(amounts, group, np.array([1.0, 4.0, 0.0]))
    assert caught.value.groups.tolist() == [1]


def test_two_margins_by_hand():
    # Independence: a seed of ones gives row total x column total / whole.
    table = rake(np.ones((2, 2)), np.array([30.0, 70.0]), np.zeros(2, dtype=int), np.array([[40.0, 60.0]]))
    np.testing.assert_allclose(table, [[12.0, 18.0], [28.0, 42.0]], rtol=1e-12)


def test_raking_keeps_the_odds_of_the_seed():
    # The cross-product ratio of a 2 x 2 table is what raking leaves alone (Deming & Stephan 1940):
    # x (x + 10) = 6 (30 - x)(40 - x) has the root x = 24.5967..., solved apart from the code.
    seed = np.array([[3.0, 1.0], [1.0, 2.0]])
    table = rake(seed, np.array([30.0, 50.0]), np.zeros(2, dtype=int), np.array([[40.0, 40.0]]))
    roots = np.roots([5.0, -430.0, 7_200.0])
    x = roots[(roots > 0.0) & (roots < 30.0)].item()
    np.testing.assert_allclose(table, [[x, 30.0 - x], [40.0 - x, 10.0 + x]], rtol=1e-9)


def test_margins_of_different_wholes_are_refused_by_group():
    group = np.array([0, 1])
    with pytest.raises(MarginError) as caught:
        rake(np.ones((2, 2)), np.array([10.0, 10.0]), group, np.array([[4.0, 6.0], [4.0, 7.0]]))
    assert caught.value.groups.tolist() == [1]


def test_zeros_that_leave_no_table_are_refused():
    seed = np.array([[0.0, 1.0], [0.0, 1.0]])
    with pytest.raises(MarginError):
        rake(seed, np.array([5.0, 5.0]), np.zeros(2, dtype=int), np.array([[4.0, 6.0]]))


def test_zeros_of_the_seed_and_empty_rows_stay():
    seed = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 1.0]])
    table = rake(seed, np.array([2.0, 6.0, 0.0]), np.zeros(3, dtype=int), np.array([[5.0, 3.0]]))
    np.testing.assert_allclose(table, [[2.0, 0.0], [3.0, 3.0], [0.0, 0.0]], atol=1e-9)


@given(
    seed=arrays(float, (6, 3), elements=st.floats(0.01, 100.0)),
    rows=arrays(float, 6, elements=st.floats(0.0, 1e6)),
    wanted=arrays(float, (2, 3), elements=st.floats(0.01, 1.0)),
    order=st.permutations(range(6)),
)
def test_both_margins_are_met_in_any_order(seed, rows, wanted, order):
    group = np.array([0, 0, 0, 1, 1, 1])
    whole = np.bincount(group, weights=rows)
    columns = wanted / wanted.sum(axis=1)[:, None] * whole[:, None]
    table = rake(seed, rows, group, columns)
    assert (table >= 0.0).all()
    np.testing.assert_allclose(table.sum(axis=1), rows, rtol=1e-9, atol=1e-9)
    sums = np.array([table[group == number].sum(axis=0) for number in (0, 1)])
    np.testing.assert_allclose(sums, columns, rtol=1e-9, atol=1e-9 * max(whole.max(), 1.0))
    again = rake(seed[order], rows[order], group[order], columns)
    np.testing.assert_allclose(again, table[order], rtol=1e-9, atol=1e-9)
