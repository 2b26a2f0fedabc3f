"""From judged cells to areas of one kind: by cells, by clusters of demand, by regions of like cells."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from siteplanner.model import zone_rules as rules
from siteplanner.model.focal import spread
from siteplanner.model.grid import Grid
from siteplanner.model.saturation import shrunk_lq
from siteplanner.model.zone_clusters import ClusterRules, cluster_points
from siteplanner.model.zone_regions import grow_regions
from siteplanner.model.zone_shapes import join_cells, smooth_kinds
from siteplanner.scenario import ZoneSettings

KINDS = 6

# Indicators that regions are to be alike in, each in its own standard deviations; no source for the choice.
TRAITS = ("gap_z", "surplus_z", "growth_per_year", "log_visits")

# An area is judged by these means of its cells, each cell weighing as its visits.
_MEANS = (
    "visits", "supply_own", "typical_supply", "unreached", "remote", "growth_per_year", "people_gained",
    "pipeline_near", "listed", "overlap_near", "own_near", "lq", "gap_found", "surplus_found", "city_own",
    "city_potential", "dense_bar", "wanted_bar", "blank_bar", "growth_bar", "thin_bar",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Areas:
    """Kind and area of every cell; areas of one number hold cells of one kind and county."""

    kind: np.ndarray
    number: np.ndarray


def form_areas(grid: Grid, cells: pd.DataFrame, settings: ZoneSettings) -> Areas:
    """Form the areas of the method that the scenario names.

    *classes*: cells are judged one by one, take the kind of most of their neighbours, and touching cells of
    one kind join. *regions*: regions of like cells are judged as wholes by the same rules
    (`describe_areas`), and touching regions of one kind join. *hdbscan*: clusters of demand are judged alike
    and stay apart; cells in none keep what their own rule says of remote, listed and growing places, where
    there is no demand to be clustered yet, and none of them is dense or blank.

    Parameters
    ----------
    cells
        `zone_rules.prepare_rules`.
    """
    county = pd.factorize(cells["county_id"], sort=True)[0]
    kind = _smooth(grid, county, rules.classify_areas(cells, settings))
    if settings.method == "classes":
        return Areas(kind, _join(grid, county * KINDS + kind))
    form = _cluster if settings.method == "hdbscan" else _grow
    unit = form(grid, cells, county, settings)
    unit = np.where(cells["listed"].to_numpy() > 0, -1, unit)
    inside = unit >= 0
    about = describe_areas(cells[inside], unit[inside])
    if settings.method == "hdbscan":
        about = about.assign(**_count_inside(cells[inside], unit[inside], about))
    judged = rules.classify_areas(about, settings)
    rest = np.where((kind == rules.DENSE) | (kind == rules.BLANK), rules.BALANCED, kind)
    kind = rest.copy()
    kind[inside] = judged[np.unique(unit[inside], return_inverse=True)[1]]
    if settings.method == "regions":
        return Areas(kind, _join(grid, county * KINDS + kind))
    loose = _join(grid, np.where(inside, -1, county * KINDS + kind))
    return Areas(kind, np.where(inside, loose.max(initial=0) + 1 + unit, loose))


def describe_areas(cells: pd.DataFrame, area: np.ndarray) -> pd.DataFrame:
    """Return by area what the rules look at: means of its cells, each weighing as its visits.

    The bars are means too: an area of town and country is held against a mixture of both.
    """
    weight = cells["visits"].to_numpy(dtype=float)
    number, at = np.unique(area, return_inverse=True)
    whole = np.bincount(at, weight)
    # An area without visits: every cell counts the same.
    weight = np.where(whole[at] > 0, weight, 1.0)
    whole = np.bincount(at, weight)
    means = {}
    for name in _MEANS:
        values = cells[name].to_numpy(dtype=float)
        # Infinite bars stand where no cell of a class has visits; such cells weigh nothing.
        held = np.where(weight > 0, values, 0.0) * weight
        means[name] = np.bincount(at, held) / whole
    return pd.DataFrame(means, index=number)


def _count_inside(cells: pd.DataFrame, area: np.ndarray, about: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return own outlets and location quotient of each area itself, not of what lies around its cells.

    A cluster is a market of its own, with an edge that its neighbours' outlets do not cross; a region is a
    piece of a larger whole and is judged by what lies within the distance band, as a cell is.
    """
    at = np.unique(area, return_inverse=True)[1]
    own, potential = (
        np.bincount(at, cells[name].to_numpy(dtype=float)) for name in ("own_inside", "potential_wan")
    )
    return {"own_near": own, "lq": shrunk_lq(own, potential, about["city_own"], about["city_potential"])}


def _smooth(grid: Grid, county: np.ndarray, kind: np.ndarray) -> np.ndarray:
    rows, cols = grid.cells["row"].to_numpy(), grid.cells["col"].to_numpy()
    return np.asarray(smooth_kinds(_lay(kind, grid), _lay(county, grid), KINDS)[rows, cols])


def _join(grid: Grid, keys: np.ndarray) -> np.ndarray:
    rows, cols = grid.cells["row"].to_numpy(), grid.cells["col"].to_numpy()
    return np.asarray(join_cells(_lay(keys, grid))[rows, cols])


def _lay(codes: np.ndarray, grid: Grid) -> np.ndarray:
    """Lay codes from 0 on the lattice; -1 outside the region."""
    return np.asarray(spread(codes.astype(np.int64) + 1, grid.cells, grid.lattice) - 1)


def _busy(cells: pd.DataFrame) -> np.ndarray:
    """Mark the cells that more than a few visits come from: those that are not thin."""
    return np.asarray((cells["visits"] > 0) & (cells["visits"] > cells["thin_bar"]))


def _cluster(grid: Grid, cells: pd.DataFrame, county: np.ndarray, settings: ZoneSettings) -> np.ndarray:
    """Return the cluster of every cell, parted at the borders of counties; -1 in none."""
    busy = np.flatnonzero(_busy(cells))
    unit = np.full(len(cells), -1)
    if busy.size == 0:
        return unit
    about = ClusterRules(
        settings.core_visits,
        settings.least_visits,
        settings.link_m / 1_000.0,
        settings.clusters == "leaf",
    )
    lon, lat = (grid.cells[name].to_numpy()[busy] for name in ("lon", "lat"))
    visits = cells["visits"].to_numpy(dtype=float)[busy]
    found = cluster_points(lon, lat, visits, grid.lattice.cell_m / 1_000.0, about)
    inside = found >= 0
    code = found[inside] * (county.max() + 1) + county[busy][inside]
    unit[busy[inside]] = np.unique(code, return_inverse=True)[1]
    return unit


def _grow(grid: Grid, cells: pd.DataFrame, county: np.ndarray, settings: ZoneSettings) -> np.ndarray:
    """Return the region of every cell that is not thin; -1 for the others."""
    busy = _busy(cells)
    unit = np.full(len(cells), -1)
    if busy.any():
        log = np.log(cells["visits"].where(busy, 1.0))
        traits = cells.assign(log_visits=log)[list(TRAITS)].to_numpy(dtype=float)[busy]
        spread_of = traits.std(axis=0)
        traits = (traits - traits.mean(axis=0)) / np.where(spread_of > 0, spread_of, 1.0)
        keys = _lay(np.where(busy, county, -1), grid)
        unit[busy] = grow_regions(keys, traits, cells["visits"].to_numpy()[busy], settings.least_visits)
    return unit
