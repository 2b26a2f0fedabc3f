"""Cuts of a capture term at fractional points: rows averaged first, envelopes where they pay.

A shallow cut takes, row by row, the lowest of the tangent and the submodular cuts. A deep one goes on to
the concave envelope (`envelope`) of every row that may still gain more than a tolerance by it, and keeps
the best cut of each row for the points to come.
"""

from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from siteplanner.location import capture_kernels
from siteplanner.location.capture_kernels import TANGENT, row_slope
from siteplanner.location.envelope import cut_row
from siteplanner.location.jensen import average_rows, row_places
from siteplanner.location.options import Floats, Ints, Mask
from siteplanner.location.pairs import Pairs

LIMITS = np.array([12, 30])
"""Most sites of a row that take part in its column generation (the slopes of the others are lifted), and
most rounds of it."""


class Stage(NamedTuple):
    """How many rows are left by averaging, and what share a deep cut may leave in a row."""

    rows: int
    tolerance: float


STAGES = (Stage(10_000, 2e-3), Stage(20_000, 3e-4))
"""Coarse first: a round costs in proportion to the rows, and the first rounds are far from the optimum."""

WORTH_KEEPING = 0.1
"""A new cut replaces the kept one when it is lower by this share of the tolerance."""


class CaptureBound:
    """The rows that the cuts of a capture term are made of, and the deep cuts found so far."""

    def __init__(self, pairs: Pairs, whole: float) -> None:
        self._fine = self.pairs = pairs
        self._thresholds = np.array([whole, TANGENT, 0.5])
        self._point: Floats = np.ones(pairs.n_sites)
        self._usable: Mask = np.ones(pairs.n_sites, dtype=np.bool_)
        self._stage = -1
        self._ptr, self._places = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        self._const, self._slope = np.empty(0), np.empty(0)

    def deepen(self) -> bool:
        """Go on to the next stage; False when there is none."""
        if self._stage + 1 >= len(STAGES):
            return False
        self._stage += 1
        self.pairs = self.average(STAGES[self._stage].rows)
        self._ptr, self._places = row_places(self.pairs)
        self._const, self._slope = np.full(self.pairs.start.size, np.inf), np.zeros(int(self._ptr[-1]))
        return True

    def average(self, rows: int) -> Pairs:
        """Average the rows, now that it is known which sites are likely to open."""
        return average_rows(self._fine, self._point, self._usable, rows)

    def cut(self, point: Floats, usable: Mask) -> tuple[Floats, Floats]:
        """Return the value of each row's cut, and the slopes summed over the rows of each cluster."""
        pairs = self.pairs
        self._point, self._usable = point, usable
        value, mark, base, widest = capture_kernels.price_rows(pairs, point, usable, self._thresholds)
        if self._stage < 0:
            return value, capture_kernels.cut_slopes(pairs, point, (mark, base, widest))
        tolerance = STAGES[self._stage].tolerance
        cuts = (self._ptr, self._const, self._slope)
        kept = _deepen_rows(pairs, (point, usable), tolerance, value, cuts)
        return value, _sum_slopes(pairs, point, (mark, base, widest), kept, self._slope, self._places)


@njit(cache=True, parallel=True)
def _deepen_rows(
    pairs: Pairs,
    at: tuple[Floats, Mask],
    tolerance: float,
    value: Floats,
    cuts: tuple[Ints, Floats, Floats],
) -> Mask:  # pragma: no cover - compiled
    """Lower the value of each row in place and keep its cut; mark the rows whose kept cut is the lowest.

    Parameters
    ----------
    at
        The point, and the sites that may be used.
    cuts
        Kept cuts, changed in place: where each row's slopes begin, constants, slopes.
    """
    point, usable = at
    ptr, const, slopes = cuts
    kept = np.zeros(value.size, dtype=np.bool_)
    for row in prange(value.size):
        size = pairs.stop[row] - pairs.start[row]
        a, x = np.empty(size), np.empty(size)
        slope, place = np.empty(size), np.empty(size, dtype=np.int64)
        count, old = 0, const[row]
        for k in range(size):
            site = pairs.sites[pairs.start[row] + k]
            if usable[site]:
                a[count] = pairs.values[pairs.start[row] + k] / pairs.extra[row]
                x[count] = point[site]
                place[count] = ptr[row] + k
                old += slopes[ptr[row] + k] * x[count]
                count += 1
        kept[row] = old < value[row]
        value[row] = min(value[row], old)
        new_const, new, _ = cut_row(a[:count], x[:count], value[row], tolerance, LIMITS, slope[:count])
        if new < value[row] - WORTH_KEEPING * tolerance:
            kept[row] = True
            value[row], const[row] = new, new_const
            for k in range(count):
                slopes[place[k]] = slope[k]
    return kept


@njit(cache=True, parallel=True)
def _sum_slopes(
    pairs: Pairs,
    point: Floats,
    form: tuple[Floats, Floats, Floats],
    kept: Mask,
    slopes: Floats,
    places: Ints,
) -> NDArray[np.float64]:  # pragma: no cover - compiled
    """Add the rows' cuts up by cluster: one slope per (site, cluster) of the pattern."""
    ptr, rows, cut_ptr = pairs.col_ptr, pairs.col_rows, pairs.cut_ptr
    out = np.zeros(pairs.cut_cluster.size)
    for site in prange(ptr.size - 1):
        at = cut_ptr[site] - 1
        last = -1
        for k in range(ptr[site], ptr[site + 1]):
            row = rows[k]
            if pairs.cluster[row] != last:
                last = pairs.cluster[row]
                at += 1
            if kept[row]:
                slope = slopes[places[k]]
            else:
                slope = row_slope(pairs, row, pairs.col_values[k], point[site], form)
            out[at] += pairs.weight[row] * slope
    return out
