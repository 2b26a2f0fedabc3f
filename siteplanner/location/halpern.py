"""Bound on coverage by a first-order method: restarted, reflected Halpern iterations of PDHG.

The relaxation ``max over x, min over 0 <= u <= w and prices p of  sum(w - u) + (A'u + c - R'p) x + p b``
has x in a box with n_open of them in all; the other rules R stand behind prices. Whatever u and p are, its
maximum over x is a sum of the n_open largest values: a bound in closed form, however good the iterate.

Chambolle & Pock 2011; restarts and step balance of Applegate et al. 2021 (PDLP); reflected Halpern iterations
of Lu & Yang 2024; diagonal steps of Pock & Chambolle 2011 (alpha = 1).
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from siteplanner.location.halpern_kernels import (
    BOUND,
    INNER,
    NUMBERS,
    RESTART,
    Frame,
    Iterate,
    add_up,
    best_of_box,
    distance,
    iterate,
    keep_bound,
    price_sites,
    sum_rules,
    worth_of,
)
from siteplanner.location.options import Floats, Ints
from siteplanner.location.rules import Rules
from siteplanner.location.sets import Sets

BLOCKS = 32
"""Blocks of sets that are summed apart: fixed, so that sums do not depend on the number of threads."""

SMOOTHING = 0.5
"""Weight of the newest estimate of the step balance, on a logarithmic scale (Applegate et al. 2021)."""


MOST_BALANCE = 30.0
"""Furthest the step balance may drift from one (no source: where weights and steps have been scaled alike,
estimates beyond it were seen to stall)."""


FULL_RULE = 200.0
"""Sites of a rule that weighs as much in the steps as all people around a site (no source: rules of few sites
have small prices, the limit on moves has a large one)."""


class Dual(NamedTuple):
    """Multipliers per set and per rule (all but n_open); they prove ``bound``.

    ``reduced`` is the bound's sensitivity to each site, its zero at the last site taken.
    """

    by_set: Floats
    by_rule: Floats
    bound: float
    reduced: Floats


class Start(NamedTuple):
    """Where a relaxation may start: point, multipliers, step balance."""

    x: Floats
    by_set: Floats
    by_rule: Floats
    balance: float


class Relaxation:
    """The linear relaxation of a coverage problem, solved as far as asked; keeps its best bound.

    Parameters
    ----------
    lower, upper
        Box of the sites, tighter than that of the rules where sites are fixed.
    must
        Sets that have to be covered (none if not given).
    start
        Where to begin, from a relaxation that is alike.
    """

    def __init__(
        self,
        sets: Sets,
        rules: Rules,
        lower: Floats,
        upper: Floats,
        *,
        must: Ints | None = None,
        start: Start | None = None,
    ) -> None:
        self.sets, self.iterations, self.value = sets, 0, -np.inf
        self._frame = _build_frame(sets, rules, lower, upper, must)
        frame = self._frame
        self._block = np.zeros((BLOCKS, sets.n_sites))
        if start is None:
            even = np.full(sets.n_sites, frame.n_open / max(sets.n_sites, 1))
            start = Start(even, 0.5 * frame.weight, np.zeros(frame.low.size), 1.0)
        self.balance = start.balance
        self._next = Iterate(
            np.clip(start.x, lower, upper),
            np.minimum(start.by_set, frame.cap),
            start.by_rule.copy(),
            np.zeros(sets.n_sites),
        )
        self._at, self._anchor = _copy(self._next), _copy(self._next)
        self._best = _copy(self._next)
        self._numbers = np.zeros(NUMBERS)
        self._numbers[BOUND] = np.inf
        self._restart()

    @property
    def x(self) -> Floats:
        """The point at the last restart."""
        return self._anchor.x

    @property
    def best(self) -> Dual:
        """The multipliers of the best bound."""
        best, frame = self._best, self._frame
        reduced = best.pull + frame.alone - price_sites(frame, best.p)
        threshold = best_of_box(reduced, frame.lower, frame.upper, frame.n_open)[1]
        return Dual(best.u, best.p, self.bound, reduced - threshold)

    @property
    def bound(self) -> float:
        """Best bound so far, in units."""
        return float(self._numbers[BOUND]) + self.sets.amount

    def price_out(self, by_set: Floats, by_rule: Floats) -> float:
        """Return the bound, in units, that any multipliers prove."""
        frame = self._frame
        pull = np.bincount(
            self.sets.sites, weights=np.repeat(by_set, np.diff(frame.ptr)), minlength=self.sets.n_sites
        )
        after = Iterate(np.zeros(self.sets.n_sites), by_set, by_rule, pull.astype(np.float64))
        numbers = np.full(NUMBERS, np.inf)
        keep_bound(frame, after, float((frame.weight - by_set).sum()), _copy(after), numbers)
        return float(numbers[BOUND]) + self.sets.amount

    def start(self) -> Start:
        """Return where a relaxation of a problem alike may start."""
        return Start(self.x, self._best.u, self._best.p, self.balance)

    def run(self, iterations: int, stop_gap: float, floor: float = -np.inf) -> None:
        """Iterate so often, until bound and value are a share apart, or until the bound is below a floor."""
        end = self.iterations + iterations
        floor -= self.sets.amount
        while self.iterations < end:
            done = iterate(
                self._frame,
                (self._at, self._next, self._anchor, self._best),
                self._block,
                self._numbers,
                (self.balance, self.iterations, end - self.iterations, floor),
            )
            self.iterations += done
            if self._numbers[BOUND] < floor:
                return
            if self._numbers[RESTART] == 0.0:
                continue
            self._rebalance()
            self._restart()
            self.value = max(self.value, self._worth())
            if self.bound - self.value <= stop_gap * abs(self.value):
                return

    def _restart(self) -> None:
        frame, after = self._frame, self._next
        add_up(frame, after.u, self._block)
        after.pull[:] = self._block.sum(axis=0)
        for held in (self._at, self._anchor):
            for old, new in zip(held, after, strict=True):
                old[:] = new
        numbers = self._numbers
        numbers[INNER] = numbers[RESTART] = 0.0
        rest = float((frame.weight - after.u).sum())
        keep_bound(frame, after, rest, self._best, numbers)

    def _rebalance(self) -> None:
        frame, after, anchor = self._frame, self._next, self._anchor
        dx, dp = after.x - anchor.x, after.p - anchor.p
        primal = float((dx * dx / frame.step_x).sum())
        dual = distance(after.u, anchor.u, frame.step_u) + float((dp * dp / frame.step_p).sum())
        if primal > 0 and dual > 0:
            wish = 0.5 * SMOOTHING * np.log(dual / primal) + (1 - SMOOTHING) * np.log(self.balance)
            self.balance = float(np.clip(np.exp(wish), 1.0 / MOST_BALANCE, MOST_BALANCE))

    def _worth(self) -> float:
        """Worth of the fractional point, less more than its broken rules are likely to have brought."""
        frame, x = self._frame, self.x
        activity = sum_rules(frame, x)
        broken = np.maximum(frame.low - activity, 0.0) + np.maximum(activity - frame.high, 0.0)
        fine = float((np.abs(self._next.p) + 1.0 / frame.step_x.max()) @ broken)
        return float(worth_of(frame, x, self._next.u)) + float(frame.alone @ x) + self.sets.amount - fine


def _copy(iterate: Iterate) -> Iterate:
    return Iterate(*(part.copy() for part in iterate))


def _build_frame(sets: Sets, rules: Rules, lower: Floats, upper: Floats, must: Ints | None) -> Frame:
    """Choose steps w / |set| and 1 / sum of w: they satisfy Pock & Chambolle's condition."""
    counted = np.array([name == "n_open" for name in rules.family], dtype=np.bool_)
    others = np.flatnonzero(~counted)
    matrix: sp.csr_array = rules.matrix[others]
    weight = sets.weight.astype(np.float64)
    cap = weight.copy()
    size = np.diff(sets.ptr)
    total = np.bincount(sets.sites, weights=np.repeat(weight, size), minlength=sets.n_sites)
    scale = float(total.mean()) or 1.0
    force = weight.copy()
    if must is not None and must.size:
        cap[must] = np.inf
        force[must] = np.maximum(force[must], scale)
        total = np.bincount(sets.sites, weights=np.repeat(force, size), minlength=sets.n_sites)
    entries = np.maximum(abs(matrix).sum(axis=1), 1e-12)
    force_p = scale * np.minimum(entries / FULL_RULE, 1.0)
    columns = abs(matrix).T @ force_p
    return Frame(
        sets.ptr,
        sets.sites,
        weight,
        cap,
        _split(sets.ptr),
        sets.by_site.astype(np.float64),
        matrix.indptr.astype(np.int64),
        matrix.indices.astype(np.int64),
        matrix.data.astype(np.float64),
        rules.low[others],
        rules.high[others],
        lower.copy(),
        upper.copy(),
        float(rules.high[counted][0]),
        force / np.maximum(size, 1),
        force_p / entries,
        1.0 / np.maximum(total + columns, 1e-6 * scale),
    )


def _split(ptr: Ints) -> Ints:
    """Split the sets into blocks of about as many pairs."""
    marks = np.linspace(0, ptr[-1], BLOCKS + 1)
    bounds = np.searchsorted(ptr, marks).astype(np.int64)
    bounds[0], bounds[-1] = 0, ptr.size - 1
    return bounds
