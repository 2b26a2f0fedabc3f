"""Facilities with capacities: a row may be served by several open sites, none beyond its capacity.

Without capacities the problem is a relaxation: its bound is a bound, its set a candidate, and where no
capacity binds it is the answer. Otherwise a program over sites and flows closes the gap: flows are shares of
a row, and the strong links ``share <= open`` are added where an answer breaks them.
"""

import math
from dataclasses import dataclass, field, replace

import numpy as np
import scipy.sparse as sp

from siteplanner.location.clash import CLASH_S
from siteplanner.location.errors import Infeasible, NoPlanInTime
from siteplanner.location.medians import Chase, Median
from siteplanner.location.neighbours import list_neighbours
from siteplanner.location.options import Effort, Floats, Ints, Mask
from siteplanner.location.program import Answer, Program
from siteplanner.location.rules import Rules
from siteplanner.location.serving import solve_median, state_limits

SCALE = 1000.0
"""The objective inside the programs: keeps HiGHS' absolute tolerances at 1e-9 of it."""

MOST_PAIRS = 400_000
"""Largest number of demand-site pairs that is handed to a program."""

LINK_ROUNDS = 30
"""Most rounds of strong links."""

BROKEN = 1e-6
"""A link is added where a share exceeds the opening of its site by more."""


@dataclass(frozen=True, eq=False)
class Roomy(Median):
    """A p-median whose open sites could hold all demand together, wherever it is: the relaxation.

    Attributes
    ----------
    capacity
        Per site, in the unit of weight.
    """

    capacity: Floats = field(default_factory=lambda: np.empty(0))

    def rules_with(self, reach: sp.csr_array | None) -> Rules:
        """Return the rules, among them that the open sites have room for all demand."""
        rules = super().rules_with(reach)
        demand = math.fsum(self.near.weight)
        unit = float(self.capacity.max(initial=0.0)) or 1.0
        row = sp.csr_array(self.capacity[None, :] / unit)
        matrix = sp.csr_array(sp.vstack([rules.matrix, row], format="csr"))
        return replace(
            rules,
            matrix=matrix,
            columns=sp.csc_array(matrix),
            low=np.append(rules.low, demand / unit),
            high=np.append(rules.high, np.inf),
            family=(*rules.family, "capacity"),
            label=(*rules.label, f"open capacity of at least {demand:g}"),
        )


@dataclass(frozen=True, eq=False)
class Capacitated(Roomy):
    """The same with flows within the capacity of each open site."""

    def value(self, chosen: Mask) -> float:
        """Least cost of serving all demand from an open set; infinite if it cannot."""
        rules = replace(self.rules, lower=chosen.astype(np.float64), upper=chosen.astype(np.float64))
        transport = _Flows(self, rules, chosen)
        return transport.relax(math.inf)[0]


def solve_capacitated(median: Median, capacity: Floats, effort: Effort) -> Chase:
    """Bound by the relaxation, then close the gap with programs."""
    given = {name: getattr(median, name) for name in median.__dataclass_fields__}
    # Flows may go to any site, however many are open.
    given["near"] = list_neighbours(median.matrix, median.weight, 1)
    whole = Capacitated(**given | {"unit": 0.0}, capacity=capacity)
    relaxed = Roomy(**given, capacity=capacity)
    limits = state_limits(relaxed.rules, median.fixed_cost, (median.limits.fewest, median.limits.most))
    loose = solve_median(replace(relaxed, limits=limits), replace(effort, progress=None))
    chase = Chase(replace(whole, limits=limits), effort)
    chase.iterations = loose.iterations
    for chosen in (loose.chosen, *(known for known in effort.warm.sets)):
        chase.offer(chosen)
    chase.tighten(loose.bound)
    if not chase.is_over():
        _close_by_flows(chase, whole, effort)
    if math.isinf(chase.value):
        raise NoPlanInTime(effort.time_limit)
    return chase


def _close_by_flows(chase: Chase, median: Capacitated, effort: Effort) -> None:
    """Solve with flows; where the pairs are too many, among the nearest of each row, for a set only."""
    everything = median.near.cost.size <= MOST_PAIRS
    flows = _Flows(median, median.rules, np.ones(median.capacity.size, dtype=np.bool_), MOST_PAIRS)
    for _ in range(LINK_ROUNDS):
        cost, point = flows.relax(chase.seconds_left())
        chase.iterations += 1
        if point is None:
            break
        if everything:
            chase.tighten(cost)
        if chase.is_over() or not flows.link(point):
            break
    if chase.is_over():
        return
    answer = flows.solve(chase.seconds_left(), 0.5 * effort.gap)
    if answer.state == "infeasible" and everything and math.isinf(chase.value):
        raise _explain(median)
    if answer.point is not None:
        chase.offer(answer.point[: median.capacity.size] > 0.5)  # noqa: PLR2004 - rounds a 0/1 value
    if everything:
        chase.tighten(answer.bound)


def _explain(median: Capacitated) -> Infeasible:
    """Name capacity and reach, which it takes flows to see, and the other keywords needed for the clash."""
    everywhere = np.ones(median.capacity.size, dtype=np.bool_)
    dropped: set[str] = {"capacity"}
    for name in median.rules.families():
        flows = _Flows(median, median.rules.without({*dropped, name}), everywhere)
        if flows.solve(CLASH_S, 0.0).state == "infeasible":
            dropped.add(name)
    left = [name for name in median.rules.families() if name not in dropped]
    return Infeasible((*left, "capacity", "cost"))


class _Flows:
    """The program over sites and shares of rows, as far as they are usable (``maximise -cost``)."""

    def __init__(self, median: Capacitated, rules: Rules, usable: Mask, most: int = 0) -> None:
        self._row, self._site, cost = _list_pairs(median, usable, most)
        n_rows, n_pairs, n_sites = median.near.weight.size, self._row.size, usable.size
        total = median.near.weight[self._row] * cost
        self.unit = SCALE / max(float(total.sum()) * n_rows / max(n_pairs, 1), 1e-300)
        self._program = Program(rules, -self.unit * median.fixed_cost, n_pairs, 0)
        self._program.price_extra(-self.unit * total, np.zeros(n_pairs), np.ones(n_pairs))
        at = n_sites + np.arange(n_pairs)
        shape = n_sites + n_pairs
        served = sp.csr_array((-np.ones(n_pairs), (self._row, at)), shape=(n_rows, shape))
        self._program.add_rows(served, -np.ones(n_rows))
        unit = float(median.capacity.max(initial=0.0)) or 1.0
        load = (median.near.weight[self._row] / unit, (self._site, at))
        room = (-median.capacity / unit, (np.arange(n_sites), np.arange(n_sites)))
        held = sp.csr_array(load, shape=(n_sites, shape)) + sp.csr_array(room, shape=(n_sites, shape))
        self._program.add_rows(sp.csr_array(held), np.zeros(n_sites))
        self._n_sites, self._linked = n_sites, np.zeros(n_pairs, dtype=np.bool_)

    def relax(self, seconds: float) -> tuple[float, Floats | None]:
        """Return the cost of the linear relaxation and its point; infinite if there is none."""
        answer, _ = self._program.relax(seconds)
        if answer.state != "solved" or answer.point is None:
            return math.inf, None
        return -answer.bound / self.unit, answer.point

    def link(self, point: Floats) -> int:
        """Forbid shares beyond the opening of their site, where a point has them; return their number."""
        share, opened = point[self._n_sites :], point[: self._n_sites]
        broken = np.flatnonzero((share > opened[self._site] + BROKEN) & ~self._linked)
        if broken.size:
            self._linked[broken] = True
            at = np.arange(broken.size)
            rows, sites = (
                np.concatenate([at, at]),
                np.concatenate([self._n_sites + broken, self._site[broken]]),
            )
            sign = np.concatenate([np.ones(broken.size), -np.ones(broken.size)])
            shape = (broken.size, point.size)
            self._program.add_rows(sp.csr_array((sign, (rows, sites)), shape=shape), np.zeros(broken.size))
        return int(broken.size)

    def solve(self, seconds: float, gap: float) -> Answer:
        """Solve with sites 0/1; the bound is the caller's cost."""
        answer = self._program.solve(seconds, gap)
        return answer._replace(bound=-answer.bound / self.unit)


def _list_pairs(median: Capacitated, usable: Mask, most: int) -> tuple[Ints, Ints, Floats]:
    """Rows, sites and costs of the pairs of usable sites; of more than ``most`` (0: any) the nearest."""
    near = median.near
    row = np.repeat(np.arange(near.weight.size), np.diff(near.ptr))
    kept = usable[near.sites]
    if most and near.cost.size > most:
        rank = np.arange(near.cost.size) - near.ptr[row]
        kept &= rank < max(most // max(near.weight.size, 1), 1)
    return row[kept], near.sites[kept].astype(np.int64), near.cost[kept]
