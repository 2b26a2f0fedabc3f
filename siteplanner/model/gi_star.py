"""Hot spots: the Gi* statistic of Getis and Ord on the lattice, and the control of false discoveries.

Getis, A. & Ord, J. K. (1992), Geographical Analysis 24, 189-206, and Ord & Getis (1995), 27, 286-306: the
star form, in which a place is its own neighbour. Benjamini, Y. & Hochberg, Y. (1995), J. R. Stat. Soc. B
57, 289-300.
"""

import numpy as np
from numba import njit
from scipy.special import ndtr

from siteplanner.model.focal import Disc, add_disc, by_strips

# Columns whose totals are kept at hand.
_TALLY_COLS = 512
# A sum of squares of which less is left loses more than two digits of sixteen.
_CANCELLED_SHARE = 0.01


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
    n, mean, deviation = _moments(values, populated)
    score = np.zeros(values.shape)
    if deviation == 0.0:
        return score
    reach = disc.half_widths.shape[1] // 2
    most = (2 * int(disc.half_widths.max()) + 1) * disc.half_widths.shape[1]
    # Narrow counts are several times as fast to add as wide ones.
    count_type = np.uint16 if most <= np.iinfo(np.uint16).max else np.uint32

    def work(rows: slice) -> None:
        # Centred values of all rows that these discs reach: no total is large that the mean must cancel.
        near = slice(max(rows.start - reach, 0), min(rows.stop + reach, values.shape[0]))
        centred = _centre(values[near], populated[near], mean)
        half_widths, first = disc.half_widths[near], rows.start - near.start
        count = np.zeros(score[rows].shape, dtype=count_type)
        add_disc(populated[near], half_widths, first, count)
        add_disc(centred, half_widths, first, score[rows])
        _standardise(score[rows], count, populated[rows], float(n), deviation)

    by_strips(values.shape, work)
    return score


def _moments(values: np.ndarray, populated: np.ndarray) -> tuple[int, float, float]:
    """Return the number of populated cells, the mean and the standard deviation (divisor n) of their values.

    Squares are taken from one of the values, which leaves equal values a deviation of 0 and no rounding error
    above it; and once more from the mean, in the corrected form of Chan, Golub & LeVeque 1983 (The American
    Statistician 37, 242-247), where that value lies too far from the others.
    """
    if not populated.any():
        return 0, 0.0, 0.0
    some = float(values.ravel()[np.argmax(populated)])
    count, total, squares = _tally(values, populated, some)
    n, mean = int(count), some + total / count
    left = squares - total**2 / count
    if squares > 0.0 and left < _CANCELLED_SHARE * squares:
        _, total, squares = _tally(values, populated, mean)
        left = squares - total**2 / count
    return n, mean, float(np.sqrt(left / count))


def _tally(values: np.ndarray, populated: np.ndarray, origin: float) -> tuple[float, float, float]:
    """Return the number of populated cells, and of their x - origin the sum and the sum of squares.

    Strips are added up in their order, whichever thread was first.
    """
    parts: dict[int, np.ndarray] = {}

    def work(rows: slice) -> None:
        parts[rows.start] = _tally_columns(values[rows], populated[rows], origin)

    by_strips(values.shape, work)
    count, total, squares = np.concatenate([parts[start] for start in sorted(parts)], axis=1).sum(axis=1)
    return float(count), float(total), float(squares)


@njit(cache=True, nogil=True)
def _tally_columns(values: np.ndarray, populated: np.ndarray, origin: float) -> np.ndarray:
    # By column: one running total would be a chain of additions, each waiting for the one before. Few columns
    # at a time: their totals stay in the processor's nearest memory.
    n_rows, n_cols = values.shape
    parts = np.zeros((3, n_cols))
    for first in range(0, n_cols, _TALLY_COLS):
        last = min(first + _TALLY_COLS, n_cols)
        count, total, squares = parts[0, first:last], parts[1, first:last], parts[2, first:last]
        for row in range(n_rows):
            value, inside = values[row, first:last], populated[row, first:last]
            for col in range(last - first):
                apart = value[col] - origin if inside[col] else 0.0
                count[col] += inside[col]
                total[col] += apart
                squares[col] += apart * apart
    return parts


@njit(cache=True, nogil=True)
def _centre(values: np.ndarray, populated: np.ndarray, mean: float) -> np.ndarray:
    centred = np.empty(values.shape)
    for row in range(values.shape[0]):
        for col in range(values.shape[1]):
            centred[row, col] = values[row, col] - mean if populated[row, col] else 0.0
    return centred


# Division as in numpy, without a branch for zero: what it makes of no variance is not taken.
@njit(cache=True, nogil=True, error_model="numpy")
def _standardise(
    score: np.ndarray, count: np.ndarray, populated: np.ndarray, n: float, deviation: float
) -> None:
    """Turn sums of centred values into standard scores, in place; 0 where nobody is or nothing varies."""
    for row in range(score.shape[0]):
        for col in range(score.shape[1]):
            near = float(count[row, col])
            variance = near * (n - near) / (n - 1.0)
            standard = score[row, col] / (deviation * np.sqrt(variance))
            score[row, col] = standard if (variance > 0.0) & populated[row, col] else 0.0


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
