"""What is settled before the search must not change what a set is worth."""

import numpy as np
import pytest
import scipy.sparse as sp
from instances import brute_force, tiny_matrix

from siteplanner.location import max_capture, max_coverage, verify
from siteplanner.location.fold import fold_capture, fold_cover
from siteplanner.location.pairs import gather_pairs
from siteplanner.location.terms import CaptureTerm, CoverTerm
from siteplanner.location.verify import objective_of


def test_a_locked_open_site_becomes_outside_utility():
    # By hand: o = 1, locked site 3, free site 4. Closed 3/4; open 7/8. Folded: 3/4 + w' * 4 / (o' + 4).
    matrix = sp.csr_array(np.array([[3.0, 4.0, 2.0]]))
    locked_open, locked_closed = np.array([True, False, False]), np.array([False, False, True])
    folded = fold_capture(matrix, np.ones(1), np.ones(1), locked_open, locked_closed)
    assert folded.settled.amount == pytest.approx(3 / 4)
    assert folded.settled.by_site == pytest.approx([0.0, 7 / 8 - 3 / 4, 0.0])
    assert folded.extra == pytest.approx([4.0])
    assert folded.weight.tolist() == [0.0]


def test_only_what_exceeds_the_best_locked_site_counts():
    # By hand: the locked site covers 0.5 of weight 2; free sites 0.75 and 0.25 add 0.5 and nothing.
    matrix = sp.csr_array(np.array([[0.5, 0.75, 0.25]]))
    locked_open, locked_closed = np.array([True, False, False]), np.zeros(3, dtype=bool)
    folded = fold_cover(matrix, np.full(1, 2.0), locked_open, locked_closed)
    assert folded.settled.amount == 1.0
    assert folded.settled.by_site.tolist() == [0.0, 0.5, 0.0]


@pytest.mark.parametrize("kind", ["max_capture", "max_coverage"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_folded_terms_are_worth_the_same(kind, dtype):
    rng = np.random.default_rng([10, len(kind)])
    for draw in range(20):
        matrix = tiny_matrix(rng, n_rows=12, n_sites=7, kind=kind).astype(dtype)
        weight, outside = rng.random(12) * (rng.random(12) < 0.9), 0.05 + rng.random(12)
        state = rng.choice(3, 7, p=[0.6, 0.2, 0.2]) if draw else np.zeros(7, dtype=int)
        locks = state == 1, state == 2
        if kind == "max_capture":
            folded = fold_capture(matrix, weight, outside, *locks)
        else:
            folded = fold_cover(matrix, weight, *locks)
        pairs = gather_pairs(folded.matrix, folded.weight, folded.extra, np.ones(7, dtype=bool))
        term = (CaptureTerm if kind == "max_capture" else CoverTerm)(pairs, folded.settled)
        assert not (np.diff(pairs.col_ptr)[state > 0]).any()
        assert (pairs.stop - pairs.start > 1).all()
        for code in range(2**7):
            chosen = ((code >> np.arange(7) & 1).astype(bool) | locks[0]) & ~locks[1]
            wide = matrix.astype(np.float64)
            expected = objective_of(kind, chosen, wide, weight=weight, outside=outside)
            assert term.value(chosen) == pytest.approx(expected, rel=1e-12, abs=1e-15)
            walk = term.track(chosen)
            site = int(rng.choice(np.flatnonzero(state == 0))) if (state == 0).any() else 0
            if state[site] == 0:
                before, marginal = term.value(chosen), walk.marginal[site]
                walk.toggle(site)
                chosen[site] = not chosen[site]
                assert marginal == pytest.approx(abs(term.value(chosen) - before), abs=1e-12)
                assert walk.marginal[site] == pytest.approx(marginal, abs=1e-12)


def test_many_locks_and_lone_rows_equal_brute_force():
    rng = np.random.default_rng(11)
    for _ in range(30):
        n_sites, n_open = 11, 5
        present = rng.random((14, n_sites)) < 0.2
        matrix = sp.csr_array(np.where(present, rng.random((14, n_sites)), 0.0))
        bonus = (sp.csr_array(np.vstack([np.eye(n_sites), present[:6]])), rng.random(n_sites + 6))
        order = rng.permutation(n_sites)
        options = {"locked_open": order[:2], "locked_closed": order[2:5]}
        data = {"weight": rng.random(14), "outside": 0.1 + rng.random(14)}
        extra = {"bonus_cover": bonus[0], "bonus_weight": bonus[1]}
        solution = max_capture(matrix, *data.values(), n_open, gap=0.0, **extra, **options)
        best = brute_force("max_capture", matrix, n_open, options=options, bonus=bonus, **data)
        assert solution.status == "optimal"
        assert solution.objective == pytest.approx(best, rel=2e-6)
        assert verify("max_capture", solution, matrix, n_open, **data, **extra, **options) == []


def test_row_order_does_not_show_in_what_is_settled():
    rng = np.random.default_rng(12)
    matrix = tiny_matrix(rng, n_rows=300, n_sites=12)
    matrix = sp.csr_array(matrix.toarray() * (rng.random((300, 12)) < 0.3))
    weight, outside, order = rng.random(300), 0.1 + rng.random(300), rng.permutation(300)
    locks = np.arange(12) < 2, np.arange(12) > 9
    first = fold_capture(matrix, weight, outside, *locks).settled
    second = fold_capture(matrix[order], weight[order], outside[order], *locks).settled
    assert first.amount == second.amount
    assert first.by_site.tolist() == second.by_site.tolist()


def test_worths_of_single_sites_are_proved_without_a_cut():
    rng = np.random.default_rng(13)
    worth = rng.random(600)
    solution = max_coverage(sp.eye_array(600, format="csr"), worth, 20, gap=0.0)
    assert solution.status == "optimal"
    assert solution.objective == pytest.approx(np.sort(worth)[-20:].sum())
    assert solution.iterations <= 1
