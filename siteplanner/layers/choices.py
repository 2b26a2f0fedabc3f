"""Evidence of choices: where customers of outlets come from, and surveyed shares."""

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplanner.errors import Fault
from siteplanner.layers.blanks import filled
from siteplanner.layers.datum import to_wgs84
from siteplanner.layers.files import read_table
from siteplanner.layers.findings import Findings
from siteplanner.layers.placing import find_county
from siteplanner.layers.point_tables import OUTSIDE_SHARE_MAX, with_coordinates
from siteplanner.layers.typed import Typed, quoted
from siteplanner.scenario import TableInput
from siteplanner.tables import SHARES, Table

# Shares with four decimals add up to 1 within this.
SHARE_ROUNDING = 5e-4
# Places of one survey are the same where these decimals of a degree are, about 0.1 m.
PLACE_DECIMALS = 6


def read_choices(
    spec: TableInput | None,
    table: Table,
    findings: Findings,
    known: tuple[pd.Index, gpd.GeoDataFrame | None],
) -> pd.DataFrame | None:
    """Read one of the two layers, in WGS 84, sorted; None where the scenario names none.

    Customers may live beyond the region and are then left out and counted; places of a survey may not.

    Parameters
    ----------
    known
        Ids of all outlets, and the counties; faults of ids are not looked for where there are none.
    """
    read = None if spec is None else read_table(spec, table, findings)
    if spec is None or read is None:
        return None
    outlets, counties = known
    result, text = read
    frame = filled(with_coordinates(result.frame, text), table)
    faults = _id_faults(frame, outlets, result, spec.path) if len(outlets) else []
    faults += _place_faults(frame, result, spec.path)
    if faults or result.faults:
        findings.faults += faults
        return None
    lon, lat = to_wgs84(frame["lon"].to_numpy(), frame["lat"].to_numpy(), spec.datum)
    frame = frame.assign(lon=lon, lat=lat)
    if table.name == SHARES.name:
        findings.faults += _sum_faults(frame, result, spec.path)
    if counties is not None:
        frame = _in_region(frame, (spec.path, table, result), counties, findings)
    return frame.sort_values(list(frame.columns), kind="stable", ignore_index=True)


def _id_faults(frame: pd.DataFrame, outlets: pd.Index, result: Typed, name: str) -> list[Fault]:
    ids = frame["outlet_id"]
    wrong = ~ids.isin(outlets).to_numpy() & (ids != "").to_numpy()
    expected = "a branch_id of the branches layer or a competitor_id of the competitors layer"
    return [
        Fault(name, result.places[i], "outlet_id", quoted(ids.iloc[i]), expected)
        for i in np.flatnonzero(wrong)
    ]


def _place_faults(frame: pd.DataFrame, result: Typed, name: str) -> list[Fault]:
    """Refuse rows without a place that no range check has named yet."""
    if any(fault.column in {"lon", "lat"} for fault in result.faults):
        return []
    whole = np.isfinite(frame[["lon", "lat"]].to_numpy(dtype=float)).all(axis=1)
    return [
        Fault(name, result.places[i], "lon, lat", "nothing", "longitude and latitude, degrees")
        for i in np.flatnonzero(~whole)
    ]


def _sum_faults(frame: pd.DataFrame, result: Typed, name: str) -> list[Fault]:
    """Refuse places whose shares add up to more than everybody, and outlets told twice at a place."""
    place = [frame["lon"].round(PLACE_DECIMALS), frame["lat"].round(PLACE_DECIMALS)]
    total = frame["share"].groupby(place).transform("sum").to_numpy()
    first = ~frame["share"].groupby(place).cumcount().to_numpy().astype(bool)
    faults = [
        Fault(
            name, result.places[i], "share",
            f"shares of this place that add up to {total[i]:.6g}", "1 or less in all",
        )
        for i in np.flatnonzero(first & (total > 1.0 + SHARE_ROUNDING))
    ]  # fmt: skip
    again = frame["share"].groupby([*place, frame["outlet_id"]]).cumcount().to_numpy() > 0
    ids = frame["outlet_id"]
    faults += [
        Fault(
            name, result.places[i], "outlet_id",
            f"{quoted(ids.iloc[i])} again at this place", "one share of an outlet at a place",
        )
        for i in np.flatnonzero(again)
    ]  # fmt: skip
    return faults


def _in_region(
    frame: pd.DataFrame, about: tuple[str, Table, Typed], counties: gpd.GeoDataFrame, findings: Findings
) -> pd.DataFrame:
    """Leave out customers who live beyond the region; refuse lists of which most do, and such surveys."""
    name, table, result = about
    lon, lat = frame["lon"].to_numpy(), frame["lat"].to_numpy()
    outside = find_county(lon, lat, counties).county_id == ""
    west, south, east, north = counties.total_bounds
    if outside.sum() > OUTSIDE_SHARE_MAX * len(frame):
        found = f"{int(outside.sum()):,} of {len(frame):,} points outside every county"
        expected = f"points in the counties ({west:.3f}, {south:.3f} to {east:.3f}, {north:.3f})"
        findings.faults.append(Fault(name, "", "lon, lat", found, expected))
    elif table.name == SHARES.name:
        for i in np.flatnonzero(outside):
            found = f"{lon[i]:.6f}, {lat[i]:.6f} (WGS 84), which is outside every county"
            findings.faults.append(Fault(name, result.places[i], "lon, lat", found, "a point in a county"))
    elif outside.any():
        findings.notes.append(("outside_region", table.name, str(int(outside.sum()))))
    inside: pd.DataFrame = frame[~outside]
    return inside
