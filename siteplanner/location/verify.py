"""Recompute feasibility and objective from the answer alone.

Nothing here is shared with the solver but the record of the keywords: objectives are summed row by row
from the caller's matrices, and every rule is checked as it is worded, not as the solver states it.
"""

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linprog

from siteplanner.location.matrices import is_sparse
from siteplanner.location.options import Options, read_options
from siteplanner.location.rules import build_rules
from siteplanner.location.solution import Solution

Kind = Literal["max_capture", "max_coverage", "p_median", "p_center", "min_ede"]

TOLERANCE = 1e-6
"""Largest relative difference between the stated and the recomputed objective."""


def verify(  # noqa: PLR0913 - the inputs of the problem, in its own words
    kind: Kind,
    solution: Solution,
    matrix: Any,  # noqa: ANN401 - dense or sparse
    n_open: int | None,
    *,
    weight: ArrayLike | None = None,
    outside: ArrayLike | None = None,
    fixed_cost: ArrayLike | None = None,
    capacity: ArrayLike | None = None,
    kappa: float | None = None,
    bonus_cover: Any = None,  # noqa: ANN401 - dense or sparse
    bonus_weight: ArrayLike | None = None,
    **options: Any,  # noqa: ANN401 - see Options
) -> list[str]:
    """Check a solution against the inputs of its problem.

    Parameters
    ----------
    kind
        The function that was called.
    solution
        What it returned.
    matrix, n_open, weight, outside, fixed_cost, capacity, kappa, bonus_cover, bonus_weight, options
        What it was given.

    Returns
    -------
    list of str
        Violations in the caller's words; empty when the answer stands.
    """
    chosen = np.asarray(solution.open)
    if chosen.dtype != np.bool_ or chosen.shape != (matrix.shape[1],):
        return [f"open is not one boolean per site: {chosen.dtype}, {chosen.shape}"]
    count = int(chosen.sum())
    faults = [] if n_open in {None, count} else [f"n_open: {count} open, {n_open} asked"]
    faults += check_rules(chosen, Options(**options))  # type: ignore[typeddict-item]
    faults += _check_unreached(kind, solution, matrix, weight)
    value = objective_of(kind, chosen, matrix, weight=weight, outside=outside, kappa=kappa, capacity=capacity)
    if fixed_cost is not None:
        value += float(np.asarray(fixed_cost, dtype=np.float64)[chosen].sum())
    if bonus_cover is not None:
        value += objective_of("max_coverage", chosen, bonus_cover, weight=bonus_weight)
    faults += _check_numbers(kind, solution, value)
    if kind == "max_coverage" and solution.certificate is not None and n_open is not None:
        faults += check_certificate(solution, matrix, n_open, weight, Options(**options))  # type: ignore[typeddict-item]
    return faults


def check_certificate(
    solution: Solution,
    matrix: Any,  # noqa: ANN401 - dense or sparse
    n_open: int,
    weight: ArrayLike | None,
    options: Options,
) -> Iterator[str]:
    """Work the bound of a coverage certificate out from the caller's rows and its multipliers."""
    proof = solution.certificate
    if proof is None:
        return
    table = sp.csr_array(matrix)
    amount = np.ones(table.shape[0]) if weight is None else np.asarray(weight, dtype=np.float64)
    sites, _ = read_options(options, table.shape[1], n_open)
    rules = build_rules(sites)
    bound, pull = 0.0, -(rules.matrix.T @ proof.price)
    below = np.append(proof.levels[1:], 0.0)
    for at, level in enumerate(proof.levels):
        step = amount * (level - below[at])
        credit = step * np.clip(proof.share[:, at], 0.0, 1.0)
        reached = sp.csr_array(
            ((table.data >= level).astype(np.float64), table.indices, table.indptr), table.shape
        )
        bound += float((step - credit).sum())
        pull += reached.T @ credit
    above, under = proof.price > 0, proof.price < 0
    bound += float(proof.price[above] @ rules.high[above] + proof.price[under] @ rules.low[under])
    free = ~(sites.locked_open | sites.locked_closed)
    room = n_open - int(sites.locked_open.sum())
    bound += float(pull[sites.locked_open].sum()) + float(np.sort(pull[free])[::-1][:room].sum())
    room_for_rounding = TOLERANCE * abs(bound)
    if not abs(bound - proof.bound) <= room_for_rounding:
        yield f"certificate: {proof.bound!r} stated, {bound!r} recomputed"
    if solution.objective > bound + room_for_rounding:
        yield f"certificate: its bound {bound!r} is beaten by the objective"
    if solution.bound > bound + room_for_rounding:
        yield f"certificate: it proves {bound!r}, but the bound stated is {solution.bound!r}"


def objective_of(
    kind: Kind,
    chosen: NDArray[np.bool_],
    matrix: Any,  # noqa: ANN401 - dense or sparse
    *,
    weight: ArrayLike | None = None,
    outside: ArrayLike | None = None,
    kappa: float | None = None,
    capacity: ArrayLike | None = None,
) -> float:
    """Objective of an open set, demand row by demand row; rows that no site reaches do not count."""
    kept = _open_columns(matrix, chosen)
    rows = kept.shape[0]
    amount = np.ones(rows) if weight is None else np.asarray(weight, dtype=np.float64)
    if kind == "max_capture":
        utility = np.asarray(kept.sum(axis=1), dtype=np.float64).ravel()
        return float(np.dot(amount, utility / (np.asarray(outside, dtype=np.float64) + utility)))
    fold = np.maximum if kind == "max_coverage" else np.minimum
    worst = 0.0 if kind == "max_coverage" else np.inf
    best = np.full(rows, worst)
    fold.at(best, np.repeat(np.arange(rows), np.diff(kept.indptr)), kept.data.astype(np.float64))
    if kind == "max_coverage":
        return float(np.dot(amount, best))
    served = _reached_rows(matrix) & ((amount > 0) | (kind == "p_center"))
    near, people = best[served], amount[served]
    if np.isinf(near).any():
        return float("inf")
    if capacity is not None:
        return _transport(kept[np.flatnonzero(served)], people, np.asarray(capacity)[chosen])
    if kind == "p_median":
        return float(np.dot(people, near))
    return float(near.max(initial=0.0)) if kind == "p_center" else _equivalent(near, people, kappa or 0.0)


def _equivalent(near: NDArray[np.float64], people: NDArray[np.float64], kappa: float) -> float:
    """Kolm-Pollak EDE; the mean where kappa is 0."""
    if not kappa:
        return float(np.average(near, weights=people))
    top = float((-kappa * near).max())
    return float(-(top + np.log(np.average(np.exp(-kappa * near - top), weights=people))) / kappa)


def _transport(cost: sp.csr_array, amount: NDArray[np.float64], room: NDArray[np.float64]) -> float:
    """Least cost of flows from rows to sites within the room of each site; infinite if there is none."""
    if not amount.size:
        return 0.0
    pair = np.arange(cost.nnz)
    row = np.repeat(np.arange(amount.size), np.diff(cost.indptr))
    leave: Any = sp.csr_array((np.ones(pair.size), (row, pair)), shape=(amount.size, pair.size))
    arrive: Any = sp.csr_array((np.ones(pair.size), (cost.indices, pair)), shape=(room.size, pair.size))
    found = linprog(cost.data, A_ub=arrive, b_ub=room, A_eq=leave, b_eq=amount, method="highs")
    return float(found.fun) if found.status == 0 and found.fun is not None else float("inf")


def _reached_rows(matrix: Any) -> NDArray[np.bool_]:  # noqa: ANN401 - dense or sparse
    """Rows that at least one site could serve."""
    if is_sparse(matrix):
        reached = np.zeros(matrix.shape[0], dtype=np.bool_)
        reached[matrix.tocoo().row] = True
        return reached
    some: NDArray[np.bool_] = np.isfinite(np.asarray(matrix)).any(axis=1)
    return some


def _check_unreached(
    kind: Kind,
    solution: Solution,
    matrix: Any,  # noqa: ANN401 - dense or sparse
    weight: ArrayLike | None,
) -> Iterator[str]:
    if kind.startswith("max"):
        return
    lonely = ~_reached_rows(matrix)
    if kind != "p_center" and weight is not None:
        lonely &= np.asarray(weight) > 0
    if not np.array_equal(np.flatnonzero(lonely), solution.unreached):
        yield f"unreached: rows {solution.unreached.tolist()} stated, {np.flatnonzero(lonely).tolist()} found"


def _open_columns(matrix: Any, chosen: NDArray[np.bool_]) -> sp.csr_array:  # noqa: ANN401
    if is_sparse(matrix):
        kept: sp.csr_array = matrix.tocsr()[:, np.flatnonzero(chosen)]
        return kept
    dense = np.asarray(matrix)[:, chosen]
    finite = np.isfinite(dense)
    starts = np.concatenate([[0], np.cumsum(finite.sum(axis=1))])
    at = np.nonzero(finite)
    return sp.csr_array((dense[at], at[1], starts), shape=dense.shape)


def _check_numbers(kind: Kind, solution: Solution, value: float) -> Iterator[str]:
    room = TOLERANCE * max(abs(value), 1e-12)
    if not abs(solution.objective - value) <= room:
        yield f"objective: {solution.objective!r} stated, {value!r} recomputed"
    beaten = solution.bound < value - room if kind.startswith("max") else solution.bound > value + room
    if beaten or np.isnan(solution.bound):
        yield f"bound: {solution.bound!r} is beaten by the objective {value!r}"
    gap = abs(solution.bound - solution.objective)
    if not gap <= solution.gap * abs(solution.objective) + room:
        yield f"gap: {solution.gap!r} stated, but bound and objective are {gap!r} apart"
    if solution.status == "optimal" and gap > TOLERANCE * 2 * abs(value) + 1e-12:
        yield "status: optimal, but bound and objective differ"


def check_rules(chosen: NDArray[np.bool_], options: Options) -> Iterator[str]:
    """Name every rule that an open set breaks, as it is worded."""
    yield from _check_locks(chosen, options)
    yield from _check_groups(chosen, options)
    for left, right in np.asarray(
        options.get("conflicts") if options.get("conflicts") is not None else []
    ).tolist():
        if chosen[left] and chosen[right]:
            yield f"conflicts: sites {left} and {right} are both open"
    existing = _as_mask(options.get("existing"), chosen.size)
    yield from _check_spacing(chosen, existing, options)
    opened, closed = chosen & ~existing, existing & ~chosen
    moves = options.get("max_moves")
    if moves is not None and int(closed.sum()) > moves:
        yield f"max_moves: {int(closed.sum())} existing sites closed, {moves} allowed"
    budget = options.get("budget")
    if budget is not None:
        spent = sum(
            float(np.asarray(cost, dtype=np.float64)[which].sum())
            for cost, which in ((options.get("open_cost"), opened), (options.get("close_cost"), closed))
            if cost is not None
        )
        if spent > budget * (1 + 1e-9) + 1e-9:
            yield f"budget: {spent!r} spent, {budget!r} given"
    yield from _check_pairing(opened, closed, options)


def _check_spacing(chosen: NDArray[np.bool_], existing: NDArray[np.bool_], options: Options) -> Iterator[str]:
    positions, spacing = options.get("positions"), options.get("spacing")
    if positions is None or spacing is None:
        return
    where = np.asarray(positions, dtype=np.float64)
    sites = np.flatnonzero(chosen)
    for at, site in enumerate(sites):
        others = sites[at + 1 :]
        far = np.sqrt(((where[others] - where[site]) ** 2).sum(axis=1))
        for other, distance in zip(others, far, strict=True):
            if distance < spacing * (1 - 1e-12) and not (existing[site] and existing[other]):
                yield f"spacing: sites {site} and {other} are {distance!r} apart"


def _check_locks(chosen: NDArray[np.bool_], options: Options) -> Iterator[str]:
    for site in np.flatnonzero(_as_mask(options.get("locked_open"), chosen.size) & ~chosen):
        yield f"locked_open: site {site} is closed"
    for site in np.flatnonzero(_as_mask(options.get("locked_closed"), chosen.size) & chosen):
        yield f"locked_closed: site {site} is open"


def _check_groups(chosen: NDArray[np.bool_], options: Options) -> Iterator[str]:
    group = options.get("site_group")
    if group is None:
        return
    least, most = options.get("group_min"), options.get("group_max")
    n_groups = max(np.size(limit) for limit in (least, most) if limit is not None)
    if is_sparse(group) or np.ndim(group) == 2:  # noqa: PLR2004 - a membership matrix
        counts = np.asarray(group @ chosen.astype(np.float64)).ravel()
    else:
        numbers = np.asarray(group)[chosen]
        counts = np.bincount(numbers[numbers >= 0], minlength=n_groups).astype(np.float64)
    for at, count in enumerate(counts):
        if least is not None and count < np.asarray(least)[at]:
            yield f"group_min: {count:g} open in group {at}, at least {np.asarray(least)[at]:g} asked"
        if most is not None and count > np.asarray(most)[at]:
            yield f"group_max: {count:g} open in group {at}, at most {np.asarray(most)[at]:g} allowed"


def _check_pairing(opened: NDArray[np.bool_], closed: NDArray[np.bool_], options: Options) -> Iterator[str]:
    """Pair opened with closed sites, highest level first: with nested levels that fails only if none fits."""
    classes = options.get("move_classes")
    if classes is None:
        return
    city, level = (np.asarray(part) for part in classes)
    for name in np.unique(city):
        asked = sorted(level[opened & (city == name)].tolist(), reverse=True)
        freed = sorted(level[closed & (city == name)].tolist(), reverse=True)
        if len(asked) != len(freed):
            yield f"move_classes: {len(asked)} opened but {len(freed)} closed in city {name}"
        elif any(need > have for need, have in zip(asked, freed, strict=True)):
            yield f"move_classes: no closed site frees a slot for each opened one in city {name}"


def _as_mask(value: ArrayLike | None, size: int) -> NDArray[np.bool_]:
    mask = np.zeros(size, dtype=np.bool_)
    if value is not None and np.size(value):
        mask[np.asarray(value)] = True
    return mask
