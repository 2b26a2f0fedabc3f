"""Kicks stay inside the rules and never lose what was found."""

import numpy as np
import pytest
from instances import tiny_matrix, tiny_options

from siteplanner.location import Infeasible, max_capture
from siteplanner.location.kicks import kick_and_search
from siteplanner.location.options import Options, read_options
from siteplanner.location.pairs import gather_pairs
from siteplanner.location.rules import build_rules
from siteplanner.location.search import SwapSearch
from siteplanner.location.terms import CaptureTerm

NAMES = [(), ("moves", "classes", "overlap", "conflicts"), ("groups", "budget", "locks")]


def draw_problem(rng, names):
    matrix, n_open = tiny_matrix(rng, 30, 12), 4
    weight, outside = rng.random(30), 0.1 + rng.random(30)
    options = tiny_options(rng, 12, n_open, names)
    sites, _ = read_options(Options(**options), 12, n_open)
    term = CaptureTerm(gather_pairs(matrix, weight, outside, np.ones(12, dtype=bool)))
    return term, build_rules(sites), (matrix, weight, outside, n_open, options)


@pytest.mark.parametrize("names", NAMES, ids="-".join)
def test_kicks_reach_the_optimum_of_tiny_problems_within_the_rules(names):
    rng = np.random.default_rng([31, *map(ord, "".join(names))])
    for _ in range(6):
        term, rules, (matrix, weight, outside, n_open, options) = draw_problem(rng, names)
        try:
            best = max_capture(matrix, weight, outside, n_open, gap=0.0, **options)
            start = max_capture(matrix, np.ones(30), outside, n_open, gap=9.0, **options).open
        except Infeasible:
            continue
        shaken = SwapSearch([term], rules).shake(start, np.full(12, 0.3), rng, 5)
        assert rules.allows(shaken.astype(float))
        found = kick_and_search([term], rules, start, rng.random(12), 0, np.inf)
        assert rules.allows(found.astype(float))
        assert term.value(start) <= term.value(found) * (1 + 1e-9)
        assert term.value(found) <= best.objective * (1 + 1e-9)
        if not names:
            assert term.value(found) == pytest.approx(best.objective, rel=1e-6)


def test_kicks_repeat():
    term, rules, _ = draw_problem(np.random.default_rng(32), ())
    start = np.arange(12) < 4
    first, second = (kick_and_search([term], rules, start, np.full(12, 0.4), 7, np.inf) for _ in range(2))
    assert first.tolist() == second.tolist()
