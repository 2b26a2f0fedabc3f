"""How far zones hang on where the lattice happens to begin: they are found again on shifted lattices.

The modifiable areal unit problem (Openshaw, S. 1984, CATMOG 38). What a cell holds is taken as evenly spread
over it; outlets stand where they stand. Gi*, false discoveries, percentiles, smoothing, clusters and regions
are all computed anew.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from siteplanner import tables
from siteplanner.model.grid import Grid
from siteplanner.model.lattice import centre_lines

# Finds the kind of every cell of a grid from what the rules start from (`zone_rules.gather_cells`).
FindKinds = Callable[[Grid, pd.DataFrame], np.ndarray]

_SUMMED = ("visits", "residents", "potential_wan")
_BY_VISITS = ("supply_own", "unreached")
_BY_RESIDENTS = ("growth_per_year", "remote")
_BY_AREA = ("people_gained", "pipeline_near")

_NOWHERE = -1


@dataclass(frozen=True, slots=True, eq=False)
class Shift:
    """A shifted grid and the four cells of the old one under each of its cells.

    Parameters
    ----------
    parents
        Places among the old cells, new cells x 4; -1 outside the region.
    share
        Part of a new cell that each of the four covers; they sum to 1.
    """

    grid: Grid
    parents: np.ndarray
    share: np.ndarray


def offsets(n: int) -> np.ndarray:
    """Return so many shifts, in cells, eastwards and northwards: Halton's points to the bases 2 and 3.

    Halton, J. H. (1960), Numerische Mathematik 2, 84-90: the first points fill the cell evenly, however many.
    """
    return np.array([[_radical_inverse(i, base) for base in (2, 3)] for i in range(1, n + 1)]).reshape(n, 2)


def _radical_inverse(number: int, base: int) -> float:
    value, digit = 0.0, 1.0
    while number:
        digit /= base
        value += digit * (number % base)
        number //= base
    return value


def shift_grid(grid: Grid, east: float, north: float) -> Shift:
    """Shift the lattice by parts of a cell, between 0 and 1; every new cell that meets an old one belongs.

    A new cell is of the county that holds most of it; of the smallest id where two hold as much.
    """
    old = grid.lattice
    lattice = replace(
        old,
        x0_m=old.x0_m - (1.0 - east) * old.cell_m,
        y0_m=old.y0_m - (1.0 - north) * old.cell_m,
        n_rows=old.n_rows + 1,
        n_cols=old.n_cols + 1,
    )
    place = np.full((old.n_rows + 2, old.n_cols + 2), _NOWHERE)
    place[grid.cells["row"].to_numpy() + 1, grid.cells["col"].to_numpy() + 1] = np.arange(len(grid.cells))
    # New cell (row, col) covers part of the old cells (row - 1, col - 1) to (row, col).
    corners = np.stack([place[:-1, :-1], place[:-1, 1:], place[1:, :-1], place[1:, 1:]], axis=-1)
    share = np.array([(1 - north) * (1 - east), (1 - north) * east, north * (1 - east), north * east])
    inside = (corners != _NOWHERE).any(axis=-1)
    rows, cols = np.nonzero(inside)
    parents = corners[rows, cols]
    lons, lats = centre_lines(lattice)
    code, ids = pd.factorize(grid.cells["county_id"], sort=True)
    cells = pd.DataFrame(
        {
            "row": rows.astype(np.int32),
            "col": cols.astype(np.int32),
            "lon": lons[cols],
            "lat": lats[rows],
            "county_id": pd.Index(ids).take(_most(code, parents, share[None, :])),
        },
        index=pd.Index(rows.astype(np.int64) * lattice.n_cols + cols, name="cell_id"),
    )
    return Shift(Grid(lattice, cells, grid.pixel_method), parents, share)


def _most(code: np.ndarray, parents: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the code with most weight among each cell's parents; the smallest of equals."""
    known = parents != _NOWHERE
    codes = np.where(known, code[parents], np.iinfo(np.int64).max)
    held = np.where(known, np.broadcast_to(weight, parents.shape), 0.0)
    totals = np.stack([((codes == codes[:, [k]]) * held).sum(axis=1) for k in range(4)], axis=1)
    # Sums of shares in another order differ in their last bits.
    best = known & (totals >= totals.max(axis=1, keepdims=True) * (1.0 - 1e-12))
    return np.asarray(np.where(best, codes, np.iinfo(np.int64).max).min(axis=1))


def shift_cells(shift: Shift, cells: pd.DataFrame) -> pd.DataFrame:
    """Carry what the rules start from (`zone_rules.gather_cells`) over to the shifted grid.

    People, visits and deposits are parted by area and sum up; supply is a mean by visits, growth by
    residents, what lies around by area.
    """
    known = shift.parents != _NOWHERE
    area = shift.share[None, :] * known

    def of(name: str) -> np.ndarray:
        return np.where(known, cells[name].to_numpy(dtype=float)[shift.parents], 0.0)

    def mean(name: str, weight: np.ndarray) -> np.ndarray:
        total = weight.sum(axis=1, keepdims=True)
        held = np.where(total > 0, weight, area)
        return np.asarray((of(name) * held).sum(axis=1) / held.sum(axis=1))

    visits, people = of("visits") * area, of("residents") * area
    code = pd.Categorical(cells["settlement"], categories=tables.SETTLEMENTS).codes.astype(np.int64)
    weight = np.where(visits.sum(axis=1, keepdims=True) > 0, visits, area)
    columns = {name: (of(name) * area).sum(axis=1) for name in _SUMMED}
    columns |= {name: mean(name, visits) for name in _BY_VISITS}
    columns |= {name: mean(name, people) for name in _BY_RESIDENTS}
    columns |= {name: mean(name, area) for name in _BY_AREA}
    settlement = np.array(tables.SETTLEMENTS, dtype=object)[_most(code, shift.parents, weight)]
    return pd.DataFrame(columns, index=shift.grid.cells.index).assign(
        county_id=shift.grid.cells["county_id"], settlement=settlement
    )


def measure_stability(
    grid: Grid, cells: pd.DataFrame, kind: np.ndarray, n: int, find: FindKinds
) -> np.ndarray:
    """Return by cell the share of its area, over so many shifts, that falls to its kind again.

    Parameters
    ----------
    kind
        Kind of every cell on the lattice as it is.
    """
    kept = np.zeros(len(cells))
    for east, north in offsets(n):
        shift = shift_grid(grid, float(east), float(north))
        again = find(shift.grid, shift_cells(shift, cells))
        for corner, share in enumerate(shift.share):
            parent = shift.parents[:, corner]
            held = parent != _NOWHERE
            # An old cell lies under one new cell as its first parent, under one as its second, and so on.
            kept[parent[held]] += share * (again[held] == kind[parent[held]])
    return kept / n if n else np.full(len(cells), np.nan)
