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
from numba import njit, prange
from numpy.typing import NDArray

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


class _Frame(NamedTuple):
    """What the compiled loop reads: sets, their weights and caps, the other rules, the box."""

    ptr: Ints
    sites: NDArray[np.int32]
    weight: Floats
    cap: Floats
    bounds: Ints
    alone: Floats
    rule_ptr: Ints
    rule_sites: Ints
    rule_values: Floats
    low: Floats
    high: Floats
    lower: Floats
    upper: Floats
    n_open: float
    step_u: Floats
    step_p: Floats
    step_x: Floats


class _Iterate(NamedTuple):
    """Sites, set multipliers, rule prices, and the pull of the multipliers on the sites (linear in them)."""

    x: Floats
    u: Floats
    p: Floats
    pull: Floats


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
        self._next = _Iterate(
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
        reduced = best.pull + frame.alone - _price_sites(frame, best.p)
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
        after = _Iterate(np.zeros(self.sets.n_sites), by_set, by_rule, pull.astype(np.float64))
        numbers = np.full(NUMBERS, np.inf)
        _keep_bound(frame, after, float((frame.weight - by_set).sum()), _copy(after), numbers)
        return float(numbers[BOUND]) + self.sets.amount

    def start(self) -> Start:
        """Return where a relaxation of a problem alike may start."""
        return Start(self.x, self._best.u, self._best.p, self.balance)

    def run(self, iterations: int, stop_gap: float, floor: float = -np.inf) -> None:
        """Iterate so often, until bound and value are a share apart, or until the bound is below a floor."""
        end = self.iterations + iterations
        floor -= self.sets.amount
        while self.iterations < end:
            done = _iterate(
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
        _add_up(frame, after.u, self._block)
        after.pull[:] = self._block.sum(axis=0)
        for held in (self._at, self._anchor):
            for old, new in zip(held, after, strict=True):
                old[:] = new
        numbers = self._numbers
        numbers[INNER] = numbers[RESTART] = 0.0
        rest = float((frame.weight - after.u).sum())
        _keep_bound(frame, after, rest, self._best, numbers)

    def _rebalance(self) -> None:
        frame, after, anchor = self._frame, self._next, self._anchor
        dx, dp = after.x - anchor.x, after.p - anchor.p
        primal = float((dx * dx / frame.step_x).sum())
        dual = _distance(after.u, anchor.u, frame.step_u) + float((dp * dp / frame.step_p).sum())
        if primal > 0 and dual > 0:
            wish = 0.5 * SMOOTHING * np.log(dual / primal) + (1 - SMOOTHING) * np.log(self.balance)
            self.balance = float(np.clip(np.exp(wish), 1.0 / MOST_BALANCE, MOST_BALANCE))

    def _worth(self) -> float:
        """Worth of the fractional point, less more than its broken rules are likely to have brought."""
        frame, x = self._frame, self.x
        activity = _activity(frame, x)
        broken = np.maximum(frame.low - activity, 0.0) + np.maximum(activity - frame.high, 0.0)
        fine = float((np.abs(self._next.p) + 1.0 / frame.step_x.max()) @ broken)
        return float(_worth_of(frame, x, self._next.u)) + float(frame.alone @ x) + self.sets.amount - fine


def _copy(iterate: _Iterate) -> _Iterate:
    return _Iterate(*(part.copy() for part in iterate))


def _build_frame(sets: Sets, rules: Rules, lower: Floats, upper: Floats, must: Ints | None) -> _Frame:
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
    return _Frame(
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


BOUND, RESTART, INNER, FIRST, LAST = range(5)
NUMBERS = 5
"""Places of the running numbers: best bound, restart asked, iterations since, first and last residual."""


@njit(cache=True)
def _iterate(
    frame: _Frame,
    iterates: tuple[_Iterate, _Iterate, _Iterate, _Iterate],
    block: Floats,
    numbers: Floats,
    plan: tuple[float, int, int, float],
) -> int:  # pragma: no cover - compiled
    """Iterate until a restart is due, the bound falls below the floor or the count is used up."""
    at, after, anchor, best = iterates
    balance, before, count, floor = plan
    step_x, step_u, step_p = frame.step_x / balance, frame.step_u * balance, frame.step_p * balance
    numbers[RESTART] = 0.0
    price_after = _price_sites(frame, after.p)
    for done in range(1, count + 1):
        inner = numbers[INNER]
        if inner > 0:
            _mix(at, after, anchor, inner / (inner + 1.0))
        price = _price_sites(frame, at.p)
        gradient = at.pull + frame.alone - price
        after.x[:] = _project(at.x + step_x * gradient, step_x, frame.lower, frame.upper, frame.n_open)
        ahead = 2.0 * after.x - at.x
        rest, moved = _dual_step(frame, step_u, ahead, at.u, after.u, block)
        _sum_blocks(block, after.pull)
        activity = _activity(frame, ahead)
        for r in range(activity.size):
            v = at.p[r] + step_p[r] * activity[r]
            after.p[r] = v - step_p[r] * min(max(v / step_p[r], frame.low[r]), frame.high[r])
            moved += (after.p[r] - at.p[r]) ** 2 / step_p[r]
        _keep_bound(frame, after, rest, best, numbers)
        price_after = _price_sites(frame, after.p)
        square = moved
        for j in range(ahead.size):
            dx = after.x[j] - at.x[j]
            square += dx * (dx / step_x[j] - 2.0 * (after.pull[j] - at.pull[j] - price_after[j] + price[j]))
        now, last = np.sqrt(max(square, 0.0)), numbers[LAST]
        if inner == 0:
            numbers[FIRST] = now
        first = numbers[FIRST]
        numbers[LAST] = now
        numbers[INNER] = inner + 1.0
        if inner > 0 and (
            now <= SUFFICIENT * first
            or (now <= NECESSARY * first and now > last)
            or inner >= LONGEST * (before + done)
        ):
            numbers[RESTART] = 1.0
            return done
        if numbers[BOUND] < floor:
            return done
    return count


@njit(cache=True)
def _mix(
    at: _Iterate, after: _Iterate, anchor: _Iterate, share: float
) -> None:  # pragma: no cover - compiled
    """Reflect the last step and draw it towards the anchor."""
    rest = 1.0 - share
    for j in range(at.x.size):
        at.x[j] = share * (2.0 * after.x[j] - at.x[j]) + rest * anchor.x[j]
        at.pull[j] = share * (2.0 * after.pull[j] - at.pull[j]) + rest * anchor.pull[j]
    for r in range(at.p.size):
        at.p[r] = share * (2.0 * after.p[r] - at.p[r]) + rest * anchor.p[r]
    for r in range(at.u.size):
        at.u[r] = share * (2.0 * after.u[r] - at.u[r]) + rest * anchor.u[r]


@njit(cache=True)
def _keep_bound(
    frame: _Frame, after: _Iterate, rest: float, best: _Iterate, numbers: Floats
) -> None:  # pragma: no cover - compiled
    """Work out the bound that the multipliers prove; keep them if it is the best."""
    reduced = after.pull + frame.alone - _price_sites(frame, after.p)
    sides = 0.0
    for r in range(after.p.size):
        if after.p[r] > 0:
            sides += after.p[r] * frame.high[r]
        elif after.p[r] < 0:
            sides += after.p[r] * frame.low[r]
    bound = rest + sides + best_of_box(reduced, frame.lower, frame.upper, frame.n_open)[0]
    if bound < numbers[BOUND]:
        numbers[BOUND] = bound
        best.x[:] = after.x
        best.u[:] = after.u
        best.p[:] = after.p
        best.pull[:] = after.pull


@njit(cache=True)
def _price_sites(frame: _Frame, p: Floats) -> Floats:  # pragma: no cover - compiled
    out = np.zeros(frame.lower.size)
    for r in range(p.size):
        if p[r] != 0.0:
            for k in range(frame.rule_ptr[r], frame.rule_ptr[r + 1]):
                out[frame.rule_sites[k]] += p[r] * frame.rule_values[k]
    return out


@njit(cache=True)
def _activity(frame: _Frame, x: Floats) -> Floats:  # pragma: no cover - compiled
    out = np.zeros(frame.low.size)
    for r in range(out.size):
        for k in range(frame.rule_ptr[r], frame.rule_ptr[r + 1]):
            out[r] += frame.rule_values[k] * x[frame.rule_sites[k]]
    return out


@njit(cache=True)
def best_of_box(
    value: Floats, lower: Floats, upper: Floats, total: float
) -> tuple[float, float]:  # pragma: no cover - compiled
    """Most of ``value @ x`` with x in a box of 0/1 bounds and summing to a total; the price of one more."""
    fixed, room, n_free = 0.0, total, 0
    free = np.empty(value.size)
    for j in range(value.size):
        if lower[j] < upper[j]:
            free[n_free] = value[j]
            n_free += 1
        elif lower[j] > 0:
            fixed += value[j]
            room -= 1.0
    take = min(int(np.rint(room)), n_free)
    if take <= 0 or n_free == 0:
        return fixed, np.inf if n_free else 0.0
    inside = np.partition(free[:n_free], n_free - take)
    return fixed + np.sort(inside[n_free - take :]).sum(), inside[n_free - take]


def _split(ptr: Ints) -> Ints:
    """Split the sets into blocks of about as many pairs."""
    marks = np.linspace(0, ptr[-1], BLOCKS + 1)
    bounds = np.searchsorted(ptr, marks).astype(np.int64)
    bounds[0], bounds[-1] = 0, ptr.size - 1
    return bounds


@njit(cache=True)
def _sum_blocks(block: Floats, out: Floats) -> None:  # pragma: no cover - compiled
    out[:] = 0.0
    for b in range(block.shape[0]):
        for j in range(out.size):
            out[j] += block[b, j]


@njit(cache=True, parallel=True)
def _add_up(frame: _Frame, u: Floats, block: Floats) -> None:  # pragma: no cover - compiled
    for b in prange(block.shape[0]):
        g = block[b]
        g[:] = 0.0
        for r in range(frame.bounds[b], frame.bounds[b + 1]):
            for k in range(frame.ptr[r], frame.ptr[r + 1]):
                g[frame.sites[k]] += u[r]


@njit(cache=True, parallel=True)
def _dual_step(
    frame: _Frame, step: Floats, x: Floats, u: Floats, u_next: Floats, block: Floats
) -> tuple[float, float]:  # pragma: no cover - compiled
    """Set ``u_next = clip(u - step (A x - 1), 0, cap)`` and its pull on the sites, in one pass.

    Returns sum(w - u_next) and the squared length of the step.
    """
    rest, move = np.zeros(block.shape[0]), np.zeros(block.shape[0])
    ptr, sites, weight, cap = frame.ptr, frame.sites, frame.weight, frame.cap
    for b in prange(block.shape[0]):
        g = block[b]
        g[:] = 0.0
        total = 0.0
        moved = 0.0
        for r in range(frame.bounds[b], frame.bounds[b + 1]):
            s = 0.0
            for k in range(ptr[r], ptr[r + 1]):
                s += x[sites[k]]
            v = min(max(u[r] - step[r] * (s - 1.0), 0.0), cap[r])
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
def _worth_of(frame: _Frame, x: Floats, u: Floats) -> float:  # pragma: no cover - compiled
    out = np.zeros(frame.bounds.size - 1)
    for b in prange(frame.bounds.size - 1):
        for r in range(frame.bounds[b], frame.bounds[b + 1]):
            s = 0.0
            for k in range(frame.ptr[r], frame.ptr[r + 1]):
                s += x[frame.sites[k]]
            out[b] += frame.weight[r] * min(s, 1.0)
            if frame.cap[r] > frame.weight[r] and s < 1.0:
                out[b] -= max(u[r] - frame.weight[r], 0.0) * (1.0 - s)
    worth: float = out.sum()
    return worth


@njit(cache=True)
def _distance(a: Floats, b: Floats, step: Floats) -> float:  # pragma: no cover - compiled
    total = 0.0
    for r in range(a.size):
        total += (a[r] - b[r]) * (a[r] - b[r]) / step[r]
    return total


@njit(cache=True)
def _project(
    z: Floats, step: Floats, lower: Floats, upper: Floats, total: float
) -> Floats:  # pragma: no cover - compiled
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
