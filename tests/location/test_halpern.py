"""The first-order bound against linear programs, brute force and the search tree."""

from dataclasses import replace
from itertools import combinations

import numba
import numpy as np
import pytest
import scipy.sparse as sp
from instances import tiny_options
from scipy.optimize import linprog

from siteplanner.location import Infeasible, engine, max_coverage, set_engine, verify
from siteplanner.location.halpern import Relaxation
from siteplanner.location.halpern_kernels import best_of_box
from siteplanner.location.options import Options, read_options
from siteplanner.location.rules import build_rules
from siteplanner.location.sets import find_levels, merge_sets


def planar(rng, n_rows=300, n_sites=40, reach=0.2):
    rows, sites = rng.random((n_rows, 2)), rng.random((n_sites, 2))
    distance = np.hypot(*(rows[:, None, :] - sites[None, :, :]).transpose(2, 0, 1))
    return sp.csr_array((distance < reach).astype(np.uint8)), rng.integers(1, 20, n_rows).astype(float)


def relax(cover, weight, n_open, **options):
    sites, _ = read_options(Options(**options), cover.shape[1], n_open)
    rules = build_rules(sites)
    sets, _ = merge_sets(cover, weight, find_levels(cover), sites.locked_open, sites.locked_closed)
    return Relaxation(sets, rules, rules.lower, rules.upper), rules, sets


def linear_bound(cover, weight, rules):
    """The same relaxation by scipy's HiGHS: y <= A x, rules on x."""
    n_rows, n_sites = cover.shape
    tall = sp.hstack([-cover.astype(float), sp.eye_array(n_rows)])
    lower, upper = (np.isfinite(side) for side in (rules.low, rules.high))
    blank = sp.csr_array((int(upper.sum()), n_rows)), sp.csr_array((int(lower.sum()), n_rows))
    above = sp.hstack([rules.matrix[np.flatnonzero(upper)], blank[0]])
    below = sp.hstack([-rules.matrix[np.flatnonzero(lower)], blank[1]])
    answer = linprog(
        np.concatenate([np.zeros(n_sites), -weight]),
        A_ub=sp.vstack([tall, above, below]),
        b_ub=np.concatenate([np.zeros(n_rows), rules.high[upper], -rules.low[lower]]),
        bounds=[*zip(rules.lower, rules.upper, strict=True), *[(0, 1)] * n_rows],
    )
    return None if answer.x is None else -answer.fun


@pytest.mark.parametrize("names", [(), ("moves", "groups"), ("classes", "conflicts"), ("budget", "locks")])
def test_bound_meets_the_linear_program(names):
    rng = np.random.default_rng([31, len(names), *map(len, names)])
    met = 0
    for _ in range(6):
        cover, weight = planar(rng)
        relaxation, rules, sets = relax(cover, weight, 7, **tiny_options(rng, 40, 7, names))
        expected = linear_bound(cover, weight, rules)
        if expected is None:
            continue
        for _ in range(10):
            relaxation.run(300, 1e-7)
            assert relaxation.bound * sets.unit >= expected * (1 - 1e-9)
        assert relaxation.bound * sets.unit == pytest.approx(expected, rel=2e-4)
        met += 1
    assert met


def test_any_multipliers_bound_every_plan():
    rng = np.random.default_rng(32)
    for _ in range(20):
        cover, weight = planar(rng, 40, 9, 0.3)
        relaxation, _, sets = relax(cover, weight, 3)
        share = rng.random(sets.n_sets)
        bound = relaxation.price_out(share * sets.weight, np.zeros(0)) * sets.unit
        best = max(weight[cover[:, list(plan)].sum(axis=1) > 0].sum() for plan in combinations(range(9), 3))
        assert bound >= best - 1e-9


def test_best_of_box_takes_the_largest():
    value, lower, upper = np.array([5.0, 1.0, 4.0, 3.0]), np.array([0, 1, 0, 0.0]), np.array([1, 1, 1, 0.0])
    assert best_of_box(value, lower, upper, 2.0) == (6.0, 5.0)  # by hand: site 1 is open, one of {0, 2}


@pytest.mark.parametrize("names", [(), ("moves", "classes"), ("groups", "conflicts"), ("locks",)])
def test_tree_proves_what_the_program_proves(names, monkeypatch):
    rng = np.random.default_rng([33, *map(len, names)])
    for _ in range(4):
        cover, weight = planar(rng)
        options = tiny_options(rng, 40, 7, names)
        try:
            tree = max_coverage(cover, weight, 7, gap=0.0, **options)
        except Infeasible:
            continue
        assert verify("max_coverage", tree, cover, 7, weight=weight, **options) == []
        with monkeypatch.context() as patch:
            patch.setattr(set_engine.SetSolver, "_branch", lambda _: None)
            program = max_coverage(cover, weight, 7, gap=0.0, **options)
        assert (tree.status, program.status) == ("optimal", "optimal")
        assert tree.objective == pytest.approx(program.objective)


def test_certificate_is_checked():
    cover, weight = planar(np.random.default_rng(34))
    today = np.arange(40) < 7
    options = {"existing": today, "max_moves": 4, "locked_open": [0], "locked_closed": [9]}
    solution = max_coverage(cover, weight, 7, **options)
    proof = solution.certificate
    assert proof.bound >= solution.bound * (1 - 1e-9)

    def faults(**changes):
        changed = replace(solution, certificate=replace(proof, **changes))
        return verify("max_coverage", changed, cover, 7, weight=weight, **options)

    assert faults() == []
    assert any("certificate" in line for line in faults(bound=proof.bound * 0.999))
    assert any("certificate" in line for line in faults(share=proof.share * 0.5))


def test_order_of_rows_and_threads_change_nothing(monkeypatch):
    monkeypatch.setattr(engine, "PARALLEL_PAIRS", 0)
    rng = np.random.default_rng(35)
    cover, weight = planar(rng, 2000, 60, 0.12)
    weight = weight * rng.random(2000)
    order = rng.permutation(2000)
    first = max_coverage(cover, weight, 9, gap=1e-3)
    numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
    second = max_coverage(sp.csr_array(cover[order]), weight[order], 9, gap=1e-3)
    assert first.open.tolist() == second.open.tolist()
    assert (first.objective, first.bound, first.iterations) == (
        second.objective,
        second.bound,
        second.iterations,
    )
