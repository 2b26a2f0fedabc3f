"""Concave envelope of a captured share: the tightest cut that one demand row can give.

With ``a = utility / outside`` a row is worth ``g(v) = v / (1 + v)`` at ``v = a(S)``, the sum over its open
sites. Its concave envelope at a fractional point x is the best mean of g over random sets that hold each
site with probability x: a linear program over sets, solved by column generation in a tiny tableau. Its
duals are the slopes of a cut, and the pricing problem ``max g(a(S)) - slope(S)`` is solved by branch and
bound with a closed-form continuous bound. Whatever stops either, the cut is valid: its constant is the
proven bound of the pricing problem over all sites of the row.
"""

import numpy as np
from numba import njit

from siteplanner.location.options import Floats, Ints

SMOOTHING = 0.5
"""Prices are this share of the best ones so far and the rest of the last ones (Wentges 1997)."""

NODES = 300
"""Most nodes of one pricing problem; what is left open enters its bound."""

ABSENT = 1e-7
"""An x below this is closed."""

PRESENT = 1.0 - 1e-5
"""An x is cut down to this, so that every site is absent from some set and its slope is determined."""

PIVOT_LEAST = 1e-9
"""Smallest pivot."""

PRICE_SHARE = 0.3
"""Share of the tolerance that pricing may leave."""


@njit(cache=True, inline="always")
def share_of(v: float) -> float:  # pragma: no cover - compiled
    """Return the captured share at an open utility v, in units of the outside utility."""
    return v / (1.0 + v)


@njit(cache=True)
def _relaxed(
    a: Floats, mu: Floats, size: int, first: int, v: float, paid: float
) -> float:  # pragma: no cover - compiled
    """Best value when sites from ``first`` on may be taken in part; sites ascend by mu / a."""
    for k in range(first, size):
        after = v + a[k]
        if a[k] >= mu[k] * (1.0 + after) * (1.0 + after):
            v = after
            paid += mu[k]
            continue
        if a[k] > mu[k] * (1.0 + v) * (1.0 + v):
            top = np.sqrt(a[k] / mu[k]) - 1.0
            paid += mu[k] / a[k] * (top - v)
            v = top
        break
    return share_of(v) - paid


@njit(cache=True)
def price_sets(
    a: Floats, mu: Floats, size: int, slack: float, stack: Ints
) -> tuple[float, float, int]:  # pragma: no cover - compiled
    """Maximise ``g(a(S)) - mu(S)`` over all sets; sites ascend by mu / a.

    Returns
    -------
    best, bound, code
        Value of the best set found, a bound on every set (above ``best`` by more than the slack only when
        the nodes ran out), and the set as bits (of no use beyond 62 sites).
    """
    best, bound, code = 0.0, 0.0, 0
    v = paid = 0.0
    picked = depth = k = nodes = 0
    while True:
        down = False
        if k < size:
            nodes += 1
            most = _relaxed(a, mu, size, k, v, paid)
            if most <= best + slack or nodes > NODES:
                bound = max(bound, most)
            else:
                # A site that does not pay for itself now never will: utilities only add up.
                while k < size and a[k] <= mu[k] * (1.0 + v) * (1.0 + v + a[k]):
                    k += 1
                down = k < size
        if down:
            stack[depth] = k
            depth += 1
            picked |= 1 << k
            v += a[k]
            paid += mu[k]
            value = share_of(v) - paid
            if value > best:
                best, code = value, picked
            k += 1
            continue
        if depth == 0:
            break
        depth -= 1
        k = stack[depth]
        picked ^= 1 << k
        v = paid = 0.0
        for d in range(depth):
            v += a[stack[d]]
            paid += mu[stack[d]]
        k += 1
    return best, max(bound, best), code


@njit(cache=True)
def _sample_systematically(x: Floats, sets: Ints, inverse: Floats) -> None:  # pragma: no cover - compiled
    """Start from the sets of systematic sampling: lay the x end to end and pick at every integer plus t.

    As t runs from 0 to 1 the set changes at the fractions of the running sums only, one site for the next:
    m + 1 sets whose probabilities, the lengths between those fractions, are linear in x. So the inverse of
    this basis is written down, not computed. Sets differ little in size, which keeps the utility even.
    """
    m = x.size
    ends, turns = np.empty(m), np.empty(m)
    total, code = 0.0, 0
    for j in range(m):
        before, total = total, total + x[j]
        if np.ceil(total) > np.ceil(before):
            code |= 1 << j
        turns[j] = np.ceil(total) - 1.0
        ends[j] = total - turns[j]
    order = np.argsort(ends)
    inverse[:, :] = 0.0
    for k in range(m + 1):
        sets[k] = code
        if k < m:
            j = order[k]
            inverse[k, : j + 1] += 1.0
            inverse[k, m] -= turns[j]
            code ^= 1 << j
            if j + 1 < m:
                code ^= 1 << (j + 1)
        else:
            inverse[k, m] += 1.0
        if k > 0:
            j = order[k - 1]
            inverse[k, : j + 1] -= 1.0
            inverse[k, m] += turns[j]


@njit(cache=True, inline="always")
def _utility(a: Floats, code: int) -> float:  # pragma: no cover - compiled
    v = 0.0
    for j in range(a.size):
        if code >> j & 1:
            v += a[j]
    return v


@njit(cache=True)
def _enter(
    inverse: Floats, weight: Floats, step: Floats, code: int
) -> tuple[int, float]:  # pragma: no cover - compiled
    """Express an entering set in the basis; return the leaving position (-1: none) and the step length."""
    n = weight.size
    leaving, length = -1, np.inf
    for c in range(n):
        total = inverse[c, n - 1]
        for r in range(n - 1):
            if code >> r & 1:
                total += inverse[c, r]
        step[c] = total
        if total > PIVOT_LEAST and weight[c] < length * total:
            leaving, length = c, weight[c] / total
    return leaving, length


@njit(cache=True)
def _pivot(
    inverse: Floats, weight: Floats, step: Floats, leaving: int, length: float
) -> None:  # pragma: no cover - compiled
    n = weight.size
    for r in range(n):
        inverse[leaving, r] /= step[leaving]
    for c in range(n):
        if c == leaving:
            continue
        weight[c] = max(weight[c] - length * step[c], 0.0)
        factor = step[c]
        if factor != 0.0:
            for r in range(n):
                inverse[c, r] -= factor * inverse[leaving, r]
    weight[leaving] = length


@njit(cache=True)
def _span_cut(
    a: Floats, x: Floats, inverse: Floats, sets: Ints
) -> tuple[float, Floats, Floats, Floats]:  # pragma: no cover - compiled
    """Value, weights, shares and dual of the sets that span the first cut."""
    m, n = a.size, sets.size
    weight, share, dual = np.empty(n), np.empty(n), np.zeros(n)
    reached = 0.0
    for c in range(n):
        share[c] = share_of(_utility(a, sets[c]))
        weight[c] = max(inverse[c, m] + inverse[c, :m] @ x, 0.0)
        reached += weight[c] * share[c]
        dual += share[c] * inverse[c]
    return reached, weight, share, dual


@njit(cache=True)
def _price_code(
    a: Floats, mu: Floats, allowed: float, stack: Ints
) -> tuple[float, int]:  # pragma: no cover - compiled
    """Bound of the set that is worth most at prices mu, and the set, as bits by site."""
    order = np.argsort(mu / a)
    _, bound, picked = price_sets(a[order], mu[order], a.size, allowed, stack)
    code = 0
    for k in range(a.size):
        if picked >> k & 1:
            code |= 1 << order[k]
    return bound, code


@njit(cache=True)
def _value_within(dual: Floats, code: int) -> float:  # pragma: no cover - compiled
    """Value that the cut gives to a set."""
    m = dual.size - 1
    inside: float = dual[m]
    for r in range(m):
        if code >> r & 1:
            inside += dual[r]
    return inside


@njit(cache=True)
def envelope_cut(
    a: Floats, x: Floats, aim: tuple[float, float], limits: Ints, slope: Floats, sets: Ints
) -> tuple[float, int]:  # pragma: no cover - compiled
    """Cut of the sites of one row that is tight at x, to a tolerance.

    Parameters
    ----------
    a, x
        Per site, strong sites first.
    aim
        Value at x of a cut that is there already (the work ends when no cut can be lower by the tolerance),
        and the tolerance in shares.
    slope, sets
        Filled with the slopes, and with the sets that span the cut.

    Returns
    -------
    value, pivots
        Value of the cut at x (infinite if the known cut is good enough), and the pivots it took.
    """
    known, tolerance = aim
    m, n = a.size, a.size + 1
    inverse = np.empty((n, n))
    _sample_systematically(x, sets, inverse)
    reached, weight, share, dual = _span_cut(a, x, inverse, sets)
    if known - reached <= tolerance:
        return np.inf, 0
    best: float = np.inf
    step, stack = np.empty(n), np.empty(n, dtype=np.int64)
    smooth = 0.0
    for turn in range(limits[1]):
        mu = smooth * slope + (1.0 - smooth) * np.maximum(dual[:m], 0.0)
        bound, code = _price_code(a, mu, PRICE_SHARE * tolerance, stack)
        value = float(bound + mu @ x)
        better = value < best
        if better:
            best = value
            slope[:] = mu
        if min(best, known) - reached <= tolerance:
            return best, turn
        new = share_of(_utility(a, code))
        excess = new - _value_within(dual, code)
        if excess <= 0.1 * tolerance:
            if smooth == 0.0:
                break
            smooth = SMOOTHING if better else 0.0
            continue
        smooth = SMOOTHING
        leaving, length = _enter(inverse, weight, step, code)
        if leaving < 0:
            break
        _pivot(inverse, weight, step, leaving, length)
        reached += length * excess
        dual += excess * inverse[leaving]
        sets[leaving], share[leaving] = code, new
    return best, limits[1]


@njit(cache=True)
def lift_slope(
    t: float, most: float, pool_v: Floats, pool_lag: Floats
) -> float:  # pragma: no cover - compiled
    """Slope of a site of strength t outside the cut, valid whatever else is added to the pooled sets.

    Adding s to a set of utility v that lags the cut by d is worth ``h(s) = g(v + s) - g(v) - d``. The
    largest ``t * max(h(s) / s, s >= t)`` over the sets is sub-additive in t, so slopes of that size hold for
    any number of added sites together (sequence-independent lifting). ``h(s) / s`` peaks at
    ``s = A q / (1 - q)`` with ``A = 1 + v``, ``q = sqrt(d A)``.
    """
    slope = 0.0
    for c in range(pool_v.size):
        whole = 1.0 + pool_v[c]
        q = np.sqrt(pool_lag[c] * whole)
        if q >= 1.0:
            continue
        s = max(t, min(whole * q / (1.0 - q), most))
        slope = max(slope, t * (1.0 / (whole * (whole + s)) - pool_lag[c] / s))
    return slope


@njit(cache=True)
def cut_row(
    a: Floats, x: Floats, known: float, tolerance: float, limits: Ints, slope: Floats
) -> tuple[float, float, int]:  # pragma: no cover - compiled
    """Cut of one row at x: fill the slopes of all its sites.

    Returns
    -------
    const, value, pivots
        The cut's constant, its value at x (infinite when the known cut stands), and the pivots it took.
    """
    inside = np.flatnonzero(x > ABSENT)
    if inside.size > limits[0]:
        heavy = np.argsort(-(a[inside] * x[inside]), kind="mergesort")
        inside = np.sort(inside[heavy[: limits[0]]])
    m = inside.size
    if m < 2:  # noqa: PLR2004 - one site alone is linear, and every cut knows it
        return np.inf, np.inf, 0
    inside = inside[np.argsort(-a[inside], kind="mergesort")]
    near_a, near_x = a[inside], np.minimum(x[inside], PRESENT)
    near_slope, sets = np.zeros(m), np.empty(m + 1, dtype=np.int64)
    value, pivots = envelope_cut(near_a, near_x, (known, tolerance), limits, near_slope, sets)
    if not value < known:
        return np.inf, np.inf, pivots
    const = float(value - near_slope @ near_x)
    pool_v, pool_lag = np.zeros(m + 2), np.zeros(m + 2)
    pool_lag[m + 1] = const
    for c in range(m + 1):
        pool_v[c] = _utility(near_a, sets[c])
        pool_lag[c] = max(const - share_of(pool_v[c]) + _utility(near_slope, sets[c]), 0.0)
    taken = np.zeros(a.size, dtype=np.bool_)
    for k in range(m):
        taken[inside[k]] = True
        slope[inside[k]] = near_slope[k]
    most = 0.0
    for k in range(a.size):
        if not taken[k]:
            most += a[k]
    for k in range(a.size):
        if not taken[k]:
            slope[k] = lift_slope(a[k], most, pool_v, pool_lag)
    order = np.argsort(slope / a, kind="mergesort")
    stack = np.empty(a.size + 1, dtype=np.int64)
    _, bound, _ = price_sets(a[order], slope[order], a.size, PRICE_SHARE * tolerance, stack)
    return bound, float(bound + slope @ x), pivots
