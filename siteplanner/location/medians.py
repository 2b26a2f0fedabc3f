"""One p-median being solved: its neighbours, its limits, the best set and bound so far."""

import math
import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp

from siteplanner.location.interchange import improve, shake
from siteplanner.location.neighbours import Neighbours, list_columns, nearest_open
from siteplanner.location.options import Effort, Floats, Mask, SiteOptions
from siteplanner.location.rules import Rules, build_rules
from siteplanner.location.solution import relative_gap
from siteplanner.location.walks import Arena, Limits, Walk, start_walk

FULL_COLUMNS = 100_000
"""Up to so many pairs every site keeps all its rows; beyond, those that its opening could concern."""

NEAR_FACTOR = 2.0
"""A site's rows are those it would serve at less than so many times their second-nearest open site, ..."""

NEAR_RANK = 4.0
"""... and those to which it is among the nearest, as a multiple of the sites per open site."""

LEAST_CHANGE = 1e-12
"""Share of the objective that is rounding: following smaller changes would let a search run in circles."""


class Measure(Protocol):
    """How costs are bent before they are summed, and how sums are shown: both increasing."""

    def bend(self, cost: Floats) -> Floats:
        """Cost of a row as it enters the sum."""

    def show(self, total: float) -> float:
        """Objective of a sum."""

    def hide(self, shown: float) -> float:
        """Sum of an objective."""


class AsItIs:
    """Sums are the objective."""

    def bend(self, cost: Floats) -> Floats:
        """Return the cost."""
        return cost

    def show(self, total: float) -> float:
        """Return the sum."""
        return total

    def hide(self, shown: float) -> float:
        """Return the objective."""
        return shown


SHAKE_WORK = 20_000_000
"""Pairs that one bout of shaking may visit (about a tenth of a second)."""

SHAKES_PER_SITE = 2
"""Most shakes of one bout per site that may open."""


@dataclass(frozen=True, eq=False)
class Median:
    """The problem.

    Attributes
    ----------
    matrix, weight
        The caller's costs and weights; rows that are not served have weight 0.
    near, limits
        The same for the kernels; the rules in ``limits`` are those besides the count and the locks.
    sites, is_free
        The checked keywords, and whether the number of open sites is free.
    fixed_cost
        Per open site.
    unit
        Every sum is a multiple of this (0: no such number).
    measure
        What the caller calls the objective; bounds and values are sums everywhere else.
    """

    matrix: Any
    weight: Floats
    near: Neighbours
    limits: Limits
    sites: SiteOptions
    is_free: bool
    fixed_cost: Floats
    unit: float
    measure: Measure = field(default_factory=AsItIs)

    @cached_property
    def rules(self) -> Rules:
        """Everything that restricts the open set but reach."""
        return self.rules_with(None)

    def rules_with(self, reach: sp.csr_array | None) -> Rules:
        """Return the rules, with the rows that need an open site among some if given."""
        rules = build_rules(self.sites, reach)
        return rules.without({"n_open"}) if self.is_free else rules

    def value(self, chosen: Mask) -> float:
        """Sum of an open set, independent of the order of rows; infinite if a row is not served."""
        served = self.weight > 0
        cost = self.measure.bend(nearest_open(self.matrix, chosen)[served])
        if np.isinf(cost).any():
            return math.inf
        return math.fsum(self.weight[served] * cost) + math.fsum(self.fixed_cost[chosen])


class Chase:
    """Best set, bound and clock of one minimisation."""

    def __init__(self, median: Median, effort: Effort) -> None:
        self.median, self._effort = median, effort
        self.deadline = effort.started + effort.time_limit
        self.chosen: Mask = np.zeros(median.fixed_cost.size, dtype=np.bool_)
        self.value, self.bound = math.inf, -math.inf
        self.iterations = 0

    def offer(self, chosen: Mask) -> bool:
        """Take a set that keeps the rules if it is better than the one held; ties keep the first."""
        value = self.median.value(chosen)
        if not value < self.value - LEAST_CHANGE * abs(value):
            return False
        self.chosen, self.value = chosen.copy(), value
        self._tell()
        return True

    def tighten(self, bound: float) -> None:
        """Take a bound if it is higher; it never passes a value that was reached."""
        unit = self.median.unit
        # Rounding of the sum behind the bound is taken off before it is used.
        bound -= 1e-12 * abs(bound) if math.isfinite(bound) else 0.0
        if unit and math.isfinite(bound):
            bound = unit * math.ceil(bound / unit - 1e-6)
        bound = min(bound, self.value)
        if bound > self.bound:
            self.bound = bound
            self._tell()

    def goal(self) -> float:
        """Bound that settles a branch: no set better than this is looked for."""
        if math.isinf(self.value):
            return self.value
        show, unit = self.median.measure.show(self.value), self.median.unit
        wanted = self._effort.wanted
        goal = min(self.median.measure.hide(show - wanted * abs(show)), self.value)
        return min(goal, self.value - unit * (1 - 1e-5)) if unit else goal

    def seconds_left(self) -> float:
        """Return the time to the deadline."""
        return self.deadline - time.monotonic()

    def has_proof(self) -> bool:
        """Tell whether the asked gap is reached, in the caller's objective."""
        wanted = self._effort.wanted
        show = self.median.measure.show
        return math.isfinite(self.value) and relative_gap(show(self.value), show(self.bound)) <= wanted

    def is_over(self) -> bool:
        """Tell whether the gap is closed or time is up."""
        return self.has_proof() or self.seconds_left() <= 0

    def _tell(self) -> None:
        if self._effort.progress is not None:
            show = self.median.measure.show
            self._effort.progress(show(self.value), show(self.bound), time.monotonic() - self._effort.started)


class Interchange:
    """Local search over one median; the sites that it may open can be narrowed as they are settled."""

    def __init__(self, median: Median, start: Mask, seed: int) -> None:
        self._median = median
        none = np.zeros(start.size + 1, dtype=np.int64), np.zeros(0, dtype=np.int32), np.zeros(0)
        self._arena = Arena(median.near, *none, median.limits)
        self._look_around(start)
        self._walk = start_walk(self._arena, start)
        self._least = LEAST_CHANGE * max(float(self._walk.total[0]), 1e-300)
        self._state = np.array([88172645463325252 ^ (seed * 2654435761 + 1)], dtype=np.uint64)
        self.swaps = 0

    @property
    def walk(self) -> Walk:
        """The state of the search."""
        return self._walk

    def narrow(self, limits: Limits) -> None:
        """Open only sites that may still be open."""
        old = self._arena.limits
        self._arena = self._arena._replace(limits=old.locked(limits.rules.may_open, old.rules.may_close))

    def restart(self, chosen: Mask) -> None:
        """Go on from another set."""
        self._walk = start_walk(self._arena, chosen)

    def _look_around(self, chosen: Mask) -> None:
        """List the rows of each site that its opening could concern while the open set is much like this."""
        near = self._median.near
        within = np.full(near.weight.size, np.inf)
        if near.cost.size > FULL_COLUMNS:
            rank = int(NEAR_RANK * chosen.size / max(int(chosen.sum()), 1))
            at = np.minimum(near.ptr[:-1] + rank, near.ptr[1:] - 1)
            second = start_walk(self._arena, chosen).cost[1]
            within = np.maximum(NEAR_FACTOR * second, near.cost[at])
        self._arena = Arena(near, *list_columns(near, within, chosen.size), self._arena.limits)

    def improve(self) -> Mask:
        """Swap until nothing improves."""
        self.swaps += improve(self._arena, self._walk, self._pool(), self._least)
        return self._walk.chosen

    def shake(self, times: int = 1) -> int:
        """Shake and settle for a while; return the number of improvements."""
        pool = self._pool()
        effort = (times * SHAKES_PER_SITE * pool.size, times * SHAKE_WORK)
        return int(shake(self._arena, self._walk, pool, effort, self._least, self._state))

    def _pool(self) -> np.ndarray:
        return np.flatnonzero(self._arena.limits.rules.may_open).astype(np.int32)
