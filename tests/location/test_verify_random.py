"""The verifier against the rules as the solver states them, on random plans: two readings, one verdict."""

from dataclasses import replace

import numpy as np
import pytest
from instances import tiny_cost, tiny_matrix, tiny_options, values_of_plans
from test_brute_force import RULES

from siteplanner.location import Solution, verify
from siteplanner.location.options import read_options
from siteplanner.location.rules import build_rules

DRAWS = 30
"""Per problem and rule set: 1,440 instances in all."""

KINDS = ("max_capture", "max_coverage", "p_median", "p_center")


def draw(rng, kind):
    n_sites, n_open = int(rng.integers(6, 13)), int(rng.integers(2, 6))
    data = {} if kind == "p_center" else {"weight": rng.integers(0, 9, 14).astype(float)}
    if kind.startswith("max"):
        matrix = tiny_matrix(rng, n_sites=n_sites, kind=kind)
    else:
        matrix = tiny_cost(rng, 14, n_sites, absent=0.0)
    if kind == "max_capture":
        data["outside"] = 0.2 + 2 * rng.random(14)
    return matrix, n_open, data


@pytest.mark.parametrize("names", RULES, ids="-".join)
@pytest.mark.parametrize("kind", KINDS)
def test_verifier_and_rules_agree_on_random_plans(kind, names):
    rng = np.random.default_rng([KINDS.index(kind), 9, *map(ord, "".join(names))])
    for _ in range(DRAWS):
        matrix, n_open, data = draw(rng, kind)
        options = tiny_options(rng, matrix.shape[1], n_open, names)
        rules = build_rules(read_options(options, matrix.shape[1], n_open)[0])
        plans = np.zeros((4, matrix.shape[1]), dtype=bool)
        for plan in plans:
            plan[rng.choice(matrix.shape[1], n_open, replace=False)] = True
        values = values_of_plans(kind, matrix, plans, **data)
        for plan, value in zip(plans, values.tolist(), strict=True):
            right = Solution(plan, value, value, 0.0, "optimal", 0.0, 0)
            faults = verify(kind, right, matrix, n_open, **data, **options)
            assert (not faults) == rules.allows(plan.astype(float)), (faults, options)
            assert not any(fault.startswith(("objective", "bound", "gap", "status")) for fault in faults)
            wrong = replace(right, objective=value + 1e-3, bound=value + 1e-3)
            found = verify(kind, wrong, matrix, n_open, **data, **options)
            assert any(fault.startswith("objective") for fault in found)
            assert any(
                fault.startswith("n_open") for fault in verify(kind, right, matrix, n_open + 1, **data)
            )
