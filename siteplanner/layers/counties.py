"""The county layer: polygons, checked and repaired."""

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from siteplanner.errors import Fault
from siteplanner.layers.datum import to_wgs84
from siteplanner.layers.files import read_table
from siteplanner.layers.findings import Findings
from siteplanner.layers.typed import Typed
from siteplanner.scenario import Datum, TableInput
from siteplanner.tables import COUNTIES

# The prefecture rule of relocation needs a name even where none is given (tables.COUNTIES).
ONE_PREFECTURE = "region"

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
    findings.faults += faults
    if repaired:
        findings.notes.append(("repaired_polygons", "counties", str(repaired)))
    if faults or result.faults:
        return None
    frame = _filled(result.frame).assign(geometry=shapes).set_index("county_id").sort_index()
    return gpd.GeoDataFrame(frame, geometry="geometry", crs="EPSG:4326")


def _filled(frame: pd.DataFrame) -> pd.DataFrame:
    rows = len(frame)
    empty = pd.Series(np.full(rows, "", dtype=object), index=frame.index)
    missing = pd.Series(np.full(rows, np.nan), index=frame.index)
    prefecture = frame.get("prefecture", empty)
    return frame.assign(
        prefecture=prefecture.where(prefecture != "", ONE_PREFECTURE),
        residents=frame.get("residents", missing),
        inclusive=frame.get("inclusive", pd.Series(np.zeros(rows, dtype=bool), index=frame.index)),
        list_name=frame.get("list_name", empty),
        list_year=frame.get("list_year", missing),
    )


def _polygons(shapes: np.ndarray, result: Typed, spec: TableInput) -> tuple[np.ndarray, list[Fault], int]:
    faults = []
    kinds = shapely.get_type_id(shapes)
    wrong = ~np.isin(kinds, (3, 6)) | shapely.is_empty(shapes)
    for i in np.flatnonzero(wrong):
        kind = "nothing" if shapes[i] is None else f"a {shapes[i].geom_type}"
        found = "an empty polygon" if kinds[i] in (3, 6) else kind
        faults.append(Fault(spec.path, result.places[i], "geometry", found, "a polygon"))
    faults += _extent_faults(shapes, wrong, result, spec.path)
    if faults:
        return shapes, faults, 0
    broken = ~shapely.is_valid(shapes)
    mended = np.where(broken, shapely.make_valid(shapes, method="structure"), shapes)
    mended = _without_lines(mended)
    mended = shapely.transform(mended, _shift(spec.datum))
    for i in np.flatnonzero(shapely.area(mended) <= 0.0):
        faults.append(Fault(spec.path, result.places[i], "geometry", "a polygon without area", "a polygon"))
    return mended, faults, int(broken.sum())


def _extent_faults(shapes: np.ndarray, wrong: np.ndarray, result: Typed, name: str) -> list[Fault]:
    faults = []
    west, south, east, north = shapely.bounds(shapes).T
    with np.errstate(invalid="ignore"):
        fits = (west >= -180.0) & (east <= 180.0) & (south >= -85.0) & (north <= 85.0)
        swapped = ~fits & (south >= -180.0) & (north <= 180.0) & (west >= -85.0) & (east <= 85.0)
        wide = fits & (east - west > WIDTH_MAX_DEG)
    for i in np.flatnonzero(~wrong & (~fits | wide)):
        found = f"coordinates from {west[i]:.6g}, {south[i]:.6g} to {east[i]:.6g}, {north[i]:.6g}"
        found += " (lon and lat look swapped)" if swapped[i] else ""
        expected = "longitude and latitude in degrees, not across the antimeridian"
        faults.append(Fault(name, result.places[i], "geometry", found, expected))
    return faults


def _without_lines(shapes: np.ndarray) -> np.ndarray:
    """Drop the points and lines that a repair may leave beside the polygons."""
    parts, owner = shapely.get_parts(shapes, return_index=True)
    inner, again = shapely.get_parts(parts, return_index=True)
    flat = shapely.get_type_id(inner) == 3  # noqa: PLR2004 - GEOS's number of a polygon
    owners = owner[again[flat]]
    grouped = shapely.multipolygons(
        inner[flat], indices=owners, out=np.full(len(shapes), shapely.MultiPolygon())
    )
    single = np.bincount(owners, minlength=len(shapes)) == 1
    first = np.searchsorted(owners, np.flatnonzero(single))
    grouped[single] = inner[flat][first]
    return np.asarray(grouped)


def _shift(datum: Datum):  # noqa: ANN202
    def shift(xy: np.ndarray) -> np.ndarray:
        return np.column_stack(to_wgs84(xy[:, 0], xy[:, 1], datum))

    return shift
