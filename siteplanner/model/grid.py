"""The cells of the region, on one equal-area lattice, for everything that is counted."""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numba import njit

from siteplanner import tables
from siteplanner.model.lattice import SEGMENT_DEG, Lattice, centre_lines, lattice_ids, lay_lattice, to_plane
from siteplanner.model.sphere import nearest_km, unit_vectors
from siteplanner.scenario import GridSettings, PixelMethod

# Centres of cells that are looked for in a county at once: some 40 MB.
CENTRES_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """The cells of the region: ``cell_id = row * n_cols + col``, sorted.

    Parameters
    ----------
    pixel_method
        How the pixels of a raster are given to the cells: see `GridSettings`.
    """

    lattice: Lattice
    cells: pd.DataFrame
    pixel_method: PixelMethod = "auto"

    def __post_init__(self) -> None:
        tables.check(self.cells, tables.CELLS)


def make_grid(counties: gpd.GeoDataFrame, settings: GridSettings) -> Grid:
    """Cover the counties with cells; every cell that touches the region belongs to it.

    A cell belongs to the county of its centre; where counties overlap, to the smallest ``county_id``. A cell
    whose centre lies in no county belongs to the county whose boundary inside the cell is nearest to it.

    Parameters
    ----------
    counties
        Polygons in WGS 84 degrees, index ``county_id``.
    """
    ordered = counties.sort_index()
    polygons = ordered.geometry.to_numpy()
    lattice = lay_lattice(ordered.total_bounds, settings.cell_m)
    owner = _owner_of_cells(lattice, polygons)
    ids = np.flatnonzero(owner >= 0)
    rows = (ids // lattice.n_cols).astype(np.int32)
    cols = (ids % lattice.n_cols).astype(np.int32)
    lons, lats = centre_lines(lattice)
    columns = {
        "row": rows,
        "col": cols,
        "lon": lons[cols],
        "lat": lats[rows],
        "county_id": ordered.index.astype("str").take(owner[ids]),
    }
    # Nobody else holds the columns: a copy of 10**7 rows is saved.
    cells = pd.DataFrame(
        columns, index=pd.Index(ids.astype(np.int64, copy=False), name="cell_id"), copy=False
    )
    return Grid(lattice, cells, settings.pixel_method)


def cell_ids(grid: Grid, lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Return the cell of each point, int64; -1 for points in no cell of the grid.

    A point on the edge of two cells belongs to the northern or eastern one.
    """
    wanted = lattice_ids(grid.lattice, lon, lat)
    known = grid.cells.index.to_numpy()
    if known.size == 0:
        return np.full(wanted.shape, -1, dtype=np.int64)
    found = known[np.searchsorted(known, wanted).clip(max=known.size - 1)] == wanted
    return np.where(found, wanted, -1)


def nearest_cells(grid: Grid, lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Return the cell of each point, the nearest by great circle for points in no cell of the grid.

    Points just over the border are served from the border: their table takes them to the nearest county.
    """
    found = cell_ids(grid, lon, lat)
    out = np.flatnonzero(found < 0)
    if out.size:
        centres = unit_vectors(grid.cells["lon"].to_numpy(), grid.cells["lat"].to_numpy())
        _, nearest = nearest_km(unit_vectors(lon[out], lat[out]), centres)
        found[out] = grid.cells.index.to_numpy()[nearest]
    return found


def _owner_of_cells(lattice: Lattice, polygons: np.ndarray) -> np.ndarray:
    """Return for every cell of the lattice the polygon that it belongs to; -1 for cells that touch none."""
    owner = _owner_of_centres(lattice, polygons)
    np.copyto(owner, _owner_of_borders(lattice, polygons), where=owner < 0)
    return owner


def _owner_of_centres(lattice: Lattice, polygons: np.ndarray) -> np.ndarray:
    """Return for every cell of the lattice the first polygon that contains its centre; -1 for none."""
    lons, lats = centre_lines(lattice)
    owner = np.full((lattice.n_rows, lattice.n_cols), -1, dtype=np.int32)
    for number, polygon in enumerate(polygons):
        west, south, east, north = polygon.bounds
        left, right = np.searchsorted(lons, [west, east])
        bottom, top = np.searchsorted(lats, [south, north])
        shapely.prepare(polygon)
        # Some rows at a time, so that what is held beside the answer stays small.
        step = max(1, CENTRES_AT_ONCE // max(1, right - left))
        for row in range(bottom, top, step):
            part = owner[row : min(row + step, top), left:right]
            free = np.nonzero(part < 0)
            inside = shapely.contains_xy(polygon, lons[left:right][free[1]], lats[row:top][free[0]])
            part[free[0][inside], free[1][inside]] = number
    return owner.ravel()


def _owner_of_borders(lattice: Lattice, polygons: np.ndarray) -> np.ndarray:
    """Return for every cell the polygon whose boundary inside it is nearest to its centre; -1 for none."""
    # A multipolygon has no rings of its own, its parts have.
    parts, polygon_of_part = shapely.get_parts(polygons, return_index=True)
    rings, part = shapely.get_rings(shapely.segmentize(parts, SEGMENT_DEG), return_index=True)
    polygon_of_ring = polygon_of_part[part]
    points, ring = shapely.get_coordinates(rings, return_index=True)
    x_m, y_m = to_plane(lattice, points[:, 0], points[:, 1])
    u = np.clip((x_m - lattice.x0_m) / lattice.cell_m, 0.0, np.nextafter(lattice.n_cols, 0))
    v = np.clip((y_m - lattice.y0_m) / lattice.cell_m, 0.0, np.nextafter(lattice.n_rows, 0))
    size = lattice.n_rows * lattice.n_cols
    nearest = np.full(size, -1, dtype=np.int32)
    _walk_borders(u, v, ring, polygon_of_ring, lattice.n_cols, (nearest, np.full(size, np.inf)))
    return nearest


@njit(cache=True)
def _walk_borders(
    u: np.ndarray,
    v: np.ndarray,
    ring: np.ndarray,
    polygon_of_ring: np.ndarray,
    n_cols: int,
    result: tuple[np.ndarray, np.ndarray],
) -> None:
    """Visit every cell that a boundary crosses (Amanatides & Woo 1987) and keep the nearest piece."""
    nearest, best = result
    for i in range(u.size - 1):
        if ring[i] != ring[i + 1]:
            continue
        du, dv = u[i + 1] - u[i], v[i + 1] - v[i]
        col, row = int(u[i]), int(v[i])
        last_col, last_row = int(u[i + 1]), int(v[i + 1])
        t = 0.0
        for _ in range(abs(last_col - col) + abs(last_row - row) + 1):
            t_col = ((col + (du > 0)) - u[i]) / du if col != last_col else np.inf
            t_row = ((row + (dv > 0)) - v[i]) / dv if row != last_row else np.inf
            t_next = min(t_col, t_row, 1.0)
            cell = row * n_cols + col
            distance = _centre_distance2((u[i] - col - 0.5, v[i] - row - 0.5), (du, dv), (t, t_next))
            # Polygons come in ascending order, so an equal distance leaves the smallest county_id.
            if distance < best[cell]:
                best[cell] = distance
                nearest[cell] = polygon_of_ring[ring[i]]
            if t_col <= t_row:
                col += 1 if du > 0 else -1
            else:
                row += 1 if dv > 0 else -1
            t = t_next


@njit(cache=True)
def _centre_distance2(
    start: tuple[float, float], step: tuple[float, float], span: tuple[float, float]
) -> float:
    """Squared distance from the origin to the points start + t step for t in span."""
    length2 = step[0] ** 2 + step[1] ** 2
    t = span[0]
    if length2 > 0.0:
        t = -(start[0] * step[0] + start[1] * step[1]) / length2
        t = min(max(t, span[0]), span[1])
    return (start[0] + t * step[0]) ** 2 + (start[1] + t * step[1]) ** 2
