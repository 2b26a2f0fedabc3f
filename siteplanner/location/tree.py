"""Branch and bound on sets: either all sites of a set are closed, or the set is covered.

A single site hardly matters where twenty others stand near, so a search tree on sites moves its bound by
crumbs. Closing the whole surroundings of a cell, or insisting that it be covered, moves both branches. The
bound of every node is the closed form of `halpern`.
"""

import heapq
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from siteplanner.location.halpern import Relaxation, Start
from siteplanner.location.options import Floats, Ints
from siteplanner.location.rules import Rules
from siteplanner.location.sets import Sets, gather, restrict_sets, spread

NODE_CHUNK, NODE_CHUNKS = 50, 16
"""Iterations between two looks at a node's bound, and most looks."""

NODE_SHARE = 0.05
"""A node is bounded well enough when the relaxation's own gap is this share of its lead on the incumbent."""

LEAST_DOUBT = 1e-3
"""A share this close to 0 or 1 is decided."""

SHRINK_SHARE = 0.6
"""A node is stated anew when less than this share of the pairs is still in question."""

MOST_SHARE = 6e4
"""Largest share that fits a 16-bit float."""


class Node(NamedTuple):
    """A part of the plans: a box of the sites, sets that must be covered, a bound, and where to start."""

    bound: float
    lower: Floats
    upper: Floats
    must: Ints
    start: Start


class Tree:
    """Open nodes, best bound first; worths in units."""

    def __init__(self, sets: Sets, rules: Rules, root: Node, has_time: Callable[[], bool]) -> None:
        self._has_time = has_time
        self._sets, self._rules = sets, rules
        self._heap: list[tuple[float, int, Node]] = []
        self._pushed = 0
        self._left = -np.inf
        self._step = _find_step(sets)
        self.iterations = 0
        self._push(root)

    def bound(self) -> float:
        """Bound on every plan that may be better than the incumbent by more than was asked."""
        return max(self._left, -self._heap[0][0] if self._heap else -np.inf)

    def is_open(self) -> bool:
        """Tell whether a node is left to branch on."""
        return bool(self._heap)

    def expand(self, incumbent: int, wanted: float) -> Floats | None:
        """Bound the most promising node and branch on it.

        Parameters
        ----------
        incumbent
            Worth of the best plan known.
        wanted
            Nodes whose bound is within this share of the incumbent are left alone.

        Returns
        -------
        Floats or None
            Fractional point of the node; None when it was dropped.
        """
        node = _decide_musts(self._sets, heapq.heappop(self._heap)[2])
        if node is None:
            return None
        floor = max(incumbent + 0.999 * self._step, incumbent * (1.0 + wanted))
        if node.bound < floor:
            self._left = max(self._left, node.bound)
            return None
        sets, origin, start = self._shrink(node)
        must = np.unique(origin[node.must]).astype(np.int64)
        relaxation = Relaxation(sets, self._rules, node.lower, node.upper, must=must[must >= 0], start=start)
        self._settle(relaxation, incumbent, floor)
        self.iterations += relaxation.iterations
        bound = min(relaxation.bound, node.bound)
        if bound < floor:
            self._left = max(self._left, bound)
            return None
        lower, upper = _fix_sites(relaxation, node, incumbent + 0.999 * self._step)
        after = relaxation.start()
        by_set = spread(after.by_set / np.maximum(sets.weight, 1), origin)
        start = after._replace(by_set=np.minimum(by_set, MOST_SHARE).astype(np.float16))
        self._branch(Node(bound, lower, upper, node.must, start), relaxation.x)
        return relaxation.x

    def _shrink(self, node: Node) -> tuple[Sets, NDArray[np.int32], Start]:
        """State the problem of a node without its fixed sites, once that is worth the work."""
        sets, start = self._sets, node.start
        by_set = start.by_set.astype(np.float64)
        if start.by_set.dtype == np.float16:
            by_set *= sets.weight
        size = np.diff(sets.col_ptr)
        if size[node.lower < node.upper].sum() > SHRINK_SHARE * size.sum():
            return sets, np.arange(sets.n_sets, dtype=np.int32), start._replace(by_set=by_set)
        smaller, origin = restrict_sets(sets, node.lower > 0, node.upper < 1)
        return smaller, origin, start._replace(by_set=gather(by_set, origin, smaller.n_sets))

    def _settle(self, relaxation: Relaxation, incumbent: int, floor: float) -> None:
        for _ in range(NODE_CHUNKS):
            distance = relaxation.bound - incumbent
            relaxation.run(NODE_CHUNK, NODE_SHARE * distance / max(abs(incumbent), 1), floor)
            is_close = relaxation.bound - relaxation.value <= NODE_SHARE * distance
            if relaxation.bound < floor or is_close or not self._has_time():
                break

    def _push(self, node: Node) -> None:
        n_open = self._rules.high[self._rules.family.index("n_open")]
        if node.lower.sum() <= n_open <= node.upper.sum():
            heapq.heappush(self._heap, (-node.bound, self._pushed, node))
            self._pushed += 1

    def _branch(self, node: Node, x: Floats) -> None:
        sets = self._sets
        at = pick_set(sets.ptr, sets.sites, x, node.lower, node.upper)
        if at >= 0:
            upper = node.upper.copy()
            upper[sets.sites[sets.ptr[at] : sets.ptr[at + 1]]] = 0.0
            self._push(node._replace(upper=upper))
            self._push(node._replace(must=np.append(node.must, at)))
            return
        free = node.lower < node.upper
        doubt = np.where(free, np.minimum(x, 1.0 - x), -1.0)
        site = int(np.argmax(doubt))
        if doubt[site] < LEAST_DOUBT:
            self._left = max(self._left, node.bound)
            return
        upper, lower = node.upper.copy(), node.lower.copy()
        upper[site], lower[site] = 0.0, 1.0
        self._push(node._replace(lower=lower))
        self._push(node._replace(upper=upper))


def _find_step(sets: Sets) -> int:
    """Least difference of two worths: weights are whole multiples of it."""
    parts = np.concatenate([sets.weight, sets.by_site, [0]])
    return int(np.gcd.reduce(parts)) or 1


def _decide_musts(sets: Sets, node: Node) -> Node | None:
    """Open the last site left to each set that must be covered; None when one has no site left."""
    lower, open_musts = node.lower.copy(), []
    for at in node.must:
        sites = sets.sites[sets.ptr[at] : sets.ptr[at + 1]]
        if (lower[sites] > 0).any():
            continue
        left = sites[node.upper[sites] > 0]
        if not left.size:
            return None
        if left.size == 1:
            lower[left] = 1.0
        else:
            open_musts.append(at)
    return node._replace(lower=lower, must=np.array(open_musts, dtype=np.int64))


def _fix_sites(relaxation: Relaxation, node: Node, needed: float) -> tuple[Floats, Floats]:
    """Fix the sites whose change would push the bound of the node below what is needed."""
    best = relaxation.best
    room = best.bound - needed + 1e-9 * abs(best.bound)
    free = node.lower < node.upper
    lower = np.where(free & (best.reduced > room), 1.0, node.lower)
    return lower, np.where(free & (-best.reduced > room), 0.0, node.upper)


@njit(cache=True)
def pick_set(
    ptr: Ints, sites: NDArray[np.int32], x: Floats, lower: Floats, upper: Floats
) -> int:  # pragma: no cover - compiled
    """Pick the undecided set whose coverage is most in doubt; -1 if there is none."""
    best, score = -1, LEAST_DOUBT
    for r in range(ptr.size - 1):
        share, known, n_free = 0.0, False, 0
        for k in range(ptr[r], ptr[r + 1]):
            j = sites[k]
            share += x[j]
            known = known or lower[j] > 0
            n_free += lower[j] < upper[j]
        doubt = min(share, 1.0 - share)
        if not known and n_free > 0 and doubt > score + 1e-12:
            best, score = r, doubt
    return best
