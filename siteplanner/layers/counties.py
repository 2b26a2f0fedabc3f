"""The county layer: polygons, checked and repaired."""

from collections.abc import Callable

import geopandas as gpd
import numpy as np
import shapely

from siteplanner.errors import Fault
from siteplanner.layers.blanks import filled
from siteplanner.layers.datum import to_wgs84
from siteplanner.layers.files import read_table
from siteplanner.layers.findings import Findings
from siteplanner.layers.typed import LAT_MAX, LON_MAX, Typed
from siteplanner.scenario import Datum, TableInput
from siteplanner.tables import AGES, COUNTIES

# Shares with four decimals add up to 1 within this.
SHARE_ROUNDING = 5e-4
# Wider than any country that does not cross the antimeridian, degrees.
WIDTH_MAX_DEG = 180.0


def read_counties(spec: TableInput, findings: Findings) -> gpd.GeoDataFrame | None:
    """Read the counties, index ``county_id``, sorted, WGS 84; None when a fault forbids their use."""
    read = read_table(spec, COUNTIES, findings)
    if read is None:
        return None
    result, text = read
    if text.geometry is None:
        findings.faults.append(Fault(spec.path, "", "geometry", "a table without geometry", "polygons"))
        return None
    shapes, faults, repaired = _polygons(text.geometry, result, spec)
    faults += _share_faults(result, spec.path)
    findings.faults += faults
    if repaired:
        findings.notes.append(("repaired_polygons", "counties", str(repaired)))
    if faults or result.faults:
        return None
    frame = filled(result.frame, COUNTIES).assign(geometry=shapes).set_index("county_id").sort_index()
    return gpd.GeoDataFrame(frame, geometry="geometry", crs="EPSG:4326")


def _polygons(shapes: np.ndarray, result: Typed, spec: TableInput) -> tuple[np.ndarray, list[Fault], int]:
    faults = []
    kinds = shapely.get_type_id(shapes)
    wrong = ~np.isin(kinds, (3, 6)) | shapely.is_empty(shapes)
    for i in np.flatnonzero(wrong):
        kind = "nothing" if shapes[i] is None else f"a {shapes[i].geom_type}"
        found = "an empty polygon" if kinds[i] in (3, 6) else kind
        faults.append(Fault(spec.path, result.places[i], "geometry", found, "a polygon"))
    faults += extent_faults(shapes, wrong, result, spec.path)
    if faults:
        return shapes, faults, 0
    broken = ~shapely.is_valid(shapes)
    # The structure of the rings tells what the polygon was meant to be; what collapses to a line is dropped.
    repaired = shapely.make_valid(shapes, method="structure", keep_collapsed=False)
    mended = np.where(broken, repaired, shapes)
    mended = shapely.transform(mended, shift_from(spec.datum))
    for i in np.flatnonzero(shapely.area(mended) <= 0.0):
        faults.append(Fault(spec.path, result.places[i], "geometry", "a polygon without area", "a polygon"))
    return mended, faults, int(broken.sum())


def _share_faults(result: Typed, name: str) -> list[Fault]:
    """Refuse shares of age that add up to more than all residents of a county."""
    columns = [f"share_{age}" for age in AGES if f"share_{age}" in result.frame]
    whole = result.frame[columns].sum(axis=1).to_numpy(dtype=float)
    return [
        Fault(
            name, result.places[i], ", ".join(columns), f"shares that add up to {whole[i]:.6g}",
            "shares of all residents, 1 or less in all",
        )
        for i in np.flatnonzero(whole > 1.0 + SHARE_ROUNDING)
    ]  # fmt: skip


def extent_faults(shapes: np.ndarray, wrong: np.ndarray, result: Typed, name: str) -> list[Fault]:
    """Refuse shapes that are not longitude and latitude in degrees, but for those wrong otherwise."""
    faults = []
    west, south, east, north = shapely.bounds(shapes).T
    with np.errstate(invalid="ignore"):
        fits = (west >= -LON_MAX) & (east <= LON_MAX) & (south >= -LAT_MAX) & (north <= LAT_MAX)
        swapped = ~fits & (south >= -LON_MAX) & (north <= LON_MAX) & (west >= -LAT_MAX) & (east <= LAT_MAX)
        wide = fits & (east - west > WIDTH_MAX_DEG)
    for i in np.flatnonzero(~wrong & (~fits | wide)):
        found = f"coordinates from {west[i]:.6g}, {south[i]:.6g} to {east[i]:.6g}, {north[i]:.6g}"
        found += " (lon and lat look swapped)" if swapped[i] else ""
        expected = "longitude and latitude in degrees, not across the antimeridian"
        faults.append(Fault(name, result.places[i], "geometry", found, expected))
    return faults


def shift_from(datum: Datum) -> Callable[[np.ndarray], np.ndarray]:
    """Return what shifts vertices from a datum to WGS 84."""

    def shift(xy: np.ndarray) -> np.ndarray:
        return np.column_stack(to_wgs84(xy[:, 0], xy[:, 1], datum))

    return shift
