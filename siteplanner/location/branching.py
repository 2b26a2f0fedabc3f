"""Branch and bound on Lagrangian bounds: fix sites by price, split on the site in most doubt."""

import heapq
from typing import NamedTuple

import numpy as np
from numba import njit

from siteplanner.location.interchange import Limits
from siteplanner.location.lagrange import Ascent, ascend, sites_settled, start_ascent
from siteplanner.location.medians import Chase, Interchange
from siteplanner.location.neighbours import Neighbours
from siteplanner.location.options import Floats, Mask

NODE_STEPS = 150
"""Steps of the ascent at a node, which starts at its parent's multipliers."""

NODE_STEP = 0.5
"""First step factor at a node."""

NODE_PATIENCE = 8


class Node(NamedTuple):
    """A part of the problem: sites that may open and close, multipliers, and the running average."""

    bound: float
    number: int
    may_open: Mask
    may_close: Mask
    ascent: Ascent


class Tree:
    """The open nodes, best bound first."""

    def __init__(self, chase: Chase, search: Interchange, limits: Limits, ascent: Ascent) -> None:
        self._chase, self._search, self._limits = chase, search, limits
        self._near = trim(chase.median.near, limits.may_open, limits.may_close)
        self._nodes: list[tuple[float, int, Node]] = []
        self._number = 0
        self._closed = np.inf
        self._root = float(ascent.best[0])
        self._push(Node(self._root, 0, limits.may_open, limits.may_close, ascent))

    def run(self) -> None:
        """Split nodes until the gap is closed or time is up."""
        while self._nodes and not self._chase.is_over():
            _, _, node = heapq.heappop(self._nodes)
            if node.bound >= self._chase.goal():
                self._closed = min(self._closed, node.bound)
                continue
            self._split(node)
            self._chase.iterations += 1
            self._chase.tighten(self.bound())

    def bound(self) -> float:
        """Lowest bound of what is open or was cut off, but at least that of the root."""
        lowest = self._nodes[0][0] if self._nodes else np.inf
        return max(min(lowest, self._closed, self._chase.goal()), self._root)

    def _push(self, node: Node) -> None:
        heapq.heappush(self._nodes, (node.bound, node.number, node))

    def _split(self, node: Node) -> None:
        site = _most_doubtful(node)
        if site < 0:
            self._close_leaf(node)
            return
        for opened in (True, False):
            may_open, may_close = node.may_open.copy(), node.may_close.copy()
            (may_close if opened else may_open)[site] = False
            self._number += 1
            self._add(node, may_open, may_close)

    def _add(self, parent: Node, may_open: Mask, may_close: Mask) -> None:
        """Bound a child, fix what its prices settle, and keep it if it may hold a better set."""
        limits = self._limits._replace(may_open=may_open, may_close=may_close)
        old = parent.ascent
        ascent = start_ascent(old.best_level, old.best_rule, old.average, NODE_STEP)
        goal = self._chase.goal()
        ascend(self._near, limits, ascent, (self._chase.value, goal), NODE_PATIENCE, NODE_STEPS)
        bound = max(float(ascent.best[0]), parent.bound)
        if bound >= goal:
            self._closed = min(self._closed, bound)
            return
        shut, kept = sites_settled(limits, ascent, goal)
        if shut.any() or kept.any():
            self._closed = min(self._closed, goal)
        node = Node(bound, self._number, *_propagate(limits, may_open & ~shut, may_close & ~kept), ascent)
        self._offer(ascent.chosen)
        self._push(node)

    def _offer(self, chosen: Mask) -> None:
        if not self._chase.median.rules.allows(chosen.astype(np.float64)):
            return
        self._search.restart(chosen)
        self._chase.offer(self._search.improve())

    def _close_leaf(self, node: Node) -> None:
        """Every site is decided: the node is worth what its set is worth."""
        chosen = ~node.may_close & node.may_open
        if self._chase.median.rules.allows(chosen.astype(np.float64)):
            self._chase.offer(chosen)
            self._closed = min(self._closed, self._chase.median.value(chosen))


def _propagate(limits: Limits, may_open: Mask, may_close: Mask) -> tuple[Mask, Mask]:
    """Decide the free sites where the count leaves no choice."""
    certain = int((~may_close).sum())
    if certain == limits.most:
        return may_open & ~may_close, may_close
    if int(may_open.sum()) == limits.fewest:
        return may_open, may_close & ~may_open
    return may_open, may_close


def _most_doubtful(node: Node) -> int:
    """Free site whose average is nearest to one half; ties to the lower site; -1 if every site is decided."""
    free = np.flatnonzero(node.may_open & node.may_close)
    if not free.size:
        return -1
    return int(free[np.argmin(np.abs(node.ascent.average[free] - 0.5))])


def trim(near: Neighbours, may_open: Mask, may_close: Mask) -> Neighbours:
    """Keep the sites that may open, and of those that must be open the nearest of each row, which ends it."""
    ptr, sites, cost, horizon = _trim(near, may_open, may_close)
    return near._replace(ptr=ptr, sites=sites, cost=cost, horizon=horizon)


@njit(cache=True)
def _trim(
    near: Neighbours, may_open: Mask, may_close: Mask
) -> tuple[np.ndarray, np.ndarray, np.ndarray, Floats]:  # pragma: no cover - compiled
    # One number more: a row may lose all its sites, and the kernels look at the first cost of every row.
    sites, cost = np.empty(near.sites.size + 1, dtype=np.int32), np.zeros(near.cost.size + 1)
    ptr, horizon = np.zeros(near.ptr.size, dtype=np.int64), near.horizon.copy()
    at = 0
    for row in range(ptr.size - 1):
        for k in range(near.ptr[row], near.ptr[row + 1]):
            site = near.sites[k]
            if not may_open[site]:
                continue
            sites[at], cost[at] = site, near.cost[k]
            at += 1
            if not may_close[site]:
                horizon[row] = np.inf
                break
        ptr[row + 1] = at
    return ptr, sites[: at + 1].copy(), cost[: at + 1].copy(), horizon
