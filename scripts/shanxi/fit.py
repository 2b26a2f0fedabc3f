"""Fit the township parameters to reference layers; run once by `--fit DIR`, its table is committed.

The table holds, per township, the model seat (0.01 degree) where GeoNames has none, and the share of its
county's residents. Both are fitted to WorldPop 2020 (CC BY 4.0, 5-arc-minute cells raked to the census);
the seats start from the township points of Vonng/adcode (CC BY 4.0). The layers are not shipped.
"""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
from scipy.spatial import cKDTree
from shapely import contains_xy

from .lattice import Lattice, to_degrees, to_km
from .townships import assign_pixels

ROUNDS = 4
SEAT_DECIMALS = 2
SPIRAL_KM = 0.75
SMALL_COUNTY_KM2 = 150  # all town: Lloyd spreads its offices well without a spiral


def read_reference(folder: Path, lattice: Lattice, residents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return raked reference residents per inside pixel and the 5-arc-minute cell of each inside pixel."""
    with rasterio.open(folder / "shanxi" / "worldpop_2020_5arcmin.tif") as source:
        people, transform, width = source.read(1).astype(float), source.transform, source.width
    lon, lat = lattice.centres(lattice.inside)
    column, row = (lon - transform.c) / transform.a, (lat - transform.f) / transform.e
    cell = np.floor(row).astype(int) * width + np.floor(column).astype(int)
    density = np.clip(people.ravel(), 0, None)[cell]
    county = lattice.county.ravel()[lattice.inside]
    total = np.bincount(county, density, len(residents))
    return density * (residents / total)[county], cell


def match_points(table: pd.DataFrame, folder: Path, words: dict) -> np.ndarray:
    """Return starting seats from the reference township points, missing where no name matches."""
    points = pd.read_csv(folder / "shanxi" / "townships_2016.csv", dtype={"in_adcode": str})
    points = points[points["lon"].notna()]
    long, short = words["street_suffixes"]
    stem = points["name"].str.replace(long, short, regex=False)
    seats = zip(points["lon"], points["lat"], strict=True)
    known = dict(zip(zip(points["in_adcode"], stem, strict=True), seats, strict=True))
    pairs = [known.get(key, (np.nan, np.nan)) for key in zip(table["county_id"], table["name"], strict=True)]
    return np.array(pairs, float)


def ring_offices(table: pd.DataFrame, start: np.ndarray, anchors: pd.DataFrame) -> np.ndarray:
    """Place street offices without any known point in a spiral around the old centre of their county."""
    lonely = table["lon"].isna().to_numpy() & ~np.isfinite(start[:, 0]) & (table["tier"] != "T").to_numpy()
    spots = np.full((len(table), 2), np.nan)
    for county_id, rows in table[lonely].groupby("county_id").groups.items():
        here = anchors[anchors["county_id"] == county_id]
        if here.empty:
            continue
        for number, row in enumerate(rows):
            middle = here.iloc[number % len(here)]
            turn, away = 2.4 * number, SPIRAL_KM * np.sqrt(number + 0.4)
            step = away * np.array([[np.cos(turn), np.sin(turn)]])
            spots[row] = np.ravel(
                to_degrees(to_km(np.array([middle["lon"]]), np.array([middle["lat"]])) + step)
            )
    return spots


def find_anchors(places: pd.DataFrame, counties: gpd.GeoDataFrame, centres: pd.DataFrame) -> pd.DataFrame:
    """Collect the old centre of every county: the listed city centres, else the place that bears its name."""
    old = centres[centres["kind"] == "old"][["county_id", "lon", "lat"]]
    seats = counties[["county_id", "name"]].merge(places, on="name")
    seats = seats[~seats["county_id"].isin(old["county_id"])].drop_duplicates("county_id")
    return pd.concat([old, seats[["county_id", "lon", "lat"]]], ignore_index=True)


def place_seats(
    table: pd.DataFrame, start: np.ndarray, density: np.ndarray, lattice: Lattice, counties: gpd.GeoDataFrame
) -> pd.DataFrame:
    """Give every township a seat: GeoNames and street offices stay, the rest follow the people nearby."""
    seats = table[["lon", "lat"]].to_numpy(float).copy()
    known = np.isfinite(seats[:, 0])
    held = known | ((table["tier"] != "T").to_numpy() & table["office"].to_numpy())
    seats[~known] = start[~known]
    inside = lattice.inside
    county = lattice.county.ravel()[inside]
    for index, (county_id, outline) in enumerate(zip(counties["county_id"], counties.geometry, strict=True)):
        rows = np.flatnonzero(table["county_id"] == county_id)
        here = np.flatnonzero(county == index)
        degrees = np.column_stack(lattice.centres(inside[here]))
        moved = follow_people(spread_missing(seats[rows], degrees), held[rows], degrees, density[here])
        model = ~known[rows]
        rounded = np.where(held[rows, None], moved.round(3), moved.round(SEAT_DECIMALS))
        off = ~contains_xy(outline, *rounded.T)
        rounded[off] = degrees[cKDTree(degrees).query(moved[off])[1]]
        seats[rows[model]] = rounded[model]
    return table.assign(lon=seats[:, 0], lat=seats[:, 1])


def follow_people(
    seats: np.ndarray, held: np.ndarray, degrees: np.ndarray, density: np.ndarray
) -> np.ndarray:
    """Move free seats a few rounds of Lloyd's algorithm towards the people nearest to them."""
    seats = seats.copy()
    weight = np.sqrt(density + 1e-9)
    for _ in range(ROUNDS):
        near = cKDTree(to_km(*seats.T)).query(to_km(*degrees.T))[1]
        mass = np.bincount(near, weight, len(seats))
        moved = np.column_stack([np.bincount(near, weight * part, len(seats)) for part in degrees.T])
        free = ~held & (mass > 0)
        seats[free] = moved[free] / mass[free, None]
    return seats


def spread_missing(seats: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """Put seats without a start where the county is farthest from every other seat."""
    for row in np.flatnonzero(~np.isfinite(seats[:, 0])):
        known = seats[np.isfinite(seats[:, 0])]
        if len(known) == 0:
            seats[row] = degrees.mean(axis=0)
            continue
        gap = cKDTree(to_km(*known.T)).query(to_km(*degrees[::37].T))[0]
        seats[row] = degrees[::37][int(gap.argmax())]
    return seats


def fit_townships(
    table: pd.DataFrame, folder: Path, lattice: Lattice, counties: gpd.GeoDataFrame, words: dict,
    anchors: pd.DataFrame,
) -> pd.DataFrame:  # fmt: skip
    """Return the fitted parameter table."""
    density, _ = read_reference(folder, lattice, counties["residents"].to_numpy(float))
    fixed = table["lon"].notna()
    start = match_points(table, folder, words)
    small = counties.loc[counties.to_crs(6933).area < SMALL_COUNTY_KM2 * 1e6, "county_id"]
    offices = ring_offices(table, start, anchors[~anchors["county_id"].isin(small)])
    ringed = np.isfinite(offices[:, 0])
    start[ringed] = offices[ringed]
    placed = place_seats(table.assign(office=ringed), start, density, lattice, counties)
    owner = assign_pixels(placed, lattice, counties)
    people = np.bincount(owner, density, len(placed))
    county_total = pd.Series(people).groupby(placed["county_id"].to_numpy()).transform("sum")
    return pd.DataFrame(
        {
            "township_id": placed["township_id"],
            "lon": placed["lon"].where(~fixed).round(4),
            "lat": placed["lat"].where(~fixed).round(4),
            "share": (people / county_total).round(4),
        }
    )
