"""What is settled before a search: fixed sites, and rows that only one free site can serve.

A row that sees fixed sites is an ordinary row of the free ones with other numbers, and a row with a single
free site is worth a fixed amount if that site is open: neither needs a cut. What is left is smaller, and
the cuts describe only what is in doubt.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numba import njit
from numpy.typing import NDArray

from siteplanner.location.options import Floats, Ints, Mask


class Settled(NamedTuple):
    """The linear part of an objective: an amount, and an amount per open site."""

    amount: float
    by_site: Floats


class Folded(NamedTuple):
    """Demand x site rows of the free sites only, and what was settled; settled rows have weight 0."""

    matrix: sp.csr_array
    weight: Floats
    extra: Floats
    settled: Settled


def fold_capture(
    matrix: sp.csr_array, weight: Floats, outside: Floats, locked_open: Mask, locked_closed: Mask
) -> Folded:
    """Fold the fixed sites of capture rows.

    With c the utility of the sites that are open for certain and U that of the free ones,
    ``(c + U) / (o + c + U) = c / (o + c) + o / (o + c) * U / (o + c + U)``: the same form again, with
    outside utility o + c.
    """
    certain = np.zeros(weight.size)
    if (locked_open | locked_closed).any():
        certain = _sum_open(*_parts(matrix), locked_open)
        matrix = _keep_free(matrix, locked_open | locked_closed, np.zeros(weight.size))
    amount = math.fsum(weight * (certain / (outside + certain)))
    weight, outside = weight * (outside / (outside + certain)), outside + certain
    lone, value = _lone_rows(matrix, weight)
    by_site = _sum_by_site(matrix, lone, weight[lone] * (value / (outside[lone] + value)))
    return Folded(matrix, _without(weight, lone), outside, Settled(amount, by_site))


def fold_cover(matrix: sp.csr_array, weight: Floats, locked_open: Mask, locked_closed: Mask) -> Folded:
    """Fold the fixed sites of coverage rows: only what exceeds the best site open for certain counts."""
    certain = np.zeros(weight.size)
    if (locked_open | locked_closed).any():
        certain = _best_open(*_parts(matrix), locked_open)
        matrix = _keep_free(matrix.astype(np.float64), locked_open | locked_closed, certain)
    lone, value = _lone_rows(matrix, weight)
    by_site = _sum_by_site(matrix, lone, weight[lone] * value)
    settled = Settled(math.fsum(weight * certain), by_site)
    return Folded(matrix, _without(weight, lone), np.zeros(weight.size), settled)


def fold_nothing(matrix: sp.csr_array, weight: Floats, extra: Floats) -> Folded:
    """Keep every row and site."""
    return Folded(matrix, weight, extra, settle_nothing(matrix.shape[1]))


def settle_nothing(n_sites: int) -> Settled:
    """Return the linear part of an objective that has none."""
    return Settled(0.0, np.zeros(n_sites))


def _parts(matrix: sp.csr_array) -> tuple[Ints, NDArray[np.int32], NDArray[Any]]:
    return matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32, copy=False), matrix.data


def _keep_free(matrix: sp.csr_array, fixed: Mask, certain: Floats) -> sp.csr_array:
    ptr, sites, values = _free_entries(*_parts(matrix), fixed, certain)
    return sp.csr_array((values, sites, ptr), shape=matrix.shape)


def _lone_rows(matrix: sp.csr_array, weight: Floats) -> tuple[Ints, Floats]:
    """Rows with weight and a single site, and the value of that site."""
    lone = np.flatnonzero((np.diff(matrix.indptr) == 1) & (weight > 0))
    return lone, matrix.data[matrix.indptr[lone]].astype(np.float64)


def _sum_by_site(matrix: sp.csr_array, lone: Ints, worth: Floats) -> Floats:
    """Sum by site, exactly rounded: the order and the splitting of rows must not show."""
    site = matrix.indices[matrix.indptr[lone]]
    order = np.argsort(site, kind="stable")
    names, starts = np.unique(site[order], return_index=True)
    out = np.zeros(matrix.shape[1])
    for name, part in zip(names, np.split(worth[order], starts[1:]), strict=True) if names.size else ():
        out[name] = math.fsum(part)
    return out


def _without(weight: Floats, rows: Ints) -> Floats:
    out = weight.copy()
    out[rows] = 0.0
    return out


@njit(cache=True)
def _sum_open(
    ptr: Ints, sites: NDArray[np.int32], values: NDArray[Any], chosen: Mask
) -> Floats:  # pragma: no cover - compiled
    out = np.zeros(ptr.size - 1)
    for row in range(out.size):
        for k in range(ptr[row], ptr[row + 1]):
            if chosen[sites[k]]:
                out[row] += values[k]
    return out


@njit(cache=True)
def _best_open(
    ptr: Ints, sites: NDArray[np.int32], values: NDArray[Any], chosen: Mask
) -> Floats:  # pragma: no cover - compiled
    out = np.zeros(ptr.size - 1)
    for row in range(out.size):
        for k in range(ptr[row], ptr[row + 1]):
            if chosen[sites[k]]:
                out[row] = max(out[row], float(values[k]))
    return out


@njit(cache=True)
def _free_entries(
    ptr: Ints, sites: NDArray[np.int32], values: NDArray[Any], fixed: Mask, certain: Floats
) -> tuple[Ints, NDArray[np.int32], NDArray[Any]]:  # pragma: no cover - compiled
    """Keep the entries of free sites that exceed what is certain, less that."""
    out_ptr = np.zeros(ptr.size, dtype=np.int64)
    for row in range(ptr.size - 1):
        kept = 0
        for k in range(ptr[row], ptr[row + 1]):
            kept += not fixed[sites[k]] and values[k] > certain[row]
        out_ptr[row + 1] = out_ptr[row] + kept
    out_sites = np.empty(out_ptr[-1], dtype=np.int32)
    out_values = np.empty(out_ptr[-1], dtype=values.dtype)
    at = 0
    for row in range(ptr.size - 1):
        for k in range(ptr[row], ptr[row + 1]):
            if not fixed[sites[k]] and values[k] > certain[row]:
                out_sites[at] = sites[k]
                out_values[at] = values[k] - certain[row]
                at += 1
    return out_ptr, out_sites, out_values
