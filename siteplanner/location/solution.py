"""What every solve returns."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Status = Literal["optimal", "gap_reached", "time_limit"]
Progress = Callable[[float, float, float], None]

PROVED_GAP = 1e-6
"""Relative gap below which objective and bound are the same number for a floating-point solver."""


@dataclass(frozen=True, eq=False)
class Certificate:
    """Multipliers from which anyone can work out a bound on coverage again.

    Whatever they are, ``sum (1 - s) w + max over plans of sum (s w) a x`` bounds the coverage, with w the
    weight and s the share of each row and level, and a the pattern of the sites that reach it there; rules
    with prices are added to it, and the maximum over plans is taken over the n_open best sites.

    Attributes
    ----------
    levels
        Distinct worths of the cover matrix, highest first.
    share
        Per row and level, between 0 and 1: how much of its weight is credited to the sites.
    price
        Price per rule in the order of `rules.build_rules`, in the caller's units; 0 for ``n_open``.
    bound
        What they prove.
    """

    levels: NDArray[np.float64]
    share: NDArray[np.float32]
    price: NDArray[np.float64]
    bound: float


@dataclass(frozen=True, eq=False)
class Solution:
    """An open set with its proof.

    Attributes
    ----------
    open
        One boolean per site.
    objective
        Value of the open set, recomputed from scratch.
    bound
        No feasible open set is better than this: an upper bound when maximising, a lower one when
        minimising. Valid whatever the status.
    gap
        ``|bound - objective| / |objective|``.
    status
        ``optimal`` (gap at most 1e-6), ``gap_reached`` (the asked gap) or ``time_limit``.
    seconds
        Wall time of the solve.
    iterations
        Rounds of cuts and moves of the local search together.
    gain_gap
        ``|bound - objective|`` as a share of the gain over the existing network: the honest gap of a
        relocation, where most of the objective is there before anything moves. None without an existing
        network, infinite when nothing is gained.
    certificate
        Multipliers that prove a bound (that of the root when the search branched); coverage only.
    unreached
        Demand rows with weight that no site reaches at all: not served, and not counted in the objective
        (p-median, p-center, least EDE).
    """

    open: NDArray[np.bool_]
    objective: float
    bound: float
    gap: float
    status: Status
    seconds: float
    iterations: int
    gain_gap: float | None = None
    certificate: Certificate | None = None
    unreached: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))


Aim = Literal["mean", "regret", "relative_regret"]


@dataclass(frozen=True, eq=False)
class RobustSolution:
    """One open set for all scenarios, with its proof.

    Attributes
    ----------
    open
        One boolean per site.
    aim
        What was asked for.
    objective
        Mean objective, or worst regret: the most that any of ``regret`` can be.
    bound
        No feasible open set is better than this. Valid whatever the status.
    gap
        ``|bound - objective|`` as a share of the objective (mean), of the mean of ``best`` (regret), or as it
        is (relative regret, a share already).
    status
        ``optimal`` (gap at most 1e-6), ``gap_reached`` (the asked gap) or ``time_limit``.
    mean
        Probability-weighted mean of ``value``.
    value
        Objective of the open set in each scenario.
    best, best_bound
        Objective of the best plan known for each scenario alone, and the bound on it.
    best_open
        Those plans, scenarios x sites.
    regret
        Per scenario the most that is lost against its own best, in the objective's unit (or as a share of
        the best with ``relative_regret``): measured from ``best_bound``.
    chosen_share
        Per site the share of scenarios, by probability, whose own best plan opens it.
    iterations, seconds
        Of all solves together.
    unreached
        Demand rows with weight in some scenario that no site reaches (p-median).
    """

    open: NDArray[np.bool_]
    aim: Aim
    objective: float
    bound: float
    gap: float
    status: Status
    mean: float
    value: NDArray[np.float64]
    best: NDArray[np.float64]
    best_bound: NDArray[np.float64]
    best_open: NDArray[np.bool_]
    regret: NDArray[np.float64]
    chosen_share: NDArray[np.float64]
    iterations: int
    seconds: float
    unreached: NDArray[np.int64]

    @property
    def worst_regret(self) -> float:
        """Most that any scenario loses against its own best."""
        return float(self.regret.max())


def relative_gap(objective: float, bound: float) -> float:
    """Distance of the bound from the objective as a share of the objective."""
    distance = abs(bound - objective)
    if distance == 0.0:
        return 0.0
    return distance / abs(objective) if objective else float("inf")


def gap_status(gap: float, wanted: float) -> Status:
    """Name what a gap proves, given the gap that was asked for."""
    if gap <= PROVED_GAP:
        return "optimal"
    return "gap_reached" if gap <= wanted else "time_limit"
