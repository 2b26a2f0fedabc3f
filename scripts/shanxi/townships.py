"""Townships: real names and codes, seats from GeoNames where it knows them, else from the fitted model."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from scipy.spatial import cKDTree
from shapely import contains_xy

from .lattice import Lattice, to_km

PSEUDO_SERIAL = 400  # the statistical code gives 400 and above to units that are no townships
WUTAI_ZONE, WUTAI_COUNTY = "140971", "140922"  # the zone's three real townships lie in Wutai county
TOWN_SERIALS = range(100, 200)


def list_townships(
    divisions: pd.DataFrame, villages: pd.DataFrame, kept: pd.DataFrame, words: dict
) -> pd.DataFrame:
    """List the real townships with their number of village and urban committees."""
    serial = divisions["code"].str[6:].astype(int)
    zone = divisions["areaCode"]
    real = (serial < PSEUDO_SERIAL) | divisions["code"].isin(kept["township_id"])
    table = pd.DataFrame(
        {
            "township_id": divisions["code"],
            "name": divisions["name"],
            "county_id": zone.replace(WUTAI_ZONE, WUTAI_COUNTY),
        }
    )[real]
    marks = "|".join(words["urban_committee_marks"])
    is_urban = villages["name"].str.contains(marks)
    urban = villages[is_urban].groupby("streetCode").size()
    rural = villages[~is_urban].groupby("streetCode").size()
    table["urban_committees"] = table["township_id"].map(urban).fillna(0).astype(int)
    table["villages"] = table["township_id"].map(rural).fillna(0).astype(int)
    return table.sort_values(["county_id", "township_id"], ignore_index=True)


def find_seats(table: pd.DataFrame, places: pd.DataFrame, counties: gpd.GeoDataFrame) -> pd.DataFrame:
    """Give townships the coordinates of the one GeoNames place of their name inside their county."""
    outline = dict(zip(counties["county_id"], counties.geometry, strict=True))
    by_name = dict(iter(places.drop_duplicates(["place", "name"]).groupby("name")))
    lon, lat = np.full(len(table), np.nan), np.full(len(table), np.nan)
    for row, (name, county_id) in enumerate(zip(table["name"], table["county_id"], strict=True)):
        if name not in by_name:
            continue
        found = by_name[name]
        found = found[contains_xy(outline[county_id], found["lon"], found["lat"])]
        if len(found) == 1:
            lon[row], lat[row] = found["lon"].iloc[0], found["lat"].iloc[0]
    return table.assign(lon=lon, lat=lat)


def set_tiers(
    table: pd.DataFrame, places: pd.DataFrame, counties: gpd.GeoDataFrame, words: dict
) -> pd.DataFrame:
    """Mark street offices of city districts U, seats of counties and county-level cities C, the rest T."""
    county_name = table["county_id"].map(counties.set_index("county_id")["name"])
    is_street = table["name"].str.endswith(words["street_suffix"])
    is_district = county_name.str.endswith(words["district_suffix"])
    seat_place = places[places["name"].isin(set(county_name))][["place", "name"]]
    shared = places[places["place"].isin(seat_place["place"])].merge(
        seat_place, on="place", suffixes=("", "_county")
    )
    seats = set(zip(shared["name"], shared["name_county"], strict=True))
    named_seat = pd.Series(
        [pair in seats for pair in zip(table["name"], county_name, strict=True)], index=table.index
    )
    tier = pd.Series("T", index=table.index)
    tier[is_street & is_district] = "U"
    tier[is_street & ~is_district] = "C"
    tier[table["township_id"].str[6:].astype(int) >= PSEUDO_SERIAL] = (
        "C"  # the few that are kept are town quarters
    )
    for _, group in table.groupby("county_id"):
        if (tier[group.index] != "T").any():
            continue
        known = group.index[named_seat[group.index]]
        towns = group.index[group["township_id"].str[6:].astype(int).isin(TOWN_SERIALS)]
        tier[(known if len(known) else towns)[0]] = "C"
    return table.assign(tier=tier)


def find_county_seats(table: pd.DataFrame, places: pd.DataFrame, counties: gpd.GeoDataFrame) -> pd.DataFrame:
    """Give a seat town that GeoNames does not name the place that bears its county's name."""
    outline = counties.set_index("county_id")
    seats = table[table["tier"] == "C"].groupby("county_id").filter(lambda group: len(group) == 1)
    table = table.copy()
    for row, county_id in seats[seats["lon"].isna()]["county_id"].items():
        found = places[places["name"] == outline.loc[county_id, "name"]]
        found = found[contains_xy(outline.loc[county_id, "geometry"], found["lon"], found["lat"])]
        if len(found) == 1:
            table.loc[row, ["lon", "lat"]] = found[["lon", "lat"]].iloc[0].to_numpy()
    return table


def join_fit(table: pd.DataFrame, fitted: Path) -> pd.DataFrame:
    """Add fitted seats (where GeoNames has none) and fitted shares of the county's residents."""
    fit = pd.read_csv(fitted, dtype={"township_id": str}).set_index("township_id")
    known = table["lon"].notna()
    ids = table["township_id"]
    return table.assign(
        located=np.where(known, "geonames", "model"),
        lon=table["lon"].where(known, ids.map(fit["lon"])),
        lat=table["lat"].where(known, ids.map(fit["lat"])),
        fitted_share=ids.map(fit["share"]),
    )


def assign_pixels(table: pd.DataFrame, lattice: Lattice, counties: gpd.GeoDataFrame) -> np.ndarray:
    """Give every inside pixel the nearest township seat of its own county (row number in the table)."""
    inside = lattice.inside
    owner = np.empty(len(inside), np.int32)
    pixel_km = to_km(*lattice.centres(inside))
    county_of_pixel = lattice.county.ravel()[inside]
    seat_km = to_km(table["lon"].to_numpy(), table["lat"].to_numpy())
    for index, county_id in enumerate(counties["county_id"]):
        rows = np.flatnonzero(table["county_id"] == county_id)
        here = np.flatnonzero(county_of_pixel == index)
        owner[here] = rows[cKDTree(seat_km[rows]).query(pixel_km[here])[1]]
    return owner


def write_townships(table: pd.DataFrame, path: Path) -> None:
    """Write the committed township table."""
    columns = ["township_id", "name", "county_id", "lon", "lat", "tier", "located"]
    table[columns].round({"lon": 5, "lat": 5}).to_csv(path, index=False, lineterminator="\n")
