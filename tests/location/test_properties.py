"""Properties that hold for every instance: order, threads, bounds, time, progress."""

import numba
import numpy as np
import pytest
import scipy.sparse as sp
from instances import Province, tiny_matrix

from siteplanner.location import engine, max_capture, max_coverage, p_center, p_median, verify
from siteplanner.location.capture_kernels import price_rows
from siteplanner.location.pairs import gather_pairs
from siteplanner.location.rules import cover_with_cliques
from siteplanner.location.terms import CaptureTerm, CoverTerm


@pytest.fixture(scope="module")
def small_province():
    return Province(5, n_cells=4000, n_existing=40, n_candidates=120, n_moves=6)


def capture(province, **options):
    bonus = province.bonus()
    call = (province.utility, province.weight, province.outside, province.n_open)
    return max_capture(*call, **bonus, **{**province.options(), **options})


def test_relocation_is_legal_and_proved(small_province):
    solution = capture(small_province, gap=0.0)
    assert solution.status == "optimal"
    assert solution.gain_gap is not None
    assert solution.gain_gap < 1e-3
    assert (small_province.existing & ~solution.open).any()
    given = {"weight": small_province.weight, "outside": small_province.outside, **small_province.bonus()}
    options = small_province.options()
    assert (
        verify("max_capture", solution, small_province.utility, small_province.n_open, **given, **options)
        == []
    )


def test_row_order_and_threads_change_nothing(small_province, monkeypatch):
    monkeypatch.setattr(engine, "PARALLEL_PAIRS", 0)
    first = capture(small_province, gap=1e-3)
    order = np.random.default_rng(1).permutation(small_province.weight.size)
    shuffled = (small_province.utility[order], small_province.weight[order], small_province.outside[order])
    numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
    second = max_capture(
        *shuffled, small_province.n_open, gap=1e-3, **small_province.options(), **small_province.bonus()
    )
    assert np.array_equal(first.open, second.open)
    assert (first.objective, first.bound, first.iterations) == (
        second.objective,
        second.bound,
        second.iterations,
    )


@pytest.mark.parametrize("solve", [max_coverage, p_median, p_center])
def test_row_order_changes_nothing_elsewhere(solve):
    rng = np.random.default_rng(9)
    matrix = tiny_matrix(rng, 60, 12, "max_coverage").toarray()
    if solve is not max_coverage:
        matrix = np.round(rng.random((60, 12)), 1)
    weight, order = rng.random(60), rng.permutation(60)
    given, shuffled = ((matrix, weight), (matrix[order], weight[order]))
    if solve is p_center:
        given, shuffled = given[:1], shuffled[:1]
    first, second = solve(*given, 3, gap=0.0), solve(*shuffled, 3, gap=0.0)
    assert first.open.tolist() == second.open.tolist()
    assert (first.objective, first.bound) == pytest.approx((second.objective, second.bound), rel=1e-12)


def test_split_rows_are_merged():
    rng = np.random.default_rng(2)
    matrix = tiny_matrix(rng)
    weight, outside = rng.integers(1, 9, 14).astype(float), np.ones(14)
    once = max_capture(matrix, weight * 2, outside, 3)
    twice = max_capture(sp.vstack([matrix, matrix]), np.tile(weight, 2), np.tile(outside, 2), 3)
    assert (once.objective, once.open.tolist()) == (twice.objective, twice.open.tolist())


def test_ties_go_to_the_lower_site():
    solution = max_coverage(np.eye(6), np.ones(6), 2)
    assert solution.open.tolist() == [True, True, False, False, False, False]


def test_32_bit_utilities_give_the_same_plan():
    rng = np.random.default_rng(3)
    matrix, weight, outside = tiny_matrix(rng), rng.random(14), np.ones(14)
    wide, narrow = (max_capture(matrix.astype(kind), weight, outside, 3) for kind in (np.float64, np.float32))
    assert wide.open.tolist() == narrow.open.tolist()
    assert narrow.objective == pytest.approx(wide.objective, rel=1e-6)


def test_time_limit_is_told_and_its_bound_holds(small_province):
    short = capture(small_province, gap=0.0, time_limit=0.02)
    full = capture(small_province, gap=0.0)
    assert short.status == "time_limit"
    assert short.objective <= full.objective * (1 + 1e-9)
    assert short.bound >= full.objective * (1 - 1e-9)


def test_search_trees_cut_short_reach_the_same_optimum(monkeypatch):
    rng = np.random.default_rng(14)
    utility = np.where(rng.random((80, 30)) < 0.15, 1.0, 0.0)
    weight = rng.integers(1, 9, 80).astype(float)
    nodes = []
    solve = engine.Master.solve

    def count(self, seconds, gap, chosen, limit):
        nodes.append(limit)
        return solve(self, seconds, gap, chosen, limit)

    monkeypatch.setattr(engine.Master, "solve", count)
    whole = max_capture(utility, weight, np.full(80, 0.02), 8, gap=0.0)
    assert whole.status == "optimal"
    rounds = len(nodes)
    nodes.clear()
    monkeypatch.setattr(engine, "FIRST_NODES", 1)
    short = max_capture(utility, weight, np.full(80, 0.02), 8, gap=0.0)
    assert (short.status, short.objective) == (whole.status, pytest.approx(whole.objective))
    assert max(nodes) > 1
    assert len(nodes) > rounds


def test_progress_only_improves(small_province):
    calls = []
    solution = capture(small_province, gap=0.0, progress=lambda *values: calls.append(values))
    objectives, bounds, seconds = zip(*calls, strict=True)
    assert list(objectives) == sorted(objectives)
    assert list(bounds) == sorted(bounds, reverse=True)
    assert list(seconds) == sorted(seconds)
    assert (objectives[-1], bounds[-1]) == (solution.objective, solution.bound)


def test_nothing_to_gain_is_an_answer():
    today = np.array([True, False])
    solution = max_capture(np.array([[2.0, 1.0]]), [1.0], [1.0], 1, existing=today, max_moves=1)
    assert solution.open.tolist() == [True, False]
    assert solution.status == "optimal"


def test_demand_without_sites_is_worth_nothing():
    solution = max_coverage(sp.csr_array((3, 4)), np.ones(3), 2)
    assert (solution.objective, solution.bound, solution.status) == (0.0, 0.0, "optimal")


def test_pure_closure_and_pure_growth():
    rng = np.random.default_rng(4)
    matrix, weight, outside = tiny_matrix(rng), rng.random(14), np.ones(14)
    today = np.arange(9) < 4
    fewer = max_capture(matrix, weight, outside, 2, existing=today, locked_closed=~today, gap=0.0)
    more = max_capture(matrix, weight, outside, 6, existing=today, max_moves=0, gap=0.0)
    assert fewer.open.sum() == 2
    assert not (fewer.open & ~today).any()
    assert more.open.sum() == 6
    assert more.open[:4].all()


@pytest.mark.parametrize("kind", ["max_capture", "max_coverage"])
def test_cuts_hold_at_every_set(kind):
    rng = np.random.default_rng(6)
    for _ in range(30):
        matrix = tiny_matrix(rng, n_rows=6, n_sites=8, kind=kind)
        usable = rng.random(8) < 0.9
        outside = 0.05 + rng.random(6) * 2
        pairs = gather_pairs(matrix, rng.random(6), outside, np.ones(8, dtype=bool))
        term = CaptureTerm(pairs) if kind == "max_capture" else CoverTerm(pairs)
        spread = rng.choice([0.0, 1.0, rng.random()], 8) * usable
        for point in (spread, np.round(spread)):
            for cuts in term.cut(point, usable):
                for code in range(2**8):
                    chosen = (code >> np.arange(8) & 1).astype(bool) & usable
                    right = float((cuts.const + cuts.slope @ chosen.astype(float)).sum())
                    assert term.value(chosen) <= right + 1e-12


def test_set_cuts_are_lifted_soundly_row_by_row():
    rng = np.random.default_rng(7)
    for _ in range(60):
        matrix = sp.csr_array(rng.random((1, 7)) ** 3 * 10)
        pairs = gather_pairs(matrix, np.ones(1), np.full(1, 0.01 + rng.random()), np.ones(7, dtype=bool))
        term, point = CaptureTerm(pairs), (rng.random(7) < 0.5).astype(float)
        value, mark, _, _ = price_rows(pairs, point, np.ones(7, dtype=bool), np.array([0.5]))
        assert mark[0] == 0.5
        assert value[0] == pytest.approx(term.value(point > 0))
        cuts = term.cut(point, np.ones(7, dtype=bool))[1]
        for code in range(2**7):
            chosen = (code >> np.arange(7) & 1).astype(bool)
            assert term.value(chosen) <= float((cuts.const + cuts.slope @ chosen.astype(float)).sum()) + 1e-12


def test_cliques_cover_each_pair_and_no_other():
    rng = np.random.default_rng(8)
    for _ in range(20):
        pairs = np.unique(np.argwhere(np.triu(rng.random((9, 9)) < 0.4, 1)), axis=0)
        cliques = cover_with_cliques(pairs, 9)
        together = np.triu((cliques.T @ cliques).toarray() > 0, 1)
        assert np.array_equal(np.argwhere(together), pairs)
