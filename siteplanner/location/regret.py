"""Least worst regret: each scenario's own best, mixtures of scenarios for the bound, search for the plan.

What must be known from which side. Let ``best_s`` be the best worth in scenario s, known to lie between
``low_s`` (a plan that reaches it) and ``high_s`` (a proved bound).

- The regret of a plan X is at most ``high_s - f_s(X)``: what is stated for X takes the best from above.
- No plan has a worst regret below ``sum_s m_s low_s - U(m)`` for any shares m that add up to 1, where U(m) is
  a proved upper bound on ``max_X sum_s m_s f_s(X)``: the worst of several numbers is at least any mixture of
  them, and a mixture is a problem with mixed weights (Lagrangian dual; the best m by cutting planes, Kelley
  1960). The bound takes the best from below.

Relative regrets ``(best_s - f_s) / |best_s|`` rise with ``best_s``, so the same sides hold for them; they are
counted in the unit of mean worth, so that all regrets here have the size of worths.
"""

import math

import numpy as np
from scipy.optimize import linprog

from siteplanner.location.engine import WIDE_GAP, Race
from siteplanner.location.epigraph import Epigraph, close_by_epigraph
from siteplanner.location.options import Effort, Floats, Mask
from siteplanner.location.regret_ledger import FIRST_GAP, Best, Ledger
from siteplanner.location.regret_search import RegretSearch
from siteplanner.location.scenarios import Scenarios
from siteplanner.location.solution import Solution

OWN_SHARE = 0.3
"""Share of the time for all scenarios' own best plans together."""

MIXTURE_SHARE, AGAIN_SHARE = 0.2, 0.5
"""Share of what is left of the time for one mixture, and for what is solved again."""

INNER_SHARE = 0.2
"""Inner solves stop at this share of the gap that is asked for, as their gaps add up."""

LEAST_GAP = 1e-8
"""Least gap of an inner solve: the programs behind it are exact to a few billionths."""

REFINE_SHARE, REFINE_STEP = 0.5, 4.0
"""Solved again is what adds more than this share to the distance, and to a gap so many times smaller."""

QUIET_MIXTURES = 2
"""Mixtures in a row that may bring little."""

SMALL_PAIRS = 50_000
"""Pairs of rows and sites, over all scenarios, up to which one program is faster than many mixtures."""

SETTLED_SHARE = 0.05
"""Little is this share of the distance of bound and worst regret."""

DAMPING = 0.5
"""Weight of the best mixture so far in the next one: keeps cutting planes from jumping."""

GRAIN = 2.0**-20
"""Shares of mixtures are multiples of this: they add up to 1 exactly, and rounding does not show."""

KICKS = 60
"""Kicks of the search from the best plan known, each followed by a descent."""


def inner_gap(effort: Effort) -> float:
    """Gap at which the solves within this one stop: theirs add up to that of the whole."""
    return max(INNER_SHARE * effort.gap, LEAST_GAP)


def is_large(case: Scenarios) -> bool:
    """Tell whether mixtures and loose solves come first, or the program over all scenarios at once."""
    return sum(term.pairs.col_rows.size for term in case.terms) > SMALL_PAIRS


def first_gap(case: Scenarios) -> float:
    """Gap of the scenarios' own best plans at first."""
    return max(inner_gap(case.effort), FIRST_GAP if is_large(case) else 0.0)


def solve_each(case: Scenarios, gap: float) -> tuple[Best, int]:
    """Solve every scenario on its own; also return the iterations."""
    n_scenarios = len(case.terms)
    found: list[Solution] = []
    for at in range(n_scenarios):
        mixture = np.zeros(n_scenarios)
        mixture[at] = 1.0
        found.append(case.solve(mixture, gap, OWN_SHARE / (n_scenarios - OWN_SHARE * at)))
    low = np.array([case.sign * one.objective for one in found])
    high = np.array([case.sign * one.bound for one in found])
    best = Best(low, np.maximum(low, high), [one.open for one in found])
    return best, sum(one.iterations for one in found)


def lower_regret(ledger: Ledger) -> None:
    """Find a plan of least worst regret, and the bound on it."""
    case = ledger.case
    search = RegretSearch(case.terms, case.shift, case.rules, ledger.measure(certain=False))
    for chosen in ledger.best.plans.copy():
        _search_from(ledger, search, chosen)
    if is_large(case):
        _close_by_mixtures(ledger, search)
    if not ledger.is_over():
        _kick(ledger, search)
    share, before = REFINE_SHARE, math.inf
    while not ledger.is_over() and ledger.gap() < before:
        before = ledger.gap()
        _refine(ledger, search, share)
        if not ledger.is_over():
            _close_by_program(ledger, search)
        # The program ends at the least regret against the best known: what is left is doubt about the best.
        share = 0.0


def _search_from(ledger: Ledger, search: RegretSearch, chosen: Mask) -> bool:
    ledger.offer(chosen)
    search.measure = ledger.measure(certain=False)
    found = search.improve(chosen, ledger.case.deadline)
    ledger.iterations += found.steps
    return ledger.offer(found.chosen)


def _close_by_mixtures(ledger: Ledger, search: RegretSearch) -> None:
    """Raise the bound by the mixture that the plans known regret most, and learn from its best plan."""
    n_scenarios = len(ledger.case.terms)
    centre = _quantise(np.full(n_scenarios, 1.0 / n_scenarios))
    mixture, tried, quiet = centre, set[bytes](), 0
    while mixture.tobytes() not in tried and quiet < QUIET_MIXTURES:
        tried.add(mixture.tobytes())
        before, distance = ledger.bound, ledger.worst - ledger.bound
        _try_mixture(ledger, search, mixture, max(inner_gap(ledger.case.effort), FIRST_GAP))
        if ledger.bound > before:
            centre = mixture
        quiet = quiet + 1 if ledger.bound - before < SETTLED_SHARE * distance else 0
        target, most = _best_mixture(ledger)
        if ledger.is_over() or most - ledger.bound <= SETTLED_SHARE * (ledger.worst - ledger.bound):
            return
        mixture = _quantise(DAMPING * centre + (1.0 - DAMPING) * target)


def _try_mixture(
    ledger: Ledger, search: RegretSearch, mixture: Floats, gap: float, share: float = MIXTURE_SHARE
) -> None:
    """Bound by a mixture, and search from its best plan."""
    measure = ledger.measure(certain=False)
    if not (mixture * measure.slope).any():
        return
    solution = ledger.case.solve(mixture * measure.slope, gap, share)
    ledger.iterations += solution.iterations
    bound = float(mixture @ measure.level) - ledger.case.sign * solution.bound
    if bound > ledger.bound or not ledger.mixture.size:
        ledger.mixture, ledger.slack = mixture, abs(solution.bound - solution.objective)
    ledger.tighten(bound)
    _search_from(ledger, search, solution.open)


def _refine(ledger: Ledger, search: RegretSearch, share: float) -> None:
    """Solve again, to a smaller gap, what adds most to the distance of bound and worst regret.

    That is a scenario's own best, or the mixture behind the bound. Ends when no more than a share of the
    distance is due to them.
    """
    gaps = ledger.gaps
    while not ledger.is_over():
        adds = _list_slack(ledger)
        if adds.sum() < share * (ledger.worst - ledger.bound):
            return
        adds[gaps <= LEAST_GAP] = 0.0
        at = int(np.argmax(adds))
        if adds[at] <= 0:
            return
        gaps[at] = max(min(gaps[at], adds[at] / max(ledger.unit, 1e-300)) / REFINE_STEP, LEAST_GAP)
        if at < gaps.size - 1:
            _solve_again(ledger, search, at, float(gaps[at]))
        else:
            _try_mixture(ledger, search, ledger.mixture, float(gaps[at]), AGAIN_SHARE)


def _list_slack(ledger: Ledger) -> Floats:
    """List what the doubt about each scenario's best, and about the mixture, adds to the distance."""
    measure = ledger.measure(certain=False)
    weight = ledger.mixture.copy() if ledger.mixture.size else np.zeros(measure.slope.size)
    weight[int(np.argmax(ledger.regrets()))] += 1.0
    doubt = measure.slope * (ledger.best.high - ledger.best.low)
    return np.append(weight * doubt, ledger.slack)


def _solve_again(ledger: Ledger, search: RegretSearch, at: int, gap: float) -> None:
    own = np.zeros(len(ledger.case.terms))
    own[at] = 1.0
    solution = ledger.case.solve(own, gap, AGAIN_SHARE)
    ledger.iterations += solution.iterations
    ledger.cap(at, ledger.case.sign * solution.bound)
    _search_from(ledger, search, solution.open)


def _quantise(mixture: Floats) -> Floats:
    whole: Floats = np.round(mixture / GRAIN) * GRAIN
    whole[int(np.argmax(whole))] += 1.0 - whole.sum()
    return whole


def _best_mixture(ledger: Ledger) -> tuple[Floats, float]:
    """Mixture of which the plans known have the most regret, and that: no mixture proves more."""
    measure = ledger.measure(certain=False)
    regrets = np.array([measure.regrets(worths) for worths in ledger.pool()]) / max(ledger.unit, 1e-300)
    n_plans, n_scenarios = regrets.shape
    rows = np.hstack([-regrets, np.ones((n_plans, 1))])
    total = np.append(np.ones(n_scenarios), 0.0)[None, :]
    limits = [(0.0, 1.0)] * n_scenarios + [(None, None)]
    aim = np.append(np.zeros(n_scenarios), -1.0)
    found = linprog(
        aim, A_ub=rows, b_ub=np.zeros(n_plans), A_eq=total, b_eq=[1.0], bounds=limits, method="highs"
    )
    if found.status != 0 or found.x is None:
        return np.full(n_scenarios, 1.0 / n_scenarios), np.inf
    return np.clip(found.x[:-1], 0.0, 1.0), float(found.x[-1]) * ledger.unit


def _kick(ledger: Ledger, search: RegretSearch) -> None:
    """Disturb the best plan and descend, for a counted number of times."""
    rng = np.random.default_rng(ledger.case.effort.seed)
    for _ in range(KICKS):
        if ledger.is_over():
            return
        _search_from(ledger, search, search.shake(ledger.chosen, rng))


class _Pursuit(Race):
    """The ledger as a race upwards: what is left of a level after the worst regret."""

    def __init__(self, ledger: Ledger, level: float, effort: Effort) -> None:
        super().__init__(effort, lambda value: value)
        self._ledger, self._level = ledger, level
        self._follow()

    def offer(self, chosen: Mask, value: float) -> bool:  # noqa: ARG002 - the ledger values plans itself
        """Take a plan if the ledger does."""
        better = self._ledger.offer(chosen)
        self._follow()
        return better

    def tighten(self, bound: float) -> None:
        """Take a bound on what is left of the level."""
        self._ledger.tighten(self._level - bound)
        self._follow()

    def is_wide(self) -> bool:
        """Tell whether the gap is too wide to be closed by branching alone."""
        return self._ledger.gap() > WIDE_GAP

    def has_proof(self) -> bool:
        """Tell whether the asked gap is reached."""
        return self._ledger.has_proof()

    def _follow(self) -> None:
        ledger = self._ledger
        self.chosen = ledger.chosen
        self.value, self.bound = self._level - ledger.worst, self._level - ledger.bound


def _close_by_program(ledger: Ledger, search: RegretSearch) -> None:
    """Close what mixtures leave: the program over all scenarios at once."""
    case = ledger.case
    level = ledger.unit + (ledger.worst if math.isfinite(ledger.worst) else ledger.unit)
    measure = ledger.measure(certain=False)
    race = _Pursuit(ledger, level, case.effort)
    master = Epigraph(case.terms, case.shift, case.rules, measure, level, case.effort.seed)
    close_by_epigraph(master, race, search, [ledger.chosen, *ledger.best.plans])
    ledger.iterations += race.iterations
