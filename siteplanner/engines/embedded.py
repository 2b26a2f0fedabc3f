"""The engine that runs in this process: one pass over each file, memory bounded by a window or a batch."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplanner.engines.engine import FootfallSum, PeopleSum
from siteplanner.engines.footfall import OUTSIDE, Totals, finish, footfall_sum
from siteplanner.engines.grid_plans import plan_people, plan_region
from siteplanner.engines.ping_reader import count_pings
from siteplanner.engines.raster_jobs import RasterJob, RasterSum, merge, sum_windows
from siteplanner.engines.sightings import count_sightings
from siteplanner.engines.tallies import Partial
from siteplanner.layers.clock import WEEKDAY_DAY
from siteplanner.layers.records import FootfallSource
from siteplanner.layers.sources import RasterSource
from siteplanner.layers.threads import count_threads
from siteplanner.model.grid import Grid
from siteplanner.model.lattice import Lattice
from siteplanner.stopwatch import Report, unreported
from siteplanner.tables import FOOTFALL_BANDS

# Sums of rows by key and, where figures rest on distinct devices, these.
Counted = tuple[Partial, Partial | None]


class EmbeddedEngine:
    """Counts in this process.

    Parameters
    ----------
    threads
        Threads that read and sum rasters; as many as there are cores when None. The answer does not depend
        on it.
    """

    def __init__(self, threads: int | None = None) -> None:
        self.threads = count_threads() if threads is None else threads

    def sum_raster(self, source: RasterSource, grid: Grid, counties: gpd.GeoDataFrame) -> PeopleSum:
        """Sum persons per pixel to cells; people are never resampled.

        A pixel belongs to the county that contains its centre, where counties overlap to the smallest id,
        and its people stay with that county. What of them falls beside the grid goes to the nearest cell.

        Raises
        ------
        InputError
            When pixels cannot be read or hold no counts of people.
        """
        ordered = counties.sort_index()
        return people_sum(self._run(plan_people(source, grid, ordered)), ordered.index)

    def sum_points(self, source: FootfallSource, grid: Grid, report: Report = unreported) -> FootfallSum:
        """Sum foot traffic to cells by day type and hour band: mean people per hour of the band.

        The total of a band is divided by its hours and by the distinct dates of its day type in the file. A
        file without times, and a raster, hold means already: they count as they are, as daytime of a weekday.
        """
        if source.kind == "raster":
            return self._sum_footfall_raster(source, grid)
        if source.kind == "pings":
            sums, devices = self._count(source, grid.lattice, report)
        else:
            sums, devices = count_sightings(source, grid.lattice), None
        return footfall_sum(sums, grid, suppress_below=source.suppress_below, devices=devices)

    def close(self) -> None:
        """Hold nothing, hence give nothing back."""

    def _sum_footfall_raster(self, source: FootfallSource, grid: Grid) -> FootfallSum:
        total = self._run(plan_region(source.raster or _alone(source.path), grid))
        place = np.searchsorted(grid.cells.index.to_numpy(), total.cell_id)
        table = np.zeros((len(grid.cells), len(FOOTFALL_BANDS)))
        table[place, WEEKDAY_DAY] = total.people
        outside, inside = total.count_in
        totals = Totals(table, np.empty(0, dtype=np.int64), inside, outside)
        return finish(totals, grid, suppress_below=source.suppress_below)

    def _run(self, job: RasterJob) -> RasterSum:
        """Sum all windows of a raster; where they are summed does not show in the answer."""
        return merge(job, sum_windows(job, self.threads))

    def _count(self, source: FootfallSource, lattice: Lattice, report: Report) -> Counted:
        """Count all rows of pings; where they are counted does not show in the answer."""
        return count_pings(source, lattice, report)


def _alone(path: str) -> RasterSource:
    return RasterSource((path,), (Path(path).name,), 0)


def people_sum(total: RasterSum, counties: pd.Index) -> PeopleSum:
    """Put a raster's sum into the tables of `PeopleSum`.

    Parameters
    ----------
    counties
        Ids by label.
    """
    out = np.bincount(total.label, weights=total.people, minlength=len(counties))
    names = counties.astype("str")
    columns = {"cell_id": total.cell_id, "county_id": names.take(total.label), "people": total.people}
    # Nobody else holds the columns: a copy of 10**7 rows is saved.
    parts = pd.DataFrame(columns, copy=False)
    account = pd.DataFrame(
        {
            "count_in": np.roll(total.count_in, -1),
            "count_out": np.append(out, 0.0),
            "nodata_pixels": np.roll(total.nodata, -1),
        },
        index=pd.Index([*counties, OUTSIDE], name="county_id"),
    )
    return PeopleSum(parts, account)
