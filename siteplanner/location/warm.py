"""What one solve learnt and the next can use: good sets, points at which cuts were needed, multipliers."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]

SETS_KEPT = 32
"""Good sets that are remembered, the latest last."""

POINTS_KEPT = 64
"""Points of cuts that are remembered, the latest last: each costs a pass over the pairs to use again."""


class Multipliers(NamedTuple):
    """Where the bound of a coverage problem ended, in shares that other weights can take up.

    Attributes
    ----------
    x
        Point over the sites.
    by_set
        Multiplier of each set as a share of its weight.
    by_rule
        Price of each rule as a share of all weight.
    balance
        Balance of the steps.
    """

    x: Floats
    by_set: Floats
    by_rule: Floats
    balance: float


class Warm:
    """Carries experience between solves over the same sites: other weights, rules or numbers of moves.

    It changes how fast a solve ends, never what is feasible or what a bound means.
    """

    def __init__(self) -> None:
        self.sets: list[Mask] = []
        self.points: list[Floats] = []
        self.multipliers: Multipliers | None = None

    def add_set(self, chosen: Mask) -> None:
        """Remember an open set; the newest place is taken by one that is known already."""
        self.sets = [known for known in self.sets if not np.array_equal(known, chosen)][-SETS_KEPT + 1 :]
        self.sets.append(chosen.copy())

    def add_point(self, point: Floats) -> None:
        """Remember a point of the relaxation at which cuts were added."""
        self.points = [*self.points[-POINTS_KEPT + 1 :], point.copy()]
