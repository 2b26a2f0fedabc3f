"""Stating, solving and reporting a p-median: every demand row is served by its nearest open site."""

import math
import time
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from siteplanner.location.clash import explain
from siteplanner.location.closing import close_median
from siteplanner.location.errors import NoPlanInTime
from siteplanner.location.medians import Chase, Interchange, Median
from siteplanner.location.neighbours import Neighbours, largest_whole, list_neighbours
from siteplanner.location.options import Effort, Floats, Mask, SiteOptions
from siteplanner.location.program import solve_linear
from siteplanner.location.rules import Rules, build_rules, pack_rules
from siteplanner.location.solution import Solution, gap_status, relative_gap
from siteplanner.location.walks import Limits

WARM_STARTS = 3
"""So many of the sets that earlier solves found are searched from."""

FREE_START = 10
"""Where the number of open sites is free, one in so many opens at the start."""


def find_unreached(matrix: Any, weight: Floats) -> NDArray[np.int64]:  # noqa: ANN401 - dense or CSR
    """Rows with weight that no site reaches."""
    if isinstance(matrix, np.ndarray):
        lonely = np.isinf(matrix.min(axis=1, initial=np.inf))
    else:
        lonely = np.diff(matrix.indptr) == 0
    return np.flatnonzero(lonely & (weight > 0))


def state_median(
    matrix: Any,  # noqa: ANN401 - dense or CSR
    weight: Floats,
    fixed: Floats,
    sites: SiteOptions,
    n_open: int | None,
) -> Median:
    """State a p-median for the kernels; ``n_open`` None leaves the number of open sites free."""
    fewest, most = (sites.n_open, sites.n_open) if n_open is not None else (0, sites.n_sites)
    limits = state_limits(build_rules(sites), fixed, (fewest, most))
    near = list_neighbours(matrix, weight, most if n_open is not None else 1)
    unit = _find_unit(matrix, weight, fixed)
    return Median(matrix, weight, near, limits, sites, n_open is None, fixed, unit)


def state_limits(rules: Rules, fixed: Floats, count: tuple[int, int]) -> Limits:
    """State rules for the kernels; the number of open sites is a range, not a rule."""
    rest = rules.without({"n_open"})
    return Limits(pack_rules(rest), fixed_cost=fixed, fewest=count[0], most=count[1])


def _find_unit(matrix: Any, weight: Floats, fixed: Floats) -> float:  # noqa: ANN401 - dense or CSR
    """1 where every objective is a whole number that floats hold exactly, else 0."""
    if not ((weight == np.floor(weight)).all() and (fixed == np.floor(fixed)).all()):
        return 0.0
    most = largest_whole(matrix)
    return 1.0 if 0 <= float(weight.sum()) * most + float(fixed.sum()) < 2.0**52 else 0.0


def solve_median(median: Median, effort: Effort) -> Chase:
    """Search, bound, fix and branch until the gap is closed or time is up."""
    chase = Chase(median, effort)
    search = begin(chase, effort)
    close_median(chase, search, median.limits)
    chase.iterations += search.swaps
    effort.warm.add_set(chase.chosen)
    return chase


def begin(chase: Chase, effort: Effort) -> Interchange:
    """Find a set that keeps the rules and serves every row, and improve it."""
    median = chase.median
    start = _draw_start(median, effort)
    if not median.rules.allows(start.astype(np.float64)):
        start = _find_feasible(median, chase, effort)
    search = Interchange(median, start, effort.seed)
    known = [one for one in reversed(effort.warm.sets) if median.rules.allows(one.astype(np.float64))]
    for chosen in (start, *known[:WARM_STARTS]):
        chase.offer(chosen)
        search.restart(chosen)
        chase.offer(search.improve())
    if math.isinf(chase.value):
        start = _find_feasible(median, chase, effort)
        search.restart(start)
        for chosen in (start, search.improve()):
            chase.offer(chosen)
    return search


def _draw_start(median: Median, effort: Effort) -> Mask:
    """Return today's network, else a set drawn by the seed; it may break rules."""
    today = median.sites.existing
    if today is not None and median.rules.allows(today.astype(np.float64)):
        return today.copy()
    limits = median.limits
    order = np.random.default_rng(effort.seed).permutation(limits.rules.may_open.size)
    chosen = ~limits.rules.may_close
    free = order[(limits.rules.may_open & limits.rules.may_close)[order]]
    wanted = limits.most if limits.fewest == limits.most else max(1, limits.most // FREE_START)
    chosen[free[: max(wanted - int(chosen.sum()), 0)]] = True
    return chosen


def _find_feasible(median: Median, chase: Chase, effort: Effort) -> Mask:
    """Return a set that keeps the rules and reaches every row, by a program."""
    rules = median.rules_with(reach_rows(median.near, median.fixed_cost.size))
    answer = solve_linear(rules, np.zeros(rules.lower.size), chase.seconds_left(), effort.seed)
    if answer.state == "infeasible":
        raise explain(rules, effort.seed)
    if answer.point is None:
        raise NoPlanInTime(effort.time_limit)
    chosen: Mask = answer.point > 0.5  # noqa: PLR2004 - rounds a 0/1 value
    return chosen


def reach_rows(near: Neighbours, n_sites: int) -> sp.csr_array:
    """Pattern of the rows that not every site can serve: each needs an open site."""
    size = np.diff(near.ptr)
    tight = np.flatnonzero((size < n_sites) & np.isinf(near.horizon))
    packed = {np.sort(near.sites[near.ptr[row] : near.ptr[row + 1]]).tobytes(): row for row in tight.tolist()}
    rows = [np.sort(near.sites[near.ptr[row] : near.ptr[row + 1]]) for _, row in sorted(packed.items())]
    indices = np.concatenate(rows) if rows else np.empty(0, dtype=np.int32)
    starts = np.concatenate([[0], np.cumsum([row.size for row in rows])]).astype(np.int64)
    return sp.csr_array((np.ones(indices.size), indices, starts), shape=(len(rows), n_sites))


def report_cost(chase: Chase, sites: SiteOptions, effort: Effort, unreached: NDArray[np.int64]) -> Solution:
    """Report a minimised sum in the caller's objective."""
    show = chase.median.measure.show
    objective, bound = show(chase.value), show(chase.bound)
    gap = relative_gap(objective, bound)
    return Solution(
        open=chase.chosen,
        objective=objective,
        bound=bound,
        gap=gap,
        status=gap_status(gap, effort.gap),
        seconds=time.monotonic() - effort.started,
        iterations=chase.iterations,
        gain_gap=_gain_gap(chase, sites.existing),
        unreached=unreached,
    )


def _gain_gap(chase: Chase, existing: Mask | None) -> float | None:
    """Distance of the bound as a share of what is gained over the existing network."""
    if existing is None:
        return None
    show = chase.median.measure.show
    distance = show(chase.value) - show(chase.bound)
    if distance <= 0:
        return 0.0
    gain = show(chase.median.value(existing)) - show(chase.value)
    return distance / gain if gain > 0 else math.inf
