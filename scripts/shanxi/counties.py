"""The county layer: polygons of Tianditu, people of the two censuses."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from .apportion import largest_remainder

COUNTED = ["residents_2020", "urban_2020", "households_2020", "aged_60_2020"]
COORDINATE_STEP = 1e-6  # the source's own resolution, 0.1 m


def read_census(facts: Path) -> pd.DataFrame:
    """Read the census by county, the four special zones added to the counties that contain them."""
    table = pd.read_csv(facts / "counties.csv", dtype={"county_id": str}).sort_values(
        "county_id", ignore_index=True
    )
    zones = pd.read_csv(facts / "special_zones.csv", dtype={"county_id": str, "zone_id": str})
    row_of = {county_id: row for row, county_id in enumerate(table["county_id"])}
    for _, parts in zones.groupby("zone_id"):
        rows = [row_of[county_id] for county_id in parts["county_id"]]
        for column in COUNTED:
            people = largest_remainder(parts["share"].to_numpy(), int(parts[column].iloc[0]))
            table.loc[rows, column] += people
    return table


def make_counties(polygons: gpd.GeoDataFrame, census: pd.DataFrame, words: dict) -> gpd.GeoDataFrame:
    """Join polygons and census into the committed layer."""
    if list(polygons["county_id"]) != list(census["county_id"]):
        message = "the polygons and the census table do not name the same counties"
        raise ValueError(message)
    listed = census["list_year"].notna()
    geometry = shapely.set_precision(polygons.geometry.to_numpy(), COORDINATE_STEP)
    return gpd.GeoDataFrame(
        {
            "county_id": census["county_id"],
            "name": census["name"],
            "prefecture": census["prefecture"],
            "residents": census["residents_2020"],
            "residents_2010": census["residents_2010"],
            "aged_60": census["aged_60_2020"],
            "households": census["households_2020"],
            "inclusive": listed,
            "list_name": np.where(listed, words["list_name"], None),
            "list_year": census["list_year"].astype("Int64"),
        },
        geometry=geometry,
        crs=4326,
    )


def write_counties(frame: gpd.GeoDataFrame, path: Path) -> None:
    """Write the layer as GeoJSON, longitude and latitude to six decimals."""
    path.unlink(missing_ok=True)
    frame.to_file(path, driver="GeoJSON", layer="counties", engine="pyogrio", COORDINATE_PRECISION=6)
