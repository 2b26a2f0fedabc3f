"""Compiled loops of the first-order bound; see `halpern` for the method."""

from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from siteplanner.location.options import Floats, Ints

SUFFICIENT, NECESSARY, LONGEST = 0.2, 0.8, 0.36
"""Restart when the residual fell to this share, or to this share and rises again, or after this share of all
iterations (Applegate et al. 2021)."""


class Frame(NamedTuple):
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


class Iterate(NamedTuple):
    """Sites, set multipliers, rule prices, and the pull of the multipliers on the sites (linear in them)."""

    x: Floats
    u: Floats
    p: Floats
    pull: Floats


BOUND, RESTART, INNER, FIRST, LAST = range(5)
NUMBERS = 5
"""Places of the running numbers: best bound, restart asked, iterations since, first and last residual."""


@njit(cache=True)
def iterate(
    frame: Frame,
    iterates: tuple[Iterate, Iterate, Iterate, Iterate],
    block: Floats,
    numbers: Floats,
    plan: tuple[float, int, int, float],
) -> int:  # pragma: no cover - compiled
    """Iterate until a restart is due, the bound falls below the floor or the count is used up."""
    at, after, anchor, best = iterates
    balance, before, count, floor = plan
    step_x, step_u, step_p = frame.step_x / balance, frame.step_u * balance, frame.step_p * balance
    numbers[RESTART] = 0.0
    price_after = price_sites(frame, after.p)
    for done in range(1, count + 1):
        inner = numbers[INNER]
        if inner > 0:
            _mix(at, after, anchor, inner / (inner + 1.0))
        price = price_sites(frame, at.p)
        gradient = at.pull + frame.alone - price
        after.x[:] = _project(at.x + step_x * gradient, step_x, frame.lower, frame.upper, frame.n_open)
        ahead = 2.0 * after.x - at.x
        rest, moved = _dual_step(frame, step_u, ahead, at.u, after.u, block)
        _sum_blocks(block, after.pull)
        activity = sum_rules(frame, ahead)
        for r in range(activity.size):
            v = at.p[r] + step_p[r] * activity[r]
            after.p[r] = v - step_p[r] * min(max(v / step_p[r], frame.low[r]), frame.high[r])
            moved += (after.p[r] - at.p[r]) ** 2 / step_p[r]
        keep_bound(frame, after, rest, best, numbers)
        price_after = price_sites(frame, after.p)
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
def _mix(at: Iterate, after: Iterate, anchor: Iterate, share: float) -> None:  # pragma: no cover - compiled
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
def keep_bound(
    frame: Frame, after: Iterate, rest: float, best: Iterate, numbers: Floats
) -> None:  # pragma: no cover - compiled
    """Work out the bound that the multipliers prove; keep them if it is the best."""
    reduced = after.pull + frame.alone - price_sites(frame, after.p)
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
def price_sites(frame: Frame, p: Floats) -> Floats:  # pragma: no cover - compiled
    """Add up what the prices of the rules charge each site."""
    out = np.zeros(frame.lower.size)
    for r in range(p.size):
        if p[r] != 0.0:
            for k in range(frame.rule_ptr[r], frame.rule_ptr[r + 1]):
                out[frame.rule_sites[k]] += p[r] * frame.rule_values[k]
    return out


@njit(cache=True)
def sum_rules(frame: Frame, x: Floats) -> Floats:  # pragma: no cover - compiled
    """Sum each rule over the sites."""
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


@njit(cache=True)
def _sum_blocks(block: Floats, out: Floats) -> None:  # pragma: no cover - compiled
    out[:] = 0.0
    for b in range(block.shape[0]):
        for j in range(out.size):
            out[j] += block[b, j]


@njit(cache=True, parallel=True)
def add_up(frame: Frame, u: Floats, block: Floats) -> None:  # pragma: no cover - compiled
    """Add up the pull of set multipliers on the sites, by block."""
    for b in prange(block.shape[0]):
        g = block[b]
        g[:] = 0.0
        for r in range(frame.bounds[b], frame.bounds[b + 1]):
            for k in range(frame.ptr[r], frame.ptr[r + 1]):
                g[frame.sites[k]] += u[r]


@njit(cache=True, parallel=True)
def _dual_step(
    frame: Frame, step: Floats, x: Floats, u: Floats, u_next: Floats, block: Floats
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
def worth_of(frame: Frame, x: Floats, u: Floats) -> float:  # pragma: no cover - compiled
    """Value a fractional point, less what uncovered sets that must be covered are charged."""
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
def distance(a: Floats, b: Floats, step: Floats) -> float:  # pragma: no cover - compiled
    """Measure the squared distance in the metric of the steps."""
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
