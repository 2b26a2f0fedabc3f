"""Branch and bound on Lagrangian bounds: fix sites by price, split on the site in most doubt."""

import heapq
from typing import NamedTuple

import numpy as np

from siteplanner.location.lagrange import Ascent, ascend, sites_settled, start_ascent
from siteplanner.location.medians import Chase, Interchange
from siteplanner.location.neighbours import Neighbours
from siteplanner.location.options import Mask
from siteplanner.location.walks import Limits

NODE_STEPS = 150
"""Steps of the ascent at a node, which starts at its parent's multipliers."""

NODE_STEP = 0.5
"""First step factor at a node."""

NODE_PATIENCE = 8

PROBED_SITES = 10
"""Sites of which both answers are tried before a node is split."""

PROBE_STEPS = 25

PROBE_SHARE = 0.1
"""Weight of the larger rise of the bound beside the smaller one."""


class Node(NamedTuple):
    """A part of the problem: sites that may open and close, multipliers, and the running average."""

    bound: float
    number: int
    may_open: Mask
    may_close: Mask
    ascent: Ascent


class Tree:
    """The open nodes, best bound first."""

    def __init__(
        self,
        chase: Chase,
        search: Interchange,
        near: Neighbours,
        limits: Limits,
        ascent: Ascent,
        bound: float,
    ) -> None:
        self._chase, self._search, self._limits = chase, search, limits
        self._near = near
        self._nodes: list[tuple[float, int, Node]] = []
        self._number = 0
        self._closed = np.inf
        self._root = bound
        self._push(Node(self._root, 0, limits.rules.may_open, limits.rules.may_close, ascent))

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
        site = self._choose_site(node)
        if site < 0:
            self._close_leaf(node)
            return
        for opened in (True, False):
            may_open, may_close = _decide(node, site, opened=opened)
            self._number += 1
            self._add(node, may_open, may_close)

    def _choose_site(self, node: Node) -> int:
        """Site whose two answers raise the bound most, of those in most doubt (strong branching).

        Ties go to the site in more doubt, then to the lower one; -1 if every site is decided.
        """
        free = np.flatnonzero(node.may_open & node.may_close)
        doubt = np.abs(node.ascent.average[free] - 0.5)
        candidates = free[np.argsort(doubt, kind="stable")][:PROBED_SITES]
        if candidates.size <= 1:
            return int(candidates[0]) if candidates.size else -1
        best, chosen = -1.0, int(candidates[0])
        for site in candidates.tolist():
            rises = [self._probe(node, site, opened=opened) - node.bound for opened in (True, False)]
            score = max(min(rises), 0.0) + PROBE_SHARE * max(*rises, 0.0)
            if score > best * (1 + 1e-9):
                best, chosen = score, site
        return chosen

    def _probe(self, node: Node, site: int, *, opened: bool) -> float:
        """Bound of a child after a short ascent, no higher than it needs to be."""
        may_open, may_close = _decide(node, site, opened=opened)
        limits = self._limits.locked(may_open, may_close)
        old = node.ascent
        ascent = start_ascent(old.best_level, old.best_rule, old.average, NODE_STEP)
        goal = self._chase.goal()
        ascend(self._near, limits, ascent, (self._chase.value, goal), NODE_PATIENCE, PROBE_STEPS)
        return min(float(ascent.best[0]), goal)

    def _add(self, parent: Node, may_open: Mask, may_close: Mask) -> None:
        """Bound a child, fix what its prices settle, and keep it if it may hold a better set."""
        limits = self._limits.locked(may_open, may_close)
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


def _decide(node: Node, site: int, *, opened: bool) -> tuple[Mask, Mask]:
    may_open, may_close = node.may_open.copy(), node.may_close.copy()
    (may_close if opened else may_open)[site] = False
    return may_open, may_close
