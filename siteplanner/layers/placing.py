"""Where a point lies: county, prefecture, nearest township seat, legal tier."""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from siteplanner.model.sphere import EARTH_RADIUS_KM, nearest_km, unit_vectors
from siteplanner.scenario import RuleSettings

# A point just over the drawn line belongs to the county: boundaries are generalised by about this much (no
# source).
BORDER_KM = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class CountyOf:
    """County of each point.

    Parameters
    ----------
    county_id
        "" for a point farther than `BORDER_KM` from every county.
    moved
        Points in no county that were put into the nearest.
    """

    county_id: np.ndarray
    moved: np.ndarray


def find_county(lon: np.ndarray, lat: np.ndarray, counties: gpd.GeoDataFrame) -> CountyOf:
    """Return the county of each point; on a shared border the one with the smallest id.

    Parameters
    ----------
    counties
        Polygons in WGS 84, index ``county_id``, sorted.
    """
    ids = counties.index.to_numpy(dtype=object)
    shapes = counties.geometry.to_numpy()
    owner = np.full(len(lon), len(ids), dtype=np.int64)
    point, county = shapely.STRtree(shapes).query(shapely.points(lon, lat), predicate="intersects")
    np.minimum.at(owner, point, county)
    out = np.flatnonzero(owner == len(ids))
    if out.size:
        nearest, km = _nearest(lon[out], lat[out], shapes)
        owner[out] = np.where(km <= BORDER_KM, nearest, len(ids))
    found = np.append(ids, "")[owner]
    moved = np.zeros(len(lon), dtype=bool)
    moved[out] = found[out] != ""
    return CountyOf(found, moved)


def _nearest(lon: np.ndarray, lat: np.ndarray, shapes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest shape of each point and the distance to it, km.

    Degrees of longitude are shrunk by the cosine of the points' middle latitude, so that the nearest in the
    plane is the nearest on the ground at these few kilometres.
    """
    shrink = np.cos(np.radians((lat.min() + lat.max()) / 2.0))
    flat = shapely.transform(shapes, lambda xy: xy * [shrink, 1.0])
    points = shapely.points(lon * shrink, lat)
    pairs, far = shapely.STRtree(flat).query_nearest(points, return_distance=True, all_matches=True)
    owner = np.full(len(lon), len(shapes), dtype=np.int64)
    np.minimum.at(owner, pairs[0], pairs[1])
    degrees = np.full(len(lon), np.inf)
    np.minimum.at(degrees, pairs[0], far)
    return owner, np.radians(degrees) * EARTH_RADIUS_KM


def find_township(points: pd.DataFrame, townships: pd.DataFrame) -> np.ndarray:
    """Return the nearest township seat of the same county, by great circle; "" where the county has none.

    Parameters
    ----------
    points
        ``lon, lat, county_id``.
    townships
        ``lon, lat, county_id``, index ``township_id``.
    """
    if townships.empty or points.empty:
        return np.full(len(points), "", dtype=object)
    found = np.full(len(points), "", dtype=object)
    seats_of = {str(county): seats for county, seats in townships.sort_index().groupby("county_id")}
    where = unit_vectors(points["lon"].to_numpy(), points["lat"].to_numpy())
    for county, rows in points.groupby("county_id").indices.items():
        if str(county) in seats_of:
            seats = seats_of[str(county)]
            _, nearest = nearest_km(
                where[rows], unit_vectors(seats["lon"].to_numpy(), seats["lat"].to_numpy())
            )
            found[rows] = seats.index.to_numpy(dtype=object)[nearest]
    return found


def place(
    points: pd.DataFrame, counties: gpd.GeoDataFrame, townships: pd.DataFrame, rules: RuleSettings
) -> tuple[pd.DataFrame, int]:
    """Add prefecture, township and tier to points that know their county; count the tiers that nothing told.

    Parameters
    ----------
    points
        ``lon, lat, county_id``; optional ``tier`` ("" where unknown).
    """
    township = find_township(points, townships)
    of_seat = townships["tier"].reindex(township).fillna("").to_numpy(dtype=object)
    own = (
        points["tier"].to_numpy(dtype=object) if "tier" in points else np.full(len(points), "", dtype=object)
    )
    told = np.where(own != "", own, of_seat)
    placed = points.assign(
        prefecture=counties["prefecture"].reindex(points["county_id"]).to_numpy(dtype=object),
        township_id=township,
        tier=np.where(told != "", told, rules.tier_when_unknown),
    )
    placed = placed.astype(dict.fromkeys(("county_id", "prefecture", "township_id", "tier"), "str"))
    return placed, int((told == "").sum())
