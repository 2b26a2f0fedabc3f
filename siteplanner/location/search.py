"""Local search: feasible swaps that follow the marginals of every site."""

import time
from typing import NamedTuple

import numpy as np
from numba import njit

from siteplanner.location.options import Floats, Ints, Mask
from siteplanner.location.rules import ROUNDING, PackedRules, Rules, pack_rules
from siteplanner.location.terms import Term, Tracker, sum_marginals, sum_values

REINSERT_VISITS = 300_000_000
"""Pairs that one round of reinsertion may visit (about a second); on large instances it tries the most
replaceable sites only, as the program with 0/1 sites finds the rest sooner."""

HOPEFUL = 0.5
"""A swap is considered when the gain is at least this share of the loss: what neighbours share adds to it."""

SHORTLIST = 24
"""Swaps per step that are valued exactly; the rest is ranked by a lower bound of their change."""


LEAST_LIKELY = 0.002
"""Weight of a site of likelihood 0 when sites are drawn."""


class Found(NamedTuple):
    """A feasible open set, its value and the steps it took."""

    chosen: Mask
    value: float
    steps: int


class SwapSearch:
    """Improve feasible sets by closing one open site and opening another."""

    def __init__(self, terms: list[Term], rules: Rules) -> None:
        self._terms, self._rules = terms, rules
        self._sparse = pack_rules(rules)
        self._visits = sum((_toggle_visits(term) for term in terms), np.zeros(rules.lower.size))

    def improve(self, chosen: Mask, deadline: float) -> Found:
        """Swap until nothing improves or time is up."""
        walk = _Walk(self._terms, self._rules, chosen)
        steps = 0
        while time.monotonic() < deadline:
            swap = self._best_swap(walk)
            if swap is not None:
                walk.swap(*swap)
                steps += 1
            elif not self._reinsert(walk, deadline):
                break
            else:
                steps += 1
        return Found(walk.chosen, sum_values(self._terms, walk.chosen), steps)

    def fill(self, n_open: int, deadline: float) -> Mask:
        """Open the best site again and again, minding only upper limits; the result may break lower ones."""
        walk = _Walk(self._terms, self._rules, self._rules.lower > 0)
        while walk.chosen.sum() < n_open and time.monotonic() < deadline:
            fits = sites_that_fit(self._sparse, walk.chosen, walk.activity)
            if not fits.any():
                break
            walk.toggle(int(np.argmax(np.where(fits, walk.marginal(), -1.0))))
        return walk.chosen

    def shake(self, chosen: Mask, likely: Floats, rng: np.random.Generator, swaps: int) -> Mask:
        """Make feasible swaps at random: close sites of low, open sites of high likelihood."""
        shaken = chosen.copy()
        for _ in range(swaps):
            activity = self._rules.matrix @ shaken.astype(np.float64)
            closing = np.flatnonzero(shaken & self._sparse.may_close)
            if not closing.size:
                break
            closed = _draw(closing, 1.0 - likely[closing], rng)
            opening = np.flatnonzero(swap_partners(self._sparse, shaken, activity, closed))
            if opening.size:
                shaken[closed], shaken[_draw(opening, likely[opening], rng)] = False, True
        return shaken

    def _best_swap(self, walk: "_Walk") -> tuple[int, int] | None:
        """Rank swaps by gain less loss (a lower bound of their change), value the best few exactly."""
        marginal = walk.marginal()
        partner, score = _pair_up(self._sparse, walk.chosen, walk.activity, marginal, _descending(marginal))
        candidates = np.flatnonzero(partner >= 0)
        if not candidates.size:
            return None
        shortlist = candidates[np.argsort(-score[candidates], kind="stable")][:SHORTLIST]
        exact = [walk.swap_change(int(site), int(partner[site])) for site in shortlist]
        at = int(np.argmax(exact))
        if exact[at] <= walk.least_change():
            return None
        return int(shortlist[at]), int(partner[shortlist[at]])

    def _reinsert(self, walk: "_Walk", deadline: float) -> bool:
        """Close each open site in turn and reopen the best that fits: finds swaps between neighbours."""
        improved, visits = False, 0.0
        movable = np.flatnonzero(walk.chosen & self._sparse.may_close)
        for site in movable[np.argsort(walk.marginal()[movable], kind="stable")]:
            if time.monotonic() >= deadline or visits > REINSERT_VISITS:
                break
            fits = swap_partners(self._sparse, walk.chosen, walk.activity, int(site))
            if not fits.any():
                continue
            visits += 2 * self._visits[site]
            walk.toggle(int(site))
            marginal = walk.marginal()
            best = int(np.argmax(np.where(fits, marginal, -1.0)))
            if marginal[best] <= marginal[site] + walk.least_change():
                best = int(site)
            walk.toggle(best)
            improved = improved or best != site
        return improved


class _Walk:
    """State of one search: the open set, the activity of the rules and the trackers."""

    def __init__(self, terms: list[Term], rules: Rules, chosen: Mask) -> None:
        self.chosen = chosen.copy()
        self.activity: Floats = rules.matrix @ chosen.astype(np.float64)
        self._rules = rules
        self._trackers: list[Tracker] = [term.track(chosen) for term in terms]
        self._scale = sum(_most_worth(term) for term in terms)

    def marginal(self) -> Floats:
        return sum_marginals(self._trackers, self.chosen.size)

    def least_change(self) -> float:
        """Return the size of rounding: following smaller changes would let a search run in circles."""
        return 1e-12 * self._scale

    def swap_change(self, closed: int, opened: int) -> float:
        return sum(tracker.swap_change(closed, opened) for tracker in self._trackers)

    def swap(self, closed: int, opened: int) -> None:
        self.toggle(closed)
        self.toggle(opened)

    def toggle(self, site: int) -> None:
        for tracker in self._trackers:
            tracker.toggle(site)
        columns = self._rules.columns
        inside = slice(columns.indptr[site], columns.indptr[site + 1])
        sign = -1.0 if self.chosen[site] else 1.0
        self.activity[columns.indices[inside]] += sign * columns.data[inside]
        self.chosen[site] = not self.chosen[site]


def _draw(sites: Ints, likely: Floats, rng: np.random.Generator) -> int:
    share = np.maximum(likely, 0.0) + LEAST_LIKELY
    return int(rng.choice(sites, p=share / share.sum()))


def _toggle_visits(term: Term) -> Floats:
    """Pairs that a toggle of each site visits: its rows times the mean length of a row."""
    size = np.diff(term.pairs.col_ptr).astype(np.float64)
    mean = float(size.sum()) / max(term.pairs.start.size, 1)
    return size * mean


def _most_worth(term: Term) -> float:
    settled = term.settled.amount + float(term.settled.by_site.sum())
    return settled + float(term.pairs.weight.sum())


def _descending(marginal: Floats) -> Ints:
    return np.argsort(-marginal, kind="stable")


@njit(cache=True)
def swap_fits(
    rules: PackedRules, activity: Floats, closed: int, opened: int
) -> bool:  # pragma: no cover - compiled
    """Check only the rows that a swap touches (closed or opened may be -1: none)."""
    a, a_end = (rules.ptr[closed], rules.ptr[closed + 1]) if closed >= 0 else (0, 0)
    b, b_end = (rules.ptr[opened], rules.ptr[opened + 1]) if opened >= 0 else (0, 0)
    while a < a_end or b < b_end:
        row_a = rules.rows[a] if a < a_end else rules.low.size
        row_b = rules.rows[b] if b < b_end else rules.low.size
        row = min(row_a, row_b)
        after = activity[row]
        if row_a == row:
            after -= rules.values[a]
            a += 1
        if row_b == row:
            after += rules.values[b]
            b += 1
        slack = ROUNDING * (1.0 + abs(after))
        if after > rules.high[row] + slack or after < rules.low[row] - slack:
            return False
    return True


@njit(cache=True)
def _pair_up(
    rules: PackedRules, chosen: Mask, activity: Floats, marginal: Floats, order: Ints
) -> tuple[Ints, Floats]:  # pragma: no cover - compiled
    """For each open site the feasible closed site of highest marginal; -1 if there is no hopeful one."""
    partner = np.full(chosen.size, -1, dtype=np.int64)
    score = np.full(chosen.size, -np.inf)
    for site in range(chosen.size):
        if not chosen[site] or not rules.may_close[site]:
            continue
        for opened in order:
            if chosen[opened] or not rules.may_open[opened]:
                continue
            if marginal[opened] < HOPEFUL * marginal[site]:
                break
            if swap_fits(rules, activity, site, opened):
                partner[site] = opened
                score[site] = marginal[opened] - marginal[site]
                break
    return partner, score


@njit(cache=True)
def swap_partners(
    rules: PackedRules, chosen: Mask, activity: Floats, site: int
) -> Mask:  # pragma: no cover - compiled
    """Mark the closed sites that may be opened in exchange for this one."""
    out = np.zeros(chosen.size, dtype=np.bool_)
    for opened in range(chosen.size):
        if not chosen[opened] and rules.may_open[opened]:
            out[opened] = swap_fits(rules, activity, site, opened)
    return out


@njit(cache=True)
def sites_that_fit(rules: PackedRules, chosen: Mask, activity: Floats) -> Mask:  # pragma: no cover - compiled
    """Mark the closed sites that may be opened without passing an upper limit of a rule they touch."""
    out = np.zeros(chosen.size, dtype=np.bool_)
    for site in range(chosen.size):
        if chosen[site] or not rules.may_open[site]:
            continue
        fits = True
        for k in range(rules.ptr[site], rules.ptr[site + 1]):
            after = activity[rules.rows[k]] + rules.values[k]
            fits = fits and after <= rules.high[rules.rows[k]] + ROUNDING * (1.0 + abs(after))
        out[site] = fits
    return out
