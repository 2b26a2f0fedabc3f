"""Who might come, and how often: people at home, at work and about, by segment (D§3.1)."""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from siteplanner import tables
from siteplanner.model.focal import focal_mean
from siteplanner.model.grid import Grid
from siteplanner.model.residents import Residents
from siteplanner.model.volumes import Mix, grown, lay_ground, name_volumes, state_volumes
from siteplanner.scenario import DemandSettings

# Unknown footfall is read off the 3 x 3 cells around at first; no source.
UNKNOWN_WINDOW_CELLS = 3.0
# A share of known cells below this is the rounding of a sum of nothing.
KNOWN_SHARE_MIN = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Demand:
    """Demand by cell, and people by cell and county for exact county totals.

    Parameters
    ----------
    cells
        `tables.DEMAND` for all cells of the grid, in its order.
    parts
        `tables.PARTS`, scaled to the census where the scenario asks for it.
    segments
        `tables.DEMAND_SEGMENTS` for the same cells.
    mix
        What the layers weigh after those without people left their weight to the others.
    """

    cells: pd.DataFrame
    parts: pd.DataFrame
    segments: pd.DataFrame = field(default_factory=pd.DataFrame)
    mix: Mix = field(default_factory=lambda: Mix(1.0, 0.0, 0.0))

    def __post_init__(self) -> None:
        tables.check(self.cells, tables.DEMAND)
        if len(self.segments):
            tables.check(self.segments, tables.DEMAND_SEGMENTS)

    def rescaled(self, visits: float, deposits: float) -> "Demand":
        """Return the same demand with visits and household deposits multiplied, in all and by segment."""
        kinds = {"visits_": visits, **{f"potential_{age}_wan": deposits for age in tables.AGES}}
        kinds |= {"potential_wan": deposits}

        def scaled(frame: pd.DataFrame) -> pd.DataFrame:
            factors = {
                name: factor for name in frame for stem, factor in kinds.items() if str(name).startswith(stem)
            }
            return frame.assign(**{str(name): frame[name] * factor for name, factor in factors.items()})

        return replace(self, cells=scaled(self.cells), segments=scaled(self.segments))


def estimate_demand(
    grid: Grid, residents: Residents, footfall: pd.DataFrame, settings: DemandSettings
) -> Demand:
    """Mix people at home, at work and about, each scaled to the same total, segment by segment.

    Parameters
    ----------
    footfall
        `tables.FOOTFALL_BANDS` by cell; empty without a footfall layer (then all weight is on home). A cell
        that is not there had no traffic; a missing value is unknown, not nothing: the mean of the known cells
        around stands for it.
    """
    present = footfall.reindex(grid.cells.index, fill_value=0.0)
    side_m = settings.footfall_spread_m
    cells = residents.cells.assign(
        work=_spread_sightings(grid, _band(grid, present, "footfall_weekday_day"), side_m),
        leisure=_spread_sightings(grid, _band(grid, present, "footfall_weekend_day"), side_m),
    )
    ground = lay_ground(grid, cells, residents, settings)
    segments = name_volumes(state_volumes(ground, settings, grown(residents)), grid.cells.index)
    visits = segments[[f"visits_{name}" for name in tables.SEGMENTS]].sum(axis=1)
    potential = segments[[f"potential_{age}_wan" for age in tables.AGES]].sum(axis=1)
    return Demand(
        cells.assign(visits_per_day=visits, potential_wan=potential),
        residents.parts,
        segments,
        ground.mix,
    )


def _band(grid: Grid, present: pd.DataFrame, name: str) -> np.ndarray:
    if name not in present:
        return np.zeros(len(present))
    return _fill_unknown(grid, present[name].to_numpy(dtype=float))


def _fill_unknown(grid: Grid, present: np.ndarray) -> np.ndarray:
    """Put the mean of the known cells around in the place of unknown ones; 0 when no cell at all is known.

    The square around a cell grows to twice its side until it holds a known cell. Known are also the cells
    without any traffic, so that an unknown cell in empty country is given little.
    """
    known = ~np.isnan(present)
    filled = np.where(known, present, 0.0)
    unknown = ~known
    side_m = UNKNOWN_WINDOW_CELLS * grid.lattice.cell_m
    while unknown.any() and known.any():
        share = focal_mean(grid, known.astype(float), side_m)
        found = unknown & (share > KNOWN_SHARE_MIN)
        total = focal_mean(grid, np.where(known, present, 0.0), side_m)
        filled[found] = total[found] / share[found]
        unknown &= ~found
        side_m *= 2.0
    return filled


def _spread_sightings(grid: Grid, present: np.ndarray, side_m: float) -> np.ndarray:
    """Spread people over the ground on which they may have been seen, their total unchanged."""
    if side_m <= grid.lattice.cell_m or present.sum() == 0.0:
        return present
    around = focal_mean(grid, present, side_m)
    return np.asarray(around * (present.sum() / around.sum()))
