"""Closing the gap of a p-median: prices, search, and programs of what is left in doubt."""

import math
from typing import NamedTuple

import numpy as np

from siteplanner.location.branching import Tree
from siteplanner.location.lagrange import Ascent, ascend, sites_settled, start_ascent, trim
from siteplanner.location.medians import Chase, Interchange
from siteplanner.location.neighbours import Neighbours
from siteplanner.location.program import NO_LIMIT
from siteplanner.location.radius import MOST_ENTRIES, MOST_ENTRIES_RULES, close_by_program, gather_steps
from siteplanner.location.walks import Limits

ROUNDS = 12
"""Most rounds of ascent and search before branching."""

ROOT_STEPS = 200
"""Steps of the ascent in one round."""

ROOT_PATIENCE = 20

ROOT_STEP = 0.1
"""Least step factor at the start of a round: what was settled since makes room again."""

STALL_SHARE = 0.9
"""A round that leaves more than this share of the gap is the last one."""

QUIET_BOUTS = 4
"""Bouts of shaking without success, each twice as long as the one before, after which the search rests."""

HOPES = (0.4, 0.2, 0.7)
"""Where the search hopes to end, as a share of the gap above the bound: few sites could be in such a set, and
a search among few goes deep."""

NODES = 2_000
"""Nodes of the search tree that a program may take where the tree of Lagrangian bounds is the alternative."""


class Rest(NamedTuple):
    """What prices leave in doubt: shorter lists, tighter limits, and the ascent that said so.

    Only sets better than ``goal`` are in it, so what holds for them bounds all sets up to the goal.
    """

    near: Neighbours
    limits: Limits
    ascent: Ascent
    goal: float

    def bound(self) -> float:
        """Return the bound on all sets."""
        return min(float(self.ascent.best[0]), self.goal)

    def below(self, value: float) -> "Rest":
        """Return what is left in doubt of sets better than a value."""
        shut, kept = sites_settled(self.limits, self.ascent, value)
        rules = self.limits.rules
        limits = self.limits.locked(rules.may_open & ~shut, rules.may_close & ~kept)
        return Rest(trim(self.near, limits, self.ascent, value), limits, self.ascent, min(self.goal, value))


def close_median(chase: Chase, search: Interchange, limits: Limits) -> None:
    """Raise the bound and lower the objective until the gap is closed or time is up."""
    rest = _close_by_prices(chase, search, limits)
    if not chase.is_over():
        rest = _close_by_search(chase, search, rest)
    if not chase.is_over():
        _close_by_program(chase, rest)
    if not chase.is_over():
        rest = rest.below(chase.goal())
        Tree(chase, search, rest.near, rest.limits, rest.ascent, rest.bound()).run()


def _close_by_prices(chase: Chase, search: Interchange, limits: Limits) -> Rest:
    """Ascend and search in turns; leave out what the prices settle."""
    walk, near = search.walk, chase.median.near
    level = np.minimum(0.5 * (walk.cost[0] + walk.cost[1]), near.horizon)
    ascent = start_ascent(level, np.zeros(limits.rules.low.size), walk.chosen.astype(np.float64), 1.0)
    rest = Rest(near, limits, ascent, math.inf)
    for _ in range(ROUNDS):
        before = chase.value - rest.bound()
        _ascend(chase, search, rest)
        if not chase.is_over():
            rest = _shake(chase, search, rest, 0)[1]
        if chase.is_over() or chase.value - rest.bound() > STALL_SHARE * before:
            break
    return rest


def _ascend(chase: Chase, search: Interchange, rest: Rest) -> None:
    """Raise the bound, and search from where that led."""
    ascent = rest.ascent
    ascent.step[0] = max(ascent.step[0], ROOT_STEP)
    aim = chase.value, chase.goal()
    chase.iterations += ascend(rest.near, rest.limits, ascent, aim, ROOT_PATIENCE, ROOT_STEPS)
    chase.tighten(rest.bound())
    _follow(chase, search, rest)


def _close_by_search(chase: Chase, search: Interchange, rest: Rest) -> Rest:
    """Shake ever longer where what is left is too much for a program."""
    most = MOST_ENTRIES_RULES if rest.limits.rules.low.size else MOST_ENTRIES
    quiet = 0
    while quiet < QUIET_BOUTS and not chase.is_over():
        if gather_steps(rest.near, rest.limits, most) is not None:
            break
        better, rest = _shake(chase, search, rest, quiet)
        _ascend(chase, search, rest)
        quiet = 0 if better else quiet + 1
    return rest


def _shake(chase: Chase, search: Interchange, rest: Rest, quiet: int) -> tuple[bool, Rest]:
    """Shake among the sites that a hopeful goal leaves in doubt, the longer the more bouts were in vain.

    Returns
    -------
    bool, Rest
        Whether that helped, and what is in doubt then.
    """
    low = rest.bound()
    hope = HOPES[quiet % len(HOPES)]
    search.narrow(rest.below(low + hope * (chase.value - low)).limits)
    search.shake(2**quiet)
    better = chase.offer(search.walk.chosen)
    chase.tighten(low)
    return better, rest.below(chase.goal())


def _follow(chase: Chase, search: Interchange, rest: Rest) -> None:
    """Search from the set of least price; go back if that ends worse."""
    if not chase.median.rules.allows(rest.ascent.chosen.astype(np.float64)):
        return
    held = search.walk.chosen.copy()
    search.restart(rest.ascent.chosen)
    chase.offer(search.improve())
    if search.walk.total[0] > chase.value:
        search.restart(held)
    chase.tighten(rest.bound())


def _close_by_program(chase: Chase, rest: Rest) -> None:
    """Ask a program for a set better than the one held, if what could be in it is little enough."""
    has_rules = bool(rest.limits.rules.low.size)
    most, nodes = (MOST_ENTRIES_RULES, NO_LIMIT) if has_rules else (MOST_ENTRIES, NODES)
    solved = True
    while solved and not chase.is_over():
        value, goal = chase.value, chase.goal()
        rest = rest.below(goal)
        steps = gather_steps(rest.near, rest.limits, most)
        solved = steps is not None and close_by_program(chase, steps, rest.limits, goal, nodes)
        if chase.value >= value:
            return
