"""One plan for several demand scenarios: best on average, or of least worst regret."""

import time
from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike

from siteplanner.location.engine import threads_for
from siteplanner.location.frontier import Weighted
from siteplanner.location.options import Floats, Options, read_vector
from siteplanner.location.regret import first_gap, lower_regret, solve_each
from siteplanner.location.regret_ledger import Ledger
from siteplanner.location.scenarios import state_scenarios
from siteplanner.location.solution import Aim, RobustSolution, Solution, gap_status, relative_gap

SUM_ROUNDING = 1e-9
"""Probabilities add up to 1 within this."""


def solve_robust(
    kind: Weighted,
    matrix: Any,  # noqa: ANN401 - dense or sparse
    weights: ArrayLike,
    n_open: int,
    *,
    aim: Aim = "regret",
    probability: ArrayLike | None = None,
    outside: ArrayLike | None = None,
    **options: Unpack[Options],
) -> RobustSolution:
    """Choose one open set for several demand scenarios.

    Parameters
    ----------
    kind, matrix, n_open, outside
        The problem, as for `max_coverage`, `max_capture` or `p_median`.
    weights
        Scenarios x demand rows.
    aim
        ``mean``: the best probability-weighted mean of the objective, one solve with mean weights.
        ``regret``: the least worst regret ``|best_s - f_s|`` over the scenarios, however probable (Savage
        1951). ``relative_regret``: the same as shares of each scenario's best.
    probability
        Per scenario, adding up to 1; equal when left out.
    **options
        See `Options`. ``gap`` is that of `RobustSolution.gap`; ``progress`` hears of the aim's objective
        and bound; ``time_limit`` is for everything together.

    Returns
    -------
    RobustSolution

    Raises
    ------
    ValueError
        For inputs that do not agree, before any solving; and where a relative regret is asked for but a
        scenario can be served at cost 0.
    Infeasible, NoPlanInTime
        As in the problem itself. A p-median serves every row that has weight in any scenario.
    """
    if aim not in {"mean", "regret", "relative_regret"}:
        raise ValueError(f"aim must be mean, regret or relative_regret, not {aim!r}")
    case = state_scenarios(kind, matrix, weights, n_open, outside, options)
    chance = _read_probability(probability, len(case.terms))
    with threads_for(sum(term.pairs.col_rows.size for term in case.terms)):
        is_mean, effort = aim == "mean", case.effort
        best, iterations = solve_each(case, effort.gap if is_mean else first_gap(case))
        progress = None if is_mean else effort.progress
        ledger = Ledger(case, best, chance, relative=aim == "relative_regret", progress=progress)
        ledger.iterations = iterations
        if is_mean:
            return _best_mean(ledger, chance)
        lower_regret(ledger)
        return _report(ledger, aim)


def _read_probability(value: ArrayLike | None, n_scenarios: int) -> Floats:
    if value is None:
        return np.full(n_scenarios, 1.0 / n_scenarios)
    chance = read_vector(value, n_scenarios, "probability")
    if abs(float(chance.sum()) - 1.0) > SUM_ROUNDING:
        raise ValueError(f"probability must add up to 1, not {float(chance.sum()):g}")
    return chance


def _best_mean(ledger: Ledger, chance: Floats) -> RobustSolution:
    """Solve once with mean weights; the scenarios' own best only tell what that costs each of them."""
    case = ledger.case
    solution = case.solve(chance, case.effort.gap, 1.0, case.effort.progress)
    ledger.iterations += solution.iterations
    ledger.offer(solution.open)
    return _report(ledger, "mean", solution)


def _report(ledger: Ledger, aim: Aim, mean: Solution | None = None) -> RobustSolution:
    case, best = ledger.case, ledger.best
    value, scale = case.sign * ledger.worths + 0.0, ledger.scale()
    regret = scale * np.maximum(ledger.regrets(), 0.0)
    middle = float(ledger.probability @ value)
    objective, bound, gap = float(regret.max()), scale * max(ledger.bound, 0.0), ledger.gap()
    if mean is not None:
        objective, bound = middle, mean.bound
        gap = relative_gap(objective, bound)
    plans = np.array(best.plans)
    return RobustSolution(
        open=ledger.chosen,
        aim=aim,
        objective=objective,
        bound=bound,
        gap=gap,
        status=gap_status(gap, case.effort.gap),
        mean=middle,
        value=value,
        best=case.sign * best.low + 0.0,
        best_bound=case.sign * best.high + 0.0,
        best_open=plans,
        regret=regret,
        chosen_share=ledger.probability @ plans,
        iterations=ledger.iterations,
        seconds=time.monotonic() - case.effort.started,
        unreached=case.unreached,
    )
