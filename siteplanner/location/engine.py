"""Maximise a sum of submodular terms under rules: start, local search, relaxation, exact cut loop."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, Protocol

import numba
import numpy as np

from siteplanner.location.clash import explain
from siteplanner.location.errors import NoPlanInTime
from siteplanner.location.kicks import kick_and_search
from siteplanner.location.master import Master
from siteplanner.location.options import Effort, Floats, Mask, SiteOptions
from siteplanner.location.program import NO_LIMIT, solve_linear
from siteplanner.location.rules import Rules
from siteplanner.location.search import Found, SwapSearch
from siteplanner.location.solution import relative_gap
from siteplanner.location.terms import Term, sum_marginals, sum_values

STALL_SHARE = 0.01
"""The relaxation is left when a round closes less than this share of the gap (three times running)."""

STALL_ROUNDS = 3

STABLE = 0.5
"""Weight of the last point in the running mean of fractional points where cuts are made: the points
themselves jump between corners, their mean settles (in-out separation, Fischetti, Ljubić & Sinnl 2016)."""

FIRST_NODES = 500
"""Nodes of the search tree that one 0/1 program may take before its answer is used to cut again. Counted,
not timed: the answer must not depend on how busy the machine is."""

MORE_NODES = 4
"""A program that was stopped without anything to cut off is given so many times the nodes."""

WARM_STARTS = 3
"""So many of the sets that earlier solves found are searched from."""

PARALLEL_PAIRS = 2_000_000
"""Fewer demand-site pairs than this are worked on by one thread."""


WIDE_GAP = 0.002
"""Kicks and deep cuts are worth their time above this gap; below it the program with 0/1 sites is faster."""


class Outcome(NamedTuple):
    """The best set found, the bound, and the rounds it took."""

    chosen: Mask
    value: float
    bound: float
    iterations: int


class Improver(Protocol):
    """A local search."""

    def improve(self, chosen: Mask, deadline: float) -> Found:
        """Swap from a feasible set until nothing improves or time is up."""


class Race:
    """Incumbent, bound and clock of one solve."""

    def __init__(self, effort: Effort, report: Callable[[float], float]) -> None:
        self.effort, self._report = effort, report
        self.deadline = effort.started + effort.time_limit
        self.chosen: Mask = np.empty(0, dtype=np.bool_)
        self.value, self.bound = -np.inf, np.inf
        self.iterations = 0

    def offer(self, chosen: Mask, value: float) -> bool:
        """Take a set if it is better than the one held."""
        if value <= self.value:
            return False
        self.chosen, self.value = chosen, value
        self._tell()
        return True

    def tighten(self, bound: float) -> None:
        """Take a bound if it is lower; a bound never falls below a value that was reached."""
        bound = max(bound, self.value)
        if bound < self.bound:
            self.bound = bound
            self._tell()

    def seconds_left(self) -> float:
        """Return the time to the deadline."""
        return self.deadline - time.monotonic()

    def is_over(self) -> bool:
        """Tell whether the gap is closed or time is up."""
        return self.has_proof() or self.seconds_left() <= 0

    def is_wide(self) -> bool:
        """Tell whether the gap is too wide to be closed by branching alone."""
        return relative_gap(self._report(self.value), self._report(self.bound)) > WIDE_GAP

    def has_proof(self) -> bool:
        """Tell whether the asked gap is reached, in the units of the caller's objective."""
        return relative_gap(self._report(self.value), self._report(self.bound)) <= self.effort.wanted

    def _tell(self) -> None:
        if self.effort.progress is not None:
            seconds = time.monotonic() - self.effort.started
            self.effort.progress(self._report(self.value), self._report(self.bound), seconds)


def maximise(
    terms: list[Term],
    rules: Rules,
    sites: SiteOptions,
    effort: Effort,
    report: Callable[[float], float] = lambda value: value,
    *,
    kicks: bool = False,
) -> Outcome:
    """Find an open set of proved worth.

    Parameters
    ----------
    terms
        Parts of the objective; their sum is maximised.
    rules
        The constraint set built from ``sites``.
    report
        Turns a value of the terms into the caller's objective (p-median counts costs).
    kicks
        Look for better sets by kicks before the costlier bounds.
    """
    with threads_for(sum(term.pairs.col_rows.size for term in terms)):
        return _maximise(terms, rules, sites, effort, Race(effort, report), kicks=kicks)


def _maximise(
    terms: list[Term], rules: Rules, sites: SiteOptions, effort: Effort, race: Race, *, kicks: bool
) -> Outcome:
    search = SwapSearch(terms, rules)
    start = find_start(terms, rules, sites, effort, search)
    for begin in (start, *usable_sets(effort, rules, start)):
        found = search.improve(begin, race.deadline)
        race.iterations += found.steps
        race.offer(found.chosen, found.value)
    race.tighten(sum_values(terms, rules.upper > 0))
    if not race.is_over():
        close_by_program(terms, rules, race, effort, start, kicks=kicks)
    effort.warm.add_set(race.chosen)
    return Outcome(race.chosen, race.value, race.bound, race.iterations)


@contextmanager
def threads_for(n_pairs: int, least: int = PARALLEL_PAIRS) -> Iterator[None]:
    """Run small instances on one thread: waking the others costs more than their share of the work."""
    before = numba.get_num_threads()
    if n_pairs < least:
        numba.set_num_threads(1)
    try:
        yield
    finally:
        numba.set_num_threads(before)


def find_start(
    terms: list[Term], rules: Rules, sites: SiteOptions, effort: Effort, search: SwapSearch
) -> Mask:
    """Return a feasible set: today's network, else a greedy one, else the nearest set a program finds."""
    deadline = effort.started + effort.time_limit
    target = search.fill(sites.n_open, deadline) if sites.existing is None else sites.existing.copy()
    marginal = sum_marginals([term.track(target) for term in terms], rules.lower.size)
    return find_near(target, marginal, rules, effort)


def find_near(target: Mask, marginal: Floats, rules: Rules, effort: Effort) -> Mask:
    """Return a set itself if it is feasible, else the feasible set that keeps most of it."""
    if rules.allows(target.astype(np.float64)):
        return target
    deadline = effort.started + effort.time_limit
    wish: Floats = target + 0.5 * marginal / max(float(marginal.max(initial=0.0)), 1e-300)
    answer = solve_linear(rules, wish, deadline - time.monotonic(), effort.seed)
    if answer.state == "infeasible":
        raise explain(rules, effort.seed)
    if answer.point is None:
        raise NoPlanInTime(effort.time_limit)
    chosen: Mask = answer.point > 0.5  # noqa: PLR2004 - rounds a 0/1 value
    return chosen


def usable_sets(effort: Effort, rules: Rules, start: Mask) -> list[Mask]:
    """Return the remembered sets that these rules allow, the latest first."""
    known = [chosen for chosen in reversed(effort.warm.sets) if not np.array_equal(chosen, start)]
    return [chosen for chosen in known if rules.allows(chosen.astype(np.float64))][:WARM_STARTS]


def close_by_program(
    terms: list[Term], rules: Rules, race: Race, effort: Effort, start: Mask, *, kicks: bool = False
) -> None:
    """Close the gap by cuts: the relaxation first, then the program with 0/1 sites."""
    search = SwapSearch(terms, rules)
    master = Master(terms, rules, race.value, effort.seed)
    for point in (start, race.chosen, *effort.warm.points):
        master.cut(point.astype(np.float64), 0.0)
    _close_by_stages(master, race, search, (terms, rules, effort), kicks=kicks)
    close_by_branching(master, race, search, lambda chosen: sum_values(terms, chosen))


def _close_by_stages(
    master: Master,
    race: Race,
    search: SwapSearch,
    problem: tuple[list[Term], Rules, Effort],
    *,
    kicks: bool,
) -> None:
    """Close the relaxation, look for a better set near its point, deepen the cuts, and again."""
    terms, rules, effort = problem
    first = True
    while True:
        relaxed = close_by_relaxation(master, race, effort)
        if race.is_over() or relaxed is None:
            return
        if first:
            _round_off(relaxed, rules, race, search, effort)
            if kicks and not race.is_over() and race.is_wide():
                found = kick_and_search(terms, rules, race.chosen, relaxed, effort.seed, race.deadline)
                _search_from(found, race, search)
        first = False
        if race.is_over() or not race.is_wide() or not master.deepen():
            return


def _search_from(chosen: Mask, race: Race, search: SwapSearch) -> None:
    found = search.improve(chosen, race.deadline)
    race.iterations += found.steps
    race.offer(found.chosen, found.value)


def close_by_relaxation(master: Master, race: Race, effort: Effort) -> Floats | None:
    """Cut off fractional points until the relaxation stops moving; return the last of them."""
    slow, point = 0, None
    centre: Floats | None = None
    while not race.is_over() and slow < STALL_ROUNDS:
        relaxed = master.relax(race.seconds_left())
        if relaxed is None:
            break
        point = relaxed.point
        race.iterations += 1
        before = race.bound - race.value
        race.tighten(relaxed.bound)
        slow = slow + 1 if before - (race.bound - race.value) < STALL_SHARE * before else 0
        master.fix_sites(relaxed, race.value)
        centre = relaxed.point if centre is None else STABLE * relaxed.point + (1 - STABLE) * centre
        added = master.cut(centre, _slack(race, master))
        if not added and not master.cut(relaxed.point, _slack(race, master)):
            break
        effort.warm.add_point(relaxed.point)
    return point


def _round_off(point: Floats, rules: Rules, race: Race, search: SwapSearch, effort: Effort) -> None:
    """Search from the feasible set nearest to a fractional point: another basin than that of the start."""
    answer = solve_linear(rules, point, race.seconds_left(), effort.seed, nodes=FIRST_NODES)
    if answer.point is not None:
        _search_from(answer.point > 0.5, race, search)  # noqa: PLR2004 - rounds a 0/1 value


def _slack(race: Race, master: Master) -> float:
    """Cuts broken by less than this share of the objective are not worth a row."""
    gap = relative_gap(race.value, race.bound)
    return max(1e-9, 0.02 * gap / max(master.n_clusters, 1))


def close_by_branching(
    master: Master, race: Race, search: Improver, value_of: Callable[[Mask], float]
) -> None:
    """Solve the program with 0/1 sites, cut at its answer, repeat: ends at the optimum given time."""
    exact, nodes = False, FIRST_NODES
    while not race.is_over():
        gap = 0.0 if exact else 0.1 * relative_gap(race.value, race.bound)
        answer = master.solve(race.seconds_left(), gap, None if exact else race.chosen, nodes)
        race.iterations += 1
        race.tighten(answer.bound if answer.state != "infeasible" else race.value)
        if answer.state == "infeasible":
            return
        added = 0
        if answer.point is not None:
            added = _try_answer(answer.point[: race.chosen.size] > 0.5, master, race, search, value_of)  # noqa: PLR2004
        if not added and answer.state == "solved":
            if exact:
                return
            # Nothing to cut off, so only the program's own gap is left: close it, without a start to lean on.
            exact = True
        elif not added:
            if nodes == NO_LIMIT:
                return
            nodes = min(MORE_NODES * nodes, NO_LIMIT)  # more of the same program is the only way on
        else:
            exact = False


def _try_answer(
    chosen: Mask, master: Master, race: Race, search: Improver, value_of: Callable[[Mask], float]
) -> int:
    """Value a set, improve it, and cut at both; return the number of cuts."""
    race.offer(chosen, value_of(chosen))
    found = search.improve(chosen, race.deadline)
    race.iterations += found.steps
    race.offer(found.chosen, found.value)
    added = master.cut(chosen.astype(np.float64), 1e-10)
    return added + master.cut(found.chosen.astype(np.float64), 1e-10)
