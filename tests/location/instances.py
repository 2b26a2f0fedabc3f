"""Synthetic instances: tiny ones for brute force, and a province-like one for measuring."""

from itertools import combinations

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

from siteplanner.location import Solution, verify


def tiny_matrix(rng, n_rows=14, n_sites=9, kind="max_capture"):
    present = rng.random((n_rows, n_sites)) < 0.45
    values = rng.random((n_rows, n_sites)) * 3
    if kind == "max_coverage":
        values = rng.choice([0.25, 0.5, 1.0], size=(n_rows, n_sites))
    return sp.csr_array(np.where(present, values, 0.0))


def tiny_cost(rng, n_rows, n_sites, absent):
    """Dense costs with zeros; an absent pair is infinite, but every row keeps a site."""
    cost = np.round(rng.random((n_rows, n_sites)) * 9, 1)
    cost[rng.random(cost.shape) < absent] = np.inf
    cost[np.arange(n_rows), rng.integers(0, n_sites, n_rows)] = rng.choice([0.0, 1.5], n_rows)
    return cost


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
    if "spacing" in names:
        options["positions"] = rng.integers(0, 4, (n_sites, 2)).astype(float)
        options["spacing"] = float(rng.choice([1.0, np.sqrt(2), 2.5]))
    if "budget" in names:
        options["open_cost"], options["close_cost"] = rng.random(n_sites), rng.random(n_sites)
        options["budget"] = float(rng.random() * 2)
    if "locks" in names:
        order = rng.permutation(n_sites)
        options["locked_open"], options["locked_closed"] = order[:1], order[1:3]
    return options


class Province:
    """A synthetic province: towns of Zipf size, cells around them, branches where people are.

    Eleven cities of 117 counties; utility falls with distance up to a reach; rivals stand in ``outside``.
    """

    def __init__(self, seed, n_cells=250_000, n_existing=400, n_candidates=1500, n_moves=40, reach=9.0):
        rng = np.random.default_rng(seed)
        self.size = 100.0 * np.sqrt(n_cells / 250_000)
        town_xy = rng.random((300, 2)) * self.size
        town_size = 1.0 / np.arange(1, 301) ** 0.8
        self._towns, self._town_share = town_xy, town_size / town_size.sum()
        cells = self._draw(rng, n_cells, spread=2.5)
        self.weight = rng.lognormal(0.0, 1.0, n_cells)
        self.n_sites = n_existing + n_candidates
        xy = np.vstack([self._draw(rng, n_existing, spread=1.5), self._draw(rng, n_candidates, spread=2.2)])
        self.existing = np.arange(self.n_sites) < n_existing
        self.utility = self._utilities(rng, cells, xy, reach)
        self.outside = 0.05 + self._rivals(rng, cells, 3 * n_existing, reach)
        self.n_open, self.max_moves = n_existing, n_moves
        self._rules(rng, xy)
        elderly = rng.random((n_cells // 60, 2)) * self.size
        near = cKDTree(elderly).sparse_distance_matrix(cKDTree(xy), 4.0, output_type="coo_matrix")
        self.bonus_cover = sp.csr_array((np.ones(near.nnz), (near.row, near.col)), shape=near.shape)
        self.bonus_weight = rng.random(elderly.shape[0]) * self.weight.sum() * 2e-2 / elderly.shape[0]

    def _draw(self, rng, count, spread):
        town = rng.choice(300, count, p=self._town_share)
        scale = spread * (0.4 + 12 * np.sqrt(self._town_share[town]))[:, None]
        return np.mod(self._towns[town] + rng.normal(size=(count, 2)) * scale, self.size)

    def _utilities(self, rng, cells, xy, reach):
        pairs = cKDTree(cells).sparse_distance_matrix(cKDTree(xy), reach, output_type="ndarray")
        appeal = rng.lognormal(0.0, 0.4, xy.shape[0])
        value = appeal[pairs["j"]] * np.exp(-pairs["v"] / 1.6)
        shape = (cells.shape[0], xy.shape[0])
        return sp.csr_array(sp.coo_array((value.astype(np.float32), (pairs["i"], pairs["j"])), shape=shape))

    def _rivals(self, rng, cells, count, reach):
        rivals = self._draw(rng, count, spread=1.5)
        pairs = cKDTree(cells).sparse_distance_matrix(cKDTree(rivals), reach, output_type="ndarray")
        return np.bincount(pairs["i"], np.exp(-pairs["v"] / 1.6), minlength=cells.shape[0])

    def _rules(self, rng, xy):
        counties, townships = rng.random((117, 2)) * self.size, rng.random((1200, 2)) * self.size
        county = cKDTree(counties).query(xy)[1]
        city = cKDTree(rng.random((11, 2)) * self.size).query(counties)[1][county]
        township = cKDTree(townships).query(xy)[1]
        self.move_classes = (city, rng.choice(3, self.n_sites, p=[0.3, 0.4, 0.3]))
        today = np.bincount(county[self.existing], minlength=117)
        towns = np.bincount(township[self.existing], minlength=1200)
        groups = np.arange(self.n_sites)
        rows = np.concatenate([county, 117 + township])
        ones = np.ones(2 * self.n_sites)
        self.site_group = sp.csr_array((ones, (rows, np.tile(groups, 2))), shape=(1317, self.n_sites))
        self.group_min = np.concatenate([np.maximum(today - 3, np.minimum(today, 1)), np.minimum(towns, 1)])
        self.group_max = np.concatenate([today + 4, towns + 3]).astype(float)
        close = cKDTree(xy).query_pairs(0.3, output_type="ndarray")
        self.conflicts = close[~(self.existing[close[:, 0]] & self.existing[close[:, 1]])]

    def options(self):
        names = ["existing", "max_moves", "site_group", "group_min", "group_max", "conflicts", "move_classes"]
        return {name: getattr(self, name) for name in names}

    def bonus(self):
        return {"bonus_cover": self.bonus_cover, "bonus_weight": self.bonus_weight}


def all_plans(n_sites, n_open):
    """Every open set of that size, one row each."""
    sites = np.array(list(combinations(range(n_sites), n_open)), dtype=int).reshape(-1, n_open)
    plans = np.zeros((sites.shape[0], n_sites), dtype=bool)
    np.put_along_axis(plans, sites, True, axis=1)
    return plans


def values_of_plans(kind, matrix, plans, weight=None, outside=None):
    """Objective of every plan by plain arrays, plans x rows x sites; infinite where a row goes unserved."""
    if kind == "max_capture":
        utility = plans @ matrix.toarray().T
        return utility / (outside + utility) @ weight
    if kind == "max_coverage":
        return np.where(plans[:, None, :], matrix.toarray(), 0.0).max(axis=2) @ weight
    near = np.where(plans[:, None, :], matrix, np.inf).min(axis=2)
    if kind == "p_center":
        return near.max(axis=1)
    return np.where(weight > 0, near, 0.0) @ weight


def brute_force(kind, matrix, n_open, *, options, bonus=None, **data):
    """Best objective over all feasible open sets, from the best downwards; None if there is none."""
    plans = all_plans(matrix.shape[1], n_open)
    values = values_of_plans(kind, matrix, plans, **data)
    extra = {}
    if bonus is not None:
        values = values + values_of_plans("max_coverage", sp.csr_array(bonus[0]), plans, bonus[1])
        extra = {"bonus_cover": bonus[0], "bonus_weight": bonus[1]}
    for at in np.argsort(-values if kind.startswith("max") else values, kind="stable"):
        value = float(values[at])
        claim = Solution(plans[at], value, value, 0.0, "optimal", 0.0, 0)
        if np.isfinite(value) and not verify(kind, claim, matrix, n_open, **data, **extra, **options):
            return value
    return None
