"""The verifier names what is wrong with an answer, and stays silent about a right one."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from siteplanner.location import Solution, p_center, verify

COVER = np.array([[1.0, 0, 1, 0], [0, 1, 0, 1], [1, 1, 0, 0]])
WEIGHT = np.array([3.0, 2.0, 1.0])
TODAY = np.array([True, True, False, False])
RIGHT = Solution(np.array([False, True, True, False]), 6.0, 6.0, 0.0, "optimal", 0.0, 0)


def check(solution=RIGHT, n_open=2, **options):
    return verify("max_coverage", solution, COVER, n_open, weight=WEIGHT, **options)


def test_a_right_answer_passes():
    classes = ([0, 0, 0, 0], [2, 1, 1, 1])
    options = {"existing": TODAY, "max_moves": 1, "move_classes": classes, "conflicts": [[0, 1]]}
    assert check(**options, site_group=[0, 0, 1, -1], group_min=[1, 1], group_max=[1, 1]) == []
    assert verify("max_coverage", RIGHT, sp.csr_array(COVER), 2, weight=WEIGHT) == []


BROKEN = [
    ({"n_open": 3}, "n_open"),
    ({"locked_open": [0]}, "locked_open: site 0"),
    ({"locked_closed": [2]}, "locked_closed: site 2"),
    ({"conflicts": [[2, 1]]}, "conflicts: sites 2 and 1"),
    ({"existing": TODAY, "max_moves": 0}, "max_moves: 1 existing"),
    ({"site_group": [0, 0, 1, 1], "group_min": [2, 0]}, "group_min: 1 open in group 0"),
    ({"site_group": sp.csr_array([[0, 1, 1, 0]]), "group_max": [1]}, "group_max: 2 open in group 0"),
    ({"existing": TODAY, "open_cost": [1] * 4, "close_cost": [1] * 4, "budget": 1.5}, "budget: 2.0 spent"),
    ({"existing": TODAY, "move_classes": ([0, 0, 1, 1], [0] * 4)}, "move_classes: 0 opened but 1 closed"),
    ({"existing": TODAY, "move_classes": ([0] * 4, [0, 0, 1, 1])}, "move_classes: no closed site"),
    ({"solution": replace(RIGHT, objective=5.0)}, "objective"),
    ({"solution": replace(RIGHT, bound=5.0)}, "bound"),
    ({"solution": replace(RIGHT, bound=float("nan"))}, "bound"),
    ({"solution": replace(RIGHT, bound=7.0)}, "gap"),
    ({"solution": replace(RIGHT, bound=7.0, gap=0.2)}, "status"),
    ({"solution": replace(RIGHT, open=np.ones(4))}, "open is not"),
]


@pytest.mark.parametrize(("changed", "fault"), BROKEN, ids=lambda value: str(value)[:40])
def test_a_wrong_answer_is_named(changed, fault):
    assert any(line.startswith(fault) for line in check(**changed))


def test_bound_of_a_minimum_lies_below():
    cost = np.array([[1.0, 5.0], [4.0, 2.0]])
    solution = p_center(cost, 1, gap=0.0)
    assert (solution.objective, solution.bound) == (4.0, 4.0)
    assert verify("p_center", solution, cost, 1) == []
    assert any(line.startswith("bound") for line in verify("p_center", replace(solution, bound=4.5), cost, 1))
