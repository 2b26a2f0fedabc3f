"""p-median and p-center: every demand row is served by its nearest open site."""

import time
from typing import Any, Unpack

import numpy as np
import scipy.sparse as sp

from siteplanner.location.clash import explain
from siteplanner.location.errors import NoPlanInTime
from siteplanner.location.matrices import read_matrix
from siteplanner.location.options import Effort, Mask, Options, SiteOptions, read_options
from siteplanner.location.program import solve_linear
from siteplanner.location.rules import Rules, build_rules
from siteplanner.location.solution import PROVED_GAP, Solution, gap_status, relative_gap


def p_center(cost: Any, n_open: int, **options: Unpack[Options]) -> Solution:  # noqa: ANN401 - dense or sparse
    """Choose the open sites that keep the farthest row nearest.

    Bisection over the distinct costs, each tried as a covering program (Daskin 1995).

    Parameters
    ----------
    cost
        Demand x site as in `p_median`; every row counts.
    n_open
        Number of open sites.
    **options
        See `Options`.

    Returns
    -------
    Solution
        ``objective`` is the largest cost of a row to its nearest open site, ``bound`` a lower bound on it.
    """
    matrix = read_matrix(cost, "cost", keep_zeros=True)
    sites, effort = read_options(options, matrix.shape[1], n_open)
    everyone = np.ones(matrix.shape[0], dtype=np.bool_)
    _check_reach(matrix, everyone)
    bisection = _Bisection(matrix, sites, effort)
    bisection.run()
    gap = relative_gap(bisection.radius, bisection.bound)
    return Solution(
        open=bisection.chosen,
        objective=bisection.radius,
        bound=bisection.bound,
        gap=gap,
        status=gap_status(gap, effort.gap),
        seconds=time.monotonic() - effort.started,
        iterations=bisection.rounds,
        gain_gap=bisection.gain_gap(),
    )


class _Bisection:
    """The interval of radii between what is refuted and what is reached."""

    def __init__(self, matrix: sp.csr_array, sites: SiteOptions, effort: Effort) -> None:
        self._matrix, self._sites, self._effort = matrix, sites, effort
        self._deadline = effort.started + effort.time_limit
        self._everyone = np.ones(matrix.shape[0], dtype=np.bool_)
        self._radii = np.unique(matrix.data.astype(np.float64)) if matrix.nnz else np.zeros(1)
        self.chosen: Mask = np.zeros(matrix.shape[1], dtype=np.bool_)
        self.rounds = 0
        self.radius, self.bound = np.inf, float(self._radii[0])

    def run(self) -> None:
        """Halve the interval until it is closed, the gap is reached or time is up."""
        low, high = 0, self._radii.size - 1
        while self.radius == np.inf or low < high:
            middle = high if self.radius == np.inf else (low + high) // 2
            state = self._try(float(self._radii[middle]))
            if state == "stopped":
                break
            if state == "infeasible":
                low = middle + 1
            else:
                high = int(np.searchsorted(self._radii, self.radius))
            self.bound = float(self._radii[low])
            if relative_gap(self.radius, self.bound) <= max(self._effort.gap, PROVED_GAP / 2):
                break

    def gain_gap(self) -> float | None:
        """Distance of the bound as a share of what is gained over the existing network."""
        if self._sites.existing is None:
            return None
        gain = self._farthest(self._sites.existing) - self.radius
        distance = self.radius - self.bound
        if distance <= 0:
            return 0.0
        return distance / gain if gain > 0 else float("inf")

    def _try(self, radius: float) -> str:
        """Look for a set within the radius; keep it. The first try is at the largest radius."""
        rules = build_rules(self._sites, _reach_rows(self._matrix, self._everyone, radius))
        left = self._deadline - time.monotonic()
        answer = solve_linear(rules, np.zeros(self._matrix.shape[1]), left, self._effort.seed)
        self.rounds += 1
        if answer.point is not None:
            self.chosen = answer.point > 0.5  # noqa: PLR2004 - rounds a 0/1 value
            self.radius = self._farthest(self.chosen)
            self._tell()
            return "solved"
        if self.radius == np.inf:
            self._give_up(rules, answer.state)
        return answer.state

    def _give_up(self, rules: Rules, state: str) -> None:
        if state == "infeasible":
            raise explain(rules, self._effort.seed)
        raise NoPlanInTime(self._effort.time_limit)

    def _farthest(self, chosen: Mask) -> float:
        rows = np.repeat(np.arange(self._matrix.shape[0]), np.diff(self._matrix.indptr))
        kept = chosen[self._matrix.indices]
        nearest = np.full(self._matrix.shape[0], np.inf)
        np.minimum.at(nearest, rows[kept], self._matrix.data[kept].astype(np.float64))
        return float(nearest.max(initial=0.0))

    def _tell(self) -> None:
        if self._effort.progress is not None:
            self._effort.progress(self.radius, self.bound, time.monotonic() - self._effort.started)


def _check_reach(matrix: sp.csr_array, needy: Mask) -> None:
    lonely = needy & (np.diff(matrix.indptr) == 0)
    if lonely.any():
        raise ValueError(f"cost leaves demand row {int(np.argmax(lonely))} without a site within reach")


def _reach_rows(matrix: sp.csr_array, needy: Mask, radius: float) -> sp.csr_array:
    """Pattern of the rows that not every site can serve: each needs an open site within the radius."""
    near = matrix.data <= radius
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))[near]
    pattern = sp.csr_array((np.ones(rows.size), (rows, matrix.indices[near])), shape=matrix.shape)
    size = np.diff(pattern.indptr)
    tight = np.flatnonzero(needy & (size < matrix.shape[1]))
    packed = [pattern.indices[pattern.indptr[row] : pattern.indptr[row + 1]].tobytes() for row in tight]
    first = sorted(dict(zip(reversed(packed), reversed(tight.tolist()), strict=True)).items())
    chosen: sp.csr_array = pattern[np.array([row for _, row in first], dtype=np.int64)]
    return chosen
