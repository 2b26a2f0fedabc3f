"""Coverage and capture: check the input, build the terms, solve, report."""

from typing import Any, Unpack

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from siteplanner.location.engine import maximise
from siteplanner.location.fold import fold_capture, fold_cover
from siteplanner.location.halpern import Dual
from siteplanner.location.matrices import read_matrix
from siteplanner.location.options import Effort, Floats, Options, SiteOptions, read_options, read_vector
from siteplanner.location.reports import gather_rows, report_outcome, report_solution
from siteplanner.location.rules import Rules, build_rules
from siteplanner.location.set_engine import maximise_sets
from siteplanner.location.sets import Sets, find_levels, merge_sets, spread, value_of
from siteplanner.location.solution import Certificate, Solution
from siteplanner.location.terms import CaptureTerm, CoverTerm, Term


def max_coverage(cover: Any, weight: ArrayLike, n_open: int, **options: Unpack[Options]) -> Solution:  # noqa: ANN401
    """Choose the open sites that cover the most weight.

    Parameters
    ----------
    cover
        Demand x site, dense or sparse; entries in (0, 1], the best open site of a row counts (gradual cover).
    weight
        Weight per demand row.
    n_open
        Number of open sites.
    **options
        See `Options`.

    Returns
    -------
    Solution
        ``objective`` is the covered weight, ``bound`` an upper bound on it.
    """
    matrix = read_matrix(cover, "cover")
    _check_cover(matrix, "cover")
    weights = read_vector(weight, matrix.shape[0], "weight")
    sites, effort = read_options(options, matrix.shape[1], n_open)
    levels = find_levels(matrix)
    if levels is not None:
        sets, origin = merge_sets(matrix, weights, levels, sites.locked_open, sites.locked_closed)
        return _cover_sets(sets, sites, effort, (levels, origin))
    terms: list[Term] = [cover_term(matrix, weights, sites, effort)]
    return report_solution(terms, maximise(terms, build_rules(sites), sites, effort), sites, effort)


def max_capture(
    utility: Any,  # noqa: ANN401 - dense or sparse
    weight: ArrayLike,
    outside: ArrayLike,
    n_open: int,
    *,
    bonus_cover: Any = None,  # noqa: ANN401 - dense or sparse
    bonus_weight: ArrayLike | None = None,
    **options: Unpack[Options],
) -> Solution:
    """Choose the open sites that capture the most weight from competitors and the outside option.

    Row i gives ``weight * U / (outside + U)`` with U the summed utility of its open sites (Huff 1964; the
    multinomial logit is the same formula with ``exp`` of the systematic utility).

    Parameters
    ----------
    utility
        Demand x site, dense or sparse, entries of at least 0. 32-bit floats are kept and halve the memory.
    weight, outside
        Per demand row; ``outside`` holds competitors and the outside option and is above 0.
    n_open
        Number of open sites.
    bonus_cover, bonus_weight
        Second demand (rows of its own, same sites): a covered row adds its bonus weight, so that capture
        and inclusive coverage are optimised together.
    **options
        See `Options`.

    Returns
    -------
    Solution
        ``objective`` is the captured weight plus the covered bonus, ``bound`` an upper bound on it.
    """
    matrix = read_matrix(utility, "utility")
    weights = read_vector(weight, matrix.shape[0], "weight")
    others = read_vector(outside, matrix.shape[0], "outside")
    if (others <= 0).any():
        raise ValueError(f"outside must be above 0, but is not in demand row {int(np.argmax(others <= 0))}")
    bonus = _read_bonus(bonus_cover, bonus_weight, matrix.shape[1])
    sites, effort = read_options(options, matrix.shape[1], n_open)
    terms: list[Term] = [capture_term(matrix, weights, others, sites, effort)]
    if bonus is not None:
        terms.append(cover_term(*bonus, sites, effort))
    outcome = maximise(terms, build_rules(sites), sites, effort, kicks=True)
    return report_solution(terms, outcome, sites, effort)


def _cover_sets(
    sets: Sets, sites: SiteOptions, effort: Effort, trace: tuple[Floats, NDArray[np.int32]]
) -> Solution:
    rules = build_rules(sites)
    outcome, dual = maximise_sets(sets, rules, sites, effort)
    certificate = None if dual is None or not trace[1].size else _certify(sets, rules, dual, trace)
    return report_outcome(outcome, sites, effort, lambda chosen: value_of(sets, chosen), certificate)


def _certify(sets: Sets, rules: Rules, dual: Dual, trace: tuple[Floats, NDArray[np.int32]]) -> Certificate:
    """Spread multipliers from merged sets to the caller's rows."""
    levels, origin = trace
    share = spread(dual.by_set / sets.weight, origin).astype(np.float32)
    price = np.zeros(rules.low.size)
    price[[name != "n_open" for name in rules.family]] = dual.by_rule * sets.unit
    return Certificate(levels, share, price, dual.bound * sets.unit)


def capture_term(
    utility: sp.csr_array, weight: Floats, outside: Floats, sites: SiteOptions, effort: Effort
) -> CaptureTerm:
    """State checked capture as a term, without the sites that are fixed."""
    folded = fold_capture(utility, weight, outside, sites.locked_open, sites.locked_closed)
    return CaptureTerm(gather_rows(folded, sites, effort), folded.settled)


def cover_term(cover: sp.csr_array, weight: Floats, sites: SiteOptions, effort: Effort) -> CoverTerm:
    """State checked coverage as a term, without the sites that are fixed."""
    folded = fold_cover(cover, weight, sites.locked_open, sites.locked_closed)
    return CoverTerm(gather_rows(folded, sites, effort), folded.settled)


def _check_cover(matrix: sp.csr_array, name: str) -> None:
    if matrix.nnz and float(matrix.data.max()) > 1.0:
        raise ValueError(f"{name} must hold shares of at most 1, not {float(matrix.data.max()):g}")


def _read_bonus(cover: Any, weight: ArrayLike | None, n_sites: int) -> tuple[sp.csr_array, Floats] | None:  # noqa: ANN401
    if (cover is None) != (weight is None):
        raise ValueError("bonus_cover and bonus_weight must be given together")
    if cover is None or weight is None:
        return None
    matrix = read_matrix(cover, "bonus_cover")
    if matrix.shape[1] != n_sites:
        raise ValueError(f"bonus_cover must have one column per site ({n_sites}), not {matrix.shape[1]}")
    _check_cover(matrix, "bonus_cover")
    return matrix, read_vector(weight, matrix.shape[0], "bonus_weight")
