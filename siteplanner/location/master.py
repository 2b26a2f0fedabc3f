"""Outer approximation: a linear program over sites and cluster worths, tightened by cuts."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from siteplanner.location.options import Floats, Ints, Mask
from siteplanner.location.program import Answer, Duals, Program
from siteplanner.location.rules import Rules
from siteplanner.location.terms import Cuts, Term, cluster_offsets

IDLE_ROUNDS = 3
"""A cut with zero dual value in this many relaxations in a row is dropped."""

SCALE = 1000.0
"""The incumbent's worth inside the programs: keeps HiGHS' absolute tolerances at 1e-9 of the objective."""


class Relaxed(NamedTuple):
    """A relaxation: its point over the sites, and a bound in the caller's units.

    ``reduced`` is the bound's sensitivity to each site, in the caller's units.
    """

    point: Floats
    bound: float
    reduced: Floats


class Master:
    """The cut pool and the program that holds it."""

    columns_after, rows_before = 0, 0
    """Columns of the program after those of the clusters, and added rows that stand before the cuts."""

    def __init__(self, terms: list[Term], rules: Rules, value: float, seed: int) -> None:
        self._terms, self._rules = terms, rules
        self._offsets = cluster_offsets(terms)
        self._scale = SCALE / value if value > 0 else 1.0
        self.lower, self.upper = rules.lower.copy(), rules.upper.copy()
        n_sites = rules.lower.size
        self._settled = sum(term.settled.amount for term in terms) * self._scale
        self._by_site: Floats = sum((term.settled.by_site for term in terms), np.zeros(n_sites)) * self._scale
        self._program = self._state_program(seed)
        self._cluster = np.empty(0, dtype=np.int64)
        self._const: Floats = np.empty(0)
        self._idle = np.empty(0, dtype=np.int64)
        self._slope = sp.csr_array((0, n_sites))

    def _state_program(self, seed: int) -> Program:
        """State the program without cuts: the sum of what sites and clusters are worth."""
        return Program(self._rules, self._by_site, self.n_clusters, seed)

    def cut(self, point: Floats, slack: float) -> int:
        """Add the cuts that lower the worth of a point by more than a share of the objective.

        Returns
        -------
        int
            Number of cuts added.
        """
        added, worth = 0, self._worth(point)
        for offset, term in zip(self._offsets[:-1], self._terms, strict=True):
            here = slice(offset, offset + term.pairs.n_clusters)
            for cuts in term.cut(point, self.upper > 0):
                broken = worth[here] > cuts.value * self._scale + slack * SCALE
                added += self._add(cuts, np.flatnonzero(broken), int(offset))
        return added

    def deepen(self) -> bool:
        """Ask every term for deeper cuts; False when none has any."""
        deepened = [term.deepen() for term in self._terms]
        return any(deepened)

    def relax(self, seconds: float) -> Relaxed | None:
        """Solve the relaxation; None when it was stopped by time."""
        answer, duals = self._program.relax(seconds)
        if answer.state != "solved" or answer.point is None:
            return None
        bound, reduced = self._certify(duals)
        n_sites = self._rules.lower.size
        point = np.clip(answer.point[:n_sites], self.lower, self.upper)
        self._forget_idle(duals.added[self.rows_before :])
        return Relaxed(point, bound / self._scale, reduced / self._scale)

    def solve(self, seconds: float, gap: float, chosen: Mask | None, nodes: int) -> Answer:
        """Solve with sites 0/1, from a known set if one is given; the bound is in the caller's units.

        Stops after so many nodes of the search tree.
        """
        start = None if chosen is None else self._complete(chosen.astype(np.float64))
        answer = self._program.solve(seconds, gap, start, nodes=nodes)
        return answer._replace(bound=(answer.bound + self._settled) / self._scale)

    def _complete(self, point: Floats) -> Floats:
        """Give a point of the sites its values in the further columns, a hair below their limits."""
        return np.concatenate([point, self._worth(point) - 1e-9 * SCALE])

    @property
    def n_clusters(self) -> int:
        """Number of clusters of all terms."""
        return int(self._offsets[-1])

    def fix_sites(self, relaxed: Relaxed, value: float) -> int:
        """Fix the sites whose change would push the bound below a known value (reduced-cost fixing)."""
        room = relaxed.bound - value
        free = self.lower < self.upper
        margin = 1e-9 * abs(value)
        shut = free & (-relaxed.reduced > room + margin)
        keep = free & (relaxed.reduced > room + margin)
        self.upper[shut], self.lower[keep] = 0.0, 1.0
        self._program.limit_sites(self.lower, self.upper)
        return int(shut.sum() + keep.sum())

    def _worth(self, point: Floats) -> Floats:
        """Worth per cluster that the cuts in the pool allow at a point.

        Never taken from HiGHS: it was seen to return the worths of the set it started from.
        """
        worth = np.full(self.n_clusters, np.inf)
        np.minimum.at(worth, self._cluster, self._const + self._slope @ point)
        return worth

    def _add(self, cuts: Cuts, which: Ints, offset: int) -> int:
        if not which.size:
            return 0
        slope = cuts.slope[which] * self._scale
        const = cuts.const[which] * self._scale
        cluster = which + offset
        pick: sp.csr_array = sp.csr_array(
            (np.ones(which.size), (np.arange(which.size), cluster)),
            shape=(which.size, self.n_clusters + self.columns_after),
        )
        self._program.add_rows(sp.csr_array(sp.hstack([-slope, pick], format="csr")), const)
        self._cluster = np.concatenate([self._cluster, cluster])
        self._const = np.concatenate([self._const, const])
        self._idle = np.concatenate([self._idle, np.zeros(which.size, dtype=np.int64)])
        self._slope = sp.csr_array(sp.vstack([self._slope, slope], format="csr"))
        return int(which.size)

    def _certify(self, duals: Duals) -> tuple[float, Floats]:
        """Turn dual values into a bound that holds whatever the solver's tolerances.

        Any non-negative weights that add up to one per cluster turn the cuts into one linear bound on the
        objective, and any multipliers of the right sign may add the rules to it; over the box of the sites
        the maximum of what is left has a closed form.
        """
        share = np.maximum(duals.added, 0.0)
        total = np.bincount(self._cluster, weights=share, minlength=self.n_clusters)
        if (total <= 0).any():
            return np.inf, np.zeros(self.lower.size)
        share = share / total[self._cluster]
        price, sides = self._price_rules(duals)
        reduced = self._by_site + self._slope.T @ share - self._rules.matrix.T @ price
        box = np.maximum(reduced * self.lower, reduced * self.upper).sum()
        return float(self._settled + share @ self._const + sides + box), reduced

    def _price_rules(self, duals: Duals) -> tuple[Floats, float]:
        """Multipliers of the rules with the sign that their finite side allows, and what they cost."""
        high, low = self._rules.high, self._rules.low
        price = np.where(np.isfinite(high), np.maximum(duals.rules, 0.0), 0.0)
        refund = np.where(np.isfinite(low), np.minimum(duals.rules, 0.0), 0.0)
        sides = np.where(price > 0, high, 0.0) @ price + np.where(refund < 0, low, 0.0) @ refund
        return price + refund, float(sides)

    def _forget_idle(self, dual: Floats) -> None:
        self._idle = np.where(dual > 0, 0, self._idle + 1)
        old = self._idle >= IDLE_ROUNDS
        if old.any():
            self._program.drop_added_rows(np.flatnonzero(old) + self.rows_before)
            keep = np.flatnonzero(~old)
            self._cluster, self._const, self._idle = self._cluster[keep], self._const[keep], self._idle[keep]
            self._slope = sp.csr_array(self._slope[keep])
