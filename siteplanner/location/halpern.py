"""Bound on coverage by a first-order method: restarted, reflected Halpern iterations of PDHG.

The relaxation ``max over x, min over 0 <= u <= w and prices p of  sum(w - u) + (A'u + c - R'p) x + p b`` has x in
a box with n_open of them in all; the other rules R stand behind prices. Whatever u and p are, its maximum over
x is a sum of the n_open largest values: a bound in closed form, whatever the quality of the iterate.

Chambolle & Pock 2011; restarts and step balance of Applegate et al. 2021 (PDLP); reflected Halpern iterations
of Lu & Yang 2024; diagonal steps of Pock & Chambolle 2011 (alpha = 1).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numba import njit, prange

from siteplanner.location.options import Floats, Ints
from siteplanner.location.rules import Rules
from siteplanner.location.sets import Sets

BLOCKS = 32
"""Blocks of sets that are summed apart: fixed, so that sums do not depend on the number of threads."""

SUFFICIENT, NECESSARY, LONGEST = 0.2, 0.8, 0.36
"""Restart when the residual fell to this share, or to this share and rises again, or after this share of all
iterations (Applegate et al. 2021)."""

SMOOTHING = 0.5
"""Weight of the newest estimate of the step balance, on a logarithmic scale (Applegate et al. 2021)."""


MOST_BALANCE = 30.0
"""Furthest the step balance may drift from one (no source: where weights and steps have been scaled alike,
estimates beyond it were seen to stall)."""


class Dual(NamedTuple):
    """Multipliers: per set (between 0 and its weight, in units) and per rule; they prove ``bound``."""

    by_set: Floats
    by_rule: Floats
    bound: float
    reduced: Floats
    threshold: float


@dataclass
class _Point:
    """An iterate with what is linear in it: the sites' prices of its set multipliers."""

    x: Floats
    u: Floats
    p: Floats
    pull: Floats


class Relaxation:
    """The linear relaxation of a coverage problem, solved as far as asked; keeps its best bound."""

    def __init__(self, sets: Sets, rules: Rules, lower: Floats, upper: Floats) -> None:
        self.sets = sets
        self._lower, self._upper = lower, upper
        counted = np.array([name == "n_open" for name in rules.family], dtype=np.bool_)
        self.n_open = float(rules.high[counted][0])
        others = np.flatnonzero(~counted)
        self._matrix: sp.csr_array = rules.matrix[others]
        self._columns = sp.csr_array(self._matrix.T)
        self._low, self._high = rules.low[others], rules.high[others]
        self._weight = sets.weight.astype(np.float64)
        self._alone = sets.by_site.astype(np.float64)
        self._bounds = _split(sets.ptr)
        self._block = np.zeros((BLOCKS, sets.n_sites))
        self._spare = np.empty(sets.n_sets)
        self._set_steps()
        self.balance, self.iterations = 1.0, 0
        self.x = np.clip(np.full(sets.n_sites, self.n_open / max(sets.n_sites, 1)), lower, upper)
        self.best = Dual(np.zeros(0), np.zeros(0), np.inf, np.zeros(0), 0.0)
        self.value = -np.inf
        start = _Point(self.x, 0.5 * self._weight, np.zeros(self._low.size), np.zeros(sets.n_sites))
        self._restart(start)

    def take_over(self, former: "Relaxation", origin: Ints) -> None:
        """Start where the relaxation of the larger problem stood; ``origin`` maps its sets to those left."""
        u = np.bincount(origin + 1, weights=former.best.by_set, minlength=self.sets.n_sets + 1)[1:]
        x = np.clip(former.x, self._lower, self._upper)
        self._restart(_Point(x, np.minimum(u, self._weight), former.best.by_rule, x))
        self.balance = former.balance

    def run(self, iterations: int, stop_gap: float) -> None:
        """Iterate so many times, or until bound and value of the relaxation are a share apart."""
        for _ in range(iterations):
            self._iterate()
            if self._should_restart():
                self._rebalance()
                self._restart(self._target())
                self.value = max(self.value, self._value(self.x))
                if self.best.bound - self.value <= stop_gap * abs(self.value):
                    break

    def _set_steps(self) -> None:
        """Steps w / |set| and 1 / sum of w: any row scaling satisfies the condition of Pock & Chambolle."""
        size = np.maximum(np.diff(self.sets.ptr), 1)
        total = _pull(self.sets, self._weight, self._bounds, self._block)
        scale = float(total.mean()) or 1.0
        entries = np.maximum(abs(self._matrix).sum(axis=1), 1e-12)
        self._step_u = self._weight / size
        self._step_p = scale / entries
        self._step_x = 1.0 / np.maximum(total + scale * abs(self._columns).sum(axis=1), 1e-6 * scale)

    def _restart(self, point: _Point) -> None:
        u = point.u.copy()
        pull = _pull(self.sets, u, self._bounds, self._block)
        self._at = _Point(point.x.copy(), u, point.p.copy(), pull)
        self._anchor = _Point(point.x.copy(), u.copy(), point.p.copy(), pull.copy())
        self._keep_bound(float((self._weight - u).sum()), u, point.p, pull)
        self._inner, self._first, self._last, self._now = 0, np.inf, np.inf, np.inf
        self.x = point.x.copy()

    def _target(self) -> _Point:
        return _Point(self._x_next, self._spare, self._p_next, self._pull_next)

    def _iterate(self) -> None:
        at, step_x = self._at, self._step_x / self.balance
        step_u, step_p = self._step_u * self.balance, self._step_p * self.balance
        if self._inner > 0:
            share = self._inner / (self._inner + 1)
            self._mix(share)
        gradient = at.pull + self._alone - self._columns @ at.p
        self._x_next = _project(at.x + step_x * gradient, step_x, self._lower, self._upper, self.n_open)
        ahead = 2.0 * self._x_next - at.x
        rest, moved = _dual_step(
            self.sets, self._weight, step_u, self._bounds, ahead, at.u, self._spare, self._block
        )
        self._pull_next = self._block.sum(axis=0)
        v = at.p + step_p * (self._matrix @ ahead)
        self._p_next = v - step_p * np.clip(v / step_p, self._low, self._high)
        self._keep_bound(rest, self._spare, self._p_next, self._pull_next)
        dx = self._x_next - at.x
        dp = self._p_next - at.p
        cross = float((self._pull_next - at.pull - self._columns @ dp) @ dx)
        square = float((dx * dx / step_x).sum() + moved + (dp * dp / step_p).sum()) - 2.0 * cross
        self._last, self._now = self._now, np.sqrt(max(square, 0.0))
        if self._inner == 0:
            self._first = self._now
        self._inner += 1
        self.iterations += 1

    def _mix(self, share: float) -> None:
        """Reflect the last step and draw it towards the anchor."""
        at, anchor, rest = self._at, self._anchor, 1.0 - share
        at.x = share * (2.0 * self._x_next - at.x) + rest * anchor.x
        at.p = share * (2.0 * self._p_next - at.p) + rest * anchor.p
        at.pull = share * (2.0 * self._pull_next - at.pull) + rest * anchor.pull
        _mix_in_place(at.u, self._spare, anchor.u, share)

    def _keep_bound(self, rest: float, u: Floats, price: Floats, pull: Floats) -> None:
        reduced = pull + self._alone - self._columns @ price
        top, threshold = best_of_box(reduced, self._lower, self._upper, self.n_open)
        bound = rest + _sides(price, self._low, self._high) + top + self.sets.amount
        if bound < self.best.bound:
            self.best = Dual(u.copy(), price.copy(), bound, reduced - threshold, threshold)

    def _should_restart(self) -> bool:
        if self._inner <= 1:
            return False
        return (
            self._now <= SUFFICIENT * self._first
            or (self._now <= NECESSARY * self._first and self._now > self._last)
            or self._inner >= LONGEST * self.iterations
        )

    def _rebalance(self) -> None:
        dx = self._x_next - self._anchor.x
        dp = self._p_next - self._anchor.p
        primal = np.sqrt(float((dx * dx / self._step_x).sum()))
        square = _distance(self._spare, self._anchor.u, self._step_u) + float((dp * dp / self._step_p).sum())
        dual = np.sqrt(square)
        if primal > 0 and dual > 0:
            wish = SMOOTHING * np.log(dual / primal) + (1 - SMOOTHING) * np.log(self.balance)
            self.balance = float(np.clip(np.exp(wish), 1.0 / MOST_BALANCE, MOST_BALANCE))

    def _value(self, x: Floats) -> float:
        """Worth of a fractional point, less what its broken rules could bring at the present prices."""
        activity = self._matrix @ x
        broken = np.maximum(self._low - activity, 0.0) + np.maximum(activity - self._high, 0.0)
        fine = float(np.abs(self._p_next) @ broken)
        return _worth(self.sets, self._weight, self._bounds, x) + float(self._alone @ x) + self.sets.amount - fine


def best_of_box(value: Floats, lower: Floats, upper: Floats, total: float) -> tuple[float, float]:
    """Most of ``value @ x`` with x in a box of 0/1 bounds and summing to a total; the price of one more."""
    free = np.flatnonzero(lower < upper)
    room = int(round(total - float(lower.sum())))
    fixed = float(value @ lower)
    if room <= 0 or free.size == 0:
        return fixed, float(value[free].max(initial=0.0))
    room = min(room, free.size)
    inside = value[free]
    at = inside.size - room
    inside = np.partition(inside, at)
    return fixed + float(np.sort(inside[at:]).sum()), float(inside[at])


def _sides(price: Floats, low: Floats, high: Floats) -> float:
    above, below = price > 0, price < 0
    return float(price[above] @ high[above] + price[below] @ low[below])


def _split(ptr: Ints) -> Ints:
    """Split the sets into blocks of about as many pairs."""
    marks = np.linspace(0, ptr[-1], BLOCKS + 1)
    bounds = np.searchsorted(ptr, marks).astype(np.int64)
    bounds[0], bounds[-1] = 0, ptr.size - 1
    return bounds


def _pull(sets: Sets, u: Floats, bounds: Ints, block: Floats) -> Floats:
    _add_up(sets, u, bounds, block)
    total: Floats = block.sum(axis=0)
    return total


@njit(cache=True, parallel=True)
def _add_up(sets, u, bounds, block):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    for b in prange(bounds.size - 1):
        g = block[b]
        g[:] = 0.0
        for r in range(bounds[b], bounds[b + 1]):
            for k in range(sets.ptr[r], sets.ptr[r + 1]):
                g[sets.sites[k]] += u[r]


@njit(cache=True, parallel=True)
def _dual_step(sets, weight, step, bounds, x, u, u_next, block):  # type: ignore[no-untyped-def]  # noqa: PLR0913 # pragma: no cover
    """One pass over the pairs: ``u_next = clip(u - step (A x - 1), 0, w)`` and its pull on the sites, by block.

    Returns sum(w - u_next) and the squared length of the step.
    """
    rest = np.zeros(bounds.size - 1)
    move = np.zeros(bounds.size - 1)
    ptr, sites = sets.ptr, sets.sites
    for b in prange(bounds.size - 1):
        g = block[b]
        g[:] = 0.0
        total = 0.0
        moved = 0.0
        for r in range(bounds[b], bounds[b + 1]):
            s = 0.0
            for k in range(ptr[r], ptr[r + 1]):
                s += x[sites[k]]
            v = min(max(u[r] - step[r] * (s - 1.0), 0.0), weight[r])
            d = v - u[r]
            moved += d * d / step[r]
            u_next[r] = v
            total += weight[r] - v
            if v != 0.0:
                for k in range(ptr[r], ptr[r + 1]):
                    g[sites[k]] += v
        rest[b] = total
        move[b] = moved
    return rest.sum(), move.sum()


@njit(cache=True, parallel=True)
def _worth(sets, weight, bounds, x):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    out = np.zeros(bounds.size - 1)
    for b in prange(bounds.size - 1):
        for r in range(bounds[b], bounds[b + 1]):
            s = 0.0
            for k in range(sets.ptr[r], sets.ptr[r + 1]):
                s += x[sets.sites[k]]
            out[b] += weight[r] * min(s, 1.0)
    return out.sum()


@njit(cache=True)
def _mix_in_place(u, u_next, anchor, share):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    for r in range(u.size):
        u[r] = share * (2.0 * u_next[r] - u[r]) + (1.0 - share) * anchor[r]


@njit(cache=True)
def _distance(a, b, step):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    total = 0.0
    for r in range(a.size):
        total += (a[r] - b[r]) * (a[r] - b[r]) / step[r]
    return total


@njit(cache=True)
def _project(z, step, lower, upper, total):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Nearest point to z, in the metric 1 / step, of a box cut by a fixed sum: Newton on its one price."""
    low, high = np.inf, -np.inf
    for j in range(z.size):
        low = min(low, (z[j] - upper[j]) / step[j])
        high = max(high, (z[j] - lower[j]) / step[j])
    price = 0.0 if low < 0.0 < high else 0.5 * (low + high)
    for _ in range(200):
        sum_x, slope = 0.0, 0.0
        for j in range(z.size):
            v = z[j] - step[j] * price
            if v >= upper[j]:
                sum_x += upper[j]
            elif v <= lower[j]:
                sum_x += lower[j]
            else:
                sum_x += v
                slope += step[j]
        if abs(sum_x - total) <= 1e-12 * max(total, 1.0):
            break
        if sum_x > total:
            low = price
        else:
            high = price
        newton = price + (sum_x - total) / slope if slope > 0.0 else np.inf
        price = newton if low < newton < high else 0.5 * (low + high)
        if high - low <= 1e-15 * max(abs(low), abs(high)):
            break
    out = np.empty(z.size)
    for j in range(z.size):
        out[j] = min(max(z[j] - step[j] * price, lower[j]), upper[j])
    return out
