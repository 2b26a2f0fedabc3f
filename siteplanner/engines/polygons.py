"""People of a raster inside polygons, pixels split by exact area."""

from collections.abc import Callable
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplanner.engines.borders import Borders, lay_borders, polygon_borders, polygon_sides
from siteplanner.engines.placing import Placing, place_file
from siteplanner.engines.regions import in_pixels
from siteplanner.engines.runs import Runs, fill_runs
from siteplanner.engines.walk import Method, Route, edges_inside, lay_route, take_people, walk_window
from siteplanner.errors import InputError
from siteplanner.layers.gdal import open_geotiff, rasterio
from siteplanner.layers.pixels import PixelReader, Window, list_windows
from siteplanner.layers.rasters import unreadable_window
from siteplanner.layers.sources import RasterSource
from siteplanner.layers.threads import count_threads, in_order

_Added = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """How the borders lie on one file of a raster, and which of its pixels count.

    Parameters
    ----------
    runs
        Pixels with the label -1 do not count.
    """

    route: Route
    runs: Runs
    method: Method


def sum_polygons(
    source: RasterSource, polygons: gpd.GeoDataFrame, *, threads: int | None = None
) -> "pd.Series[float]":
    """Sum people to polygons, every pixel by the share of its area in the raster's plane that lies inside.

    Parameters
    ----------
    source
        Checked: what is no count of people is taken as 0.
    polygons
        Valid polygons in WGS 84 degrees; may overlap, may lie partly or wholly off the raster.
    threads
        As many as there are cores when None; the answer does not depend on it.

    Returns
    -------
    People by the index of the polygons.
    """
    borders = polygon_borders(polygons.geometry.to_numpy())

    def lay(placing: Placing, shape: tuple[int, int], starts: np.ndarray) -> Tile:
        return Tile(lay_route(lay_borders(borders, placing), starts, shape[0]), _all_rows(shape[0]), "area")

    people = _sum_tiles(source, lay, borders.n_areas, threads)
    return pd.Series(people, index=polygons.index, name="people")


def sum_people_of(
    counties: gpd.GeoDataFrame,
    source: RasterSource,
    borders: Borders,
    choose: Callable[[Placing], Method],
    *,
    threads: int | None = None,
) -> np.ndarray:
    """Sum the people of pixels whose centre lies in a county to areas.

    Parameters
    ----------
    choose
        Tells for one file whether its pixels are split by area or go whole where their centre is.
    """
    sides = polygon_sides(counties.geometry.to_numpy())

    def lay(placing: Placing, shape: tuple[int, int], starts: np.ndarray) -> Tile:
        runs = fill_runs(in_pixels(sides, placing), shape, sides.n_labels)
        return Tile(lay_route(lay_borders(borders, placing), starts, shape[0]), runs, choose(placing))

    return _sum_tiles(source, lay, borders.n_areas, threads)


def _sum_tiles(
    source: RasterSource,
    lay: Callable[[Placing, tuple[int, int], np.ndarray], Tile],
    n_areas: int,
    threads: int | None,
) -> np.ndarray:
    tiles: list[Tile] = []
    windows: list[Window] = []
    for number, path in enumerate(source.paths):
        with open_geotiff(path) as raster:
            mine = list_windows(raster.shape, raster.block_shapes[0], number, len(windows))
            starts = np.unique([window.row for window in mine])
            tiles.append(lay(place_file(raster), raster.shape, starts))
            windows += mine

    def work(reader: PixelReader, window: Window) -> _Added:
        return _sum_window(tiles[window.tile], window, reader, source.names[window.tile])

    people = np.zeros(n_areas)
    n_threads = count_threads() if threads is None else threads
    for owner, added in in_order(work, source.paths, windows, n_threads):
        people += np.bincount(owner, weights=added, minlength=n_areas)
    return people


def _sum_window(tile: Tile, window: Window, reader: PixelReader, name: str) -> _Added:
    here = edges_inside(tile.route, window)
    owner = tile.route.edges.owner[here]
    if not len(here):
        return owner, np.zeros(0)
    try:
        stored, coding = reader.read(window)
    except rasterio.errors.RasterioError as error:
        raise InputError([unreadable_window(window, name, error)]) from None
    # What is stored as it counts keeps its type: half the memory.
    plain = coding.scale == 1.0 and coding.offset == 0.0
    people = stored if plain else stored.astype(np.float64)
    take_people(people, (window.row, window.col), coding, tile.runs)
    return owner, walk_window(tile.route, here, window, people, tile.method)


def _all_rows(n_rows: int) -> Runs:
    """Return runs in which every pixel counts."""
    return Runs(np.arange(n_rows + 1, dtype=np.int64), np.zeros(n_rows, np.int32), np.zeros(n_rows, np.int32))
