"""H3 cells over the region."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import geopandas as gpd
import h3.api.numpy_int as h3
import numpy as np
import shapely

from siteplanner.errors import EngineError
from siteplanner.model.grid import Grid

# Cells laid at most: their corners and what is summed to them stay within 2 GB.
HEXAGONS_MAX = 2_000_000
# Cells whose corners pass through Python at once.
BATCH = 1 << 16
# Borders are widened by this much more than asked, and may then lose that much in detail.
WIDENED = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Hexagons:
    """H3 cells, sorted by id; a few are pentagons.

    Parameters
    ----------
    ids
        64-bit ids.
    touching
        Whether a cell touches a county; the others lie within reach of one.
    points
        Corners, n x 2, longitude and latitude in degrees; around each cell with the cell on their left. Where
        an edge crosses an edge of H3's icosahedron it has a corner there.
    ring
        Place in `ids` of each corner's cell, ascending.
    """

    ids: np.ndarray
    touching: np.ndarray
    points: np.ndarray
    ring: np.ndarray


def check_number(grid: Grid, resolution: int) -> None:
    """Refuse a resolution that makes too many cells of the region, before anything is summed.

    Raises
    ------
    EngineError
        Naming the setting and the finest resolution that is possible.
    """
    area_km2 = len(grid.cells) * (grid.lattice.cell_m / 1000.0) ** 2
    middle = _middle(grid)
    wanted = area_km2 / _area_km2(middle, resolution)
    if wanted <= HEXAGONS_MAX:
        return
    finest = max(
        (coarse for coarse in range(resolution) if area_km2 / _area_km2(middle, coarse) <= HEXAGONS_MAX),
        default=0,
    )
    raise EngineError(
        f"grid.h3_resolution {resolution} makes about {wanted:,.0f} H3 cells of this region, more than "
        f"{HEXAGONS_MAX:,}; set it to {finest} or less, or leave it out"
    )


def lay_hexagons(counties: gpd.GeoDataFrame, reach_deg: float, resolution: int) -> Hexagons:
    """Return every H3 cell that touches a county, and every one within reach of a county.

    Parameters
    ----------
    reach_deg
        How far people who belong to a county are spread beyond it, degrees.
    """
    shapes = shapely.get_parts(counties.geometry.to_numpy())
    touching = _overlapping(shapes, resolution)
    wide = shapely.buffer(shapes, reach_deg * (1.0 + WIDENED), quad_segs=2)
    near = _overlapping(shapely.simplify(wide, reach_deg * WIDENED), resolution)
    ids = np.union1d(touching, near)
    points, ring = _corners(ids)
    return Hexagons(ids, np.isin(ids, touching, assume_unique=True), points, ring)


def side_m(grid: Grid, resolution: int) -> float:
    """Side of a square as large as a cell in the middle of the region, m."""
    return 1000.0 * float(np.sqrt(_area_km2(_middle(grid), resolution)))


def names_of(ids: np.ndarray) -> np.ndarray:
    """Return the ids as H3 writes them: hexadecimal text."""
    return np.array([f"{number:x}" for number in ids.tolist()], dtype=object)


def _middle(grid: Grid) -> tuple[float, float]:
    return float(grid.cells["lat"].mean()), float(grid.cells["lon"].mean())


def _area_km2(middle: tuple[float, float], resolution: int) -> float:
    """Area of the cell there: cells of one resolution differ by a factor of two over the globe."""
    return float(h3.cell_area(h3.latlng_to_cell(*middle, resolution), unit="km^2"))


def _overlapping(shapes: np.ndarray, resolution: int) -> np.ndarray:
    found = [
        h3.h3shape_to_cells_experimental(h3.geo_to_h3shape(shape), resolution, contain="overlap")
        for shape in shapes
    ]
    return np.unique(np.concatenate([np.asarray(cells, dtype=np.uint64) for cells in found]))


def _corners(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the corners of cells, and the place of the cell of each."""
    batches = list(_batches(ids))
    count = np.concatenate([sizes for sizes, _ in batches])
    points = np.concatenate([corners for _, corners in batches])
    ring = np.repeat(np.arange(len(ids), dtype=np.int32), count)
    # One side of the antimeridian for the whole region, so that no cell is torn in two.
    middle = points[0, 0]
    points[:, 0] -= 360.0 * np.round((points[:, 0] - middle) / 360.0)
    return points, ring


def _batches(ids: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the number of corners of some cells and the corners, batch by batch."""
    for start in range(0, len(ids), BATCH):
        borders = [h3.cell_to_boundary(cell) for cell in ids[start : start + BATCH].tolist()]
        sizes = np.fromiter(map(len, borders), dtype=np.int64, count=len(borders))
        flat = np.fromiter(
            chain.from_iterable(chain.from_iterable(borders)), dtype=float, count=2 * int(sizes.sum())
        )
        yield sizes, flat.reshape(-1, 2)[:, ::-1]
