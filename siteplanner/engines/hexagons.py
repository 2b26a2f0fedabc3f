"""People and foot traffic by H3 cell."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from siteplanner import tables
from siteplanner.engines.borders import Borders, join_corners
from siteplanner.engines.people import People
from siteplanner.engines.placing import Placing, pixel_side, place_file
from siteplanner.engines.polygons import sum_people_of
from siteplanner.engines.raster_plans import SPLIT_SIDE
from siteplanner.engines.walk import Method, edges_inside, lay_route, walk_window
from siteplanner.layers.gdal import open_geotiff
from siteplanner.layers.pixels import Window
from siteplanner.layers.records import Layers
from siteplanner.layers.sources import RasterSource
from siteplanner.model.grid import Grid
from siteplanner.model.hexagons import Hexagons, check_number, lay_hexagons, names_of, side_m
from siteplanner.model.lattice import Lattice, edge_lines, to_plane

REGION = "region"
OUTSIDE = "outside"
# Before the name of a layer in the account of conservation.
PREFIX = "h3_"
# Fewer people, or fewer an hour, than this are the rounding of a cell in which nobody is.
TRACE = 1e-9
# Places along each side of the region at which the size of a pixel is looked at.
SAMPLES = 5


@dataclass(frozen=True, slots=True, eq=False)
class HexagonSums:
    """What H3 cells hold, `tables.HEXAGONS`, and the account of each layer."""

    cells: pd.DataFrame
    accounts: dict[str, pd.DataFrame]

    def __post_init__(self) -> None:
        tables.check(self.cells, tables.HEXAGONS)


def sum_hexagons(
    layers: Layers, grid: Grid, people: People, footfall: pd.DataFrame, resolution: int | None
) -> HexagonSums:
    """Sum people of all rasters and footfall to H3 cells; without a resolution the answer is empty.

    The people are those of the lattice, the pixels whose centre lies in a county, by `Grid.pixel_method`.
    Footfall is that of the lattice, each of its cells split by area: devices are placed no better than that
    (D§12.2), and what was withheld because few devices were seen in a cell stays withheld.

    Parameters
    ----------
    footfall
        `tables.FOOTFALL_BANDS` by cell of the lattice; empty without footfall.

    Raises
    ------
    EngineError
        When the resolution is too fine for the region.
    """
    if resolution is None:
        return HexagonSums(_nothing(), {})
    check_number(grid, resolution)
    sources = {
        "residents": layers.population,
        "residents_earlier": layers.population_earlier,
        "aged_60": layers.aged_60,
    }
    given = {layer: source for layer, source in sources.items() if source is not None}
    hexagons = lay_hexagons(layers.counties, _reach_deg(list(given.values()), grid), resolution)
    borders = Borders(hexagons.points, hexagons.ring, np.arange(len(hexagons.ids)), len(hexagons.ids))

    def choose(placing: Placing) -> Method:
        return _method(placing, grid, side_m(grid, resolution))

    columns = {
        layer: sum_people_of(layers.counties, source, borders, choose) for layer, source in given.items()
    }
    accounts = {
        PREFIX + layer: _account(people.accounts[layer].drop(index=OUTSIDE), columns[layer])
        for layer in columns
    }
    columns.setdefault("residents_earlier", columns["residents"])
    columns.setdefault("aged_60", np.zeros(len(hexagons.ids)))
    if len(footfall):
        columns |= _spread_footfall(footfall, grid.lattice, borders)
        there = pd.DataFrame({"count_in": footfall.fillna(0.0).to_numpy().ravel()})
        sums = np.concatenate([columns[str(band)] for band in footfall.columns])
        accounts[PREFIX + "footfall"] = _account(there, sums)
    return HexagonSums(_table(hexagons, columns), accounts)


def _nothing() -> pd.DataFrame:
    columns = [column.name for column in tables.HEXAGONS.columns if column.required and column.name != "h3"]
    return pd.DataFrame(columns=columns, index=pd.Index([], name="h3", dtype=str), dtype=float)


def _account(given: pd.DataFrame, sums: np.ndarray) -> pd.DataFrame:
    """Return an account of one row; what went in is what the lattice took in."""
    columns = {"count_in": [float(given["count_in"].sum())], "count_out": [float(np.nansum(sums))]}
    return pd.DataFrame(columns, index=pd.Index([REGION]))


def _table(hexagons: Hexagons, columns: dict[str, np.ndarray]) -> pd.DataFrame:
    """Put the sums in a table: every cell that touches a county, and those beside it that got something."""
    clean = {name: np.where(values <= TRACE, 0.0, values) for name, values in columns.items()}
    kept = hexagons.touching.copy()
    for values in clean.values():
        kept |= ~(values <= 0.0)
    index = pd.Index(names_of(hexagons.ids[kept]), name="h3", dtype=str)
    order = [column.name for column in tables.HEXAGONS.columns if column.name in clean]
    return pd.DataFrame({name: clean[name][kept] for name in order}, index=index)


def _method(placing: Placing, grid: Grid, cell_m: float) -> Method:
    """Return how pixels of this size go to cells of that one: `auto` as for the lattice."""
    if grid.pixel_method != "auto":
        return grid.pixel_method
    pixel_m = pixel_side(placing, grid.lattice) * grid.lattice.cell_m
    return "area" if pixel_m > SPLIT_SIDE * cell_m else "centre"


def _reach_deg(sources: list[RasterSource], grid: Grid) -> float:
    """How far a pixel with its centre in a county, or a cell that touches one, lies beyond it, degrees."""
    lons, lats = edge_lines(grid.lattice)
    lon, lat = (values.ravel() for values in np.meshgrid(_along(lons), _along(lats)))
    reach = float(np.hypot(np.diff(lons).max(), np.diff(lats).max()))
    for source in sources:
        for path in source.paths:
            with open_geotiff(path) as raster:
                placing = place_file(raster)
            col, row = placing.to_pixels(lon, lat)
            shown = np.isfinite(col) & np.isfinite(row)
            for right, down in ((0.5, 0.5), (0.5, -0.5)):
                away = placing.to_degrees(col[shown] + right, row[shown] + down)
                far = np.hypot(away[0] - lon[shown], away[1] - lat[shown])
                reach = max(reach, float(far.max(initial=0.0)))
    return reach


def _along(lines: np.ndarray) -> np.ndarray:
    return np.linspace(lines[0], lines[-1], SAMPLES)


def _spread_footfall(footfall: pd.DataFrame, lattice: Lattice, borders: Borders) -> dict[str, np.ndarray]:
    """Split the cells of the lattice by area; their rows go north.

    What was withheld is not in the figures; a cell of which nothing else is known stays withheld.
    """
    x_m, y_m = to_plane(lattice, borders.points[:, 0], borders.points[:, 1])
    corners = (x_m - lattice.x0_m) / lattice.cell_m, (y_m - lattice.y0_m) / lattice.cell_m
    edges = join_corners(corners, borders.ring, borders, mirrored=False)
    route = lay_route(edges, np.zeros(1, dtype=np.int64), lattice.n_rows)
    window = Window(0, 0, 0, 0, lattice.n_rows, lattice.n_cols)
    here = edges_inside(route, window)
    owner = edges.owner[here]
    spread = {}
    for band in footfall.columns:
        known, hidden = np.zeros((2, lattice.n_rows * lattice.n_cols))
        known[footfall.index.to_numpy()] = footfall[band].fillna(0.0).to_numpy()
        hidden[footfall.index.to_numpy()] = footfall[band].isna().to_numpy()
        sums, withheld = (
            np.bincount(
                owner,
                weights=walk_window(route, here, window, cells.reshape(lattice.n_rows, -1), "area"),
                minlength=borders.n_areas,
            )
            for cells in (known, hidden)
        )
        spread[str(band)] = np.where((sums <= TRACE) & (withheld > TRACE), np.nan, sums)
    return spread
