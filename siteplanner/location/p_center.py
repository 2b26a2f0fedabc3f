"""p-center: choose the open sites that keep the farthest demand row nearest.

Few rows decide a p-center. A program covers a small set of rows within a radius; rows that its answer
leaves outside are added until none is left (Chen & Chen 2009). What cannot cover the few cannot cover all,
so every refuted radius is a bound; every answer, measured over all rows, is a solution.
"""

import math
import time
from dataclasses import replace
from typing import Any, Unpack

import numpy as np
import scipy.sparse as sp

from siteplanner.location.clash import explain
from siteplanner.location.errors import NoPlanInTime
from siteplanner.location.matrices import read_costs
from siteplanner.location.neighbours import hash_rows, nearest_open
from siteplanner.location.options import Effort, Floats, Ints, Mask, Options, SiteOptions, read_options
from siteplanner.location.program import Answer, solve_linear
from siteplanner.location.rules import build_rules
from siteplanner.location.serving import find_unreached
from siteplanner.location.solution import Solution, gap_status, relative_gap

FIRST_ROWS = 4
"""Rows to begin with, as a multiple of the open sites."""

FIRST_ROWS_LEAST = 60

ADDED_SHARE = 0.5
"""Rows that one answer may add, as a share of the open sites."""


def p_center(cost: Any, n_open: int, **options: Unpack[Options]) -> Solution:  # noqa: ANN401 - dense or sparse
    """Choose the open sites that keep the farthest row nearest.

    Parameters
    ----------
    cost
        Demand x site as in `p_median`; every row counts, but for those that no site reaches.
    n_open
        Number of open sites.
    **options
        See `Options`.

    Returns
    -------
    Solution
        ``objective`` is the largest cost of a row to its nearest open site, ``bound`` a lower bound on it.
    """
    matrix = read_costs(cost, "cost")
    sites, effort = read_options(options, matrix.shape[1], n_open)
    unreached = find_unreached(matrix, np.ones(matrix.shape[0]))
    closing = _Closing(_sort_rows(matrix, unreached), sites, effort)
    closing.run()
    gap = relative_gap(closing.radius, closing.bound)
    effort.warm.add_set(closing.chosen)
    return Solution(
        open=closing.chosen,
        objective=closing.radius,
        bound=closing.bound,
        gap=gap,
        status=gap_status(gap, effort.gap),
        seconds=time.monotonic() - effort.started,
        iterations=closing.rounds,
        gain_gap=closing.gain_gap(),
        unreached=unreached,
    )


class _Closing:
    """The interval between the largest radius refuted and the smallest reached."""

    def __init__(self, matrix: Any, sites: SiteOptions, effort: Effort) -> None:  # noqa: ANN401 - dense or CSR
        self._matrix, self._sites, self._effort = matrix, sites, effort
        self._deadline = effort.started + effort.time_limit
        self._plain = build_rules(sites)
        self.chosen: Mask = np.zeros(matrix.shape[1], dtype=np.bool_)
        self.rounds = 0
        self.radius, self.bound = np.inf, 0.0
        self._rows: Ints = np.empty(0, dtype=np.int64)

    def run(self) -> None:
        """Refute radii with few rows, add the rows that an answer misses, until the interval is closed."""
        self._start()
        self._rows = self._first_rows()
        self.bound = self._least_radius()
        while not self._is_over():
            answer = self._cover(self.bound)
            if answer.point is not None:
                chosen = answer.point > 0.5  # noqa: PLR2004 - rounds a 0/1 value
                far = self._offer(chosen)
                self._add_rows(far, self.bound)
            elif answer.state == "infeasible":
                self._raise_bound()
            else:
                break

    def gain_gap(self) -> float | None:
        """Distance of the bound as a share of what is gained over the existing network."""
        if self._sites.existing is None:
            return None
        gain = float(nearest_open(self._matrix, self._sites.existing).max(initial=0.0)) - self.radius
        distance = self.radius - self.bound
        if distance <= 0:
            return 0.0
        return distance / gain if gain > 0 else math.inf

    def _is_over(self) -> bool:
        wanted = self._effort.wanted
        return relative_gap(self.radius, self.bound) <= wanted or time.monotonic() >= self._deadline

    def _start(self) -> None:
        """Find sets within the rules: greedy ones at halved radii, else what a program finds."""
        for chosen in (self._sites.existing, *self._effort.warm.sets):
            if chosen is not None and self._plain.allows(chosen.astype(np.float64)):
                self._offer(chosen)
        self._offer_greedy()
        if self.radius < np.inf:
            return
        rules = build_rules(self._sites, _within(self._matrix, np.arange(self._matrix.shape[0]), np.inf))
        answer = solve_linear(rules, np.zeros(self.chosen.size), self._seconds_left(), self._effort.seed)
        if answer.state == "infeasible":
            raise explain(rules, self._effort.seed)
        if answer.point is None:
            raise NoPlanInTime(self._effort.time_limit)
        self._offer(answer.point > 0.5)  # noqa: PLR2004 - rounds a 0/1 value

    def _offer_greedy(self) -> None:
        """Open the site nearest to the farthest row again and again (Gonzalez 1985)."""
        chosen = self._plain.lower > 0
        usable = np.flatnonzero(self._plain.upper > 0)
        near = nearest_open(self._matrix, chosen)
        while chosen.sum() < self._sites.n_open and near.size and usable.size:
            row = _row_costs(self._matrix, int(np.argmax(near)))
            site = int(usable[np.argmin(np.where(chosen[usable], np.inf, row[usable]))])
            if chosen[site]:
                break
            chosen[site] = True
            near = np.minimum(near, _column_costs(self._matrix, site))
        if self._plain.allows(chosen.astype(np.float64)):
            self._offer(chosen)

    def _first_rows(self) -> Ints:
        """Rows far from each other: each the farthest from the sites nearest to those before."""
        n_rows = self._matrix.shape[0]
        wanted = max(FIRST_ROWS * self._sites.n_open, FIRST_ROWS_LEAST)
        if n_rows <= wanted:
            return np.arange(n_rows)
        rows: list[int] = []
        near = np.full(n_rows, np.inf)
        usable = np.flatnonzero(self._plain.upper > 0)
        while len(rows) < wanted and near.max() > 0:
            row = int(np.argmax(near))
            rows.append(row)
            costs = _row_costs(self._matrix, row)
            near = np.minimum(near, _column_costs(self._matrix, int(usable[np.argmin(costs[usable])])))
            near[row] = 0.0
        return np.unique(np.array(rows, dtype=np.int64))

    def _least_radius(self) -> float:
        """Every row needs a site that may open."""
        usable = np.flatnonzero(self._plain.upper > 0)
        nearest = nearest_open(self._matrix, self._plain.upper > 0)
        return float(nearest.max(initial=0.0)) if usable.size and nearest.size else 0.0

    def _cover(self, radius: float) -> Answer:
        """Find a set that covers the rows at hand, or prove that there is none."""
        self.rounds += 1
        pattern = _within(self._matrix, self._rows, radius)
        if self._plain.low.size == 1 and not self._plain.lower.any() and self._plain.upper.all():
            return _cover_freely(pattern, self._sites, self._seconds_left(), self._effort.seed)
        rules = build_rules(self._sites, pattern)
        return solve_linear(rules, np.zeros(self.chosen.size), self._seconds_left(), self._effort.seed)

    def _raise_bound(self) -> None:
        """Refute radii by halving until the least one is left that the rows at hand allow."""
        radii = _radii_between(self._matrix, self._rows, self.bound, self.radius)
        low, high = 0, radii.size - 1  # the last one is the radius that was reached
        while low < high and self._seconds_left() > 0:
            middle = (low + high) // 2
            answer = self._cover(float(radii[middle]))
            if answer.point is not None:
                self._offer(answer.point > 0.5)  # noqa: PLR2004 - rounds a 0/1 value
                high = min(middle, int(np.searchsorted(radii, self.radius)))
            elif answer.state == "infeasible":
                low = middle + 1
            else:
                break
        self.bound = min(float(radii[low]), self.radius)

    def _offer(self, chosen: Mask) -> Floats:
        """Measure a set over all rows; keep the best."""
        near = nearest_open(self._matrix, chosen)
        radius = float(near.max(initial=0.0))
        if radius < self.radius:
            self.radius, self.chosen = radius, chosen.copy()
            if self._effort.progress is not None:
                self._effort.progress(radius, self.bound, time.monotonic() - self._effort.started)
        return near

    def _add_rows(self, near: Floats, radius: float) -> None:
        """Add the farthest rows outside the radius, far from each other first."""
        outside = np.flatnonzero(near > radius)
        if not outside.size:
            return
        order = outside[np.argsort(-near[outside], kind="stable")]
        most = max(int(ADDED_SHARE * self._sites.n_open), 3)
        added: list[int] = []
        left = near.copy()
        while len(added) < most and order.size:
            row = int(order[0])
            added.append(row)
            costs = _row_costs(self._matrix, row)
            site = int(np.argmin(costs))
            left = np.minimum(left, _column_costs(self._matrix, site))
            order = order[(left[order] > radius) & (order != row)]
        self._rows = np.unique(np.concatenate([self._rows, np.array(added, dtype=np.int64)]))

    def _seconds_left(self) -> float:
        return self._deadline - time.monotonic()


def _cover_freely(pattern: sp.csr_array, sites: SiteOptions, seconds: float, seed: int) -> Answer:
    """Cover rows where nothing but the count restricts the sites: of equal columns one is enough."""
    columns = sp.csc_array(pattern)
    columns.sort_indices()
    names = [
        columns.indices[columns.indptr[j] : columns.indptr[j + 1]].tobytes() for j in range(pattern.shape[1])
    ]
    first = {name: site for site, name in reversed(list(enumerate(names))) if name}
    kept = np.array(sorted(first.values()), dtype=np.int64)
    rules = build_rules(sites, pattern)
    if kept.size > sites.n_open:
        shut = np.ones(pattern.shape[1], dtype=np.bool_)
        shut[kept] = False
        rules = replace(rules, upper=np.where(shut, 0.0, rules.upper))
    return solve_linear(rules, np.zeros(pattern.shape[1]), seconds, seed)


def _sort_rows(matrix: Any, unreached: Ints) -> Any:  # noqa: ANN401 - dense or CSR
    """Rows that some site reaches, in an order that depends on their content only."""
    rows = np.setdiff1d(np.arange(matrix.shape[0]), unreached)
    ordered = rows[np.argsort(hash_rows(matrix, rows), kind="stable")]
    return matrix[ordered]


def _row_costs(matrix: Any, row: int) -> Floats:  # noqa: ANN401 - dense or CSR
    if isinstance(matrix, np.ndarray):
        line: Floats = matrix[row].astype(np.float64)
        return line
    costs = np.full(matrix.shape[1], np.inf)
    here = slice(matrix.indptr[row], matrix.indptr[row + 1])
    costs[matrix.indices[here]] = matrix.data[here]
    return costs


def _column_costs(matrix: Any, site: int) -> Floats:  # noqa: ANN401 - dense or CSR
    chosen = np.zeros(matrix.shape[1], dtype=np.bool_)
    chosen[site] = True
    return nearest_open(matrix, chosen)


def _radii_between(matrix: Any, rows: Ints, low: float, high: float) -> Floats:  # noqa: ANN401 - dense or CSR
    """Distinct costs of some rows above one radius and below another, then the other."""
    part = matrix[rows]
    costs = np.unique((part if isinstance(part, np.ndarray) else part.data).astype(np.float64).ravel())
    return np.append(costs[(costs > low) & (costs < high)], high)


def _within(matrix: Any, rows: Ints, radius: float) -> sp.csr_array:  # noqa: ANN401 - dense or CSR
    """Pattern of the rows that not every site can serve within the radius; each pattern once."""
    part = matrix[rows]
    if isinstance(part, np.ndarray):
        at, site = np.nonzero((part <= radius) & np.isfinite(part))
    else:
        near = part.data <= radius
        at = np.repeat(np.arange(rows.size), np.diff(part.indptr))[near]
        site = part.indices[near]
    pattern = sp.csr_array((np.ones(at.size), (at, site)), shape=(rows.size, matrix.shape[1]))
    pattern.sort_indices()
    size = np.diff(pattern.indptr)
    tight = np.flatnonzero(size < pattern.shape[1])
    packed = [pattern.indices[pattern.indptr[row] : pattern.indptr[row + 1]].tobytes() for row in tight]
    once = sorted(dict(zip(reversed(packed), reversed(tight.tolist()), strict=True)).items())
    chosen: sp.csr_array = pattern[np.array([row for _, row in once], dtype=np.int64)]
    return chosen
