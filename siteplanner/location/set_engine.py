"""Maximise coverage of merged sets under rules: search, first-order bound, fixing, exact close."""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp

from siteplanner.location.core import Core
from siteplanner.location.engine import (
    FIRST_NODES,
    Outcome,
    Race,
    close_by_program,
    find_near,
    threads_for,
    usable_sets,
)
from siteplanner.location.fold import Settled
from siteplanner.location.halpern import Dual, Relaxation, Start
from siteplanner.location.options import Effort, Floats, Mask, SiteOptions
from siteplanner.location.pairs import choose_seeds, gather_pairs
from siteplanner.location.program import solve_linear
from siteplanner.location.rules import Rules
from siteplanner.location.set_search import SetSearch, start_state
from siteplanner.location.sets import Sets, gather, restrict_sets, spread
from siteplanner.location.terms import CoverTerm
from siteplanner.location.tree import Node, Tree
from siteplanner.location.warm import Multipliers

ROUNDING = 1e-12
"""Share by which a computed bound is raised: its sums round."""

CHUNK = 50
"""Iterations of the bound between two looks at the search."""

SETTLED_SHARE = 0.05
"""The relaxation is done when its own gap is this share of what lies between bound and incumbent."""

MOST_ITERATIONS = 3000
"""Most iterations on the relaxation before branching."""

FIRST_ROUNDS, ROUNDS, LAST_ROUNDS = 100, 1000, 4000
"""Disturbances for each chunk of the bound: among all sites, among the core, once the relaxation is done."""

FIRST_FOCUS, LAST_FOCUS = 200, 1000
"""Iterations after which reduced costs may be good enough to choose a core, and after which they are taken
as they are; chosen anew at every doubling."""

RIPE_SHARE = 0.5
"""They are good enough when the relaxation's own gap is this share of what lies between bound and plan."""

PARALLEL_PAIRS = 100_000
"""Fewer pairs of merged sets and sites than this are worked on by one thread: bounds are long sums."""

CORE_SITES, LEAST_CORE = 12, 100
"""Sites in the core for each open one, and in all."""

HEAT = 0.03
"""Loss that the search takes in its stride, as a share of an open site's mean worth."""

QUIET_CHUNKS = 2
"""Searching ends after so many long runs without a better plan."""

ROUND_EVERY = 8
"""Nodes of the tree between two costly attempts at a better plan."""

REDUCE_SHARE = 0.7
"""The problem is stated anew when fixing has left less than this share of its pairs in question."""


class SetSolver:
    """One solve: the problem as it shrinks, the incumbent and the bound."""

    def __init__(self, sets: Sets, rules: Rules, sites: SiteOptions, effort: Effort, race: Race) -> None:
        self.sets, self.rules, self.sites, self.effort, self.race = sets, rules, sites, effort, race
        self.lower, self.upper = rules.lower.copy(), rules.upper.copy()
        self.search = SetSearch(sets, rules, start_state(effort.seed))
        self.core = Core(effort.seed)
        self.incumbent = -1
        self.relaxation: Relaxation | None = None
        self.root: Relaxation | None = None
        self.origin = np.empty(0, dtype=np.int32)

    def run(self) -> Outcome:
        """Search, bound, and close the gap."""
        race = self.race
        start = self._start()
        for begin in (start, *usable_sets(self.effort, self.rules, start)):
            self.search.begin(begin)
            self._offer(*self.search.improve())
        self.search.begin(race.chosen)
        race.tighten(self._most())
        if not race.is_over():
            self._bound_and_search()
        if not race.is_over():
            self._branch()
        if not race.is_over():
            self._close()
        self._remember()
        return Outcome(race.chosen, race.value, race.bound, race.iterations)

    def multipliers(self) -> Dual | None:
        """Return multipliers of the whole problem: from before it shrank, or the last ones carried back."""
        if self.relaxation is None:
            return None
        if self.root is None:
            return self.relaxation.best
        weight, last = self.root.sets.weight.astype(np.float64), self.relaxation.best
        by_set = spread(last.by_set / self.sets.weight, self.origin) * weight
        bound = self.root.price_out(by_set, last.by_rule)
        first = self.root.best
        return first if first.bound <= bound else Dual(by_set, last.by_rule, bound, first.reduced)

    def _remember(self) -> None:
        """Leave the best plan and the multipliers of the whole problem to the next solve."""
        self.effort.warm.add_set(self.race.chosen)
        dual, root = self.multipliers(), self.root or self.relaxation
        if dual is None or root is None or root.sets.n_sets == 0:
            return
        weight, start = root.sets.weight.astype(np.float64), root.start()
        by_rule = dual.by_rule / weight.sum()
        self.effort.warm.multipliers = Multipliers(start.x, dual.by_set / weight, by_rule, start.balance)

    def _recall(self) -> Start | None:
        """Take up the multipliers of an earlier solve when it was over the same sets and rules."""
        told, weight = self.effort.warm.multipliers, self.sets.weight.astype(np.float64)
        n_rules = self.rules.low.size - 1
        if told is None or told.by_set.size != weight.size or told.by_rule.size != n_rules:
            return None
        return Start(told.x, told.by_set * weight, told.by_rule * weight.sum(), told.balance)

    def _start(self) -> Mask:
        target = self.sites.existing
        if target is None:
            target = self.search.fill(self.rules.lower > 0, self.sites.n_open)
        return find_near(target.copy(), self.search.marginal(target), self.rules, self.effort)

    def _offer(self, chosen: Mask, value: int) -> None:
        if value > self.incumbent:
            self.incumbent = value
            self.race.offer(chosen, value * self.sets.unit)

    def _most(self) -> float:
        return float(self.sets.amount + self.sets.by_site.sum() + self.sets.weight.sum()) * self.sets.unit

    def _bound_and_search(self) -> None:
        race, quiet, next_focus = self.race, 0, FIRST_FOCUS
        relaxation = Relaxation(self.sets, self.rules, self.lower, self.upper, start=self._recall())
        self.relaxation = relaxation
        self._tighten(relaxation)
        search, rounds = self.search, FIRST_ROUNDS
        while not race.is_over() and quiet < QUIET_CHUNKS:
            done = self._is_settled(relaxation)
            if not done:
                relaxation.run(CHUNK, 1e-7)
                race.iterations += CHUNK
                self._tighten(relaxation)
            good = self._is_good(relaxation)
            is_ripe = done or (good and relaxation.iterations >= next_focus)
            if is_ripe or (good and self.core.is_growing):
                self._solve_core(relaxation.x)
            if is_ripe:
                search, rounds = self._focus(relaxation), LAST_ROUNDS if done else ROUNDS
                next_focus = 2 * relaxation.iterations
            before = self.incumbent
            self._offer(*search.shake(search.pool, rounds, HEAT))
            quiet = quiet + 1 if done and self.incumbent == before else 0
            relaxation = self.relaxation = self._fix(relaxation)

    def _solve_core(self, x: Floats) -> None:
        """Search from the best plan among the sites on which relaxation and incumbent do not agree.

        Where only the number of open sites is limited, swaps lead as far and cost less.
        """
        if self.rules.low.size == 1:
            return
        rules = self.rules.tightened(self.lower, self.upper)
        found = self.core.solve(self.sets, rules, x, self.race.chosen, self.race.seconds_left())
        if found is not None:
            self.search.begin(found)
            self._offer(*self.search.improve())

    def _focus(self, relaxation: Relaxation) -> SetSearch:
        """Search among the sites of the best reduced costs: far fewer sets, far more disturbances."""
        n_core = max(CORE_SITES * self.sites.n_open, LEAST_CORE)
        core = self.race.chosen | (self.lower > 0)
        if self.sites.existing is not None:
            core = core | self.sites.existing
        core[np.argsort(-relaxation.best.reduced, kind="stable")[:n_core]] = True
        upper = np.where(core, self.upper, 0.0)
        sets = restrict_sets(self.sets, self.lower > 0, upper < 1)[0]
        search = SetSearch(sets, self.rules.tightened(self.lower, upper), self.search.state)
        search.begin(self.race.chosen)
        return search

    def _tighten(self, relaxation: Relaxation) -> None:
        self.race.tighten(relaxation.bound * self.sets.unit * (1 + ROUNDING))

    def _is_good(self, relaxation: Relaxation) -> bool:
        if relaxation.iterations < FIRST_FOCUS:
            return False
        own = relaxation.bound - relaxation.value
        return own <= RIPE_SHARE * (relaxation.bound - self.incumbent) or relaxation.iterations >= LAST_FOCUS

    def _is_settled(self, relaxation: Relaxation) -> bool:
        own = relaxation.bound - relaxation.value
        return own <= SETTLED_SHARE * (relaxation.bound - self.incumbent) or (
            relaxation.iterations >= MOST_ITERATIONS
        )

    def _fix(self, relaxation: Relaxation) -> Relaxation:
        """Fix the sites whose change would push the bound below the incumbent; shrink what is left."""
        best = relaxation.best
        room = best.bound - self.incumbent + 1e-9 * best.bound
        free = self.lower < self.upper
        shut, keep = free & (-best.reduced > room), free & (best.reduced > room)
        if not (shut.any() or keep.any()):
            return relaxation
        self.upper[shut], self.lower[keep] = 0.0, 1.0
        size = np.diff(self.sets.col_ptr)
        if size[self.lower < self.upper].sum() > REDUCE_SHARE * size.sum():
            return relaxation
        if self.root is None:
            self.root, self.origin = relaxation, np.arange(self.sets.n_sets, dtype=np.int32)
        self.sets, origin = restrict_sets(self.sets, self.lower > 0, self.upper < 1)
        rules = self.rules.tightened(self.lower, self.upper)
        self.search = SetSearch(self.sets, rules, self.search.state)
        self.search.begin(self.race.chosen)
        inside = self.origin >= 0
        self.origin[inside] = origin[self.origin[inside]]
        start = relaxation.start()
        start = start._replace(by_set=gather(start.by_set, origin, self.sets.n_sets))
        return Relaxation(self.sets, self.rules, self.lower, self.upper, start=start)

    def _branch(self) -> None:
        """Branch on sets; the search starts anew from what the nodes suggest."""
        race, unit = self.race, self.sets.unit
        relaxation = self.relaxation
        if relaxation is None:
            return
        nothing = np.zeros(0, dtype=np.int64)
        root = Node(relaxation.bound, self.lower, self.upper, nothing, relaxation.start())
        tree = Tree(self.sets, self.rules, root, lambda: race.seconds_left() > 0)
        # A hair below what was asked: bounds are raised by their rounding before they are compared.
        wanted = 0.999 * self.effort.wanted
        nodes = 0
        while tree.is_open() and not race.is_over():
            x = tree.expand(self.incumbent, wanted)
            nodes += 1
            race.tighten(tree.bound() * unit * (1 + ROUNDING))
            if x is not None:
                self._round(x, nodes)
        race.iterations += tree.iterations

    def _round(self, x: Floats, nodes: int) -> None:
        """Search from the plan nearest to a fractional point; now and then disturb the incumbent."""
        if not nodes & (nodes - 1):
            self._solve_core(x)
        chosen = np.zeros(x.size, dtype=np.bool_)
        chosen[np.argsort(-x, kind="stable")[: self.sites.n_open]] = True
        if not self.rules.allows(chosen.astype(np.float64)):
            if nodes & (nodes - 1) and nodes % ROUND_EVERY:
                return
            answer = solve_linear(
                self.rules, x, self.race.seconds_left(), self.effort.seed, nodes=FIRST_NODES
            )
            if answer.point is None:
                return
            chosen = answer.point > 0.5  # noqa: PLR2004 - rounds a 0/1 value
        self.search.begin(chosen)
        self._offer(*self.search.improve())
        if nodes % ROUND_EVERY == 0:
            self.search.begin(self.race.chosen)
            self._offer(*self.search.shake(self.search.pool, FIRST_ROUNDS, HEAT))

    def _close(self) -> None:
        """Hand what is left to the program with cuts."""
        sets = self.sets
        shape = (sets.n_sets, sets.n_sites)
        matrix = sp.csr_array((np.ones(sets.sites.size, dtype=np.float32), sets.sites, sets.ptr), shape=shape)
        seeds = choose_seeds(self.lower < self.upper, self.sites.existing, self.effort.seed)
        weight = (sets.weight * sets.unit).astype(np.float64)
        pairs = gather_pairs(matrix, weight, np.zeros(weight.size), seeds)
        term = CoverTerm(
            pairs, Settled(sets.amount * sets.unit, (sets.by_site * sets.unit).astype(np.float64))
        )
        rules = self.rules.tightened(self.lower, self.upper)
        close_by_program([term], rules, self.race, self.effort, self.race.chosen)


def maximise_sets(
    sets: Sets, rules: Rules, sites: SiteOptions, effort: Effort, report: Callable[[float], float] = float
) -> tuple[Outcome, Dual | None]:
    """Find an open set of proved coverage; also return the multipliers of the root, in units."""
    with threads_for(sets.sites.size, PARALLEL_PAIRS):
        solver = SetSolver(sets, rules, sites, effort, Race(effort, report))
        return solver.run(), solver.multipliers()
