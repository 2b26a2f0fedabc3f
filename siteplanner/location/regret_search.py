"""Local search on the worst regret over scenarios: feasible swaps that follow every scenario's marginals.

Worths are submodular, so gain less loss never overstates what a swap brings to a scenario: the ranking of
swaps by it is by an upper bound of the regret after the swap.
"""

import time
from typing import NamedTuple

import numpy as np
from numba import njit

from siteplanner.location.options import Floats, Ints, Mask
from siteplanner.location.rules import PackedRules, Rules, pack_rules
from siteplanner.location.search import Found, swap_fits, swap_partners
from siteplanner.location.terms import Term, Tracker

MEAN_SHARE = 1e-3
"""Weight of the mean regret beside the worst one: leads the search over the plateaus of the worst."""

SHORTLIST = 24
"""Swaps per step that are valued exactly."""

STEADY = 1e-12
"""Share of the unit that is rounding."""

SWAPS = (2, 5)
"""Least number of swaps in a kick, and one above the most."""


class Measure(NamedTuple):
    """Regret of each scenario: ``level - slope * worth``, in one unit for all."""

    level: Floats
    slope: Floats
    unit: float

    def regrets(self, worths: Floats) -> Floats:
        """Regret per scenario."""
        regrets: Floats = self.level - self.slope * worths
        return regrets

    def score(self, worths: Floats) -> float:
        """Worst regret, and a little of the mean one."""
        regrets = self.regrets(worths)
        return float(regrets.max() + MEAN_SHARE * regrets.mean())


class RegretSearch:
    """Lower the worst regret by closing one open site and opening another."""

    def __init__(self, terms: list[Term], shift: Floats, rules: Rules, measure: Measure) -> None:
        self._terms, self._shift, self._rules = terms, shift, rules
        self._sparse = pack_rules(rules)
        self.measure = measure

    def improve(self, chosen: Mask, deadline: float) -> Found:
        """Swap until nothing improves or time is up; the value is the worst regret with its sign turned."""
        walk = _Walk(self._terms, self._shift, self._rules, chosen)
        steps = 0
        while time.monotonic() < deadline:
            swap = self._best_swap(walk)
            if swap is not None:
                walk.toggle(swap[0])
                walk.toggle(swap[1])
            elif not self._reinsert(walk, deadline):
                break
            steps += 1
        return Found(walk.chosen, -self.measure.score(walk.revalue()), steps)

    def shake(self, chosen: Mask, rng: np.random.Generator) -> Mask:
        """Make a few feasible swaps at random."""
        shaken = chosen.copy()
        for _ in range(int(rng.integers(*SWAPS))):
            activity = self._rules.matrix @ shaken.astype(np.float64)
            closing = np.flatnonzero(shaken & self._sparse.may_close)
            if not closing.size:
                break
            closed = int(rng.choice(closing))
            opening = np.flatnonzero(swap_partners(self._sparse, shaken, activity, closed))
            if opening.size:
                shaken[closed], shaken[int(rng.choice(opening))] = False, True
        return shaken

    def _least_change(self) -> float:
        return STEADY * self.measure.unit

    def _best_swap(self, walk: "_Walk") -> tuple[int, int] | None:
        """Rank swaps by a bound of the regret after them, value the best few exactly."""
        measure = self.measure
        marginals = walk.marginals() * measure.slope[:, None]
        regrets = measure.regrets(walk.worths)
        partner, score = _pair_up(self._sparse, walk.chosen, walk.activity, marginals, regrets)
        candidates = np.flatnonzero(partner >= 0)
        if not candidates.size:
            return None
        shortlist = candidates[np.argsort(score[candidates], kind="stable")][:SHORTLIST]
        exact = [measure.score(walk.worths + walk.changes(int(i), int(partner[i]))) for i in shortlist]
        at = int(np.argmin(exact))
        if exact[at] >= measure.score(walk.worths) - self._least_change():
            return None
        return int(shortlist[at]), int(partner[shortlist[at]])

    def _reinsert(self, walk: "_Walk", deadline: float) -> bool:
        """Close each open site in turn and open whatever is best then: every swap, valued exactly."""
        improved, measure = False, self.measure
        for site in np.flatnonzero(walk.chosen & self._sparse.may_close).tolist():
            if time.monotonic() >= deadline:
                break
            fits = swap_partners(self._sparse, walk.chosen, walk.activity, site)
            if not fits.any():
                continue
            before = measure.score(walk.worths)
            walk.toggle(site)
            best = _best_opening(
                np.flatnonzero(fits), walk.marginals() * measure.slope[:, None], measure.regrets(walk.worths)
            )
            after = measure.score(walk.worths + walk.marginals()[:, best])
            if after >= before - self._least_change():
                best = site
            walk.toggle(best)
            improved = improved or best != site
        return improved


class _Walk:
    """State of one search: the open set, the activity of the rules, worths and trackers by scenario."""

    def __init__(self, terms: list[Term], shift: Floats, rules: Rules, chosen: Mask) -> None:
        self.chosen = chosen.copy()
        self.activity: Floats = rules.matrix @ chosen.astype(np.float64)
        self._rules, self._terms, self._shift = rules, terms, shift
        self._trackers: list[Tracker] = [term.track(chosen) for term in terms]
        self.worths = self.revalue()

    def revalue(self) -> Floats:
        """Worths from scratch."""
        return np.array([term.value(self.chosen) for term in self._terms]) - self._shift

    def marginals(self) -> Floats:
        """Scenarios x sites: what each site brings, or would."""
        return np.array([tracker.marginal for tracker in self._trackers])

    def changes(self, closed: int, opened: int) -> Floats:
        """Exact change of every worth by a swap."""
        return np.array([tracker.swap_change(closed, opened) for tracker in self._trackers])

    def toggle(self, site: int) -> None:
        """Open a closed site or close an open one."""
        sign = -1.0 if self.chosen[site] else 1.0
        self.worths = self.worths + sign * np.array([tracker.marginal[site] for tracker in self._trackers])
        for tracker in self._trackers:
            tracker.toggle(site)
        columns = self._rules.columns
        inside = slice(columns.indptr[site], columns.indptr[site + 1])
        self.activity[columns.indices[inside]] += sign * columns.data[inside]
        self.chosen[site] = not self.chosen[site]


@njit(cache=True)
def _pair_up(
    rules: PackedRules, chosen: Mask, activity: Floats, marginals: Floats, regrets: Floats
) -> tuple[Ints, Floats]:  # pragma: no cover - compiled
    """For each open site the feasible closed one after which the bound of the score is least; -1: none."""
    n_scenarios = regrets.size
    partner = np.full(chosen.size, -1, dtype=np.int64)
    score = np.full(chosen.size, np.inf)
    for site in range(chosen.size):
        if not chosen[site] or not rules.may_close[site]:
            continue
        for opened in range(chosen.size):
            if chosen[opened] or not rules.may_open[opened]:
                continue
            worst, total = -np.inf, 0.0
            for s in range(n_scenarios):
                after = regrets[s] + marginals[s, site] - marginals[s, opened]
                worst = max(worst, after)
                total += after
            after = worst + MEAN_SHARE * total / n_scenarios
            if after < score[site] and swap_fits(rules, activity, site, opened):
                partner[site], score[site] = opened, after
    return partner, score


@njit(cache=True)
def _best_opening(sites: Ints, marginals: Floats, regrets: Floats) -> int:  # pragma: no cover - compiled
    """Site whose opening leaves the least score."""
    best, score = -1, np.inf
    for site in sites:
        worst, total = -np.inf, 0.0
        for s in range(regrets.size):
            after = regrets[s] - marginals[s, site]
            worst = max(worst, after)
            total += after
        after = worst + MEAN_SHARE * total / regrets.size
        if after < score:
            best, score = site, after
    return best
