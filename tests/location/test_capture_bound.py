"""Envelopes and averaged rows: tight where they should be, never below what some open set reaches."""

import numpy as np
import pytest
import scipy.sparse as sp
from instances import brute_force, tiny_matrix, tiny_options
from scipy.optimize import linprog

from siteplanner.location import engine, max_capture, verify
from siteplanner.location.capture_bound import STAGES
from siteplanner.location.envelope import cut_row, price_sets
from siteplanner.location.jensen import average_rows
from siteplanner.location.master import Master
from siteplanner.location.options import Options, read_options
from siteplanner.location.pairs import gather_pairs
from siteplanner.location.program import Program
from siteplanner.location.rules import build_rules
from siteplanner.location.terms import CaptureTerm

LIMITS = np.array([12, 60])


def all_sets(size):
    return (np.arange(2**size)[:, None] >> np.arange(size) & 1).astype(float)


def share(v):
    return v / (1.0 + v)


def envelope(a, x):
    """Best mean share over random sets that hold each site with its probability, as one linear program."""
    sets = all_sets(a.size)
    answer = linprog(
        -share(sets @ a), A_eq=np.vstack([sets.T, np.ones(len(sets))]), b_eq=np.append(x, 1.0), method="highs"
    )
    return -answer.fun


def draw_row(rng, size):
    return rng.random(size) ** 3 * rng.choice([0.3, 3.0, 30.0]), rng.random(size) * (rng.random(size) < 0.7)


def test_pricing_finds_the_best_set():
    rng = np.random.default_rng(21)
    for _ in range(200):
        size = int(rng.integers(1, 11))
        a, _ = draw_row(rng, size)
        mu = share(a) * rng.random(size) * rng.choice([0.2, 1.0, 2.0])
        order = np.argsort(mu / a)
        a, mu = a[order], mu[order]
        best, bound, code = price_sets(a, mu, size, 0.0, np.empty(size + 1, dtype=np.int64))
        values = share(all_sets(size) @ a) - all_sets(size) @ mu
        assert best == pytest.approx(values.max(), abs=1e-12)
        assert bound >= values.max() - 1e-12
        assert values[code] == pytest.approx(best, abs=1e-12)


def test_row_cut_is_the_envelope_where_it_is_made_and_holds_elsewhere():
    rng = np.random.default_rng(22)
    reached = []
    for _ in range(150):
        size = int(rng.integers(2, 9))
        a, x = draw_row(rng, size)
        slope = np.zeros(size)
        const, value, _ = cut_row(a, x, np.inf, 1e-9, LIMITS, slope)
        if np.isinf(value):
            assert (x > 0).sum() < 2
            continue
        sets = all_sets(size)
        assert (share(sets @ a) <= const + sets @ slope + 1e-12).all()
        assert value >= envelope(a, x) - 1e-7
        reached.append(value - envelope(a, x))
    # Sites at zero are lifted together, which may raise the constant: most cuts still touch the envelope.
    assert np.mean(np.array(reached) < 2e-5) > 0.8


@pytest.mark.parametrize("limits", [(2, 60), (12, 1), (3, 2)])
def test_a_row_cut_stopped_early_still_holds(limits):
    rng = np.random.default_rng(23)
    for _ in range(80):
        a, x = draw_row(rng, 9)
        slope = np.zeros(9)
        const, value, _ = cut_row(a, x, np.inf, 1e-3, np.array(limits), slope)
        if np.isfinite(value):
            assert (share(all_sets(9) @ a) <= const + all_sets(9) @ slope + 1e-12).all()


def test_a_known_cut_that_is_good_enough_stands():
    a, x = np.array([2.0, 1.0]), np.array([0.5, 0.5])
    # By hand: the best mix opens one at a time, (2/3 + 1/2) / 2.
    best = (2 / 3 + 1 / 2) / 2
    assert np.isinf(cut_row(a, x, best + 1e-4, 1e-3, LIMITS, np.zeros(2))[1])
    assert cut_row(a, x, 1.0, 1e-3, LIMITS, np.zeros(2))[1] == pytest.approx(best, abs=1e-3)


def tiny_pairs(rng, n_rows, n_sites=8):
    matrix = sp.csr_array(tiny_matrix(rng, n_rows, n_sites).astype(rng.choice([np.float32, np.float64])))
    return gather_pairs(matrix, rng.random(n_rows), 0.05 + rng.random(n_rows) * 2, rng.random(n_sites) < 0.3)


@pytest.fixture
def few_clusters(monkeypatch):
    monkeypatch.setattr("siteplanner.location.pairs.CLUSTERS", 4)


@pytest.mark.usefixtures("few_clusters")
def test_averaged_rows_are_never_worth_less():
    rng = np.random.default_rng(24)
    for _ in range(8):
        pairs = tiny_pairs(rng, 60)
        usable = rng.random(8) < 0.8
        fewer = average_rows(pairs, rng.random(8), usable, 25)
        assert fewer.start.size <= 25 < pairs.start.size
        assert fewer.weight.sum() == pytest.approx(pairs.weight.sum())
        fine, coarse = CaptureTerm(pairs), CaptureTerm(fewer)
        for chosen in all_sets(8).astype(bool):
            assert fine.value(chosen & usable) <= coarse.value(chosen & usable) + 1e-12


def test_few_rows_are_left_as_they_are():
    pairs = tiny_pairs(np.random.default_rng(25), 30)
    same = average_rows(pairs, np.ones(8), np.ones(8, dtype=bool), 100)
    assert same.weight.tolist() == pairs.weight.tolist()
    for row in range(pairs.start.size):
        fine = pairs.values[pairs.start[row] : pairs.stop[row]] / pairs.extra[row]
        assert same.values[same.start[row] : same.stop[row]] == pytest.approx(fine)


def test_deep_cuts_hold_at_every_set():
    rng = np.random.default_rng(26)
    for _ in range(5):
        pairs = tiny_pairs(rng, 12)
        term = CaptureTerm(pairs)
        for stage in range(-1, len(STAGES)):
            for _ in range(3):
                point = rng.random(8) * (rng.random(8) < 0.8)
                for cuts in term.cut(point, np.ones(8, dtype=bool)):
                    for chosen in all_sets(8).astype(bool):
                        right = float((cuts.const + cuts.slope @ chosen.astype(float)).sum())
                        assert term.value(chosen) <= right + 1e-10
            assert term.deepen() == (stage + 1 < len(STAGES))


def spiky_instance(rng, n_rows=700, n_sites=40):
    cells, sites = rng.random((n_rows, 2)), rng.random((n_sites, 2))
    distance = np.linalg.norm(cells[:, None] - sites[None], axis=2)
    utility = np.where(distance < 0.35, 1.0 / np.maximum(distance, 0.01) ** 2, 0.0)
    return sp.csr_array(utility.astype(np.float32)), rng.lognormal(size=n_rows), np.full(n_rows, 8.0)


def test_deep_cuts_close_most_of_the_gap_of_shallow_ones(monkeypatch):
    rng = np.random.default_rng(27)
    instance = spiky_instance(rng)
    best = max_capture(*instance, 6, gap=1e-6)
    assert best.status == "optimal"
    assert verify("max_capture", best, instance[0], 6, weight=instance[1], outside=instance[2]) == []
    monkeypatch.setattr(engine, "close_by_branching", lambda *_: None)
    monkeypatch.setattr(engine, "WIDE_GAP", 0.0)
    deep = max_capture(*instance, 6, gap=0.0)
    monkeypatch.setattr(Master, "deepen", lambda _: False)
    shallow = max_capture(*instance, 6, gap=0.0)
    assert best.objective * (1 - 1e-9) <= deep.bound <= shallow.bound
    assert deep.bound - best.objective < 0.6 * (shallow.bound - best.objective)


@pytest.mark.usefixtures("few_clusters")
@pytest.mark.parametrize("rows", [10, 25])
def test_averaged_and_32_bit_instances_reach_the_optimum(monkeypatch, rows):
    """Even with far too few averaged rows: the cuts at 0/1 points are made of the rows themselves."""
    stages = tuple(stage._replace(rows=rows) for stage in STAGES)
    monkeypatch.setattr("siteplanner.location.capture_bound.STAGES", stages)
    monkeypatch.setattr("siteplanner.location.terms.STAGES", stages)
    monkeypatch.setattr(engine, "WIDE_GAP", 0.0)
    rng = np.random.default_rng([28, rows])
    for names in [(), ("moves", "classes", "overlap", "conflicts"), ("groups", "locks"), ("moves", "budget")]:
        matrix = tiny_matrix(rng, 60, 9).astype(np.float32)
        weight, outside = rng.random(60), 0.02 + rng.random(60)
        options = tiny_options(rng, 9, 3, names)
        exact = matrix.astype(np.float64)
        best = brute_force("max_capture", exact, 3, options=options, weight=weight, outside=outside)
        if best is None:
            continue
        solution = max_capture(matrix, weight, outside, 3, gap=0.0, **options)
        assert solution.objective == pytest.approx(best, rel=2e-6)
        assert solution.bound >= best * (1 - 1e-9)


def test_time_of_earlier_solves_does_not_count():
    """HiGHS adds up the seconds of all solves of one object; the limit is meant for one."""
    rng = np.random.default_rng(29)
    sites, _ = read_options(Options(), 60, 20)
    program = Program(build_rules(sites), rng.random(60), 0, 0)
    rows = sp.csr_array(rng.random((40, 60)))
    program.add_rows(rows, np.full(40, 12.0))
    while program._highs.getRunTime() < 0.15:
        program.solve(10.0, 0.0, nodes=20)
    assert program.relax(0.12)[0].state == "solved"
