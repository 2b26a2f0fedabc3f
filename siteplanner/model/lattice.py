"""One equal-area lattice on WGS 84: its plane, its lines, its cells."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

# WGS 84 (NIMA TR8350.2): semi-major axis in metres and first eccentricity.
WGS84_A_M = 6_378_137.0
WGS84_E2 = 6.694_379_990_141_316e-3
WGS84_E = WGS84_E2**0.5

# A straight line in degrees bends in the plane; pieces of this length stay within 0.1 m of it.
SEGMENT_DEG = 0.02

# Newton steps after the sine of the latitude; three reach the last bit below 85 degrees, one is spare.
NEWTON_STEPS = 4


@dataclass(frozen=True, slots=True)
class Lattice:
    """A cylindrical equal-area lattice on WGS 84.

    The standard parallel is the region's middle latitude, so that rows and columns are straight in longitude
    and latitude and areas are true. Its metres are not distances: those are taken on the sphere.

    Parameters
    ----------
    standard_parallel_deg
        Latitude of true scale, degrees.
    x0_m, y0_m
        South-west corner in the plane, m; multiples of ``cell_m``.
    """

    cell_m: float
    standard_parallel_deg: float
    x0_m: float
    y0_m: float
    n_rows: int
    n_cols: int


def lay_lattice(bounds: Iterable[float], cell_m: float) -> Lattice:
    """Cover a box with cells; corners are multiples of the cell's side.

    Parameters
    ----------
    bounds
        West, south, east, north, WGS 84 degrees.
    """
    west, south, east, north = (float(value) for value in bounds)
    # A round latitude keeps the lattice where it is when a border is surveyed anew.
    parallel = round((south + north) / 2.0, 1)
    plane = Lattice(cell_m, parallel, 0.0, 0.0, 0, 0)
    x_m, y_m = to_plane(plane, np.array([west, east]), np.array([south, north]))
    first_col, last_col = (int(value) for value in np.floor(x_m / cell_m))
    first_row, last_row = (int(value) for value in np.floor(y_m / cell_m))
    return Lattice(
        cell_m,
        parallel,
        first_col * cell_m,
        first_row * cell_m,
        last_row - first_row + 1,
        last_col - first_col + 1,
    )


def to_plane(lattice: Lattice, lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Project WGS 84 degrees to the lattice's plane, m.

    Closed form of the ellipsoidal projection: Snyder 1987, "Map projections: a working manual", equations
    10-13 to 10-15 and 3-12.
    """
    scale = _scale(lattice.standard_parallel_deg)
    x_m = WGS84_A_M * scale * np.radians(lon)
    y_m = WGS84_A_M * _authalic_q(np.sin(np.radians(lat))) / (2.0 * scale)
    return x_m, y_m


def to_lonlat(lattice: Lattice, x_m: np.ndarray, y_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inverse of `to_plane`, degrees; the latitude by Newton's method (Snyder 1987, eq. 3-16)."""
    scale = _scale(lattice.standard_parallel_deg)
    lon = np.degrees(np.asarray(x_m, dtype=float) / (WGS84_A_M * scale))
    q = 2.0 * scale * np.asarray(y_m, dtype=float) / WGS84_A_M
    phi = np.arcsin(np.clip(q / 2.0, -1.0, 1.0))
    for _ in range(NEWTON_STEPS):
        sin = np.sin(phi)
        slope = 2.0 * (1.0 - WGS84_E2) * np.cos(phi) / (1.0 - WGS84_E2 * sin**2) ** 2
        phi = phi + (q - _authalic_q(sin)) / slope
    return lon, np.degrees(phi)


def centre_lines(lattice: Lattice) -> tuple[np.ndarray, np.ndarray]:
    """Return the longitudes of the columns' centres and the latitudes of the rows' centres, degrees."""
    x_m = lattice.x0_m + (np.arange(lattice.n_cols) + 0.5) * lattice.cell_m
    y_m = lattice.y0_m + (np.arange(lattice.n_rows) + 0.5) * lattice.cell_m
    return to_lonlat(lattice, x_m, np.zeros(0))[0], to_lonlat(lattice, np.zeros(0), y_m)[1]


def edge_lines(lattice: Lattice) -> tuple[np.ndarray, np.ndarray]:
    """Return the longitudes of the edges of columns and the latitudes of the edges of rows, degrees."""
    x_m = lattice.x0_m + np.arange(lattice.n_cols + 1) * lattice.cell_m
    y_m = lattice.y0_m + np.arange(lattice.n_rows + 1) * lattice.cell_m
    return to_lonlat(lattice, x_m, np.zeros(0))[0], to_lonlat(lattice, np.zeros(0), y_m)[1]


def lattice_ids(lattice: Lattice, lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Return the lattice cell of each point, int64, whether of the region or not; -1 off the lattice."""
    x_m, y_m = to_plane(lattice, np.asarray(lon, dtype=float), np.asarray(lat, dtype=float))
    col = np.floor((x_m - lattice.x0_m) / lattice.cell_m)
    row = np.floor((y_m - lattice.y0_m) / lattice.cell_m)
    # Comparisons with NaN are false: a point without coordinates is in no cell.
    on_lattice = (col >= 0) & (col < lattice.n_cols) & (row >= 0) & (row < lattice.n_rows)
    return np.where(on_lattice, row * lattice.n_cols + col, -1.0).astype(np.int64)


def _scale(standard_parallel_deg: float) -> float:
    phi = np.radians(standard_parallel_deg)
    return float(np.cos(phi) / np.sqrt(1.0 - WGS84_E2 * np.sin(phi) ** 2))


def _authalic_q(sin: np.ndarray) -> np.ndarray:
    e_sin = WGS84_E * sin
    return np.asarray((1.0 - WGS84_E2) * (sin / (1.0 - e_sin**2) + np.arctanh(e_sin) / WGS84_E))
