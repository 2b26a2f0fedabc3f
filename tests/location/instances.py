"""Synthetic instances: tiny ones for brute force, and a province-like one for measuring."""

from itertools import combinations

import numpy as np
import scipy.sparse as sp

from siteplanner.location import Solution, verify
from siteplanner.location.verify import objective_of


def tiny_matrix(rng, n_rows=14, n_sites=9, kind="max_capture"):
    present = rng.random((n_rows, n_sites)) < 0.45
    values = rng.random((n_rows, n_sites)) * 3
    if kind == "max_coverage":
        values = rng.choice([0.25, 0.5, 1.0], size=(n_rows, n_sites))
    return sp.csr_array(np.where(present, values, 0.0))


def tiny_options(rng, n_sites, n_open, names):
    """Draw the named constraints at random; the draw may be infeasible."""
    existing = np.zeros(n_sites, dtype=bool)
    existing[rng.choice(n_sites, n_open, replace=False)] = True
    options = {}
    if {"moves", "classes", "budget"} & set(names):
        options["existing"] = existing
    if "moves" in names:
        options["max_moves"] = int(rng.integers(0, n_open + 1))
    if "classes" in names:
        options["move_classes"] = (rng.integers(0, 2, n_sites), rng.integers(0, 3, n_sites))
    if "groups" in names:
        group = rng.integers(-1, 3, n_sites)
        options.update(site_group=group, group_min=[0, 1, 0], group_max=[2, 3, 2])
    if "overlap" in names:
        member = sp.csr_array((rng.random((4, n_sites)) < 0.5).astype(float))
        options.update(site_group=member, group_min=[1, 0, 1, 0], group_max=[3, 3, 4, 2])
    if "conflicts" in names:
        options["conflicts"] = np.array(
            [rng.choice(n_sites, 2, replace=False) for _ in range(int(rng.integers(2, 9)))]
        )
    if "budget" in names:
        options["open_cost"], options["close_cost"] = rng.random(n_sites), rng.random(n_sites)
        options["budget"] = float(rng.random() * 2)
    if "locks" in names:
        order = rng.permutation(n_sites)
        options["locked_open"], options["locked_closed"] = order[:1], order[1:3]
    return options


def brute_force(kind, matrix, n_open, *, options, **data):
    """Best objective over all feasible open sets by trying each; None if there is none."""
    bonus = data.pop("bonus", None)
    best = None
    sign = 1 if kind.startswith("max") else -1
    for sites in combinations(range(matrix.shape[1]), n_open):
        chosen = np.zeros(matrix.shape[1], dtype=bool)
        chosen[list(sites)] = True
        value = objective_of(kind, chosen, matrix, **data)
        if bonus is not None:
            value += objective_of("max_coverage", chosen, bonus[0], weight=bonus[1])
        if not np.isfinite(value) or (best is not None and sign * value <= sign * best):
            continue
        claim = Solution(chosen, value, value, 0.0, "optimal", 0.0, 0)
        extra = {} if bonus is None else {"bonus_cover": bonus[0], "bonus_weight": bonus[1]}
        if not verify(kind, claim, matrix, n_open, **data, **extra, **options):
            best = value
    return best
