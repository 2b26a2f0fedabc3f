"""The program over the sites in doubt: the best legal plan there is among them."""

from itertools import combinations

import numpy as np
import pytest
from instances import tiny_matrix

from siteplanner.location.core import Core
from siteplanner.location.options import read_options
from siteplanner.location.rules import build_rules
from siteplanner.location.sets import merge_sets, value_of

NOBODY = np.zeros(9, dtype=bool)
EXISTING = np.isin(np.arange(9), [0, 1, 2, 3])


def problem(seed):
    rng = np.random.default_rng([33, seed])
    cover = (tiny_matrix(rng, 40, 9, "max_coverage") > 0).astype(np.uint8)
    sets, _ = merge_sets(cover, rng.integers(1, 50, 40).astype(float), np.ones(1), NOBODY, NOBODY)
    options = {"existing": EXISTING, "max_moves": 2, "conflicts": [[4, 5], [0, 8]]}
    return sets, build_rules(read_options(options, 9, 4)[0])


def plans(rules):
    """Every legal set of four sites."""
    found = (np.isin(np.arange(9), four) for four in combinations(range(9), 4))
    return [plan for plan in found if rules.allows(plan.astype(float))]


@pytest.mark.parametrize("seed", range(20))
def test_with_every_site_in_doubt_the_best_plan_is_found(seed):
    sets, rules = problem(seed)
    found = Core(1).solve(sets, rules, np.full(9, 0.5), EXISTING, 60.0)
    assert rules.allows(found.astype(float))
    assert value_of(sets, found) == max(value_of(sets, plan) for plan in plans(rules))


@pytest.mark.parametrize("seed", range(20))
def test_what_relaxation_and_plan_agree_on_stays(seed):
    sets, rules = problem(seed)
    x = np.array([1.0, 0.5, 0.5, 0.0, 0.0, 0.5, 0.5, 0.0, 0.5])
    found = Core(1).solve(sets, rules, x, EXISTING, 60.0)
    # Site 0 is open for both, 4 and 7 are closed for both; site 3 is open in the plan alone.
    legal = [plan for plan in plans(rules) if plan[0] and not plan[4] and not plan[7]]
    assert value_of(sets, found) == max(value_of(sets, plan) for plan in legal)


def test_without_doubt_there_is_nothing_to_solve():
    sets, rules = problem(0)
    assert Core(1).solve(sets, rules, EXISTING.astype(float), EXISTING, 60.0) is None
