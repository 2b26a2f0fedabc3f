"""Hot spots: the Gi* statistic of Getis and Ord on the lattice, and the control of false discoveries.

Getis, A. & Ord, J. K. (1992), Geographical Analysis 24, 189-206, and Ord & Getis (1995), 27, 286-306: the
star form, in which a place is its own neighbour. Benjamini, Y. & Hochberg, Y. (1995), J. R. Stat. Soc. B
57, 289-300.
"""

import numpy as np
from scipy.special import ndtr

from siteplanner.model.focal import Disc, sum_within


def gi_star(values: np.ndarray, populated: np.ndarray, disc: Disc) -> np.ndarray:
    """Return the standard score of Gi* with binary weights within the disc.

    z_i = (sum_j w_ij x_j - m W_i) / (s sqrt((n W_i - W_i^2) / (n - 1))), where the sums run over the n
    populated cells including i itself, W_i counts those within the disc, m is the mean and s the standard
    deviation (divisor n). Row-standardised weights give the same score, as every W_i is 1 and the sum a
    mean.

    Parameters
    ----------
    values, populated
        Shape (n_rows, n_cols); values outside the populated cells are ignored.

    Returns
    -------
    numpy.ndarray
        Score of every populated cell; 0 elsewhere, and everywhere when the values are all equal.
    """
    n = int(populated.sum())
    inside = values[populated]
    # Asked of the values themselves: the standard deviation of equal values may be a rounding error above 0.
    if n == 0 or np.ptp(inside) == 0:
        return np.zeros(values.shape)
    spread = float(inside.std())
    centred = np.where(populated, values - inside.mean(), 0.0)
    count = sum_within(populated.astype(float), disc)
    variance = np.where(populated, (n * count - count**2) / (n - 1), 0.0)
    total = sum_within(centred, disc)
    scale = spread * np.sqrt(variance)
    return np.asarray(np.divide(total, scale, out=np.zeros(values.shape), where=variance > 0))


def adjust_upper_tail(scores: np.ndarray) -> np.ndarray:
    """Return one-sided normal p-values after Benjamini and Hochberg: those <= q are discoveries at rate q.

    Parameters
    ----------
    scores
        Standard scores of all tests of the family, one dimension.
    """
    p = ndtr(-scores)
    order = np.argsort(p, kind="stable")
    ranked = p[order] * scores.size / np.arange(1, scores.size + 1)
    adjusted = np.empty(scores.size)
    adjusted[order] = np.minimum.accumulate(ranked[::-1])[::-1]
    return np.minimum(adjusted, 1.0)
