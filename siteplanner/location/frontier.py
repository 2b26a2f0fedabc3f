"""Frontiers: value against the number of moves, and value against a second aim."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal, Unpack

from numpy.typing import ArrayLike

from siteplanner.location.options import DEFAULT_GAP, Floats, Mask, Options, read_vector
from siteplanner.location.p_median import p_median
from siteplanner.location.problems import max_capture, max_coverage
from siteplanner.location.solution import Solution, gap_status, relative_gap
from siteplanner.location.verify import objective_of
from siteplanner.location.warm import Warm

Weighted = Literal["max_coverage", "max_capture", "p_median"]


@dataclass(frozen=True, eq=False)
class Compromise:
    """One point of a frontier of two aims.

    Attributes
    ----------
    open
        One boolean per site.
    first, second
        Values of the two aims.
    share
        Weight of the second aim in the sum that this point was found for, both aims being measured by
        their values at their own best point.
    bound
        No plan has a better weighted sum of aims than this: a line that the whole frontier respects.
    """

    open: Mask
    first: float
    second: float
    share: float
    bound: float


@dataclass(frozen=True, eq=False)
class Tradeoff:
    """A frontier of two aims, from the best of the first to the best of the second.

    Attributes
    ----------
    points
        No point is worse than another in both aims.
    unit
        What one unit of each aim is in the weighted sums.
    slack
        Largest distance, as a share of the weighted sum, between a line that bounds the frontier and the
        best point along it.
    """

    points: tuple[Compromise, ...]
    unit: tuple[float, float]
    slack: float


def solve_weighted(
    kind: Weighted,
    matrix: Any,  # noqa: ANN401 - dense or sparse
    weight: ArrayLike,
    n_open: int,
    outside: ArrayLike | None = None,
    **options: Unpack[Options],
) -> Solution:
    """Call the problem of that name; ``outside`` goes with ``max_capture`` and nothing else."""
    if (outside is None) == (kind == "max_capture"):
        raise ValueError("outside is given with max_capture and only with it")
    if kind == "max_capture" and outside is not None:
        return max_capture(matrix, weight, outside, n_open, **options)
    if kind == "max_coverage":
        return max_coverage(matrix, weight, n_open, **options)
    if kind == "p_median":
        return p_median(matrix, weight, n_open, **options)
    raise ValueError(f"kind must be max_coverage, max_capture or p_median, not {kind!r}")


def frontier_of_moves(
    kind: Weighted,
    matrix: Any,  # noqa: ANN401 - dense or sparse
    weight: ArrayLike,
    n_open: int,
    moves: Sequence[int],
    *,
    outside: ArrayLike | None = None,
    **options: Unpack[Options],
) -> tuple[Solution, ...]:
    """Trace the best value against the largest number of moves.

    Each solve starts from what the one before found and from its cuts. More moves never give less, so a
    bound for many moves also holds for few, and a plan of few moves also stands for many.

    Parameters
    ----------
    kind, matrix, weight, n_open, outside
        The problem, as for `max_coverage`, `max_capture` or `p_median`.
    moves
        Numbers of moves, one point each, in any order.
    **options
        See `Options`; ``existing`` is needed, ``max_moves`` comes from ``moves``; ``time_limit`` is for
        each point.

    Returns
    -------
    tuple of Solution
        In the order of ``moves``.
    """
    if options.get("max_moves") is not None:
        raise ValueError("max_moves must not be given: moves holds it")
    warm = options.get("warm") or Warm()
    found: dict[int, Solution] = {}
    for count in sorted(set(moves)):
        call: Options = {**options, "max_moves": count, "warm": warm}
        found[count] = solve_weighted(kind, matrix, weight, n_open, outside, **call)
    carried = _carry_bounds(found, options)
    return tuple(carried[count] for count in moves)


def _carry_bounds(found: dict[int, Solution], options: Options) -> dict[int, Solution]:
    """Let a bound for many moves hold for few where it is the tighter one."""
    carried: dict[int, Solution] = {}
    best: float | None = None
    for count in sorted(found, reverse=True):
        solution = found[count]
        distance, own = abs((best or 0.0) - solution.objective), abs(solution.bound - solution.objective)
        if best is not None and distance < own:
            gap = relative_gap(solution.objective, best)
            status = gap_status(gap, options.get("gap", DEFAULT_GAP))
            gain_gap = None if solution.gain_gap is None else solution.gain_gap * distance / own
            solution = replace(solution, bound=best, gap=gap, status=status, gain_gap=gain_gap)
        best = solution.bound
        carried[count] = solution
    return carried


def frontier_of_aims(
    kind: Weighted,
    matrix: Any,  # noqa: ANN401 - dense or sparse
    weights: tuple[ArrayLike, ArrayLike],
    n_open: int,
    *,
    points: int = 11,
    outside: ArrayLike | None = None,
    **options: Unpack[Options],
) -> Tradeoff:
    """Trace one aim against another, say visits against people in inclusive counties.

    The two extremes first, then always the weighted sum that looks along the widest gap between two
    neighbours (non-inferior set estimation: Cohon, Church & Sheer 1979). Every solve starts from the sets
    and cuts of those before, and its bound is a line that no plan passes.

    Parameters
    ----------
    kind, matrix, n_open, outside
        The problem, as for `max_coverage`, `max_capture` or `p_median`.
    weights
        Weight per demand row for the first and for the second aim.
    points
        Most solves, 2 or more; fewer are made once no gap is left.
    **options
        See `Options`; ``time_limit`` is for each point.
    """
    if points < 2:  # noqa: PLR2004 - the two extremes
        raise ValueError(f"points must be at least 2, not {points}")
    tracer = _Tracer(kind, matrix, weights, n_open, outside, options)
    return tracer.run(points)


class _Tracer:
    def __init__(
        self,
        kind: Weighted,
        matrix: Any,  # noqa: ANN401 - dense or sparse
        weights: tuple[ArrayLike, ArrayLike],
        n_open: int,
        outside: ArrayLike | None,
        options: Options,
    ) -> None:
        rows = matrix.shape[0]
        self._kind, self._matrix, self._n_open, self._outside = kind, matrix, n_open, outside
        self._aims = [read_vector(weight, rows, f"weights[{at}]") for at, weight in enumerate(weights)]
        self._options: Options = {**options, "warm": options.get("warm") or Warm()}
        self._sign = -1.0 if kind == "p_median" else 1.0
        self._unit = (1.0, 1.0)
        self._found: list[Compromise] = []
        self._lines: list[tuple[float, float]] = []

    def run(self, points: int) -> Tradeoff:
        ends = [self._solve_for(self._aims[at]) for at in (0, 1)]
        values = [self._values(end.open) for end in ends]
        self._unit = (abs(values[0][0]) or 1.0, abs(values[1][1]) or 1.0)
        for share, end, at in ((0.0, ends[0], 0), (1.0, ends[1], 1)):
            self._keep(end.open, share, end.bound / self._unit[at])
        looked: set[float] = set()
        for _ in range(points - 2):
            along = self._widest(looked)
            if along is None:
                break
            looked.add(along)
            mixed = self._solve_for(self._mix(along))
            self._keep(mixed.open, along, mixed.bound)
        frontier = self._undominated()
        return Tradeoff(tuple(frontier), self._unit, self._slack(frontier))

    def _solve_for(self, weight: Floats) -> Solution:
        return solve_weighted(self._kind, self._matrix, weight, self._n_open, self._outside, **self._options)

    def _mix(self, share: float) -> Floats:
        first, second = self._aims
        return (1.0 - share) / self._unit[0] * first + share / self._unit[1] * second

    def _values(self, chosen: Mask) -> tuple[float, float]:
        first, second = (
            objective_of(self._kind, chosen, self._matrix, weight=weight, outside=self._outside)
            for weight in self._aims
        )
        return first, second

    def _keep(self, chosen: Mask, share: float, bound: float) -> None:
        self._lines.append((share, bound))
        self._found.append(Compromise(chosen, *self._values(chosen), share, bound))

    def _scaled(self, point: Compromise) -> tuple[float, float]:
        return self._sign * point.first / self._unit[0], self._sign * point.second / self._unit[1]

    def _undominated(self) -> list[Compromise]:
        """Sort from best first aim to best second, without points that another beats or equals."""
        order = sorted(self._found, key=lambda p: (-self._scaled(p)[0], -self._scaled(p)[1], p.share))
        kept: list[Compromise] = []
        best = -math.inf
        for point in order:
            second = self._scaled(point)[1]
            if second > best:
                kept.append(point)
                best = second
        return kept

    def _widest(self, looked: set[float]) -> float | None:
        """Return the share that looks along the segment with most room between it and the known lines."""
        kept = self._undominated()
        room: list[tuple[float, float]] = []
        for left, right in pairwise(kept):
            (a, b), (c, d) = self._scaled(left), self._scaled(right)
            share = (a - c) / ((a - c) + (d - b))
            corner = self._corner(left.share, right.share, (a, d))
            height = (1.0 - share) * corner[0] + share * corner[1] - ((1.0 - share) * a + share * b)
            if share not in looked and height > 1e-9 * (abs(a) + abs(b)):
                room.append((height, share))
        return max(room, default=(0.0, None))[1]

    def _corner(self, left: float, right: float, ideal: tuple[float, float]) -> tuple[float, float]:
        """Return where the two neighbours' lines meet, within what either aim can reach."""
        if right <= left:
            return ideal
        bounds = dict(self._lines)
        p, q = self._sign * bounds[left], self._sign * bounds[right]
        x = (p * right - q * left) / (right - left)
        y = (q * (1.0 - left) - p * (1.0 - right)) / (right - left)
        return min(x, ideal[0]), min(y, ideal[1])

    def _slack(self, frontier: list[Compromise]) -> float:
        worst = 0.0
        for share, bound in self._lines:
            along = [(1.0 - share) * x + share * y for x, y in map(self._scaled, frontier)]
            best = max(along)
            worst = max(worst, relative_gap(best, max(self._sign * bound, best)))
        return worst
