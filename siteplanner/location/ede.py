"""Least Kolm-Pollak equally distributed equivalent (EDE): distances weighed by how badly off people are.

With distance a bad, kappa is negative and ``EDE = -ln(mean of exp(-kappa d)) / kappa``: the distance which,
shared by all, would be as bad. The logarithm is monotone, so the least EDE is a p-median on the costs
``exp(-kappa d)`` (Horton et al. 2024), taken here relative to the farthest row of a good set: what exceeds
that by far is in no better set and is left out, so nothing overflows.
"""

import math
from dataclasses import replace
from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike

from siteplanner.location.matrices import read_costs
from siteplanner.location.medians import Chase, Median
from siteplanner.location.neighbours import Neighbours, bend_costs, nearest_open
from siteplanner.location.options import Effort, Floats, Mask, Options, read_options, read_vector
from siteplanner.location.serving import begin, find_unreached, report_cost, solve_median, state_median
from siteplanner.location.solution import Solution

LEAST_TOTAL = 1e-200
"""Below this share of the first set's sum a better set is measured about its own farthest row."""


class Mean:
    """Shows weighted sums as means."""

    def __init__(self, people: float) -> None:
        self._people = people

    def bend(self, cost: Floats) -> Floats:
        """Leave costs as they are."""
        return cost

    def show(self, total: float) -> float:
        """Mean of a weighted sum."""
        return total / self._people

    def hide(self, shown: float) -> float:
        """Weighted sum of a mean."""
        return shown * self._people


class Equivalent:
    """Shows weighted sums of ``exp(aversion (cost - reference))`` as EDEs."""

    def __init__(self, aversion: float, reference: float, people: float) -> None:
        self._aversion, self._reference, self._people = aversion, reference, people

    def about(self, reference: float) -> "Equivalent":
        """Return the same about another reference."""
        return Equivalent(self._aversion, reference, self._people)

    def bend(self, cost: Floats) -> Floats:
        """Transform costs; what is too far for a float is infinite."""
        with np.errstate(over="ignore"):
            return np.exp(self._aversion * (cost - self._reference))

    def show(self, total: float) -> float:
        """EDE of a weighted sum."""
        if not 0 < total < math.inf:
            return -math.inf if total <= 0 else math.inf
        return self._reference + math.log(total / self._people) / self._aversion

    def hide(self, shown: float) -> float:
        """Weighted sum of an EDE."""
        return self._people * math.exp(min(self._aversion * (shown - self._reference), 700.0))


def min_ede(
    cost: Any,  # noqa: ANN401 - dense or sparse
    weight: ArrayLike,
    n_open: int,
    kappa: float,
    **options: Unpack[Options],
) -> Solution:
    """Choose the open sites of least Kolm-Pollak EDE of the distance to the nearest one.

    Parameters
    ----------
    cost
        Distance or travel time, demand x site, as in `p_median`.
    weight
        People per demand row; a row without any site within reach does not count and is reported.
    n_open
        Number of open sites.
    kappa
        Aversion to inequality per unit of cost, at most 0: ``epsilon sum w a / sum w a^2`` over the distances
        ``a`` of the baseline, epsilon = -1 by habit. Take it once and keep it for every plan compared; 0 is
        the mean.
    **options
        See `Options`; ``gap`` is a share of the EDE.

    Returns
    -------
    Solution
        ``objective`` is the EDE in the unit of cost, ``bound`` a lower bound on it.
    """
    matrix = read_costs(cost, "cost")
    weights = read_vector(weight, matrix.shape[0], "weight")
    if not (math.isfinite(kappa) and kappa <= 0):
        raise ValueError(f"kappa must be a finite number of at most 0 (distance is a bad), not {kappa}")
    sites, effort = read_options(options, matrix.shape[1], n_open)
    unreached = find_unreached(matrix, weights)
    weights[unreached] = 0.0
    if not (weights > 0).any():
        raise ValueError("weight leaves nobody within reach to average over")
    median = state_median(matrix, weights, np.zeros(sites.n_sites), sites, n_open)
    people = math.fsum(weights)
    if kappa:
        chase = _solve_bent(median, Equivalent(-kappa, 0.0, people), effort)
    else:
        chase = solve_median(replace(median, measure=Mean(people)), effort)
    return report_cost(chase, sites, effort, unreached)


def _solve_bent(plain: Median, aversion: Equivalent, effort: Effort) -> Chase:
    """Solve about the farthest row of a set; again where the answer is so far below that floats give out."""
    quiet = replace(effort, progress=None)
    first = Chase(plain, quiet)
    begin(first, quiet)
    chosen = first.chosen
    while True:
        effort.warm.add_set(chosen)
        median = _bend(plain, aversion, chosen)
        chase = solve_median(median, effort)
        if chase.value > LEAST_TOTAL * chase.median.value(chosen) or np.array_equal(chase.chosen, chosen):
            return chase
        chosen = chase.chosen


def _bend(plain: Median, aversion: Equivalent, chosen: Mask) -> Median:
    """Transform costs about the farthest row of a set; no row of a better set costs more than all of it."""
    served = plain.weight > 0
    measure = aversion.about(float(nearest_open(plain.matrix, chosen)[served].max()))
    bent = replace(plain, measure=measure, unit=0.0)
    near: Neighbours = bend_costs(plain.near, measure.bend, bent.value(chosen))
    return replace(bent, near=near)
