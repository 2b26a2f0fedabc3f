"""Better plans from the program over the sites in doubt.

Where the relaxation and the best plan agree, both are believed: what they open stays open, what they leave
stays closed, and the small program over the rest is solved with all rules (relaxation induced neighbourhood
search, Danna, Rothberg & Le Pape 2005). Unlike swaps it changes many sites at once, which tight rules on
moves, cities and distances often ask for.
"""

import numpy as np
import scipy.sparse as sp

from siteplanner.location.options import Floats, Mask
from siteplanner.location.program import Program
from siteplanner.location.rules import Rules
from siteplanner.location.sets import Sets, restrict_sets

DOUBTS = (0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4)
"""Shares of opening further than this from 0 and 1 are in doubt; the first that leaves few pairs is taken."""

FIRST_PAIRS, MOST_PAIRS, GROWTH = 10_000, 20_000, 1.5
"""Pairs of sets and sites in the first program and at most; the next one has more or fewer by this factor,
as the last one was solved or was not."""

CORE_NODES = 50
"""Nodes of the search tree: counted, not timed, so that the answer does not depend on the machine."""

CORE_GAP = 1e-5
"""Relative gap at which the program is done: its plan is searched from, not proved."""


class Core:
    """Programs over the sites in doubt, as large as the last ones could be solved."""

    def __init__(self, seed: int) -> None:
        self._seed, self._n_pairs = seed, float(FIRST_PAIRS)

    @property
    def is_growing(self) -> bool:
        """Tell whether the programs have been solved so easily that a larger one is worth a try."""
        return self._n_pairs < MOST_PAIRS

    def solve(self, sets: Sets, rules: Rules, x: Floats, chosen: Mask, seconds: float) -> Mask | None:
        """Return the best plan among the sites in doubt; None where none is in doubt or none was found.

        Parameters
        ----------
        rules
            With the sites that are fixed as bounds.
        x
            Fractional point, per site.
        chosen
            Best plan so far, feasible.
        """
        for doubt in DOUBTS:
            lower = np.maximum(rules.lower, (x > 1 - doubt) & chosen)
            upper = np.minimum(rules.upper, (x >= doubt) | chosen)
            if not (lower < upper).any():
                return None
            left, _ = restrict_sets(sets, lower > 0, upper < 1)
            if left.sites.size <= self._n_pairs:
                return self._solve(left, rules.tightened(lower, upper), chosen, seconds)
        return None

    def _solve(self, sets: Sets, rules: Rules, chosen: Mask, seconds: float) -> Mask | None:
        # HiGHS' tolerances are absolute: worths are told in shares of the largest.
        unit = max(int(sets.weight.max(initial=0)), int(sets.by_site.max(initial=0)), 1)
        n_sets, n_sites = sets.n_sets, sets.n_sites
        program = Program(rules, sets.by_site / unit, n_sets, self._seed)
        program.price_extra(sets.weight / unit, np.zeros(n_sets), np.ones(n_sets))
        pairs = sp.csr_array((np.ones(sets.sites.size), sets.sites, sets.ptr), shape=(n_sets, n_sites))
        rows = sp.csr_array(sp.hstack([-pairs, sp.eye_array(n_sets)], format="csr"))
        program.add_rows(rows, np.zeros(n_sets))
        start = np.concatenate([chosen, np.minimum(pairs @ chosen, 1.0)])
        answer = program.solve(seconds, CORE_GAP, start, nodes=CORE_NODES)
        if answer.state == "solved":
            self._n_pairs = min(GROWTH * self._n_pairs, MOST_PAIRS)
        else:
            self._n_pairs /= GROWTH
        if answer.point is None:
            return None
        found: Mask = answer.point[:n_sites] > 0.5  # noqa: PLR2004 - rounds a 0/1 value
        return found if rules.allows(found.astype(np.float64)) else None
