"""Demand x site matrices: dense or sparse in, canonical CSR out."""

from typing import Any

import numpy as np
import scipy.sparse as sp


def is_sparse(value: object) -> bool:
    """Tell whether a value is any scipy sparse matrix or array."""
    return bool(sp.issparse(value))


def read_matrix(matrix: Any, name: str, *, keep_zeros: bool = False) -> sp.csr_array:  # noqa: ANN401 - dense or sparse
    """Check a matrix of non-negative finite entries and return it as CSR with sorted, single entries.

    Parameters
    ----------
    matrix
        Dense array, or any scipy sparse matrix. 32-bit floats stay 32-bit.
    name
        What the caller calls it.
    keep_zeros
        Zero is a value (a cost), not an absent pair; then infinite entries of a dense array are absent.
    """
    table: Any = matrix if is_sparse(matrix) else np.asarray(matrix)
    if table.ndim != 2:  # noqa: PLR2004 - demand x site
        raise ValueError(f"{name} must be a matrix demand x site, not of shape {table.shape}")
    if table.dtype.kind not in "biuf":
        raise ValueError(f"{name} must hold numbers, not {table.dtype}")
    if table.dtype not in (np.float32, np.float64):
        table = table.astype(np.float64)
    rows = sp.csr_array(table) if is_sparse(table) else _pack_dense(table, keep_zeros=keep_zeros)
    if not rows.has_canonical_format:
        rows = _sort_entries(rows, name)
    _check_entries(rows, name)
    return rows


def read_costs(matrix: Any, name: str) -> Any:  # noqa: ANN401 - dense or sparse in and out
    """Check costs of at least 0 and return them as they came: a dense array stays dense.

    A cost that is infinite (dense) or absent (sparse) is beyond reach. The caller's memory is used where it
    is laid out row by row in floats or whole numbers.
    """
    if is_sparse(matrix):
        return read_matrix(matrix, name, keep_zeros=True)
    table = np.asarray(matrix)
    if table.ndim != 2:  # noqa: PLR2004 - demand x site
        raise ValueError(f"{name} must be a matrix demand x site, not of shape {table.shape}")
    if table.dtype.kind not in "biuf":
        raise ValueError(f"{name} must hold numbers, not {table.dtype}")
    if table.dtype not in (np.float32, np.float64, np.int32, np.int64):
        table = table.astype(np.float64)
    if not table.size:
        return np.ascontiguousarray(table)
    least = table.min()
    if np.isnan(least):
        raise ValueError(f"{name} holds NaN or infinite entries")
    if least < 0:
        raise ValueError(f"{name} is negative in demand row {int(np.argmax(table.min(axis=1) < 0))}")
    return np.ascontiguousarray(table)


def _pack_dense(table: Any, *, keep_zeros: bool) -> sp.csr_array:  # noqa: ANN401 - any float array
    present = np.isfinite(table) | np.isnan(table) if keep_zeros else table != 0
    at = np.nonzero(present)
    starts = np.concatenate([[0], np.cumsum(present.sum(axis=1))])
    return sp.csr_array((table[at], at[1], starts), shape=table.shape)


def _sort_entries(rows: sp.csr_array, name: str) -> sp.csr_array:
    tidy = rows.copy()
    tidy.sum_duplicates()
    if tidy.nnz != rows.nnz:
        raise ValueError(f"{name} holds the same demand-site pair more than once")
    return tidy


def _check_entries(rows: sp.csr_array, name: str) -> None:
    if not rows.nnz:
        return
    least, most = float(rows.data.min()), float(rows.data.max())
    if not (np.isfinite(least) and np.isfinite(most)):
        raise ValueError(f"{name} holds NaN or infinite entries")
    if least < 0:
        row = int(np.searchsorted(rows.indptr, int(np.argmin(rows.data)), side="right")) - 1
        raise ValueError(f"{name} is negative in demand row {row}")
