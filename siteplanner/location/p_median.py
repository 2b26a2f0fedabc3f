"""p-median and facility location with fixed costs and capacities."""

from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike

from siteplanner.location.capacitated import solve_capacitated
from siteplanner.location.matrices import read_costs
from siteplanner.location.options import Options, read_options, read_vector
from siteplanner.location.serving import find_unreached, report_cost, solve_median, state_median
from siteplanner.location.solution import Solution


def p_median(
    cost: Any,  # noqa: ANN401 - dense or sparse
    weight: ArrayLike,
    n_open: int | None,
    *,
    fixed_cost: ArrayLike | None = None,
    capacity: ArrayLike | None = None,
    **options: Unpack[Options],
) -> Solution:
    """Choose the open sites that serve all demand at the least weighted cost.

    Parameters
    ----------
    cost
        Demand x site, dense or sparse, of at least 0. A pair that is absent (or infinite, when dense) is
        beyond reach: the row must then be served by another site. A row without any site within reach is
        not served and does not count; it is reported in ``Solution.unreached``.
    weight
        Weight per demand row; rows of weight 0 need no service.
    n_open
        Number of open sites; None leaves it free (facility location), which needs ``fixed_cost``.
    fixed_cost
        Cost per open site, in the unit of weight times cost: added to the objective.
    capacity
        Most weight that each site serves if open. A row may then be served by several open sites, in
        shares, and not always by its nearest one.
    **options
        See `Options`.

    Returns
    -------
    Solution
        ``objective`` is the weighted cost plus the fixed costs, ``bound`` a lower bound on it.
    """
    matrix = read_costs(cost, "cost")
    weights = read_vector(weight, matrix.shape[0], "weight")
    if n_open is None and fixed_cost is None:
        raise ValueError("n_open may be None only where fixed_cost is given")
    fixed = np.zeros(matrix.shape[1])
    if fixed_cost is not None:
        fixed = read_vector(fixed_cost, matrix.shape[1], "fixed_cost")
    room = None if capacity is None else read_vector(capacity, matrix.shape[1], "capacity")
    sites, effort = read_options(options, matrix.shape[1], matrix.shape[1] if n_open is None else n_open)
    unreached = find_unreached(matrix, weights)
    weights[unreached] = 0.0
    median = state_median(matrix, weights, fixed, sites, n_open)
    chase = solve_median(median, effort) if room is None else solve_capacitated(median, room, effort)
    return report_cost(chase, sites, effort, unreached)
