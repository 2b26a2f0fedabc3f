"""One problem under several demand scenarios: its rules, its worth in each, and its solves for mixtures.

Worths are counted upwards here: a p-median is worth its cost with the sign turned.
"""

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from siteplanner.location.frontier import Weighted, solve_weighted
from siteplanner.location.matrices import read_costs, read_matrix
from siteplanner.location.options import Effort, Floats, Mask, Options, SiteOptions, read_options, read_vector
from siteplanner.location.problems import capture_term, cover_term
from siteplanner.location.rules import Rules, build_rules
from siteplanner.location.serving import find_unreached
from siteplanner.location.solution import Progress, Solution
from siteplanner.location.terms import Term

LEAST_SHARE = 0.08
"""Share of all time that a solve within a solve is given at least, if it is left."""

LEAST_S = 0.05
"""A solve within a solve is given at least so many seconds."""

LEAST_WEIGHT = 1e-20
"""Weight of a row that must be served but does not count, as a share of the largest: below rounding."""


@dataclass(frozen=True, eq=False)
class Scenarios:
    """A problem and its demand scenarios.

    Attributes
    ----------
    kind, matrix, outside, n_open, options
        The problem in the caller's words, checked.
    weights
        Scenarios x demand rows.
    sites, rules, effort
        The checked keywords, and the rules as rows; a p-median's rows that some scenario must serve are
        among them.
    terms, shift
        Per scenario a term, and what its value exceeds the worth by.
    unreached
        Rows with weight in some scenario that no site reaches (p-median).
    """

    kind: Weighted
    matrix: Any
    outside: Floats | None
    n_open: int
    options: Options
    weights: Floats
    sites: SiteOptions
    rules: Rules
    effort: Effort
    terms: list[Term]
    shift: Floats
    unreached: NDArray[np.int64]

    @property
    def sign(self) -> float:
        """Factor between the caller's objective and worth."""
        return -1.0 if self.kind == "p_median" else 1.0

    @property
    def deadline(self) -> float:
        """Monotonic time at which the solve ends."""
        return self.effort.started + self.effort.time_limit

    def worths(self, chosen: Mask) -> Floats:
        """Worth of an open set in each scenario, whatever the order of rows."""
        return np.array([term.value(chosen) for term in self.terms]) - self.shift

    def seconds_left(self) -> float:
        """Return the time to the deadline."""
        return self.deadline - time.monotonic()

    def solve(self, mixture: Floats, gap: float, share: float, progress: Progress | None = None) -> Solution:
        """Solve for a weighted sum of scenarios, in a share of the time that is left."""
        weight = np.zeros(self.weights.shape[1])
        for part, factor in zip(self.weights, mixture.tolist(), strict=True):  # not @: it rounds by position
            weight += factor * part
        if self.kind == "p_median":  # a plan serves every row of any scenario, in all of them
            idle = self.weights.any(axis=0) & (weight == 0)
            weight[idle] = LEAST_WEIGHT * max(float(weight.max(initial=0.0)), 1.0)
        left = self.seconds_left()
        seconds = max(share * left, min(left, LEAST_SHARE * self.effort.time_limit))
        call: Options = {
            **self.options,
            "gap": gap,
            "time_limit": max(seconds, LEAST_S) if math.isfinite(left) else None,
            "progress": progress,
            "warm": self.effort.warm,
        }
        return solve_weighted(self.kind, self.matrix, weight, self.n_open, self.outside, **call)


def state_scenarios(
    kind: Weighted,
    matrix: Any,  # noqa: ANN401 - dense or sparse
    weights: ArrayLike,
    n_open: int,
    outside: ArrayLike | None,
    options: Options,
) -> Scenarios:
    """Check a problem and its scenarios, and state them for the search."""
    if kind not in ("max_coverage", "max_capture", "p_median"):
        raise ValueError(f"kind must be max_coverage, max_capture or p_median, not {kind!r}")
    if (outside is None) == (kind == "max_capture"):
        raise ValueError("outside is given with max_capture and only with it")
    name = {"max_coverage": "cover", "max_capture": "utility", "p_median": "cost"}[kind]
    table = read_costs(matrix, name) if kind == "p_median" else read_matrix(matrix, name)
    amounts = _read_weights(weights, table.shape[0])
    others = None if outside is None else read_vector(outside, table.shape[0], "outside")
    sites, effort = read_options(options, table.shape[1], n_open)
    if kind == "p_median":
        return _state_costs(table, amounts, (n_open, options, sites, effort))
    if others is not None:
        if (others <= 0).any():
            raise ValueError(
                f"outside must be above 0, but is not in demand row {int(np.argmax(others <= 0))}"
            )
        terms: list[Term] = [capture_term(table, weight, others, sites, effort) for weight in amounts]
    else:
        if table.nnz and float(table.data.max()) > 1.0:
            raise ValueError(f"cover must hold shares of at most 1, not {float(table.data.max()):g}")
        terms = [cover_term(table, weight, sites, effort) for weight in amounts]
    rules, nothing = build_rules(sites), np.zeros(len(terms))
    nowhere = np.empty(0, dtype=np.int64)
    return Scenarios(
        kind, table, others, n_open, options, amounts, sites, rules, effort, terms, nothing, nowhere
    )


def _read_weights(weights: ArrayLike, n_rows: int) -> Floats:
    table = np.asarray(weights)
    if table.ndim != 2 or table.shape[0] == 0 or table.shape[1] != n_rows:  # noqa: PLR2004 - scenarios x rows
        raise ValueError(f"weights must be scenarios x demand rows (n x {n_rows}), not shape {table.shape}")
    return np.array([read_vector(row, n_rows, f"weights[{at}]") for at, row in enumerate(table)])


def _state_costs(
    table: Any,  # noqa: ANN401 - dense or CSR
    weights: Floats,
    given: tuple[int, Options, SiteOptions, Effort],
) -> Scenarios:
    """State costs as coverage: a row is worth how much nearer than its farthest site it is served.

    That is so for plans that serve all rows that any scenario must serve, which becomes a rule.
    """
    n_open, options, sites, effort = given
    used: Mask = np.asarray(weights.any(axis=0))
    unreached = find_unreached(table, np.asarray(used, dtype=np.float64))
    near, far = _turn_costs(table)
    terms: list[Term] = [cover_term(near, weight, sites, effort) for weight in weights]
    # The worth of a term counts from the farthest site.
    shift = np.array([math.fsum(weight * far) for weight in weights])
    rules = build_rules(sites, _reach_rows(table, used))
    return Scenarios(
        "p_median", table, None, n_open, options, weights, sites, rules, effort, terms, shift, unreached
    )


def _turn_costs(table: Any) -> tuple[sp.csr_array, Floats]:  # noqa: ANN401 - dense or CSR
    """Cost below that of the farthest site within reach, and that cost (0 where there is none)."""
    at, costs = _list_pairs(table)
    far = np.zeros(table.shape[0])
    np.maximum.at(far, at[0], costs)
    near = sp.csr_array((far[at[0]] - costs, at), shape=table.shape)
    near.eliminate_zeros()
    near.sort_indices()
    return near, far


def _list_pairs(table: Any) -> tuple[tuple[Any, Any], Floats]:  # noqa: ANN401 - dense or CSR
    if isinstance(table, np.ndarray):
        at = np.nonzero(np.isfinite(table))
        return (at[0], at[1]), table[at].astype(np.float64)
    row = np.repeat(np.arange(table.shape[0]), np.diff(table.indptr))
    return (row, table.indices), table.data.astype(np.float64)


def _reach_rows(table: Any, used: Mask) -> sp.csr_array:  # noqa: ANN401 - dense or CSR
    """Distinct sets of sites of which one must be open for some row to be served at all."""
    at, _ = _list_pairs(table)
    pattern = sp.csr_array((np.ones(at[0].size), at), shape=table.shape)
    pattern.sort_indices()
    size = np.diff(pattern.indptr)
    tight = np.flatnonzero(used & (size > 0) & (size < table.shape[1]))
    named = {pattern.indices[pattern.indptr[row] : pattern.indptr[row + 1]].tobytes(): row for row in tight}
    distinct: sp.csr_array = pattern[np.array([row for _, row in sorted(named.items())], dtype=np.int64)]
    return distinct
