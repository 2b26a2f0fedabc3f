"""Frontiers against trying all open sets; every line they rest on holds for every plan."""

from itertools import combinations

import numpy as np
import pytest
from instances import brute_force, tiny_cost, tiny_matrix, tiny_options

from siteplanner.location import Warm, frontier_of_aims, frontier_of_moves, max_coverage, verify
from siteplanner.location.verify import objective_of

KINDS = ["max_coverage", "max_capture", "p_median"]


def draw(rng, kind, n_sites):
    matrix = tiny_cost(rng, 14, n_sites, 0.0) if kind == "p_median" else tiny_matrix(rng, 14, n_sites, kind)
    weights = rng.integers(0, 9, (2, 14)).astype(float)
    outside = 0.2 + rng.random(14) * 2 if kind == "max_capture" else None
    return matrix, weights, outside


@pytest.mark.parametrize("kind", KINDS)
def test_moves_equal_brute_force(kind):
    rng = np.random.default_rng([61, KINDS.index(kind)])
    for _ in range(10):
        n_sites, n_open = int(rng.integers(6, 10)), 3
        matrix, (weight, _), outside = draw(rng, kind, n_sites)
        options = tiny_options(rng, n_sites, n_open, ("moves",))
        options.pop("max_moves")
        moves = (3, 0, 1, 2)
        found = frontier_of_moves(kind, matrix, weight, n_open, moves, outside=outside, gap=0.0, **options)
        data = {"weight": weight} | ({"outside": outside} if outside is not None else {})
        for count, solution in zip(moves, found, strict=True):
            rules = options | {"max_moves": count}
            assert verify(kind, solution, matrix, n_open, **data, **rules) == []
            best = brute_force(kind, matrix, n_open, options=rules, **data)
            assert solution.objective == pytest.approx(best, rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_aims_are_efficient_and_no_plan_passes_a_line(kind):
    rng = np.random.default_rng([62, KINDS.index(kind)])
    sign = -1 if kind == "p_median" else 1
    for _ in range(10):
        n_sites, n_open = int(rng.integers(6, 10)), int(rng.integers(2, 4))
        matrix, weights, outside = draw(rng, kind, n_sites)
        traced = frontier_of_aims(kind, matrix, weights, n_open, outside=outside, gap=0.0)
        plans = []
        for sites in combinations(range(n_sites), n_open):
            chosen = np.zeros(n_sites, dtype=bool)
            chosen[list(sites)] = True
            plans.append(
                [sign * objective_of(kind, chosen, matrix, weight=w, outside=outside) for w in weights]
            )
        plans = np.array(plans)
        scaled = plans / np.array(traced.unit)
        for point in traced.points:
            mine = sign * np.array([point.first, point.second])
            # A plan better in one aim is worse in the other.
            beats = (plans >= mine - 1e-9).all(axis=1) & (plans > mine + 1e-6).any(axis=1)
            on_hull = (1 - point.share) * scaled[:, 0] + point.share * scaled[:, 1]
            assert on_hull.max() <= sign * point.bound + 1e-6 * abs(point.bound)
            if 0 < point.share < 1:
                assert not beats.any()
        # The ends reach the best value of their aim.
        assert sign * traced.points[0].first == pytest.approx(plans[:, 0].max(), rel=1e-6)
        assert sign * traced.points[-1].second == pytest.approx(plans[:, 1].max(), rel=1e-6)
        assert traced.slack <= 1e-5


def test_every_supported_plan_is_found_when_points_allow():
    """Vertices of the upper hull of all plans, by brute force, are all on the traced frontier."""
    rng = np.random.default_rng(63)
    matrix, weights, _ = draw(rng, "max_coverage", 9)
    traced = frontier_of_aims("max_coverage", matrix, weights, 3, points=60, gap=0.0)
    plans = []
    for sites in combinations(range(9), 3):
        chosen = np.zeros(9, dtype=bool)
        chosen[list(sites)] = True
        plans.append([objective_of("max_coverage", chosen, matrix, weight=w) for w in weights])
    plans = np.array(plans)
    vertices = set()
    for angle in np.linspace(1e-6, np.pi / 2 - 1e-6, 20_001):
        best = int(np.argmax(plans @ [np.cos(angle), np.sin(angle)]))
        vertices.add(tuple(plans[best]))
    reached = {(point.first, point.second) for point in traced.points}
    for vertex in vertices:
        assert min(np.hypot(vertex[0] - x, vertex[1] - y) for x, y in reached) < 1e-6


def test_warm_start_changes_no_answer():
    rng = np.random.default_rng(64)
    matrix, (weight, other), _ = draw(rng, "max_coverage", 10)
    warm = Warm()
    for one in (weight, other, weight + other):
        fresh = max_coverage(matrix, one, 3, gap=0.0)
        used = max_coverage(matrix, one, 3, gap=0.0, warm=warm)
        assert used.objective == fresh.objective
        assert used.bound == pytest.approx(fresh.bound, rel=1e-6)
    assert warm.sets


def test_faults_are_named():
    cover, weight = np.eye(3), np.ones(3)
    with pytest.raises(ValueError, match="moves"):
        frontier_of_moves("max_coverage", cover, weight, 1, [1], existing=[0], max_moves=1)
    with pytest.raises(ValueError, match="kind"):
        frontier_of_aims("p_center", cover, (weight, weight), 1)
    with pytest.raises(ValueError, match="points"):
        frontier_of_aims("max_coverage", cover, (weight, weight), 1, points=1)
    with pytest.raises(ValueError, match="outside"):
        frontier_of_aims("max_capture", cover, (weight, weight), 1)
    with pytest.raises(ValueError, match=r"weights\[1\]"):
        frontier_of_aims("max_coverage", cover, (weight, -weight), 1)
    with pytest.raises(TypeError, match="warm"):
        max_coverage(cover, weight, 1, warm=3)
    warm = Warm()
    warm.add_set(np.ones(4, dtype=bool))
    with pytest.raises(ValueError, match="warm"):
        max_coverage(cover, weight, 1, warm=warm)
