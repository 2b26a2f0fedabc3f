"""Regions of like cells: as many as can be, each contiguous, within one county and with enough visits.

The max-p regions problem (Duque, J. C., Anselin, L. & Rey, S. J. 2012, Journal of Regional Science 52,
397-419) asks for the most regions of at least a given size and, among these, the most homogeneous. It is
hard; here regions grow by Ward's criterion (Ward 1963, JASA 58, 236-244) under contiguity: as long as a
region is too small, the cheapest merge with a neighbour is made. Merges in which each is the other's
cheapest are made at once: as with chains of nearest neighbours (Murtagh 1983, The Computer Journal 26,
354-359), that leads where single steps lead, up to the merges that contiguity newly allows.
"""

import numpy as np

from siteplanner.model.zone_shapes import neighbour_pairs


def grow_regions(keys: np.ndarray, traits: np.ndarray, weight: np.ndarray, least: float) -> np.ndarray:
    """Return the region of every cell, numbered from 0 by its first cell.

    Parameters
    ----------
    keys
        On the lattice: cells that touch (8 neighbours) and share a key may be of one region; -1 for no cell.
    traits
        Cells (the places with a key, row by row) x traits, on scales of one kind.
    weight
        By cell; a region is large enough from ``least`` on. One that has no neighbours left stays smaller.
    """
    label = np.arange(len(weight))
    size: np.ndarray = np.ones(len(weight))
    mass: np.ndarray = weight.astype(float)
    mean: np.ndarray = traits.astype(float)
    start, end = _number_pairs(keys)
    while True:
        small = mass < least
        open_ = small[start] | small[end]
        if not open_.any():
            break
        into = _mutual_cheapest(start[open_], end[open_], size, mean)
        # Numbers of the regions that stay, in the order of their first cells.
        number = np.cumsum(into == np.arange(into.size)) - 1
        to = number[into]
        label = to[label]
        total: np.ndarray = np.bincount(to, size)
        mean = np.column_stack([np.bincount(to, size * trait) / total for trait in mean.T])
        mass = np.bincount(to, mass)
        size = total
        start, end = _unique_pairs(to[start], to[end], total.size)
    return label


def _number_pairs(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs of touching cells of one key, as numbers of cells row by row."""
    number = np.cumsum(keys.ravel() >= 0) - 1
    start, end = neighbour_pairs(keys)
    return _unique_pairs(number[start], number[end], int(number[-1]) + 1)


def _unique_pairs(one: np.ndarray, other: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.minimum(one, other), np.maximum(one, other)
    code = np.unique((low * n + high)[low != high])
    return code // n, code % n


def _mutual_cheapest(start: np.ndarray, end: np.ndarray, size: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return for each region the one that it is merged into, itself for most; ties go to the first pair.

    The cost of a merge is what it adds to the sum of squares within regions.
    """
    apart = ((mean[start] - mean[end]) ** 2).sum(axis=1)
    cost = size[start] * size[end] / (size[start] + size[end]) * apart
    rank = np.empty(cost.size, dtype=np.int64)
    rank[np.lexsort((end, start, cost))] = np.arange(cost.size)
    best = np.full(size.size, cost.size)
    np.minimum.at(best, start, rank)
    np.minimum.at(best, end, rank)
    both = (best[start] == rank) & (best[end] == rank)
    into = np.arange(size.size)
    into[end[both]] = start[both]
    return into
