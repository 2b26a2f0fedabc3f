"""Clusters of demand by HDBSCAN, in which cells weigh as the visits they hold.

Campello, R., Moulavi, D., Zimek, A. & Sander, J. (2015), ACM Transactions on Knowledge Discovery from Data
10(1), 5. Two things are taken at their word for weighted cells of some size: a core distance is the radius
within which enough *visits* lie, not enough points; and what joins at the same distance joins at once, since
on a lattice ties are the rule, and which of them came first must not decide.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy.spatial import cKDTree

from siteplanner.model.sphere import EARTH_RADIUS_KM, unit_vectors

_NONE = -1
# Distances are told apart from this many km on: far less than a cell, far more than rounding.
_SAME_KM = 1e-6


@dataclass(frozen=True, slots=True)
class ClusterRules:
    """What a cluster is.

    Parameters
    ----------
    core
        Weight that lies within a point's core distance.
    least
        Least weight of a cluster.
    reach_km
        No link is longer than this: the tree of clusters is cut there.
    finest
        Take the finest clusters of the tree instead of those that persist longest ("leaf" for "eom").
    """

    core: float
    least: float
    reach_km: float
    finest: bool


def cluster_points(
    lon: np.ndarray, lat: np.ndarray, weight: np.ndarray, side_km: float, rules: ClusterRules
) -> np.ndarray:
    """Return the cluster of every point, numbered from 0 by its first point; -1 in none.

    Parameters
    ----------
    lon, lat
        Centres of cells, degrees.
    weight
        Above 0.
    side_km
        Side of the cells. Where a cell alone holds more than `core`, the weight is taken as evenly spread on
        a disc of the cell's area: the core distance is that of the part of it that holds so much.
    """
    points = unit_vectors(lon, lat)
    start, end, km = _links(points, rules.reach_km)
    core = _core_distances(start, end, km, weight, (rules.core, side_km))
    reach = np.maximum(np.maximum(core[start], core[end]), km)
    kept = reach <= rules.reach_km
    start, end, reach = start[kept], end[kept], reach[kept]
    order = np.lexsort((end, start, reach))
    tree = _merge(start[order], end[order], reach[order], weight, core)
    condensed = _condense(tree, weight.size, rules.least, 1.0 / rules.reach_km)
    labels = _choose(condensed, weight.size, int(rules.finest))
    first = np.unique(labels, return_index=True)
    known = first[0] >= 0
    rank = np.argsort(first[1][known], kind="stable").argsort(kind="stable")
    number = dict(zip(first[0][known].tolist(), rank.tolist(), strict=True))
    number[_NONE] = _NONE
    return np.array([number[label] for label in labels.tolist()], dtype=np.int64)


def _links(points: np.ndarray, reach_km: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return all pairs within the reach, lower number first, with their great-circle distance in km."""
    chord = 2.0 * np.sin(min(reach_km / EARTH_RADIUS_KM, np.pi) / 2.0)
    pairs = cKDTree(points).query_pairs(chord * (1.0 + _SAME_KM), output_type="ndarray")
    apart = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    km = 2.0 * np.arcsin(np.minimum(apart / 2.0, 1.0)) * EARTH_RADIUS_KM
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    return pairs[order, 0], pairs[order, 1], np.round(km[order] / _SAME_KM) * _SAME_KM


def _core_distances(
    start: np.ndarray, end: np.ndarray, km: np.ndarray, weight: np.ndarray, about: tuple[float, float]
) -> np.ndarray:
    """Return for every point the radius, km, within which the core weight lies; infinite beyond the links."""
    needed, side_km = about
    near = np.concatenate([end, start])
    at, far = np.concatenate([start, end]), np.concatenate([km, km])
    order = np.lexsort((near, far, at))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(at, minlength=weight.size))])
    core = _walk_out(indptr, near[order], far[order], weight, needed)
    alone = weight >= needed
    inside = np.sqrt(needed / np.where(alone, weight, np.inf) / np.pi) * side_km
    # Points of one place are as dense as can be told apart.
    return np.maximum(np.where(alone, inside, core), _SAME_KM)


@njit(cache=True)
def _walk_out(
    indptr: np.ndarray, near: np.ndarray, far: np.ndarray, weight: np.ndarray, needed: float
) -> np.ndarray:  # pragma: no cover - compiled
    core = np.full(weight.size, np.inf)
    for i in range(weight.size):
        total = weight[i]
        for pair in range(indptr[i], indptr[i + 1]):
            total += weight[near[pair]]
            if total >= needed:
                core[i] = far[pair]
                break
    return core


@njit(cache=True)
def _find(parent: np.ndarray, i: int) -> int:  # pragma: no cover - compiled
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@njit(cache=True)
def _merge(
    start: np.ndarray, end: np.ndarray, reach: np.ndarray, weight: np.ndarray, core: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # pragma: no cover - compiled
    """Join points from the nearest link to the farthest (Kruskal 1956).

    Returns
    -------
    parent, height, weight
        By node: first the points, whose height is their core distance, then the joins in ascending order. A
        node without a parent holds itself.
    """
    n = weight.size
    above, height, mass = np.arange(2 * n), np.zeros(2 * n), np.zeros(2 * n)
    height[:n], mass[:n] = core, weight
    joined, node, last = np.arange(n), np.arange(n), n
    for link in range(start.size):
        one, other = _find(joined, start[link]), _find(joined, end[link])
        if one == other:
            continue
        above[node[one]] = above[node[other]] = last
        height[last], mass[last] = reach[link], mass[node[one]] + mass[node[other]]
        joined[other] = one
        node[one] = last
        last += 1
    return above[:last], height[:last], mass[:last]


@njit(cache=True)
def _find_pieces(
    tree: tuple[np.ndarray, np.ndarray, np.ndarray], least: float
) -> tuple[np.ndarray, np.ndarray]:  # pragma: no cover - compiled
    """Return by node the piece it is part of, and by piece how many heavy enough pieces meet there.

    A node as high as the join above it is only a part of that join: what joins at one distance joins at once.
    """
    above, height, mass = tree
    piece, heavy = np.arange(above.size), np.zeros(above.size, dtype=np.int64)
    for i in range(above.size - 1, -1, -1):
        if above[i] != i and height[i] >= height[above[i]]:
            piece[i] = piece[above[i]]
    for i in range(above.size):
        if piece[i] == i and above[i] != i and mass[i] >= least:
            heavy[piece[above[i]]] += 1
    return piece, heavy


@njit(cache=True)
def _condense(
    tree: tuple[np.ndarray, np.ndarray, np.ndarray], n: int, least: float, top: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # pragma: no cover - compiled
    """Return by node its cluster (named after its highest node), and by cluster the one above and stability.

    Going down from the tops, a join is where a cluster parts when at least two of the pieces that meet there
    are heavy enough; lighter pieces leave the cluster, which goes on. Its stability sums, over its weight,
    how much density (1 / km) grows from where the cluster begins to where that weight leaves it.
    """
    above, height, mass = tree
    piece, heavy = _find_pieces(tree, least)
    cluster, over = np.full(above.size, -1), np.full(above.size, -1)
    birth, stability = np.zeros(above.size), np.zeros(above.size)
    for i in range(above.size - 1, -1, -1):
        is_part = piece[i] != i
        join = piece[i] if is_part else (piece[above[i]] if above[i] != i else -1)
        light = mass[i] < least or not np.isfinite(height[i])
        inherited = cluster[join] if join >= 0 else -1
        leaves = (is_part and i < n) or (not is_part and (light or (join >= 0 and heavy[join] > 1)))
        # What is too light leaves where it meets the others, not where it falls apart itself.
        if leaves and inherited >= 0 and mass[join] >= least:
            stability[inherited] += mass[i] * (1.0 / height[join] - birth[inherited])
        cluster[i] = inherited
        if is_part or light:
            continue
        if join < 0:
            cluster[i], birth[i] = i, top
        elif heavy[join] > 1:
            cluster[i], birth[i], over[i] = i, 1.0 / height[join], inherited
        if i < n:
            stability[cluster[i]] += mass[i] * (1.0 / height[i] - birth[cluster[i]])
    return cluster, over, stability


@njit(cache=True)
def _choose(
    condensed: tuple[np.ndarray, np.ndarray, np.ndarray], n: int, finest: int
) -> np.ndarray:  # pragma: no cover - compiled
    """Return by point the chosen cluster, -1 in none: the finest, or the stabler of each and those below."""
    cluster, over, stability = condensed
    size = cluster.size
    below, children, chosen = np.zeros(size), np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.bool_)
    for i in range(size):
        if cluster[i] != i:
            continue
        own = children[i] == 0 or (finest == 0 and stability[i] >= below[i])
        chosen[i] = own
        if over[i] >= 0:
            children[over[i]] += 1
            below[over[i]] += stability[i] if own else below[i]
    taken = np.full(size, -1)
    for i in range(size - 1, -1, -1):
        if cluster[i] == i:
            higher = taken[over[i]] if over[i] >= 0 else -1
            taken[i] = higher if higher >= 0 else (i if chosen[i] else -1)
    labels = np.full(n, -1)
    for i in range(n):
        if cluster[i] >= 0:
            labels[i] = taken[cluster[i]]
    return labels
