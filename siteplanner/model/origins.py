"""From where people were seen to go where, to choices among the outlets within their reach."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numba import njit

from siteplanner import tables
from siteplanner.model.access import Reach
from siteplanner.model.choice import Options, row_of_pairs
from siteplanner.model.grid import Grid, cell_ids
from siteplanner.model.market import decay, decay_factors
from siteplanner.model.sphere import nearest_km, unit_vectors
from siteplanner.scenario import MarketSettings

# A point farther than this from every cell with people stands for nobody there, km; no source.
STRAY_KM = 3.0
# Blocks of the lattice that are left out together, km, where the evidence covers enough of them; no source.
BLOCK_KM = 20.0
# Parts into which the blocks are dealt, and how many blocks a part should have at least.
FOLDS = 5
BLOCKS_PER_FOLD = 2


@dataclass(frozen=True, slots=True, eq=False)
class Choices:
    """What people of some rows of the reach chose.

    Parameters
    ----------
    row, settlement
        Row of the reach of each row of the options, and its place in `tables.SETTLEMENTS`.
    options
        Features are the logarithms of attractiveness (alpha 1) and of the scenario's decay.
    count
        People, or shares, by pair.
    unplaced, beyond
        People who live where the reach has nobody near, and those whose outlet is beyond their reach or
        has no pull.
    alternatives
        ``own`` where people are told of own outlets only: then they choose among these; else ``all``, or
        ``listed``: those that a survey asked about.
    """

    row: np.ndarray
    settlement: np.ndarray
    options: Options
    count: np.ndarray
    unplaced: float
    beyond: float
    alternatives: str


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """The reach with what makes outlets pull: attractiveness at alpha 1, and which are ours."""

    grid: Grid
    reach: Reach
    outlets: pd.DataFrame
    own: np.ndarray
    attractiveness: np.ndarray
    settings: MarketSettings


def gather_choices(scene: Scene, told: pd.DataFrame, weight: str) -> Choices:
    """Put people into the row of their cell and their outlet into the pair.

    Parameters
    ----------
    told
        `tables.CUSTOMERS` or `tables.SHARES`.
    weight
        Its column of people (``customers``), who choose among all outlets within reach, or of shares
        (``share``), which tell of the outlets that are listed for their place alone.
    """
    row = _rows_of(scene, told)
    place = scene.outlets.index.get_indexer(pd.Index(told["outlet_id"]))
    people = told[weight].to_numpy(dtype=float)
    placed = row >= 0
    unplaced = float(people[~placed].sum())
    row, place, people = row[placed], place[placed], people[placed]
    rows = np.unique(row)
    pairs = _pairs_of(scene.reach, rows)
    n = scene.own.size
    key = np.repeat(rows, np.diff(scene.reach.indptr)[rows]) * n + scene.reach.indices[pairs]
    wanted = row * n + place
    if weight == "share":
        alternatives, open_to = "listed", np.isin(key, wanted)
    else:
        alternatives = "own" if bool(scene.own[place].all()) else "all"
        open_to = scene.own[scene.reach.indices[pairs]] | (alternatives == "all")
    features = _features(scene, rows, pairs)
    keep = open_to & np.isfinite(features).all(axis=1)
    pairs, key, features = pairs[keep], key[keep], features[keep]
    at = np.searchsorted(key, wanted).clip(max=max(key.size - 1, 0))
    found = key[at] == wanted if key.size else np.zeros(wanted.size, dtype=bool)
    count = np.bincount(at[found], people[found], key.size)
    indptr = np.searchsorted(key, np.append(rows, rows[-1:] + 1) * n) if rows.size else np.zeros(1, np.int64)
    return Choices(
        rows, _settlement(scene.reach)[rows],
        Options(indptr.astype(np.int64), scene.reach.indices[pairs], features),
        count, unplaced, float(people[~found].sum()), alternatives,
    )  # fmt: skip


def part_of(options: Options, count: np.ndarray, rows: np.ndarray) -> tuple[Options, np.ndarray]:
    """Return the options and counts of the marked rows."""
    pairs = rows[row_of_pairs(options)]
    size = np.diff(options.indptr)[rows]
    indptr = np.concatenate(([0], np.cumsum(size)))
    return Options(indptr, options.place[pairs], options.features[pairs]), count[pairs]


def deal_blocks(grid: Grid, cell_id: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Deal places to folds by square blocks of the lattice, the heaviest first, each to the lightest fold.

    Blocks are halved until there are `BLOCKS_PER_FOLD` of them a fold, or no side is longer than a cell.

    Returns
    -------
    Fold of each place; all 0 where there is only one block.
    """
    lattice = grid.lattice
    row, col = np.divmod(np.asarray(cell_id, dtype=np.int64), lattice.n_cols)
    side = max(int(BLOCK_KM * 1_000.0 / lattice.cell_m), 1)
    while True:
        block = (row // side) * (lattice.n_cols + 1) + col // side
        names, of = np.unique(block, return_inverse=True)
        if names.size >= FOLDS * BLOCKS_PER_FOLD or side == 1:
            break
        side = max(side // 2, 1)
    load = np.bincount(of, weight, names.size)
    fold, carried = np.zeros(names.size, dtype=np.int64), np.zeros(min(FOLDS, max(names.size, 1)))
    dealt = np.zeros(carried.size)
    for at in np.lexsort((names, -load)):
        # Of folds that carry alike, the one with fewer blocks takes its turn.
        fold[at] = int(np.lexsort((dealt, carried))[0])
        carried[fold[at]] += load[at]
        dealt[fold[at]] += 1.0
    return np.asarray(fold[of])


def _rows_of(scene: Scene, told: pd.DataFrame) -> np.ndarray:
    """Return the row of the reach that each point belongs to: its cell, else the nearest with people."""
    cells = scene.grid.cells.loc[scene.reach.cell_id]
    points = unit_vectors(told["lon"].to_numpy(), told["lat"].to_numpy())
    known = scene.reach.cell_id
    cell = cell_ids(scene.grid, told["lon"].to_numpy(), told["lat"].to_numpy())
    if not known.size:
        return np.full(len(told), -1, dtype=np.int64)
    at = np.searchsorted(known, cell).clip(max=known.size - 1)
    row = np.where(known[at] == cell, at, -1)
    lost = np.flatnonzero(row < 0)
    if lost.size:
        centres = unit_vectors(cells["lon"].to_numpy(), cells["lat"].to_numpy())
        far, near = nearest_km(points[lost], centres)
        row[lost] = np.where(far <= STRAY_KM, near, -1)
    return np.asarray(row, dtype=np.int64)


def _pairs_of(reach: Reach, rows: np.ndarray) -> np.ndarray:
    size = np.diff(reach.indptr)[rows]
    first = np.repeat(reach.indptr[rows] - np.concatenate(([0], np.cumsum(size)[:-1])), size)
    return np.asarray(first + np.arange(int(size.sum())), dtype=np.int64)


def _features(scene: Scene, rows: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Return ln A and ln f by pair, f the scenario's own decay; minus infinity where nothing pulls."""
    size = np.diff(scene.reach.indptr)[rows]
    factor = np.repeat(decay_factors(scene.settings)[_settlement(scene.reach)[rows]], size)
    with np.errstate(divide="ignore"):
        pull = np.log(scene.attractiveness[scene.reach.indices[pairs]])
        near = np.log(decay(scene.reach.minutes[pairs].astype(np.float64), scene.settings))
    return np.column_stack((pull, factor * near))


def log_decays(reach: Reach, settings: MarketSettings) -> np.ndarray:
    """Return ln f of every pair, f the scenario's own decay; float32, for there are very many."""
    with np.errstate(divide="ignore"):
        near = np.log(decay(reach.minutes.astype(np.float64), settings)).astype(np.float32)
    factor = decay_factors(settings)
    if (factor != 1.0).any():
        near *= np.repeat(factor[_settlement(reach)], np.diff(reach.indptr)).astype(np.float32)
    return np.asarray(near)


@njit(cache=True)
def pull_pairs(
    pairs: tuple[np.ndarray, np.ndarray, np.ndarray], pull: np.ndarray, power: float, utility: np.ndarray
) -> np.ndarray:  # pragma: no cover - compiled
    """Write A_j f^power of every pair into `utility`, and return its sum by row.

    Parameters
    ----------
    pairs
        CSR ``indptr`` and ``indices``, and ln f.
    """
    indptr, indices, log_decay = pairs
    total = np.zeros(indptr.size - 1)
    for i in range(indptr.size - 1):
        for pair in range(indptr[i], indptr[i + 1]):
            utility[pair] = pull[indices[pair]] * np.exp(power * log_decay[pair])
            total[i] += utility[pair]
    return total


def _settlement(reach: Reach) -> np.ndarray:
    if reach.settlement is None:
        raise tables.ContractError("choices need a reach that tells the settlement classes")
    return reach.settlement
