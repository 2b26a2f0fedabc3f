"""New homes: who lives in them by year, beyond those whom the raster shows there (D§3.3, D§3.4)."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from siteplanner.model.focal import make_flat_disc, sum_near
from siteplanner.model.grid import Grid, cell_ids
from siteplanner.scenario import DemandSettings

# A development's homes lie within this distance of its point; no source.
DEVELOPMENT_RADIUS_M = 500.0
DAYS_PER_YEAR = 365.25
# Fewer people expected in a cell are a rounding error.
_NOBODY = 1e-9

# Half-occupancy time and final occupancy where a kind has its own (D§3.3 [A]: resettlement housing;
# investor-heavy new towns 0.5-0.6). The other kinds follow the scenario's curve.
RESETTLEMENT_HALF_YEARS = 0.7
RESETTLEMENT_FINAL = 0.95
FUNCTIONAL_FINAL = 0.55


@dataclass(frozen=True, slots=True)
class Epochs:
    """Years of the two population rasters; equal when there is one. A year stands for its last day."""

    now: int
    earlier: int


@dataclass(frozen=True, slots=True, eq=False)
class Estates:
    """Developments of the region, ready to tell their people in any year; one value a development.

    Parameters
    ----------
    place
        Position of the development's cell in the grid.
    homes
        People when all homes are lived in.
    handed
        Handover, years with their fraction.
    shown
        People whom the raster already shows there.
    """

    place: np.ndarray
    homes: np.ndarray
    handed: np.ndarray
    kind: np.ndarray
    shown: np.ndarray


def occupancy(years: np.ndarray, kind: np.ndarray, settings: DemandSettings) -> np.ndarray:
    """Return the occupied share of a development some years after handover; 0 before it.

    Logistic, D§3.3: final / (1 + exp(-rate (years - half_years))).
    """
    half = np.where(kind == "resettlement", RESETTLEMENT_HALF_YEARS, settings.occupancy_half_years)
    final = np.select(
        [kind == "resettlement", kind == "functional"],
        [RESETTLEMENT_FINAL, FUNCTIONAL_FINAL],
        settings.occupancy_final,
    )
    return np.where(years > 0.0, final / (1.0 + np.exp(-settings.occupancy_rate * (years - half))), 0.0)


def list_estates(
    grid: Grid, developments: pd.DataFrame, people: pd.DataFrame, epochs: Epochs, settings: DemandSettings
) -> Estates:
    """Find the developments of the region and the people whom the raster shows in each.

    A raster holds those who lived in a development at the end of its year: they are counted once, as
    residents, and only what the curve adds to them later moves in. With two rasters they are those expected
    at the earlier year and, of what came since, the larger of what the curve expects and what the rasters
    gained within `DEVELOPMENT_RADIUS_M`: people who came faster than expected are not counted twice. Where
    developments lie close, what a cell gained is divided in proportion to what each is expected to bring
    there. With one raster they are those whom the curve expects.

    Parameters
    ----------
    people
        ``residents`` and ``residents_earlier`` by cell, in the grid's order.
    """
    ordered = developments.sort_index()
    cell = cell_ids(grid, ordered["lon"].to_numpy(), ordered["lat"].to_numpy())
    inside = cell >= 0
    handover = pd.to_datetime(ordered["handover"]).dt
    handed = (handover.year + (handover.day_of_year - 1) / DAYS_PER_YEAR).to_numpy(dtype=float)
    bare = Estates(
        place=np.searchsorted(grid.cells.index.to_numpy(), cell[inside]),
        homes=ordered["households"].to_numpy(dtype=float)[inside] * settings.household_size,
        handed=handed[inside],
        kind=ordered["kind"].to_numpy(dtype=object)[inside],
        shown=np.zeros(int(inside.sum())),
    )
    then, now = (lived_in(bare, year, settings) for year in (epochs.earlier, epochs.now))
    gained = (people["residents"] - people["residents_earlier"]).to_numpy(dtype=float)
    seen = _seen(grid, bare.place, now - then, gained)
    return Estates(bare.place, bare.homes, bare.handed, bare.kind, then + np.maximum(now - then, seen))


def lived_in(estates: Estates, year: int, settings: DemandSettings) -> np.ndarray:
    """Return the people who live in each development at the end of a year."""
    return np.asarray(estates.homes * occupancy(year + 1.0 - estates.handed, estates.kind, settings))


def moved_in(grid: Grid, estates: Estates, year: int, settings: DemandSettings) -> np.ndarray:
    """Return people by cell who live in developments at the end of a year beyond those of the raster."""
    more = np.maximum(lived_in(estates, year, settings) - estates.shown, 0.0)
    return spread(grid, estates.place, more)


def pipeline(grid: Grid, estates: Estates, settings: DemandSettings) -> np.ndarray:
    """Return households by cell that are handed over after the plan year, within the horizon."""
    year = np.floor(estates.handed)
    coming = (year > settings.plan_year) & (year <= settings.plan_year + settings.horizon_years)
    return spread(grid, estates.place, np.where(coming, estates.homes / settings.household_size, 0.0))


def spread(grid: Grid, place: np.ndarray, amount: np.ndarray) -> np.ndarray:
    """Spread amounts evenly over the region's cells around theirs; the total is kept."""
    own = np.bincount(place, weights=amount, minlength=len(grid.cells))
    near = make_flat_disc(grid.lattice, DEVELOPMENT_RADIUS_M)
    neighbours = sum_near(np.ones(len(grid.cells)), grid, near)
    return np.asarray(sum_near(own / neighbours, grid, near))


def _seen(grid: Grid, place: np.ndarray, expected: np.ndarray, gained: np.ndarray) -> np.ndarray:
    """Divide what the cells around gained among the developments that were expected to bring people there."""
    if not (expected > 0.0).any():
        return np.zeros(expected.size)
    near = make_flat_disc(grid.lattice, DEVELOPMENT_RADIUS_M)
    neighbours = sum_near(np.ones(len(grid.cells)), grid, near)
    awaited = spread(grid, place, expected)
    ratio = np.divide(gained, awaited, out=np.zeros(gained.size), where=awaited > _NOBODY)
    return np.asarray(expected * np.maximum((sum_near(ratio, grid, near) / neighbours)[place], 0.0))
