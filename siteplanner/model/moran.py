"""Whether what a fit leaves over lies in clusters: Moran's I, with a test by permutations."""

import numpy as np
from scipy.spatial import cKDTree

# Neighbours of a place, the nearest ones: planning default, no source.
NEIGHBOURS = 6
# Permutations and the seed of their order: p is told to three digits.
PERMUTATIONS = 999
SEED = 20_260_101


def morans_i(points: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    """Return Moran's I of values at points and the one-sided share of permutations at least as far out.

    I = sum_ij w_ij z_i z_j / sum_i z_i^2 with z the deviations from the mean and w the weights 1 / k of the k
    nearest others (Moran 1950; rows add up to 1). The p-value is (1 + the smaller tail) / (1 + permutations),
    as Anselin 1995 draws it.

    Parameters
    ----------
    points
        Unit vectors, n x 3, in the order of the ids: order breaks ties of distance.

    Returns
    -------
    NaN twice with fewer points than neighbours and two more, or when all values are equal.
    """
    deviation = values - values.mean() if values.size else values
    square = float(deviation @ deviation)
    if values.size < NEIGHBOURS + 2 or square <= 0.0:
        return np.nan, np.nan
    near = neighbours(points)
    statistic = _cross(deviation, near) / square
    rng = np.random.default_rng(SEED)
    drawn = np.array([_cross(rng.permutation(deviation), near) for _ in range(PERMUTATIONS)]) / square
    above = int((drawn >= statistic).sum())
    return statistic, (1 + min(above, PERMUTATIONS - above)) / (1 + PERMUTATIONS)


def neighbours(points: np.ndarray) -> np.ndarray:
    """Return the nearest others of each point, n x `NEIGHBOURS`, by distance, then by order."""
    # Branches may share a spot: a point need not come first among its own neighbours.
    distance, which = cKDTree(points).query(points, k=NEIGHBOURS + 1)
    own = which == np.arange(len(points))[:, None]
    distance = np.where(own, np.inf, distance)
    order = np.lexsort((which, distance), axis=1)[:, :NEIGHBOURS]
    return np.asarray(np.take_along_axis(which, order, axis=1))


def _cross(deviation: np.ndarray, near: np.ndarray) -> float:
    return float(deviation @ deviation[near].mean(axis=1))
