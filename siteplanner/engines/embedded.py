"""The engine that runs in this process: one pass over each file, memory bounded by a band or a batch."""

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplanner.engines import FootfallSum, PeopleSum
from siteplanner.engines.footfall import OUTSIDE, REGION, Totals, finish, footfall_sum
from siteplanner.engines.overlap import LONLAT_CODES, Labeller, Spread, centre_in_grid, spread
from siteplanner.engines.ping_reader import count_pings
from siteplanner.engines.sightings import count_sightings
from siteplanner.layers.clock import WEEKDAY_DAY
from siteplanner.layers.gdal import rasterio
from siteplanner.layers.rasters import Band, open_raster
from siteplanner.layers.records import FootfallSource, RasterSource
from siteplanner.model.grid import Grid
from siteplanner.stopwatch import Report, unreported
from siteplanner.tables import FOOTFALL_BANDS


class EmbeddedEngine:
    """Counts in this process with numpy and scipy."""

    def sum_raster(self, source: RasterSource, grid: Grid, counties: gpd.GeoDataFrame) -> PeopleSum:
        """Sum persons per pixel to cells by exact area overlap; people are never resampled.

        A pixel belongs to the county that contains its centre, where counties overlap to the smallest id,
        and its people stay with that county and on the grid. Rasters in another system than longitude and
        latitude are split pixel by pixel, by a rectangle close to it.
        """
        ordered = counties.sort_index()
        names = ordered.index.to_numpy(dtype=object)
        count_in = np.zeros(len(names) + 1)
        with open_raster(source.path) as raster:
            label = _county_labeller(raster, ordered)

            def counted(band: Band) -> np.ndarray:
                labels = label(band)
                # The label -1 of pixels in no county counts into the first place.
                people = band.people.ravel()
                count_in[:] += np.bincount(labels.ravel() + 1, weights=people, minlength=len(count_in))
                return labels

            pieces = list(spread(raster, grid, counted))
        parts = _joined(pieces, names)
        out = parts.groupby("county_id")["people"].sum().reindex(names, fill_value=0.0)
        account = pd.DataFrame(
            {"count_in": [*count_in[1:], count_in[0]], "count_out": [*out, 0.0]},
            index=pd.Index([*names, OUTSIDE], name="county_id"),
        )
        return PeopleSum(parts, account)

    def sum_points(self, source: FootfallSource, grid: Grid, report: Report = unreported) -> FootfallSum:
        """Sum foot traffic to cells by day type and hour band: mean people per hour of the band.

        The total of a band is divided by its hours and by the distinct dates of its day type in the file. A
        file without times, and a raster, hold means already: they count as they are, as daytime of a weekday.
        """
        if source.kind == "raster":
            return _sum_footfall_raster(source, grid)
        if source.kind == "pings":
            sums, devices = count_pings(source, grid.lattice, report)
        else:
            sums, devices = count_sightings(source, grid.lattice), None
        return footfall_sum(sums, grid, suppress_below=source.suppress_below, devices=devices)


def _county_labeller(raster: "rasterio.DatasetReader", counties: gpd.GeoDataFrame) -> Labeller:
    """Return a labeller that gives each pixel the number of the county of its centre."""
    shapes_here = counties.geometry
    if raster.crs.to_epsg() not in LONLAT_CODES:
        shapes_here = shapes_here.to_crs(raster.crs.to_wkt())
    # What is burnt later covers what is there: the smallest id comes last.
    shapes = [(shape, number) for number, shape in reversed(list(enumerate(shapes_here)))]

    def label(band: Band) -> np.ndarray:
        a, b, c, d, e, f = raster.transform[:6]
        place = rasterio.Affine(a, b, c + b * band.row, d, e, f + e * band.row)
        shape = band.people.shape
        labels: np.ndarray = rasterio.features.rasterize(
            shapes, shape, fill=-1, transform=place, dtype="int32"
        )
        return labels

    return label


def _joined(pieces: list[Spread], names: np.ndarray) -> pd.DataFrame:
    """Add up the entries by cell and county, sorted by both."""
    label = np.concatenate([piece.label for piece in pieces] or [np.zeros(0, dtype=np.int64)])
    cell = np.concatenate([piece.cell_id for piece in pieces] or [np.zeros(0, dtype=np.int64)])
    people = np.concatenate([piece.people for piece in pieces] or [np.zeros(0)])
    key, entry = np.unique(cell.astype(np.int64) * len(names) + label, return_inverse=True)
    total = np.bincount(entry, weights=people, minlength=len(key))
    some = total > 0.0
    cells, labels = np.divmod(key[some], len(names))
    return pd.DataFrame({"cell_id": cells, "county_id": names[labels], "people": total[some]})


def _sum_footfall_raster(source: FootfallSource, grid: Grid) -> FootfallSum:
    count_in = 0.0
    with open_raster(source.path) as raster:
        label = centre_in_grid(raster, grid)
        inside = 0.0

        def counted(band: Band) -> np.ndarray:
            nonlocal count_in, inside
            labels = label(band)
            count_in += float(band.people.sum())
            inside += float(band.people[labels >= 0].sum())
            return labels

        parts = _joined(list(spread(raster, grid, counted)), np.array([REGION], dtype=object))
    place = np.searchsorted(grid.cells.index.to_numpy(), parts["cell_id"].to_numpy())
    table = np.zeros((len(grid.cells), len(FOOTFALL_BANDS)))
    table[place, WEEKDAY_DAY] = parts["people"].to_numpy()
    totals = Totals(table, np.empty(0, dtype=np.int64), inside, count_in - inside)
    return finish(totals, grid, suppress_below=source.suppress_below)
