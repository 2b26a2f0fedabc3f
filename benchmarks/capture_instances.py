"""Capture instances drawn by a stated recipe: clustered gridded demand, sites where people are.

Every number of the recipe is an argument, as the solver is judged on draws that nobody tuned it to.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

CELL_KM = 0.5
"""Side of a demand cell."""

REACH_MINUTES = 30.0
"""Travel time at the edge of the reach, which is chosen to give the asked number of sites per cell."""

DECAY_PER_MINUTE = 0.11
"""Decay of the utility by exp(-decay * minutes)."""

EPSG_FREE_KM = 0.3
"""Shortest distance that an inverse-square utility sees: keeps it finite in the site's own cell."""


@dataclass(frozen=True)
class Recipe:
    """What to draw.

    Attributes
    ----------
    rows, sites, n_open
        Demand cells, candidate sites, sites to open.
    degree
        Mean sites within reach of a cell.
    kind
        ``exp``: a * exp(-0.11 * minutes); ``huff``: attractiveness / distance ** 2.
    outside
        Strength of what competes: mean outside utility of a person as a share of the utility that a
        random network of ``n_open`` sites would have for that person.
    moves
        0 from scratch; else the legacy network may move so many branches under floors, classes, spacing.
    """

    rows: int
    sites: int = 1000
    n_open: int = 40
    degree: float = 20.0
    kind: str = "exp"
    outside: float = 1.0
    moves: int = 0
    towns: int = 60


@dataclass
class Instance:
    """Arguments of ``max_capture``."""

    utility: sp.csr_array
    weight: np.ndarray
    outside: np.ndarray
    n_open: int
    options: dict[str, Any] = field(default_factory=dict)


def draw(recipe: Recipe, seed: int) -> Instance:
    """Draw an instance; the same recipe and seed give the same instance."""
    rng = np.random.default_rng([seed, recipe.rows, recipe.sites])
    cells, weight, side = _draw_cells(recipe, rng)
    share = weight / weight.sum()
    at = rng.choice(recipe.rows, recipe.sites, replace=False, p=share)
    sites = cells[at] + rng.uniform(-0.5, 0.5, (recipe.sites, 2)) * CELL_KM
    reach = _reach_for(recipe, cells, sites)
    utility = _utilities(recipe, rng, (cells, sites), reach)
    rivals = cells[rng.choice(recipe.rows, 3 * recipe.n_open, p=share)] + rng.normal(
        0, CELL_KM, (3 * recipe.n_open, 2)
    )
    competing = np.asarray(_utilities(recipe, rng, (cells, rivals), reach).sum(axis=1)).ravel()
    mean_open = float(share @ np.asarray(utility.sum(axis=1)).ravel()) * recipe.n_open / recipe.sites
    base = 0.5 * mean_open
    outside = base + competing * (0.5 * mean_open / max(float(share @ competing), 1e-12))
    instance = Instance(utility, weight, outside * recipe.outside, recipe.n_open)
    if recipe.moves:
        instance.options = _relocation(recipe, rng, sites, side)
    return instance


def _draw_cells(recipe: Recipe, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float]:
    """Cells of a square lattice, kept where towns of Zipf size put people."""
    n_side = int(np.ceil(np.sqrt(recipe.rows * 1.6)))
    side = n_side * CELL_KM
    x, y = np.meshgrid(np.arange(n_side), np.arange(n_side))
    cells = (np.column_stack([x.ravel(), y.ravel()]) + 0.5) * CELL_KM
    size = 1.0 / np.arange(1, recipe.towns + 1) ** 0.9
    density = np.full(cells.shape[0], 0.02 * size.sum() / recipe.towns)
    for town, big in zip(rng.random((recipe.towns, 2)) * side, size, strict=True):
        spread = side * 0.03 * (0.5 + np.sqrt(big))
        density += big * np.exp(-np.linalg.norm(cells - town, axis=1) / spread)
    people = density * rng.lognormal(0.0, 0.8, density.size)
    keep = np.sort(np.argsort(-people, kind="stable")[: recipe.rows])
    return cells[keep], people[keep] / people[keep].mean() * 100.0, side


def _reach_for(recipe: Recipe, cells: np.ndarray, sites: np.ndarray) -> float:
    """Distance within which a cell has the asked number of sites on average, by bisection on a sample."""
    sample, tree = cKDTree(cells[:: max(1, cells.shape[0] // 4000)]), cKDTree(sites)
    low, high = 0.0, float(cells.max()) * 1.5
    for _ in range(40):
        middle = 0.5 * (low + high)
        mean = tree.count_neighbors(sample, middle) / sample.n
        low, high = (low, middle) if mean > recipe.degree else (middle, high)
    return high


def _utilities(
    recipe: Recipe, rng: np.random.Generator, points: tuple[np.ndarray, np.ndarray], reach: float
) -> sp.csr_array:
    cells, sites = points
    appeal = rng.lognormal(0.0, 0.5, sites.shape[0])
    tree, parts = cKDTree(sites), []
    for first in range(0, cells.shape[0], 50_000):
        block = cells[first : first + 50_000]
        near = cKDTree(block).sparse_distance_matrix(tree, reach, output_type="ndarray")
        if recipe.kind == "exp":
            value = appeal[near["j"]] * np.exp(-DECAY_PER_MINUTE * REACH_MINUTES * near["v"] / reach)
        else:
            value = appeal[near["j"]] / np.maximum(near["v"], EPSG_FREE_KM) ** 2
        shape = (block.shape[0], sites.shape[0])
        part = sp.coo_array(
            (value.astype(np.float32), (near["i"].astype(np.int32), near["j"].astype(np.int32))), shape=shape
        ).tocsr()
        part.sort_indices()
        parts.append(part)
    return sp.csr_array(sp.vstack(parts, format="csr"))


def _relocation(recipe: Recipe, rng: np.random.Generator, sites: np.ndarray, side: float) -> dict[str, Any]:
    """Legacy network at random, county floors, three nested levels, spacing between new and all others."""
    existing = np.zeros(recipe.sites, dtype=bool)
    existing[rng.choice(recipe.sites, recipe.n_open, replace=False)] = True
    counties = max(4, recipe.n_open // 4)
    county = cKDTree(rng.random((counties, 2)) * side).query(sites)[1]
    city = (cKDTree(rng.random((3, 2)) * side)).query(sites)[1]
    today = np.bincount(county[existing], minlength=counties)
    spacing = side / np.sqrt(recipe.sites) * 0.25
    close = cKDTree(sites).query_pairs(spacing, output_type="ndarray")
    close = close[~(existing[close[:, 0]] & existing[close[:, 1]])]
    return {
        "existing": existing,
        "max_moves": recipe.moves,
        "site_group": county,
        "group_min": np.maximum(today - 2, np.minimum(today, 1)),
        "conflicts": close,
        "move_classes": (city, rng.choice(3, recipe.sites, p=[0.3, 0.4, 0.3])),
    }
