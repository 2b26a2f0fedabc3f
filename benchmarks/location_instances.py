"""Made-up location instances, the same for the same seed: what the solver is measured on.

People live in towns of Zipf size on a square grid of cells, or evenly; sites are drawn where people are; the
radius is set so that a cell lies within reach of ``mean_cover`` sites on average.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from numba import njit, prange
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Shape = Literal["towns", "even"]
Network = Literal["random", "placed"]

N_TOWNS = 300
ZIPF = 0.8
"""Exponent of town sizes by rank; towns of a country are near 1 (Zipf 1949), counties are flatter."""

RURAL_SHARE = 0.3
"""Share of people spread evenly over the land; made up, as are the widths of towns."""

PEOPLE_A_CELL = 50.0
SAMPLE = 20_000
"""Cells on which the radius is fitted."""

N_COUNTIES, N_CITIES = 114, 11
LEVEL_SHARES = (0.3, 0.4, 0.3)
RINGS = (1.0, 0.8, 0.6, 0.4, 0.2)
"""Gradual cover: what a cell is worth to a site in each of five rings of equal width."""


@dataclass(frozen=True, eq=False)
class Instance:
    """A coverage question: ``options`` are the keywords of the solver."""

    name: str
    cover: sp.csr_array
    weight: Floats
    n_open: int
    cells: Floats
    sites: Floats
    options: dict[str, Any]


def make_coverage(  # noqa: PLR0913 - what the instance varies in
    seed: int,
    n_cells: int,
    n_sites: int,
    mean_cover: float,
    n_open: int,
    *,
    shape: Shape = "towns",
    on_grid: bool = False,
    whole: bool = True,
    rings: tuple[float, ...] = (1.0,),
) -> Instance:
    """Draw cells, people and sites, and the cover matrix of one radius (or of nested rings).

    Parameters
    ----------
    mean_cover
        Mean number of sites that cover a cell.
    on_grid
        Sites stand at cell centres, else anywhere within their cell.
    whole
        People are whole numbers, else floats.
    rings
        Worth of a cell by ring, nearest first; one ring is binary cover.
    """
    rng = np.random.default_rng([seed, n_cells, n_sites])
    cells, weight = _draw_cells(rng, n_cells, shape)
    chance = weight / weight.sum()
    sites = cells[rng.choice(n_cells, n_sites, p=chance, replace=not on_grid)]
    if not on_grid:
        sites = sites + rng.random((n_sites, 2)) - 0.5
    if whole:
        weight = np.maximum(np.round(weight), 1.0)
    radius = _fit_radius(rng, cells, sites, mean_cover)
    cover = cover_within(cells, sites, radius, rings)
    kind = f"{shape}{'-grid' if on_grid else ''}{'' if whole else '-float'}"
    name = f"{n_cells}x{n_sites} d{mean_cover:g} k{n_open} {kind} seed {seed}"
    return Instance(name, cover, weight, n_open, cells, sites, {})


def make_scenarios(cells: Floats, weight: Floats, seed: int, n_scenarios: int) -> Floats:
    """Draw demand scenarios: every region of a 5 x 5 raster grows by a factor of its own.

    Factors are log-normal, sigma 0.5.
    """
    rng = np.random.default_rng([seed, n_scenarios, 25])
    low, size = cells.min(axis=0), np.ptp(cells, axis=0)
    block = np.minimum(((cells - low) / size * 5).astype(np.int64), 4)
    growth = np.exp(0.5 * rng.normal(size=(n_scenarios, 25)))
    scenarios: Floats = np.round(weight * growth[:, 5 * block[:, 0] + block[:, 1]], 3)
    return scenarios


def make_square(seed: int, n_cells: int, n_sites: int, radius: float, n_open: int) -> Instance:
    """Recipe of Cordeau, Furini & Ljubić (2019): points even in a square of side 30, demand 1 to 100."""
    rng = np.random.default_rng([seed, n_cells, n_sites, 30])
    cells, sites = rng.random((n_cells, 2)) * 30.0, rng.random((n_sites, 2)) * 30.0
    weight = rng.integers(1, 101, n_cells).astype(np.float64)
    cover = cover_within(cells, sites, radius, (1.0,))
    return Instance(
        f"{n_cells}x{n_sites} r{radius:g} k{n_open} seed {seed}", cover, weight, n_open, cells, sites, {}
    )


def make_relocation(  # noqa: PLR0913 - what the instance varies in
    seed: int,
    n_cells: int,
    n_sites: int,
    mean_cover: float,
    n_open: int,
    *,
    max_moves: int,
    network: Network,
    shape: Shape = "towns",
) -> Instance:
    """Add today's network, county floors, legality classes and spacing to a coverage instance."""
    plain = make_coverage(seed, n_cells, n_sites, mean_cover, n_open, shape=shape)
    rng = np.random.default_rng([seed, n_cells, n_sites, n_open])
    side = plain.cells.max()
    county_at = plain.cells[rng.choice(n_cells, N_COUNTIES, replace=False)]
    county = _nearest(plain.sites, county_at)
    city = _nearest(county_at, rng.random((N_CITIES, 2)) * side)[county]
    existing = np.zeros(n_sites, dtype=np.bool_)
    if network == "random":
        existing[rng.choice(n_sites, n_open, replace=False)] = True
    else:
        existing[_place_greedily(plain, rng)] = True
    conflicts = _close_pairs(plain.sites, existing)
    today = np.bincount(county[existing], minlength=N_COUNTIES)
    options = {
        "existing": existing,
        "max_moves": max_moves,
        "site_group": county,
        "group_min": np.minimum(today, np.maximum(1, today - 2)).astype(np.float64),
        "move_classes": (city, rng.choice(len(LEVEL_SHARES), n_sites, p=LEVEL_SHARES)),
        "conflicts": conflicts,
    }
    name = f"move {max_moves} of {plain.name} {network}"
    return Instance(name, plain.cover, plain.weight, n_open, plain.cells, plain.sites, options)


def cover_within(cells: Floats, sites: Floats, radius: float, rings: tuple[float, ...]) -> sp.csr_array:
    """Return cells x sites within a radius: 8-bit ones, or 32-bit worths by ring."""
    start, order, low, n_x = _bucket(sites, radius)
    count = _count_near(cells, sites, radius, start, order, low, n_x)
    ptr = np.concatenate([[0], np.cumsum(count)])
    ptr = ptr.astype(np.int32 if ptr[-1] < 2**31 else np.int64)
    worth = np.array(rings)
    kind = np.uint8 if worth.size == 1 else np.float32
    indices, data = _fill_near(cells, sites, radius, start, order, low, n_x, ptr, worth.astype(kind))
    matrix = sp.csr_array((data, indices, ptr), shape=(len(cells), len(sites)))
    matrix.has_sorted_indices = True
    matrix.has_canonical_format = True
    return matrix


def _draw_cells(rng: np.random.Generator, n_cells: int, shape: Shape) -> tuple[Floats, Floats]:
    """Return centres of the most populated cells of a grid twice as large, and their people."""
    side = int(np.ceil(np.sqrt(2.0 * n_cells)))
    density = np.full((side, side), 20.0 * RURAL_SHARE * n_cells / side**2)
    if shape == "towns":
        share = np.arange(1, N_TOWNS + 1) ** -ZIPF
        share /= share.sum()
        people = rng.choice(N_TOWNS, round(20 * (1.0 - RURAL_SHARE) * n_cells), p=share)
        spread = side * (0.01 + 0.12 * np.sqrt(share))
        at = rng.random((N_TOWNS, 2))[people] * side
        at += rng.normal(size=at.shape) * spread[people][:, None] * rng.exponential(1.0, len(at))[:, None]
        at = np.mod(at, side).astype(np.int64)
        np.add.at(density, (at[:, 0], at[:, 1]), 1.0)
    density *= rng.lognormal(0.0, 0.6, density.shape)
    kept = np.sort(np.argsort(-density, axis=None, kind="stable")[:n_cells])
    cells = np.column_stack(np.unravel_index(kept, density.shape)).astype(np.float64)
    people_here = density.ravel()[kept]
    return cells, people_here * PEOPLE_A_CELL / people_here.mean()


def _fit_radius(rng: np.random.Generator, cells: Floats, sites: Floats, mean_cover: float) -> float:
    some = cells[rng.choice(len(cells), min(SAMPLE, len(cells)), replace=False)]
    low, high = 0.0, float(np.ptp(cells, axis=0).max())
    for _ in range(30):
        radius = (low + high) / 2
        start, order, least, n_x = _bucket(sites, radius)
        if _count_near(some, sites, radius, start, order, least, n_x).mean() < mean_cover:
            low = radius
        else:
            high = radius
    return high


def _nearest(points: Floats, centres: Floats) -> NDArray[np.int64]:
    distance = ((points[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2)
    return np.argmin(distance, axis=1)


def _place_greedily(plain: Instance, rng: np.random.Generator) -> NDArray[np.int64]:
    """Place a network well for yesterday's people: greedy on weights that have changed since."""
    by_site = plain.cover.T.tocsr()
    people = plain.weight * rng.lognormal(0.0, 0.3, plain.weight.size)
    worth = by_site @ people
    chosen = np.empty(plain.n_open, dtype=np.int64)
    for at in range(plain.n_open):
        while True:  # lazy greedy: a stale worth is never too low
            site = int(np.argmax(worth))
            here = by_site.indices[by_site.indptr[site] : by_site.indptr[site + 1]]
            worth[site] = people[here].sum()
            if worth[site] >= worth.max():
                break
        chosen[at] = site
        people[here] = 0.0
        worth[site] = -1.0
    return chosen


def _close_pairs(sites: Floats, existing: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Pairs closer than an eighth of the mean spacing of the sites' square root law, not both open today."""
    spacing = 0.5 * np.ptp(sites, axis=0).max() / np.sqrt(len(sites))
    near = cover_within(sites, sites, spacing, (1.0,)).tocoo()
    left, right = near.coords
    keep = (left < right) & ~(existing[left] & existing[right])
    return np.column_stack([left[keep], right[keep]]).astype(np.int64)


def _bucket(sites: Floats, radius: float) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats, int]:
    """Sort sites into square bins as wide as the radius."""
    low = sites.min(axis=0) - radius
    n_x, n_y = (int(n) + 2 for n in np.ptp(sites, axis=0) // radius + 2)
    number = ((sites - low) // radius).astype(np.int64) @ np.array([n_y, 1])
    order = np.argsort(number, kind="stable")
    start = np.searchsorted(number[order], np.arange(n_x * n_y + 1))
    return start, order, low, n_y


@njit(cache=True, parallel=True)
def _count_near(
    cells: Floats,
    sites: Floats,
    radius: float,
    start: NDArray[np.int64],
    order: NDArray[np.int64],
    low: Floats,
    n_y: int,
) -> NDArray[np.int64]:  # pragma: no cover - compiled
    out = np.zeros(len(cells), dtype=np.int64)
    for i in prange(len(cells)):
        x, y = int((cells[i, 0] - low[0]) // radius), int((cells[i, 1] - low[1]) // radius)
        for a in range(x - 1, x + 2):
            for b in range(y - 1, y + 2):
                number = a * n_y + b
                if a < 0 or b < 0 or b >= n_y or number + 1 >= start.size:
                    continue
                for at in range(start[number], start[number + 1]):
                    dx, dy = cells[i, 0] - sites[order[at], 0], cells[i, 1] - sites[order[at], 1]
                    out[i] += dx * dx + dy * dy <= radius * radius
    return out


@njit(cache=True, parallel=True)
def _fill_near(  # noqa: PLR0913, PLR0917 - the arrays of one loop
    cells: Floats,
    sites: Floats,
    radius: float,
    start: NDArray[np.int64],
    order: NDArray[np.int64],
    low: Floats,
    n_y: int,
    ptr: NDArray[Any],
    worth: NDArray[Any],
) -> tuple[NDArray[np.int32], NDArray[Any]]:  # pragma: no cover - compiled
    out = np.empty(ptr[-1], dtype=np.int32)
    data = np.empty(ptr[-1], dtype=worth.dtype)
    for i in prange(len(cells)):
        x, y = int((cells[i, 0] - low[0]) // radius), int((cells[i, 1] - low[1]) // radius)
        k = ptr[i]
        for a in range(x - 1, x + 2):
            for b in range(y - 1, y + 2):
                number = a * n_y + b
                if a < 0 or b < 0 or b >= n_y or number + 1 >= start.size:
                    continue
                for at in range(start[number], start[number + 1]):
                    dx, dy = cells[i, 0] - sites[order[at], 0], cells[i, 1] - sites[order[at], 1]
                    if dx * dx + dy * dy <= radius * radius:
                        out[k] = order[at]
                        k += 1
        out[ptr[i] : k].sort()
        for k in range(ptr[i], ptr[i + 1]):
            dx, dy = cells[i, 0] - sites[out[k], 0], cells[i, 1] - sites[out[k], 1]
            ring = int(np.sqrt(dx * dx + dy * dy) / radius * worth.size)
            data[k] = worth[min(ring, worth.size - 1)]
    return out, data
