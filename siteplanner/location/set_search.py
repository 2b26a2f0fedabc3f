"""Local search on sets: counts, owners and whole-number marginals.

Weights are whole numbers of units, so every comparison is exact and a walk can be undone without a trace. The
owner of a set that one open site covers is kept as the exclusive or of its open sites (so that it needs no
search); swaps follow Resende & Werneck 2007.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from siteplanner.location.options import Floats, Ints, Mask
from siteplanner.location.rules import PackedRules, Rules, pack_rules
from siteplanner.location.search import swap_fits
from siteplanner.location.sets import Sets

STRENGTH = 3
"""Most sites that a disturbance opens at a time."""

DICE = 1 << 30

NOTHING = -1
"""No site."""


class Walk(NamedTuple):
    """State of one search.

    Attributes
    ----------
    covered_by, owner
        Per set: number of open sites, and the exclusive or of their numbers.
    marginal
        Per site: gain of opening it, or loss of closing it.
    activity
        Per rule: sum over the open sites.
    dirty
        Open sites whose best swap may have changed.
    extra
        Scratch per site, zero between calls.
    """

    chosen: Mask
    covered_by: NDArray[np.int32]
    owner: NDArray[np.int32]
    marginal: Ints
    activity: Floats
    dirty: Mask
    extra: Ints


class SetSearch:
    """One walk over feasible sets of sites, continued from call to call."""

    def __init__(self, sets: Sets, rules: Rules, state: NDArray[np.uint64]) -> None:
        self._sets, self._rules, self.state = sets, rules, state
        self._packed = pack_rules(rules)
        self.pool = np.flatnonzero(rules.lower < rules.upper)
        self._walk = self._stand_at(rules.lower > 0)

    def _stand_at(self, chosen: Mask) -> Walk:
        activity = self._rules.matrix @ chosen.astype(np.float64)
        walk: Walk = _start_walk(self._sets, activity, chosen)
        return walk

    def begin(self, chosen: Mask) -> None:
        """Stand at a set."""
        self._walk = self._stand_at(chosen)

    def fill(self, chosen: Mask, n_open: int) -> Mask:
        """Open the best site again and again, minding only upper limits; the result may break lower ones."""
        self.begin(chosen)
        _fill(self._sets, self._packed, self._walk, n_open)
        return self._walk.chosen.copy()

    def marginal(self, chosen: Mask) -> Floats:
        """Gain of opening, or loss of closing, each site."""
        return self._stand_at(chosen).marginal.astype(np.float64)

    def value(self) -> int:
        """Worth of the set where the search stands, in units."""
        sets, walk = self._sets, self._walk
        return int(sets.amount + sets.weight[walk.covered_by > 0].sum() + sets.by_site[walk.chosen].sum())

    def improve(self) -> tuple[Mask, int]:
        """Swap until nothing improves; return the set and its worth."""
        _descend(self._sets, self._packed, self._walk)
        return self._walk.chosen.copy(), self.value()

    def shake(self, pool: Ints, rounds: int, heat: float = 0.0) -> tuple[Mask, int]:
        """Disturb with sites of a pool and descend, so many times; return the best set and its worth.

        Parameters
        ----------
        heat
            Loss, as a share of an open site's mean worth, that is taken one time in three at first.
        """
        if pool.size:
            loss = heat * self.value() / max(int(self._walk.chosen.sum()), 1)
            _shake(self._sets, self._packed, self._walk, pool, (rounds, loss), self.state)
        return self._walk.chosen.copy(), self.value()


def start_state(seed: int) -> NDArray[np.uint64]:
    """State of the generator of a search."""
    return np.random.default_rng(seed).integers(1, 2**64, 1, dtype=np.uint64)


@njit(cache=True)
def _start_walk(sets: Sets, activity: Floats, chosen: Mask) -> Walk:  # pragma: no cover - compiled
    n_sites, n_sets = chosen.size, sets.ptr.size - 1
    covered_by, owner = np.zeros(n_sets, dtype=np.int32), np.zeros(n_sets, dtype=np.int32)
    marginal = sets.by_site.copy()
    for r in range(n_sets):
        for k in range(sets.ptr[r], sets.ptr[r + 1]):
            if chosen[sets.sites[k]]:
                covered_by[r] += 1
                owner[r] ^= sets.sites[k]
        if covered_by[r] == 0:
            for k in range(sets.ptr[r], sets.ptr[r + 1]):
                marginal[sets.sites[k]] += sets.weight[r]
        elif covered_by[r] == 1:
            marginal[owner[r]] += sets.weight[r]
    extra = np.zeros(n_sites, dtype=np.int64)
    return Walk(chosen.copy(), covered_by, owner, marginal, activity, chosen.copy(), extra)


@njit(cache=True)
def _toggle(sets: Sets, rules: PackedRules, walk: Walk, site: int) -> int:  # pragma: no cover - compiled
    """Open a closed site or close an open one; return the change of worth."""
    ptr, sites, weight, marginal = sets.ptr, sets.sites, sets.weight, walk.marginal
    own, opening = marginal[site], not walk.chosen[site]
    step = 1 if opening else -1
    for at in range(sets.col_ptr[site], sets.col_ptr[site + 1]):
        r = sets.col_rows[at]
        others = walk.covered_by[r] if opening else walk.covered_by[r] - 1
        walk.covered_by[r] += step
        if others == 0:
            change = step * weight[r]
            for k in range(ptr[r], ptr[r + 1]):
                marginal[sites[k]] -= change
        elif others == 1:
            owner = walk.owner[r] if opening else walk.owner[r] ^ site
            marginal[owner] -= step * weight[r]
            walk.dirty[owner] = True
        walk.owner[r] ^= site
    marginal[site] = own
    walk.chosen[site] = walk.dirty[site] = opening
    for k in range(rules.ptr[site], rules.ptr[site + 1]):
        walk.activity[rules.rows[k]] += step * rules.values[k]
    gain: int = own * step
    return gain


@njit(cache=True)
def _best_partner(
    sets: Sets, rules: PackedRules, walk: Walk, closed: int, least: int
) -> tuple[int, int]:  # pragma: no cover - compiled
    """Feasible site that is worth most when another is closed, and the change; it must be above ``least``."""
    extra, ptr = walk.extra, sets.ptr
    for at in range(sets.col_ptr[closed], sets.col_ptr[closed + 1]):
        r = sets.col_rows[at]
        if walk.covered_by[r] == 1:
            for k in range(ptr[r], ptr[r + 1]):
                extra[sets.sites[k]] += sets.weight[r]
    best, value = NOTHING, walk.marginal[closed] + least
    for site in range(walk.chosen.size):
        here = walk.marginal[site] + extra[site]
        extra[site] = 0
        if here <= value or walk.chosen[site] or not rules.may_open[site]:
            continue
        if swap_fits(rules, walk.activity, closed, site):
            best, value = site, here
    return best, value - walk.marginal[closed]


@njit(cache=True)
def _best_leaver(
    sets: Sets, rules: PackedRules, walk: Walk, opened: int
) -> int:  # pragma: no cover - compiled
    """Open site whose closing costs least when another is opened."""
    extra = walk.extra
    for at in range(sets.col_ptr[opened], sets.col_ptr[opened + 1]):
        r = sets.col_rows[at]
        if walk.covered_by[r] == 1:
            extra[walk.owner[r]] += sets.weight[r]
    best, value = NOTHING, np.int64(2**62)
    for site in range(walk.chosen.size):
        if not walk.chosen[site]:
            continue
        here = walk.marginal[site] - extra[site]
        extra[site] = 0
        if here < value and rules.may_close[site] and swap_fits(rules, walk.activity, site, opened):
            best, value = site, here
    return best


@njit(cache=True)
def _descend(sets: Sets, rules: PackedRules, walk: Walk) -> int:  # pragma: no cover - compiled
    """Swap until no dirty site has a better partner; return the gain."""
    gain, again = 0, True
    while again:
        again = False
        for site in range(walk.chosen.size):
            if not (walk.chosen[site] and walk.dirty[site]):
                continue
            walk.dirty[site] = False
            if not rules.may_close[site]:
                continue
            partner, change = _best_partner(sets, rules, walk, site, 0)
            if partner != NOTHING:
                _toggle(sets, rules, walk, site)
                _toggle(sets, rules, walk, partner)
                gain += change
                again = True
    return gain


@njit(cache=True)
def _draw(state: NDArray[np.uint64], below: int) -> int:  # pragma: no cover - compiled
    """Draw a whole number (xorshift64*, Vigna 2016)."""
    x = state[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    state[0] = x
    number: int = np.int64((x * np.uint64(0x2545F4914F6CDD1D)) >> np.uint64(33)) % below  # type: ignore[assignment]
    return number


@njit(cache=True)
def _disturb(sets: Sets, rules: PackedRules, walk: Walk, site: int) -> int:  # pragma: no cover - compiled
    """Toggle a site and whatever fits best in exchange; return the change."""
    if walk.chosen[site]:
        if not rules.may_close[site]:
            return 0
        other, _ = _best_partner(sets, rules, walk, site, -walk.marginal[site] - 1)
    else:
        if not rules.may_open[site]:
            return 0
        other = _best_leaver(sets, rules, walk, site)
    if other == NOTHING:
        return 0
    change = _toggle(sets, rules, walk, site)
    return change + _toggle(sets, rules, walk, other)


@njit(cache=True)
def _shake(
    sets: Sets, rules: PackedRules, walk: Walk, pool: Ints, plan: tuple[int, float], state: NDArray[np.uint64]
) -> None:  # pragma: no cover - compiled
    """Disturb, descend, and go back if that is too much worse; end at the best set (iterated local search).

    What is too much falls to zero over the rounds, as in annealing.
    """
    rounds, heat = plan
    start, best = walk.chosen.copy(), walk.chosen.copy()
    value = top = np.int64(0)
    for at in range(rounds):
        change = np.int64(0)
        for _ in range(1 + _draw(state, STRENGTH)):
            change += _disturb(sets, rules, walk, pool[_draw(state, pool.size)])
        change += _descend(sets, rules, walk)
        luck = -np.log((1.0 + _draw(state, DICE)) / DICE)
        if change >= 0 or -change < heat * (1.0 - at / rounds) * luck:
            start[:] = walk.chosen
            value += change
        else:
            _go_to(sets, rules, walk, start)
        if value > top:
            top = value
            best[:] = start
    _go_to(sets, rules, walk, best)


@njit(cache=True)
def _go_to(sets: Sets, rules: PackedRules, walk: Walk, chosen: Mask) -> None:  # pragma: no cover - compiled
    """Return to a set where every swap was tried."""
    for site in range(chosen.size):
        if chosen[site] != walk.chosen[site]:
            _toggle(sets, rules, walk, site)
    walk.dirty[:] = False


@njit(cache=True)
def _fill(sets: Sets, rules: PackedRules, walk: Walk, n_open: int) -> None:  # pragma: no cover - compiled
    """Greedy: the rules are counts, so a site that has been refused once stays refused."""
    refused = np.zeros(walk.chosen.size, dtype=np.bool_)
    for _ in range(n_open - walk.chosen.sum()):
        while True:
            best, value = NOTHING, np.int64(-1)
            for site in range(walk.chosen.size):
                shut = walk.chosen[site] or refused[site] or not rules.may_open[site]
                if walk.marginal[site] > value and not shut:
                    best, value = site, walk.marginal[site]
            if best == NOTHING or _fits(rules, walk.activity, best):
                break
            refused[best] = True
        if best == NOTHING:
            break
        _toggle(sets, rules, walk, best)


@njit(cache=True)
def _fits(rules: PackedRules, activity: Floats, site: int) -> bool:  # pragma: no cover - compiled
    """Tell whether opening a site passes no upper limit."""
    for k in range(rules.ptr[site], rules.ptr[site + 1]):
        after = activity[rules.rows[k]] + rules.values[k]
        if after > rules.high[rules.rows[k]] + 1e-9 * (1.0 + abs(after)):
            return False
    return True
