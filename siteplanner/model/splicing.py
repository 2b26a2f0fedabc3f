"""Columns of two tables of pairs, put side by side."""

import numpy as np
from numba import njit


@njit(cache=True)
def splice(
    left: tuple[np.ndarray, np.ndarray, np.ndarray],
    right: tuple[np.ndarray, np.ndarray, np.ndarray],
    left_to: np.ndarray,
    right_to: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # pragma: no cover - compiled
    """Merge two tables of pairs row by row, columns ascending.

    Parameters
    ----------
    left, right
        CSR row starts, columns and minutes, of the same rows.
    left_to, right_to
        The column that each column becomes, ascending; -1: it is left out. No column is named twice.
    """
    n_rows = left[0].size - 1
    indptr = np.zeros(n_rows + 1, dtype=np.int64)
    for i in range(n_rows):
        count = 0
        for pair in range(left[0][i], left[0][i + 1]):
            count += left_to[left[1][pair]] >= 0
        for pair in range(right[0][i], right[0][i + 1]):
            count += right_to[right[1][pair]] >= 0
        indptr[i + 1] = indptr[i] + count
    indices = np.empty(indptr[n_rows], dtype=np.int32)
    minutes = np.empty(indptr[n_rows], dtype=np.float32)
    for i in range(n_rows):
        a, b = left[0][i], right[0][i]
        slot = indptr[i]
        while a < left[0][i + 1] or b < right[0][i + 1]:
            one = left_to[left[1][a]] if a < left[0][i + 1] else -1
            two = right_to[right[1][b]] if b < right[0][i + 1] else -1
            if a < left[0][i + 1] and (one < 0 or b >= right[0][i + 1] or (0 <= one < two)):
                if one >= 0:
                    indices[slot], minutes[slot] = one, left[2][a]
                    slot += 1
                a += 1
            else:
                if two >= 0:
                    indices[slot], minutes[slot] = two, right[2][b]
                    slot += 1
                b += 1
    return indptr, indices, minutes
