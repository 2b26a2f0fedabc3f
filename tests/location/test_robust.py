"""Plans for several scenarios against trying all open sets, and the doors around them."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from instances import all_plans, tiny_cost, tiny_matrix, tiny_options, values_of_plans
from test_brute_force import RULES

from siteplanner.location import Infeasible, Solution, Warm, solve_robust, verify, verify_robust
from siteplanner.location.verify import objective_of

KINDS = ("max_coverage", "max_capture", "p_median")
AIMS = ("mean", "regret", "relative_regret")
N_ROWS = 12


def draw(rng, kind, names):
    """An instance of up to ten sites and two to five scenarios of different sizes."""
    n_sites, n_open, n_scenarios = int(rng.integers(5, 10)), int(rng.integers(2, 4)), int(rng.integers(2, 6))
    weights = rng.integers(0, 9, (n_scenarios, N_ROWS)) * (0.2 + 2 * rng.random((n_scenarios, 1)))
    if kind == "p_median":
        matrix = tiny_cost(rng, N_ROWS, n_sites, absent=float(rng.choice([0.0, 0.2])))
    else:
        matrix = tiny_matrix(rng, N_ROWS, n_sites, kind)
    outside = 0.2 + 2 * rng.random(N_ROWS) if kind == "max_capture" else None
    chance = rng.random(n_scenarios)
    data = {"outside": outside, "probability": chance / chance.sum()}
    return (kind, matrix, weights, n_open), data, tiny_options(rng, n_sites, n_open, names)


def values_of_all(problem, data, options):
    """Scenario values of every open set that keeps the rules and serves every row of any scenario."""
    kind, matrix, weights, n_open = problem
    plans, outside, used = all_plans(matrix.shape[1], n_open), data["outside"], weights.max(axis=0)
    worths = values_of_plans(kind, matrix, plans, used, outside)
    keep = []
    for at in np.flatnonzero(np.isfinite(worths)):
        worth = float(worths[at])
        claim = Solution(plans[at], worth, worth, 0.0, "optimal", 0.0, 0)
        if not verify(kind, claim, matrix, n_open, weight=used, outside=outside, **options):
            keep.append(at)
    return np.array([values_of_plans(kind, matrix, plans[keep], w, outside) for w in weights]).T


def expected(aim, values, chance, sign):
    """Best objective of the aim, and the unit of its gap."""
    best = (sign * values).max(axis=0)
    if aim == "mean":
        top = (values @ chance * sign).max() * sign
        return top, abs(top)
    regret = best - sign * values
    if aim == "relative_regret":
        return (regret / np.abs(best)).max(axis=1).min(), 1.0
    return regret.max(axis=1).min(), chance @ np.abs(best)


@pytest.mark.parametrize("names", RULES, ids="-".join)
@pytest.mark.parametrize("kind", KINDS)
def test_equals_brute_force(kind, names):
    rng = np.random.default_rng([KINDS.index(kind), *map(ord, "".join(names))])
    for aim in (*AIMS, *AIMS[1:], "regret"):
        problem, data, options = draw(rng, kind, names)
        values = values_of_all(problem, data, options)
        if not values.size:
            with pytest.raises(Infeasible):
                solve_robust(*problem, aim=aim, gap=0.0, **data, **options)
            continue
        solution = solve_robust(*problem, aim=aim, gap=0.0, **data, **options)
        sign = -1 if kind == "p_median" else 1
        best, unit = expected(aim, values, data["probability"], sign)
        up = sign if aim == "mean" else -1
        assert solution.status == "optimal"
        assert solution.objective == pytest.approx(best, abs=2e-6 * unit)
        assert up * solution.bound >= up * best - 1e-9 * unit
        top = (sign * values).max(axis=0)
        np.testing.assert_allclose(sign * solution.best, top, rtol=2e-6)
        assert (sign * solution.best_bound >= top - 1e-9 * np.abs(top)).all()
        assert verify_robust(kind, solution, *problem[1:], **data, **options) == []


def middle(kind, seed=5):
    """An instance of sixty sites in which mixtures leave a gap."""
    rng = np.random.default_rng(seed)
    cells, sites = rng.random((300, 2)), rng.random((60, 2))
    far = np.linalg.norm(cells[:, None] - sites[None], axis=2)
    weights = np.array([rng.integers(1, 50, 300) * (cells @ rng.random(2) > 0.4 + 0.1 * s) for s in range(3)])
    outside = None
    if kind == "p_median":
        matrix = sp.csr_array(np.round(far * 1000))
    elif kind == "max_capture":
        matrix, outside = sp.csr_array(np.where(far < 0.2, np.exp(-9 * far), 0.0)), 2 + rng.random(300)
    else:
        matrix = sp.csr_array((far < 0.13).astype(float))
    return matrix, weights, outside


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_rows_does_not_show(kind):
    matrix, weights, outside = middle(kind)
    order = np.random.default_rng(1).permutation(300)
    first = solve_robust(kind, matrix, weights, 8, outside=outside, gap=1e-3)
    turned = None if outside is None else outside[order]
    second = solve_robust(kind, matrix[order], weights[:, order], 8, outside=turned, gap=1e-3)
    assert np.array_equal(first.open, second.open)
    assert np.array_equal(first.best_open, second.best_open)
    assert (first.objective, first.bound, first.iterations) == (
        second.objective,
        second.bound,
        second.iterations,
    )
    assert first.status in {"optimal", "gap_reached"}
    assert verify_robust(kind, first, matrix, weights, 8, outside=outside) == []


def test_worst_regret_is_below_that_of_the_mean_and_of_every_own_plan():
    matrix, weights, _ = middle("max_coverage")
    mean = solve_robust("max_coverage", matrix, weights, 8, aim="mean", gap=0.0)
    least = solve_robust("max_coverage", matrix, weights, 8, gap=0.0)
    assert least.objective == least.worst_regret <= mean.worst_regret
    assert mean.mean >= least.mean
    for plan in least.best_open:
        value = [objective_of("max_coverage", plan, matrix, weight=w) for w in weights]
        assert least.objective <= (least.best_bound - value).max() + 1e-6


def test_by_hand():
    """Two towns and the village between them: alone each wants its own, together the village."""
    cover = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]])
    solution = solve_robust("max_coverage", cover, [[10.0, 0.0], [0.0, 8.0]], 1, probability=[0.25, 0.75])
    assert solution.open.tolist() == [False, False, True]
    np.testing.assert_allclose(solution.best, [10.0, 8.0])
    np.testing.assert_allclose(solution.value, [5.0, 4.0])
    np.testing.assert_allclose(solution.regret, [5.0, 4.0])
    np.testing.assert_allclose(solution.chosen_share, [0.25, 0.75, 0.0])
    assert (solution.objective, solution.mean) == pytest.approx((5.0, 4.25))
    relative = solve_robust("max_coverage", cover, [[10.0, 0.0], [0.0, 8.0]], 1, aim="relative_regret")
    np.testing.assert_allclose(relative.regret, [0.5, 0.5])
    assert relative.bound == pytest.approx(0.5)


def test_one_scenario_is_the_problem_itself():
    matrix, weights, _ = middle("max_coverage")
    solution = solve_robust("max_coverage", matrix, weights[:1], 8, gap=0.0)
    assert solution.objective == pytest.approx(0.0, abs=1e-6 * solution.best[0])
    assert solution.value == pytest.approx(solution.best)


def test_a_row_without_weight_in_a_scenario_is_served_all_the_same():
    cost = np.array([[1.0, np.inf, 3.0], [np.inf, 1.0, 3.0], [0.0, 4.0, 9.0]])
    solution = solve_robust("p_median", cost, [[5.0, 0.0, 1.0], [0.0, 5.0, 1.0]], 1, gap=0.0)
    assert solution.open.tolist() == [False, False, True]
    assert solution.objective == pytest.approx(0.0, abs=1e-6)
    with pytest.raises(Infeasible):
        solve_robust("p_median", cost[:, :2], [[5.0, 0.0, 1.0], [0.0, 5.0, 1.0]], 1)


def test_nothing_to_cover_is_no_regret():
    solution = solve_robust("max_coverage", np.eye(3), np.zeros((2, 3)), 1, aim="relative_regret")
    assert (solution.objective, solution.bound, solution.status) == (0.0, 0.0, "optimal")


def test_progress_of_the_mean_is_its_own():
    matrix, weights, _ = middle("max_coverage")
    told = []
    solution = solve_robust(
        "max_coverage", matrix, weights, 8, aim="mean", progress=lambda *now: told.append(now)
    )
    assert told[-1][0] == pytest.approx(solution.mean)
    assert all(value <= bound for value, bound, _ in told)


def test_progress_and_warm_are_used():
    matrix, weights, _ = middle("max_coverage")
    told, warm = [], Warm()
    solution = solve_robust(
        "max_coverage", matrix, weights, 8, gap=0.0, warm=warm, progress=lambda *now: told.append(now)
    )
    assert told[-1][:2] == pytest.approx((solution.objective, solution.bound), abs=1e-6)
    assert warm.sets
    values, bounds = [one[0] for one in told], [one[1] for one in told]
    assert bounds == sorted(bounds)
    assert min(values) >= max(bounds)


COVER = np.array([[1.0, 0, 1, 0], [0, 1, 0, 1], [1, 1, 0, 0]])
GOOD = [[3.0, 2.0, 1.0], [1.0, 5.0, 2.0]]


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"weights": [1.0, 2.0, 3.0]}, "weights"),
        ({"weights": np.empty((0, 3))}, "weights"),
        ({"weights": [[1.0, 2.0]]}, "weights"),
        ({"weights": [[1.0, 2.0, 3.0], [1.0, -2.0, 3.0]]}, r"weights\[1\] is negative"),
        ({"weights": [[1.0, np.nan, 3.0]]}, r"weights\[0\]"),
        ({"weights": [["a", "b", "c"]]}, "weights"),
        ({"probability": [0.5, 0.6]}, "probability must add up to 1"),
        ({"probability": [1.5, -0.5]}, "probability"),
        ({"probability": [1.0]}, "probability"),
        ({"probability": [0.5, np.nan]}, "probability"),
        ({"aim": "worst"}, "aim"),
        ({"kind": "p_center"}, "kind"),
        ({"outside": [1.0, 1.0, 1.0]}, "outside"),
        ({"kind": "max_capture"}, "outside"),
        ({"kind": "max_capture", "outside": [1.0, 0.0, 1.0]}, "outside must be above 0"),
        ({"matrix": 2 * COVER}, "cover"),
        ({"n_open": 5}, "n_open"),
        ({"max_moves": 1}, "max_moves"),
        ({"gap": -1.0}, "gap"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bad_input_is_named_before_solving(changed, word, monkeypatch):
    monkeypatch.setattr("siteplanner.location.scenarios.solve_weighted", None)
    call = {"kind": "max_coverage", "matrix": COVER, "weights": GOOD, "n_open": 2} | changed
    with pytest.raises(ValueError, match=word):
        solve_robust(call.pop("kind"), call.pop("matrix"), call.pop("weights"), call.pop("n_open"), **call)


def test_relative_regret_of_a_free_scenario_is_refused():
    with pytest.raises(ValueError, match="scenario 1 can be served at cost 0"):
        solve_robust("p_median", [[1.0, 2.0], [3.0, 0.0]], [[1.0, 1.0], [0.0, 1.0]], 1, aim="relative_regret")


def check(**changed):
    solution = solve_robust("max_coverage", COVER, GOOD, 2, gap=0.0)
    options = {name: changed.pop(name) for name in list(changed) if name in {"locked_open", "n_open"}}
    n_open = options.pop("n_open", 2)
    return verify_robust("max_coverage", replace(solution, **changed), COVER, GOOD, n_open, **options)


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"n_open": 3}, "open: n_open"),
        ({"locked_open": [3]}, "open: locked_open"),
        ({"open": np.ones(3, dtype=bool)}, "open and"),
        ({"value": np.array([6.0, 7.0])}, "value"),
        ({"best": np.array([6.0, 9.0])}, "best"),
        ({"best_bound": np.array([6.0, 6.0])}, "best_bound"),
        ({"regret": np.array([0.0, 1.0])}, "regret"),
        ({"mean": 1.0}, "mean"),
        ({"objective": -1.0}, "objective"),
        ({"bound": 99.0}, "bound"),
        ({"bound": float("nan")}, "bound"),
        ({"bound": -3.0}, "gap"),
        ({"bound": -3.0, "gap": 1.0}, "status"),
        ({"chosen_share": np.zeros(4)}, "chosen_share"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_verify_names_what_is_wrong(changed, fault):
    assert check() == []
    assert any(line.startswith(fault) for line in check(**changed))


def test_verify_names_a_row_without_service():
    cost = np.array([[1.0, np.inf, 3.0], [np.inf, 1.0, 3.0]])
    weights = [[5.0, 0.0], [0.0, 5.0]]
    solution = solve_robust("p_median", cost, weights, 1, gap=0.0)
    wrong = replace(solution, open=np.array([True, False, False]))
    faults = verify_robust("p_median", wrong, cost, weights, 1)
    assert any(line.startswith("open: leaves") for line in faults)
