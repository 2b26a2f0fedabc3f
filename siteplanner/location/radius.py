"""What prices leave in doubt, as a 0/1 program in the radius formulation (Elloumi 2010).

Row r pays its nearest cost, and for each further distinct cost the step up to it if no site nearer than that
is open. Rows with the same sites nearest share the step, so a residual of thousands of rows is small.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numba import njit
from numpy.typing import NDArray

from siteplanner.location.medians import Chase
from siteplanner.location.neighbours import Neighbours
from siteplanner.location.options import Floats, Ints, Mask
from siteplanner.location.program import Program
from siteplanner.location.walks import Limits

SCALE = 1000.0
"""The gap that is left inside the program: keeps HiGHS' absolute tolerances far below it."""

MOST_ENTRIES = 60_000
"""Largest program that is handed over where the tree of Lagrangian bounds could do it as well."""

MOST_ENTRIES_RULES = 4_000_000
"""The same where rules besides the count restrict the sites: prices alone are slow to learn these."""


class Steps(NamedTuple):
    """Steps that rows share: ``base`` is paid anyway, ``step[k]`` unless a site of ``pattern[k]`` is open.

    An infinite step has nothing beyond it: one of its sites must be open.
    """

    base: float
    step: Floats
    pattern: sp.csr_array


def gather_steps(near: Neighbours, limits: Limits, most: int) -> Steps | None:
    """Merge the steps of all rows by the sites that spare them; None if there are more entries than that."""
    key = np.random.default_rng(0).integers(0, 2**63, limits.rules.may_open.size, dtype=np.uint64)
    base, hashes, step, start, stop = _list_steps(near, limits.rules.may_close, key)
    names, first, group = np.unique(hashes, return_index=True, return_inverse=True)
    size = (stop - start)[first]
    if int(size.sum()) > most:
        return None
    total: Floats = np.bincount(group, weights=step, minlength=names.size).astype(np.float64)
    ptr = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
    sites = _copy_runs(near.sites, start[first], ptr)
    pattern = sp.csr_array((np.ones(sites.size), sites, ptr), shape=(names.size, limits.rules.may_open.size))
    pattern.sort_indices()
    return Steps(base, total, pattern)


def close_by_program(chase: Chase, steps: Steps, limits: Limits, goal: float, nodes: int) -> bool:
    """Solve what may hold a set better than a goal: the goal is a bound, or a better set is found.

    Returns
    -------
    bool
        False if so many nodes of the search tree, or the time, did not settle it.
    """
    median = chase.median
    rules = replace(
        median.rules,
        lower=(~limits.rules.may_close).astype(np.float64),
        upper=limits.rules.may_open.astype(np.float64),
    )
    unit = SCALE / max(chase.value - chase.bound, 1e-12 * abs(chase.value), 1e-300)
    soft = np.flatnonzero(np.isfinite(steps.step) & (steps.step > 0))
    hard = np.flatnonzero(np.isinf(steps.step))
    program = Program(rules, -unit * limits.fixed_cost, soft.size, 0)
    program.limit_extra(np.zeros(soft.size))
    cost = unit * steps.step[soft]
    # The further columns hold minus what is paid: at least the step, less a step per nearer open site.
    slope = sp.csr_array(sp.diags_array(-cost) @ steps.pattern[soft])
    program.add_rows(sp.csr_array(sp.hstack([slope, sp.eye_array(soft.size)], format="csr")), -cost)
    if hard.size:
        nothing = sp.csr_array((hard.size, soft.size))
        cover = sp.hstack([-steps.pattern[hard], nothing], format="csr")
        program.add_rows(sp.csr_array(cover), -np.ones(hard.size))
    # HiGHS takes the gap as a share of its own objective, which lacks the base.
    gap = 0.5 * (chase.value - chase.goal()) / max(chase.value - steps.base, 1e-300)
    answer = program.solve(chase.seconds_left(), min(gap, 1.0), nodes=nodes)
    chase.iterations += 1
    if answer.point is not None:
        chase.offer(answer.point[: limits.rules.may_open.size] > 0.5)  # noqa: PLR2004 - rounds a 0/1 value
    bound = np.inf if answer.state == "infeasible" else steps.base - answer.bound / unit
    chase.tighten(min(goal, bound))
    return answer.state != "stopped"


@njit(cache=True)
def _list_steps(
    near: Neighbours, may_close: Mask, key: NDArray[np.uint64]
) -> tuple[float, NDArray[np.uint64], Floats, Ints, Ints]:  # pragma: no cover - compiled
    """List the steps row by row, each with a hash of the sites that spare it, in any order (Zobrist)."""
    size = near.cost.size + near.weight.size
    hashes, step = np.empty(size, dtype=np.uint64), np.empty(size)
    start, stop = np.empty(size, dtype=np.int64), np.empty(size, dtype=np.int64)
    base, at = 0.0, 0
    for row in range(near.weight.size):
        first, last = near.ptr[row], near.ptr[row + 1]
        state, served = np.uint64(0), False
        base += near.weight[row] * (near.cost[first] if last > first else 0.0)
        for k in range(first, last):
            state ^= key[near.sites[k]]
            served = served or not may_close[near.sites[k]]
            following = near.cost[k + 1] if k + 1 < last else near.horizon[row]
            if served:
                break
            if following > near.cost[k]:
                hashes[at], start[at], stop[at] = state, first, k + 1
                step[at] = near.weight[row] * (following - near.cost[k])
                at += 1
    return base, hashes[:at], step[:at], start[:at], stop[:at]


@njit(cache=True)
def _copy_runs(
    sites: NDArray[np.int32], start: Ints, ptr: Ints
) -> NDArray[np.int32]:  # pragma: no cover - compiled
    out = np.empty(ptr[-1], dtype=np.int32)
    for run in range(start.size):
        out[ptr[run] : ptr[run + 1]] = sites[start[run] : start[run] + ptr[run + 1] - ptr[run]]
    return out
