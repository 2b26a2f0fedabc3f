"""Compiled local search on sets: counts, owners and whole-number marginals.

Weights are whole numbers of units, so every comparison is exact and a walk can be undone without a trace.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from siteplanner.location.options import Floats, Ints, Mask
from siteplanner.location.rules import Rules
from siteplanner.location.search import PackedRules, pack_rules, swap_fits
from siteplanner.location.sets import Sets


class Walk(NamedTuple):
    """State of one search.

    Attributes
    ----------
    count, owner
        Per set: open sites, and the exclusive or of their numbers (the owner, when there is one).
    marginal
        Per site: gain of opening it, or loss of closing it.
    dirty
        Open sites whose best swap may have changed.
    extra
        Scratch, zero between calls.
    """

    chosen: Mask
    count: np.ndarray
    owner: np.ndarray
    marginal: Ints
    activity: np.ndarray
    dirty: Mask
    extra: Ints
    touched: Ints


class SetSearch:
    """Local search on sets: one walk, continued from call to call."""

    def __init__(self, sets: Sets, rules: Rules, state: NDArray[np.uint64]) -> None:
        self._sets, self._rules, self.state = sets, rules, state
        self._packed = pack_rules(rules)
        self._walk: Walk | None = None

    def begin(self, chosen: Mask) -> None:
        """Stand at a set."""
        self._walk = start_walk(self._sets, self._packed, self._rules.matrix @ chosen.astype(np.float64), chosen)

    def fill(self, chosen: Mask, n_open: int) -> Mask:
        """Open the best site again and again, minding only upper limits; the result may break lower ones."""
        self.begin(chosen)
        greedy(self._sets, self._packed, self._walk, n_open)
        return self._walk.chosen.copy()

    def marginal(self, chosen: Mask) -> Floats:
        """Gain of opening, or loss of closing, each site."""
        self.begin(chosen)
        return self._walk.marginal.astype(np.float64)

    def value(self) -> int:
        """Worth of the set where the search stands, in units."""
        sets, walk = self._sets, self._walk
        return int(sets.amount + sets.weight[walk.count > 0].sum() + sets.by_site[walk.chosen].sum())

    def improve(self) -> tuple[Mask, int]:
        """Swap until nothing improves."""
        descend(self._sets, self._packed, self._walk)
        return self._walk.chosen.copy(), self.value()

    def shake(self, pool: Ints, rounds: int, strength: int = 3) -> tuple[Mask, int]:
        """Disturb and descend so many times."""
        best, value, _ = shake(
            self._sets, self._packed, self._walk, pool, self.state, rounds, self.value(), strength
        )
        return best, int(value)


def start_state(seed: int) -> NDArray[np.uint64]:
    """State of the generator of a search."""
    return np.random.default_rng(seed).integers(1, 2**64, 1, dtype=np.uint64)


@njit(cache=True)
def start_walk(sets, rules, activity, chosen):
    n = chosen.size
    m = sets.ptr.size - 1
    walk = Walk(np.zeros(n, dtype=np.bool_), np.zeros(m, dtype=np.int32), np.zeros(m, dtype=np.int32), sets.by_site.copy(), activity.copy(), np.zeros(n, dtype=np.bool_), np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64))
    for r in range(m):
        for k in range(sets.ptr[r], sets.ptr[r + 1]):
            j = sets.sites[k]
            if chosen[j]:
                walk.count[r] += 1
                walk.owner[r] ^= j
        c = walk.count[r]
        if c == 0:
            for k in range(sets.ptr[r], sets.ptr[r + 1]):
                walk.marginal[sets.sites[k]] += sets.weight[r]
        elif c == 1:
            walk.marginal[walk.owner[r]] += sets.weight[r]
    walk.chosen[:] = chosen
    walk.dirty[:] = chosen
    return walk


@njit(cache=True)
def toggle(sets, rules, walk, j):
    opening = not walk.chosen[j]
    own = walk.marginal[j]
    ptr, sites, weight, count, owner, marginal = sets.ptr, sets.sites, sets.weight, walk.count, walk.owner, walk.marginal
    if opening:
        for at in range(sets.col_ptr[j], sets.col_ptr[j + 1]):
            r = sets.col_rows[at]
            c = count[r]
            if c == 0:
                w = weight[r]
                for k in range(ptr[r], ptr[r + 1]):
                    marginal[sites[k]] -= w
            elif c == 1:
                marginal[owner[r]] -= weight[r]
                walk.dirty[owner[r]] = True
            count[r] = c + 1
            owner[r] ^= j
    else:
        for at in range(sets.col_ptr[j], sets.col_ptr[j + 1]):
            r = sets.col_rows[at]
            c = count[r]
            owner[r] ^= j
            if c == 1:
                w = weight[r]
                for k in range(ptr[r], ptr[r + 1]):
                    marginal[sites[k]] += w
            elif c == 2:
                marginal[owner[r]] += weight[r]
                walk.dirty[owner[r]] = True
            count[r] = c - 1
    marginal[j] = own
    walk.chosen[j] = opening
    walk.dirty[j] = opening
    sign = 1.0 if opening else -1.0
    for k in range(rules.ptr[j], rules.ptr[j + 1]):
        walk.activity[rules.rows[k]] += sign * rules.values[k]
    return own if opening else -own


@njit(cache=True)
def best_partner(sets, rules, walk, a, banned):
    """Best feasible site to open when a is closed, and the change."""
    ptr, sites, weight, extra = sets.ptr, sets.sites, sets.weight, walk.extra
    for at in range(sets.col_ptr[a], sets.col_ptr[a + 1]):
        r = sets.col_rows[at]
        if walk.count[r] == 1:
            w = weight[r]
            for k in range(ptr[r], ptr[r + 1]):
                extra[sites[k]] += w
    best, value = -1, walk.marginal[a]
    for b in range(walk.chosen.size):
        v = walk.marginal[b] + extra[b]
        extra[b] = 0
        if v > value and not walk.chosen[b] and b != banned and rules.may_open[b] and swap_fits(rules, walk.activity, a, b):
            best, value = b, v
    return best, value - walk.marginal[a]


@njit(cache=True)
def best_leaver(sets, rules, walk, b, banned):
    """Open site whose closing costs least when b is opened, and the change."""
    extra = walk.extra
    for at in range(sets.col_ptr[b], sets.col_ptr[b + 1]):
        r = sets.col_rows[at]
        if walk.count[r] == 1:
            extra[walk.owner[r]] += sets.weight[r]
    best, value = -1, np.int64(2**62)
    for a in range(walk.chosen.size):
        if not walk.chosen[a]:
            continue
        v = walk.marginal[a] - extra[a]
        extra[a] = 0
        if v < value and rules.may_close[a] and a != banned and swap_fits(rules, walk.activity, a, b):
            best, value = a, v
    return best, walk.marginal[b] - value


@njit(cache=True)
def descend(sets, rules, walk):
    """Swap until no dirty site has a better partner; return the gain and steps."""
    gained, steps = np.int64(0), 0
    again = True
    while again:
        again = False
        for a in range(walk.chosen.size):
            if walk.chosen[a] and walk.dirty[a]:
                walk.dirty[a] = False
                if not rules.may_close[a]:
                    continue
                b, change = best_partner(sets, rules, walk, a, -1)
                if b >= 0:
                    toggle(sets, rules, walk, a)
                    toggle(sets, rules, walk, b)
                    gained += change
                    steps += 1
                    again = True
    return gained, steps


@njit(cache=True)
def _random(state, n):
    """xorshift64*: a number below n."""
    x = state[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    state[0] = x
    return np.int64((x * np.uint64(0x2545F4914F6CDD1D)) >> np.uint64(33)) % n


@njit(cache=True)
def shake(sets, rules, walk, pool, state, rounds, value, strength):
    """Iterated local search: open random sites of the pool, close the least missed, descend, keep or undo."""
    best = walk.chosen.copy()
    best_value = value
    start = walk.chosen.copy()
    done = 0
    for _ in range(rounds):
        start[:] = walk.chosen
        before = value
        s = 1 + _random(state, strength)
        ok = False
        for _ in range(s):
            b = pool[_random(state, pool.size)]
            if walk.chosen[b]:
                # close it instead: the best other site takes its place
                if not rules.may_close[b]:
                    continue
                walk_m = walk.marginal[b]
                # find best partner != itself
                c, change = forced_partner(sets, rules, walk, b)
                if c < 0:
                    continue
                value += toggle(sets, rules, walk, b)
                value += toggle(sets, rules, walk, c)
                ok = True
            else:
                if not rules.may_open[b]:
                    continue
                a, change = best_leaver(sets, rules, walk, b, -1)
                if a < 0:
                    continue
                value += toggle(sets, rules, walk, a)
                value += toggle(sets, rules, walk, b)
                ok = True
        if not ok:
            continue
        gain, steps = descend(sets, rules, walk)
        value += gain
        done += 1
        if value > best_value:
            best_value = value
            best[:] = walk.chosen
        if value < before:
            for j in range(start.size):
                if start[j] != walk.chosen[j]:
                    value += toggle(sets, rules, walk, j)
            walk.dirty[:] = False
    return best, best_value, done


@njit(cache=True)
def forced_partner(sets, rules, walk, a):
    ptr, sites, weight, extra = sets.ptr, sets.sites, sets.weight, walk.extra
    for at in range(sets.col_ptr[a], sets.col_ptr[a + 1]):
        r = sets.col_rows[at]
        if walk.count[r] == 1:
            w = weight[r]
            for k in range(ptr[r], ptr[r + 1]):
                extra[sites[k]] += w
    best, value = -1, np.int64(-1)
    for b in range(walk.chosen.size):
        v = walk.marginal[b] + extra[b]
        extra[b] = 0
        if v > value and not walk.chosen[b] and rules.may_open[b] and swap_fits(rules, walk.activity, a, b):
            best, value = b, v
    return best, value - walk.marginal[a]


@njit(cache=True)
def greedy(sets, rules, walk, n_open):
    count = walk.chosen.sum()
    while count < n_open:
        best, value = -1, np.int64(-1)
        for b in range(walk.chosen.size):
            if not walk.chosen[b] and walk.marginal[b] > value and rules.may_open[b]:
                fits = True
                for k in range(rules.ptr[b], rules.ptr[b + 1]):
                    if walk.activity[rules.rows[k]] + rules.values[k] > rules.high[rules.rows[k]] + 1e-9:
                        fits = False
                        break
                if fits:
                    best, value = b, walk.marginal[b]
        if best < 0:
            break
        toggle(sets, rules, walk, best)
        count += 1


@njit(cache=True)
def anneal(sets, rules, walk, pool, state, steps, value, hot, cold):
    """Simulated annealing: a random site of the pool enters, the least missed one leaves."""
    best = walk.chosen.copy()
    best_value = value
    n_open = walk.chosen.sum()
    opens = np.flatnonzero(walk.chosen)
    extra, count, owner, marginal = walk.extra, walk.count, walk.owner, walk.marginal
    factor = (cold / hot) ** (1.0 / max(steps, 1))
    heat = hot
    for _ in range(steps):
        heat *= factor
        b = pool[_random(state, pool.size)]
        if walk.chosen[b] or not rules.may_open[b]:
            continue
        # the change is at most the gain of b less the smallest loss; skip hopeless ones early
        draw = -heat * np.log((_random(state, 1 << 30) + 1.0) / (1 << 30))
        for at in range(sets.col_ptr[b], sets.col_ptr[b + 1]):
            r = sets.col_rows[at]
            if count[r] == 1:
                extra[owner[r]] += sets.weight[r]
        at_best, least = -1, np.int64(2**62)
        for at in range(n_open):
            a = opens[at]
            v = marginal[a] - extra[a]
            extra[a] = 0
            if v < least and rules.may_close[a] and swap_fits(rules, walk.activity, a, b):
                at_best, least = at, v
        if at_best < 0:
            continue
        change = marginal[b] - least
        if change < -draw:
            continue
        a = opens[at_best]
        toggle(sets, rules, walk, a)
        toggle(sets, rules, walk, b)
        opens[at_best] = b
        value += change
        if value > best_value:
            best_value = value
            best[:] = walk.chosen
    return best, best_value, value
