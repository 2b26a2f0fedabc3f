"""What is known of worst regret while it is being lowered: bests, incumbent and bound."""

import time
from typing import NamedTuple

import numpy as np

from siteplanner.location.options import Floats, Mask
from siteplanner.location.regret_search import Measure
from siteplanner.location.scenarios import Scenarios
from siteplanner.location.solution import Progress

STEADY = 1e-12
"""Share of the unit that is rounding."""

FIRST_GAP = 1e-3
"""Inner solves first stop at this gap; what matters is solved again."""


class Best(NamedTuple):
    """Each scenario's own best worth from below and above, and the plan that reaches it."""

    low: Floats
    high: Floats
    plans: list[Mask]


class Ledger:
    """Everything known: the scenarios' best, the incumbent, the bound, and who wants to hear of it."""

    def __init__(
        self, case: Scenarios, best: Best, probability: Floats, *, relative: bool, progress: Progress | None
    ) -> None:
        self.case, self.best, self.probability = case, best, probability
        self._progress = progress
        self._relative = relative
        self.unit = float(probability @ np.abs(best.low))
        self.chosen: Mask = np.empty(0, dtype=np.bool_)
        self.worths: Floats = np.empty(0)
        self.worst, self.bound = np.inf, 0.0
        self.mixture: Floats = np.empty(0)
        self.slack = 0.0
        self.gaps = np.full(best.low.size + 1, FIRST_GAP)
        self._known: dict[bytes, Floats] = {}
        self.iterations = 0

    def measure(self, *, certain: bool) -> Measure:
        """Regret with the best from above (it is certain not to be more), or from below."""
        self._refuse_free()
        best = self.best.high if certain else self.best.low
        if not self._relative:
            return Measure(best.copy(), np.ones(best.size), self.unit)
        size = np.abs(best)
        unknown = certain & (self.best.high != self.best.low)
        slope = np.where(unknown, np.inf, 0.0)
        np.divide(self.unit, size, out=slope, where=size > 0)
        return Measure(self.unit * np.sign(best), slope, self.unit)

    def offer(self, chosen: Mask) -> bool:
        """Take a plan that keeps the rules if its worst regret is lower; ties go by mean, then by site."""
        worths = self.case.worths(chosen)
        self._learn(chosen, worths)
        worst = float(self.measure(certain=True).regrets(worths).max())
        if not self._beats(chosen, worths, worst):
            return False
        self.chosen, self.worths, self.worst = chosen.copy(), worths, worst
        self.bound = min(self.bound, worst)
        self._tell()
        return True

    def tighten(self, bound: float) -> None:
        """Take a bound if it is higher; it never passes a regret that was reached."""
        bound = min(bound - STEADY * self.unit, self.worst)
        if bound > self.bound:
            self.bound = bound
            self._tell()

    def cap(self, at: int, high: float) -> None:
        """Take a bound on a scenario's best if it is lower: every regret in it is less than was feared."""
        best = self.best
        best.high[at] = min(best.high[at], max(high, best.low[at]))
        self.worst = float(self.regrets().max())
        self.bound = min(self.bound, self.worst)
        self._tell()

    def gap(self) -> float:
        """Distance of bound and worst regret as a share of the mean best."""
        distance = self.worst - self.bound
        return distance / self.unit if distance > 0 and self.unit > 0 else max(distance, 0.0)

    def has_proof(self) -> bool:
        """Tell whether the asked gap is reached."""
        return self.gap() <= self.case.effort.wanted

    def is_over(self) -> bool:
        """Tell whether the gap is closed or time is up."""
        return self.has_proof() or self.case.seconds_left() <= 0

    def pool(self) -> list[Floats]:
        """Worths of all plans met so far, in the order in which they were met."""
        return list(self._known.values())

    def regrets(self) -> Floats:
        """Return the most that the incumbent's regrets can be."""
        return self.measure(certain=True).regrets(self.worths)

    def _learn(self, chosen: Mask, worths: Floats) -> None:
        """Take what a plan says of each scenario alone: it may be the best yet of one it was not made for."""
        self._known[chosen.tobytes()] = worths
        low, high = self.best.low, self.best.high
        for at in np.flatnonzero(worths > low).tolist():
            low[at], self.best.plans[at] = worths[at], chosen.copy()
            high[at] = max(high[at], low[at])

    def _beats(self, chosen: Mask, worths: Floats, worst: float) -> bool:
        if not self.chosen.size:
            return True
        self.worst = float(self.regrets().max())
        room = STEADY * self.unit
        if abs(worst - self.worst) > room:
            return worst < self.worst
        mean, held = float(self.probability @ worths), float(self.probability @ self.worths)
        if abs(mean - held) > room:
            return mean > held
        first, second = np.flatnonzero(chosen).tolist(), np.flatnonzero(self.chosen).tolist()
        return bool(first < second)

    def _tell(self) -> None:
        if self._progress is not None and self.chosen.size:
            scale, seconds = self.scale(), time.monotonic() - self.case.effort.started
            self._progress(self.worst * scale, self.bound * scale, seconds)

    def _refuse_free(self) -> None:
        if self._relative and self.case.kind == "p_median":
            free = np.flatnonzero((self.best.low == 0) & self.case.weights.any(axis=1))
            if free.size:
                raise ValueError(
                    f"aim relative_regret has no meaning: scenario {free[0]} can be served at cost 0"
                )

    def scale(self) -> float:
        """Return the caller's regret for a regret of 1 here."""
        return 1.0 / self.unit if self._relative and self.unit > 0 else 1.0
