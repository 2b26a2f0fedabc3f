"""Tables of points: coordinates in WGS 84, county known, blanks filled."""

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from siteplanner import tables
from siteplanner.errors import Fault
from siteplanner.layers.blanks import filled
from siteplanner.layers.datum import to_wgs84
from siteplanner.layers.files import read_table
from siteplanner.layers.findings import Findings
from siteplanner.layers.placing import BORDER_KM, find_county
from siteplanner.layers.text_tables import TextTable
from siteplanner.layers.typed import LAT_MAX, LON_MAX, Typed, quoted
from siteplanner.scenario import TableInput
from siteplanner.tables import Table

# A list of which more than this share lies outside every county is the wrong list, datum or order of axes.
OUTSIDE_SHARE_MAX = 0.5
# Lists that often cover more than the region; their points outside are counted and left out.
MAY_REACH_BEYOND = ("competitors", "developments", "townships", "service_points")

# Keys that a list without ids is given: letter and digits, in order of position (tickets: branch, time).
MADE_KEYS = {
    "competitors": ("R", 5), "developments": ("D", 4), "service_points": ("P", 5), "tickets": ("T", 8),
}  # fmt: skip


def read_points(
    spec: TableInput | None, table: Table, findings: Findings, counties: gpd.GeoDataFrame | None
) -> pd.DataFrame:
    """Read a table of points, index its key, sorted; an empty frame with the right columns without it."""
    read = None if spec is None else read_table(spec, table, findings)
    if spec is None or read is None:
        return empty_table(table)
    result, text = read
    frame = filled(with_coordinates(result.frame, text), table)
    faults = _swap_faults(frame, text, spec.path)
    if faults:
        # One line says it for all rows.
        findings.faults[:] = [f for f in findings.faults if (f.file, f.column) != (spec.path, "lat")]
    located = np.isfinite(frame["lon"].to_numpy(dtype=float)) & np.isfinite(
        frame["lat"].to_numpy(dtype=float)
    )
    for i in np.flatnonzero(~located) if text.geometry is not None else ():
        faults.append(Fault(spec.path, result.places[i], "geometry", "no geometry", "a point"))
    faults += _opening_faults(frame, result, spec.path) + _half_keyed(frame, table, result, spec.path)
    lon, lat = to_wgs84(frame["lon"].to_numpy(), frame["lat"].to_numpy(), spec.datum)
    frame = frame.assign(lon=lon, lat=lat)
    if faults:
        findings.faults += faults
    elif counties is not None:
        frame = _in_counties(frame, (spec.path, table.name, result), counties, findings)
    return keyed(frame, table)


def empty_table(table: Table) -> pd.DataFrame:
    """Return the table with no rows: its own columns, and where its points lie."""
    frame = filled(pd.DataFrame(index=pd.RangeIndex(0)), table)
    if "lon" in frame:
        frame = frame.assign(county_id=pd.Series(dtype="str"))
    return keyed(frame, table)


def keyed(frame: pd.DataFrame, table: Table) -> pd.DataFrame:
    """Make the key the index and sort by it; lists without ids are numbered in order of position."""
    if table.key in frame and table.name in MADE_KEYS and (frame[table.key] == "").all():
        frame = frame.drop(columns=table.key)
    if table.key not in frame:
        letter, digits = MADE_KEYS[table.name]
        own = [column.name for column in table.columns if column.name != table.key]
        order = [name for name in ("lon", "lat") if name in own] + [n for n in own if n not in {"lon", "lat"}]
        frame = frame.sort_values(order, kind="stable", ignore_index=True)
        numbers = range(1, len(frame) + 1)
        frame = frame.assign(**{table.key: [f"{letter}{n:0{digits}d}" for n in numbers]})
    keyed_frame: pd.DataFrame = frame.set_index(table.key).sort_index()
    return keyed_frame


def with_coordinates(frame: pd.DataFrame, text: TextTable) -> pd.DataFrame:
    """Take the coordinates from the geometry where the file has one and no columns of them."""
    if text.geometry is None or {"lon", "lat"} <= set(frame.columns):
        return frame
    points = np.where(
        shapely.get_type_id(text.geometry) == 0, text.geometry, shapely.point_on_surface(text.geometry)
    )
    return frame.assign(lon=shapely.get_x(points), lat=shapely.get_y(points))


def _opening_faults(frame: pd.DataFrame, result: Typed, name: str) -> list[Fault]:
    """Refuse opening hours that end before they begin, and ends without a beginning."""
    if "opens_at" not in frame:
        return []
    opens, closes = (frame[column].to_numpy(dtype=float) for column in ("opens_at", "closes_at"))
    faults = []
    for i in np.flatnonzero(np.isnan(opens) != np.isnan(closes)):
        column = "opens_at" if np.isnan(opens[i]) else "closes_at"
        faults.append(Fault(name, result.places[i], column, "nothing", "opens_at and closes_at, or neither"))
    for i in np.flatnonzero(closes <= opens):
        found = f"{closes[i]:g}, with opens_at {opens[i]:g}"
        faults.append(Fault(name, result.places[i], "closes_at", found, "an hour after it opens"))
    return faults


def _half_keyed(frame: pd.DataFrame, table: Table, result: Typed, name: str) -> list[Fault]:
    """Refuse lists in which some rows have an id and others have none."""
    if table.name not in MADE_KEYS or table.key not in frame or table.key in result.absent:
        return []
    blank = (frame[table.key] == "").to_numpy()
    if blank.all():
        return []
    expected = f"an id in every row, or no column {table.key}"
    return [Fault(name, result.places[i], table.key, "nothing", expected) for i in np.flatnonzero(blank)]


def _swap_faults(frame: pd.DataFrame, text: TextTable, name: str) -> list[Fault]:
    """Say once what a range check says of every row: latitude and longitude stand in each other's place."""
    lon, lat = frame["lon"].to_numpy(dtype=float), frame["lat"].to_numpy(dtype=float)
    with np.errstate(invalid="ignore"):
        swapped = (np.abs(lat) > LAT_MAX) & (np.abs(lat) <= LON_MAX) & (np.abs(lon) <= LAT_MAX)
        beyond = (np.abs(lat) > LAT_MAX) | (np.abs(lon) > LON_MAX)
    faults = []
    if swapped.any():
        found = (
            f"latitudes beyond 85 in {int(swapped.sum()):,} of {len(lon):,} rows (lon and lat look swapped)"
        )
        faults.append(Fault(name, "", "lat", found, "lon = longitude, lat = latitude, degrees"))
    elif beyond.any() and text.geometry is not None:
        found = f"coordinates beyond the Earth in {int(beyond.sum()):,} features"
        faults.append(Fault(name, "", "geometry", found, "longitude and latitude, degrees"))
    return faults


def _in_counties(
    frame: pd.DataFrame, about: tuple[str, str, Typed], counties: gpd.GeoDataFrame, findings: Findings
) -> pd.DataFrame:
    """Give each point its county; points far outside are faults, or counted and left out."""
    name, table, result = about
    whole = np.isfinite(frame["lon"].to_numpy()) & np.isfinite(frame["lat"].to_numpy())
    frame, places = frame[whole], result.places[whole]
    lon, lat = frame["lon"].to_numpy(), frame["lat"].to_numpy()
    county = find_county(lon, lat, counties)
    findings.faults += _unknown_county_faults(frame, counties, name, places)
    given = (
        frame["county_id"].to_numpy(dtype=object) if "county_id" in frame else np.full(len(frame), "", object)
    )
    own = np.where(given != "", given, county.county_id)
    if county.moved.any():
        findings.notes.append(("moved_into_county", table, str(int(county.moved.sum()))))
    outside = county.county_id == ""
    if outside.sum() > OUTSIDE_SHARE_MAX * len(frame):
        findings.faults.append(_mostly_outside(lon, lat, outside, counties, name))
    elif outside.any() and table in MAY_REACH_BEYOND:
        findings.notes.append(("outside_region", table, str(int(outside.sum()))))
    else:
        for i in np.flatnonzero(outside):
            found = f"{lon[i]:.6f}, {lat[i]:.6f} (WGS 84), which is outside every county"
            findings.faults.append(
                Fault(name, places[i], "lon, lat", found, f"a point within {BORDER_KM:g} km of a county")
            )
    inside: pd.DataFrame = frame.assign(county_id=own).loc[~outside].reset_index(drop=True)
    return inside


def _unknown_county_faults(
    frame: pd.DataFrame, counties: gpd.GeoDataFrame, name: str, places: np.ndarray
) -> list[Fault]:
    if "county_id" not in frame:
        return []
    given = frame["county_id"].to_numpy(dtype=object)
    wrong = (given != "") & ~np.isin(given.astype(str), counties.index.to_numpy(dtype=str))
    expected = "a county_id of the counties layer, or nothing"
    return [Fault(name, places[i], "county_id", quoted(given[i]), expected) for i in np.flatnonzero(wrong)]


def _mostly_outside(
    lon: np.ndarray, lat: np.ndarray, outside: np.ndarray, counties: gpd.GeoDataFrame, name: str
) -> Fault:
    west, south, east, north = counties.total_bounds
    swapped = outside & (lat >= west) & (lat <= east) & (lon >= south) & (lon <= north)
    hint = " (lon and lat look swapped)" if swapped.sum() > OUTSIDE_SHARE_MAX * len(lon) else ""
    found = f"{int(outside.sum()):,} of {len(lon):,} points outside every county{hint}"
    expected = f"points in the counties ({west:.3f}, {south:.3f} to {east:.3f}, {north:.3f})"
    return Fault(name, "", "lon, lat", found, expected)


def read_tickets(
    read: tuple[Typed, TextTable] | None, branches: pd.Index, name: str
) -> tuple[pd.DataFrame, list[Fault]]:
    """Check and number queue tickets; abandoned where the file does not say it: those never called.

    Parameters
    ----------
    branches
        Known ``branch_id``; empty when they could not be read, and then not compared.
    """
    if read is None:
        return empty_table(tables.TICKETS), []
    result = read[0]
    frame = filled(result.frame, tables.TICKETS)
    if "abandoned" in result.absent:
        frame = frame.assign(abandoned=frame["called"].isna())
    faults = _order_faults(frame, result, name)
    if len(branches):
        known = frame["branch_id"].isin(branches).to_numpy() | (frame["branch_id"] == "").to_numpy()
        for i in np.flatnonzero(~known):
            found = quoted(frame["branch_id"].iloc[i])
            faults.append(
                Fault(name, result.places[i], "branch_id", found, "a branch_id of the branches layer")
            )
    return keyed(frame, tables.TICKETS), faults


def _order_faults(frame: pd.DataFrame, result: Typed, name: str) -> list[Fault]:
    faults = []
    for later, earlier, words in (
        ("called", "taken", "a call after the ticket was taken"),
        ("served_end", "called", "an end of service after the call"),
    ):
        for i in np.flatnonzero((frame[later] < frame[earlier]).to_numpy()):
            found = f"{frame[later].iloc[i]}, before {earlier} {frame[earlier].iloc[i]}"
            faults.append(Fault(name, result.places[i], later, found, words))
    return faults
