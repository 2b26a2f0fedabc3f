"""Iterated local search: swap a few sites that a relaxation doubts, search from there, keep what is better.

It runs on lighter terms (averaged rows), where a search takes a hundredth of a second; what it finds is
valued and finished on the rows themselves.
"""

import numpy as np

from siteplanner.location.options import Floats, Mask
from siteplanner.location.rules import Rules
from siteplanner.location.search import SwapSearch
from siteplanner.location.terms import Term

PATIENCE = 50
"""Kicks in a row that may bring nothing."""

TRIALS = 6000
"""Most kicks times open sites of one search: after a kick every open site is tried."""

SWAPS = (2, 9)
"""Least number of swaps in a kick, and one above the most."""

STEADY = 1e-9
"""A set is better when its worth is higher by this share."""


def kick_and_search(
    terms: list[Term], rules: Rules, chosen: Mask, likely: Floats, seed: int, deadline: float
) -> Mask:
    """Return the best set that kicks from a feasible set led to.

    Parameters
    ----------
    terms
        The terms of the objective; lighter ones stand in for them.
    likely
        A fractional point: sites that it holds half open are closed and opened most.
    """
    search = SwapSearch([term.lighten() for term in terms], rules)
    rng = np.random.default_rng(seed)
    best = search.improve(chosen, deadline)
    idle = 0
    for _ in range(TRIALS // max(int(chosen.sum()), 1)):
        if idle >= PATIENCE:
            break
        shaken = search.shake(best.chosen, likely, rng, int(rng.integers(*SWAPS)))
        found = search.improve(shaken, deadline)
        idle += 1
        if found.value > best.value * (1.0 + STEADY):
            best, idle = found, 0
    return best.chosen
