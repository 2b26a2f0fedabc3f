"""The least worst regret as one program: every scenario's worth under cuts, and the least of them on top.

``max t`` with ``t <= level - regret of s`` for every scenario s; the worths in the regrets are bounded by the
cuts of `terms`, scenario by scenario and cluster by cluster.
"""

import numpy as np
import scipy.sparse as sp

from siteplanner.location.engine import Race, close_by_branching, close_by_relaxation
from siteplanner.location.master import SCALE, Master
from siteplanner.location.options import Floats, Mask
from siteplanner.location.program import Duals, Program
from siteplanner.location.regret_search import Measure, RegretSearch
from siteplanner.location.rules import Rules
from siteplanner.location.terms import Term

LEAST_SHARE = 1e-9
"""A dual value of a scenario below this is the solver's rounding."""


class Epigraph(Master):
    """A master whose objective is the least of several scenarios instead of a sum."""

    columns_after = 1

    def __init__(
        self, terms: list[Term], shift: Floats, rules: Rules, measure: Measure, level: float, seed: int
    ) -> None:
        self.rows_before = len(terms)
        self._slope_of, self._level = measure.slope, level
        amount = np.array([term.settled.amount for term in terms]) - shift
        self._const_of: Floats = level - measure.level + measure.slope * amount
        self._scenario = np.repeat(np.arange(len(terms)), [term.pairs.n_clusters for term in terms])
        by_site = np.array([term.settled.by_site for term in terms])
        self._site_of: Floats = measure.slope[:, None] * by_site
        super().__init__(terms, rules, measure.unit, seed)
        # What is settled stands in the rows of the scenarios.
        self._settled = 0.0

    def _state_program(self, seed: int) -> Program:
        n_sites, n_extra = self._rules.lower.size, self.n_clusters + 1
        program = Program(self._rules, np.zeros(n_sites), n_extra, seed)
        top = np.zeros(n_extra)
        top[-1] = 1.0
        endless = np.full(n_extra, np.inf)
        program.price_extra(top, -endless, endless)
        shape = (self.rows_before, self.n_clusters)
        at = self._scenario, np.arange(self.n_clusters)
        worth = sp.csr_array((self._slope_of[self._scenario], at), shape=shape)
        one = sp.csr_array(np.ones((self.rows_before, 1)))
        site = sp.csr_array(-self._site_of * self._scale)
        rows: sp.csr_array = sp.csr_array(sp.hstack([site, -worth, one], format="csr"))
        program.add_rows(rows, self._const_of * self._scale)
        return program

    def _complete(self, point: Floats) -> Floats:
        worth = self._worth(point) - 1e-9 * SCALE
        total = np.bincount(self._scenario, weights=worth, minlength=self.rows_before)
        tops = (self._const_of + self._site_of @ point) * self._scale + self._slope_of * total
        return np.concatenate([point, worth, [tops.min() - 1e-9 * SCALE]])

    def _certify(self, duals: Duals) -> tuple[float, Floats]:
        """As in `Master`, for the mixture of scenarios that the dual values of their rows make.

        No plan's least is above its mixture, whatever the shares; each cluster's cuts weigh what its
        scenario does.
        """
        mixture = np.where(
            duals.added[: self.rows_before] > LEAST_SHARE, duals.added[: self.rows_before], 0.0
        )
        if not mixture.any():
            return np.inf, np.zeros(self.lower.size)
        mixture = mixture / mixture.sum()
        wanted = (mixture * self._slope_of)[self._scenario]
        share = np.maximum(duals.added[self.rows_before :], 0.0)
        total = np.bincount(self._cluster, weights=share, minlength=self.n_clusters)
        if (total[wanted > 0] <= 0).any():
            return np.inf, np.zeros(self.lower.size)
        share = share * (wanted / np.where(total > 0, total, 1.0))[self._cluster]
        price, sides = self._price_rules(duals)
        reduced = (
            self._scale * (mixture @ self._site_of) + self._slope.T @ share - self._rules.matrix.T @ price
        )
        box = np.maximum(reduced * self.lower, reduced * self.upper).sum()
        return float(self._scale * (mixture @ self._const_of) + share @ self._const + sides + box), reduced


def close_by_epigraph(master: Epigraph, race: Race, search: RegretSearch, points: list[Mask]) -> None:
    """Close the gap by cuts: the relaxation first, then the program with 0/1 sites."""
    for point in points:
        master.cut(point.astype(np.float64), 0.0)
    while True:
        relaxed = close_by_relaxation(master, race, race.effort)
        if race.is_over() or relaxed is None or not race.is_wide() or not master.deepen():
            break
    close_by_branching(master, race, search, lambda _: race.value)
