"""Every problem and every constraint against trying all open sets."""

import numpy as np
import pytest
from instances import brute_force, tiny_cost, tiny_matrix, tiny_options

from siteplanner.location import Infeasible, max_capture, max_coverage, p_center, p_median, verify

RULES = [
    (),
    ("moves",),
    ("classes",),
    ("groups",),
    ("overlap",),
    ("conflicts",),
    ("spacing",),
    ("budget",),
    ("locks",),
    ("moves", "classes", "overlap", "conflicts"),
    ("moves", "groups", "budget", "locks", "conflicts"),
    ("moves", "classes", "overlap", "spacing", "locks"),
]
DRAWS = 42
"""Per rule set and problem: 504 instances of each problem type in all."""


def compare(solution_of, kind, matrix, n_open, options, data):
    """The solver finds what brute force finds, proves it, and the verifier agrees."""
    bonus = data.get("bonus")
    best = brute_force(kind, matrix, n_open, options=options, **data)
    if best is None:
        with pytest.raises(Infeasible):
            solution_of()
        return
    solution = solution_of()
    assert solution.status == "optimal"
    assert solution.objective == pytest.approx(best, rel=2e-6)
    assert solution.bound * (1 if kind.startswith("max") else -1) >= best * (
        1 if kind.startswith("max") else -1
    ) - 1e-9 * abs(best)
    plain = {key: value for key, value in data.items() if key != "bonus"}
    if bonus is not None:
        plain |= {"bonus_cover": bonus[0], "bonus_weight": bonus[1]}
    assert verify(kind, solution, matrix, n_open, **plain, **options) == []


@pytest.mark.parametrize("names", RULES, ids="-".join)
def test_capture_equals_brute_force(names):
    rng = np.random.default_rng([1, *map(ord, "".join(names))])
    for _ in range(DRAWS // 2):  # with and without a bonus, half each
        n_sites, n_open = int(rng.integers(6, 13)), int(rng.integers(2, 5))
        matrix = tiny_matrix(rng, n_sites=n_sites)
        weight, outside = rng.random(14), 0.2 + rng.random(14) * 2
        options = tiny_options(rng, n_sites, n_open, names)
        data = {"weight": weight, "outside": outside}

        def solve(matrix=matrix, data=data, n_open=n_open, options=options):
            return max_capture(matrix, data["weight"], data["outside"], n_open, gap=0.0, **options)

        compare(solve, "max_capture", matrix, n_open, options, data)


@pytest.mark.parametrize("names", RULES, ids="-".join)
def test_coverage_equals_brute_force(names):
    rng = np.random.default_rng([2, *map(ord, "".join(names))])
    for _ in range(DRAWS):
        n_sites, n_open = int(rng.integers(6, 13)), int(rng.integers(2, 5))
        matrix = tiny_matrix(rng, n_sites=n_sites, kind="max_coverage")
        weight = rng.integers(1, 9, 14).astype(float)
        options = tiny_options(rng, n_sites, n_open, names)

        def solve(matrix=matrix, weight=weight, n_open=n_open, options=options):
            return max_coverage(matrix, weight, n_open, gap=0.0, **options)

        compare(solve, "max_coverage", matrix, n_open, options, {"weight": weight})


@pytest.mark.parametrize("names", RULES, ids="-".join)
def test_capture_with_bonus_equals_brute_force(names):
    rng = np.random.default_rng([3, *map(ord, "".join(names))])
    for _ in range(DRAWS // 2):  # with and without a bonus, half each
        n_sites, n_open = int(rng.integers(6, 13)), int(rng.integers(2, 5))
        matrix = tiny_matrix(rng, n_sites=n_sites)
        bonus = (tiny_matrix(rng, 8, n_sites, "max_coverage").astype(bool).astype(float), rng.random(8))
        data = {"weight": rng.random(14), "outside": 0.2 + rng.random(14) * 2, "bonus": bonus}
        options = tiny_options(rng, n_sites, n_open, names)

        def solve(matrix=matrix, data=data, n_open=n_open, options=options):
            cover, extra = data["bonus"]
            return max_capture(
                matrix,
                data["weight"],
                data["outside"],
                n_open,
                bonus_cover=cover,
                bonus_weight=extra,
                gap=0.0,
                **options,
            )

        compare(solve, "max_capture", matrix, n_open, options, data)


@pytest.mark.parametrize("names", RULES, ids="-".join)
def test_median_equals_brute_force(names):
    rng = np.random.default_rng([4, *map(ord, "".join(names))])
    for draw in range(DRAWS):
        n_sites, n_open = int(rng.integers(6, 13)), int(rng.integers(2, 5))
        cost = tiny_cost(rng, 14, n_sites, absent=0.1 * (draw % 3))
        weight = rng.integers(0, 9, 14).astype(float)
        options = tiny_options(rng, n_sites, n_open, names)

        def solve(cost=cost, weight=weight, n_open=n_open, options=options):
            return p_median(cost, weight, n_open, gap=0.0, **options)

        compare(solve, "p_median", cost, n_open, options, {"weight": weight})


@pytest.mark.parametrize("names", RULES, ids="-".join)
def test_center_equals_brute_force(names):
    rng = np.random.default_rng([5, *map(ord, "".join(names))])
    for draw in range(DRAWS):
        n_sites, n_open = int(rng.integers(6, 13)), int(rng.integers(2, 5))
        cost = tiny_cost(rng, 14, n_sites, absent=0.1 * (draw % 3))
        options = tiny_options(rng, n_sites, n_open, names)

        def solve(cost=cost, n_open=n_open, options=options):
            return p_center(cost, n_open, gap=0.0, **options)

        compare(solve, "p_center", cost, n_open, options, {})
