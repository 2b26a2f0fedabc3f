"""Recompute a plan for several scenarios from the answer alone: rules, values, regrets, means."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from siteplanner.location.frontier import Weighted
from siteplanner.location.options import Options
from siteplanner.location.solution import RobustSolution
from siteplanner.location.verify import TOLERANCE, check_rules, objective_of

Floats = NDArray[np.float64]


def verify_robust(
    kind: Weighted,
    solution: RobustSolution,
    matrix: Any,  # noqa: ANN401 - dense or sparse
    weights: ArrayLike,
    n_open: int,
    *,
    probability: ArrayLike | None = None,
    outside: ArrayLike | None = None,
    **options: Any,  # noqa: ANN401 - see Options
) -> list[str]:
    """Check an answer of `solve_robust` against what it was given.

    Returns
    -------
    list of str
        Violations in the caller's words; empty when the answer stands.
    """
    amounts = np.asarray(weights, dtype=np.float64)
    shape = (amounts.shape[0], matrix.shape[1])
    plans = [solution.open, *solution.best_open]
    if len(plans) != shape[0] + 1 or any(p.dtype != np.bool_ or p.shape != shape[1:] for p in plans):
        return ["open and best_open are not one boolean per site, the latter per scenario"]
    rules = Options(**options)  # type: ignore[typeddict-item]
    faults: list[str] = []
    for at, plan in enumerate(plans):
        who = "open" if at == 0 else f"best_open[{at - 1}]"
        if int(plan.sum()) != n_open:
            faults.append(f"{who}: n_open: {int(plan.sum())} open, {n_open} asked")
        faults += [f"{who}: {fault}" for fault in check_rules(plan, rules)]
        if not np.isfinite(objective_of(kind, plan, matrix, weight=amounts.max(axis=0), outside=outside)):
            faults.append(f"{who}: leaves a demand row without service")
    chance = np.full(shape[0], 1.0 / shape[0]) if probability is None else np.asarray(probability)
    worth = np.array(
        [
            [objective_of(kind, plan, matrix, weight=amount, outside=outside) for plan in plans]
            for amount in amounts
        ]
    )
    faults += _check_values(kind, solution, worth)
    faults += _check_sums(kind, solution, worth[:, 0], chance)
    return faults


def _differ(stated: ArrayLike, found: ArrayLike, size: ArrayLike) -> bool:
    room = TOLERANCE * np.maximum(np.abs(size), 1e-12)
    return not bool((np.abs(np.asarray(stated) - np.asarray(found)) <= room).all())


def _check_values(kind: Weighted, solution: RobustSolution, worth: Floats) -> Iterator[str]:
    sign = 1.0 if kind.startswith("max") else -1.0
    value, best = worth[:, 0], np.diag(worth[:, 1:])
    if _differ(solution.value, value, value):
        yield f"value: {solution.value.tolist()} stated, {value.tolist()} recomputed"
    if _differ(solution.best, best, best):
        yield f"best: {solution.best.tolist()} stated, {best.tolist()} recomputed"
    room = TOLERANCE * np.abs(best) + 1e-12
    if not (sign * solution.best_bound[:, None] >= sign * worth - room[:, None]).all():
        yield "best_bound: a plan of the answer itself is better"


def _check_sums(kind: Weighted, solution: RobustSolution, value: Floats, chance: Floats) -> Iterator[str]:
    """Check regrets, mean, shares, and objective against bound, gap and status."""
    mean, size = float(chance @ value), float(chance @ np.abs(solution.best))
    regret, is_share = np.abs(solution.best_bound - value), solution.aim == "relative_regret"
    if is_share:
        limit = np.abs(solution.best_bound)
        regret = np.divide(regret, limit, out=np.where(regret > 0, np.inf, 0.0), where=limit > 0)
    unit = np.maximum(np.abs(solution.best_bound), size) if not is_share else np.ones(value.size)
    if _differ(solution.regret, regret, unit):
        yield f"regret: {solution.regret.tolist()} stated, {regret.tolist()} recomputed"
    if _differ(solution.mean, mean, mean):
        yield f"mean: {solution.mean!r} stated, {mean!r} recomputed"
    if _differ(solution.chosen_share, chance @ solution.best_open, 1.0):
        yield "chosen_share: not the share of the scenarios' own plans"
    whole = abs(mean) if solution.aim == "mean" else 1.0 if is_share else size
    wanted = mean if solution.aim == "mean" else float(solution.regret.max())
    if _differ(solution.objective, wanted, whole):
        yield f"objective: {solution.objective!r} stated, {wanted!r} recomputed"
    distance = solution.bound - wanted
    if solution.aim != "mean" or not kind.startswith("max"):
        distance = -distance
    if not distance >= -TOLERANCE * whole:
        yield f"bound: {solution.bound!r} is beaten by the objective {wanted!r}"
    if not abs(distance) <= solution.gap * whole + TOLERANCE * whole + 1e-12:
        yield f"gap: {solution.gap!r} stated, but bound and objective are {abs(distance)!r} apart"
    if solution.status == "optimal" and abs(distance) > 2 * TOLERANCE * whole + 1e-12:
        yield "status: optimal, but bound and objective differ"
