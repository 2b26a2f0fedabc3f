"""The three population rasters: whole persons per pixel, county sums equal to the census."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import rasterio

from .apportion import apportion_by_group, fill_to_limits
from .lattice import smooth_noise
from .settlement import Land, city_field, spread_towns, spread_villages

NODATA = 65535
FIT_SHARE = 0.75  # weight of the fitted township share against the committees' own count
NEW_SINCE_2010 = 0.72  # part of the people of a new district who came after 2010
DENSEST_TOWNSHIP = 18500.0  # people per square kilometre of a whole street office
NEW_DISTRICT_COMMITTEES = 30.0  # weight of a whole new district, beside 3 for an urban committee
FEWEST = 2.5  # a pixel below this is empty


@dataclass(frozen=True)
class People:
    """Persons per inside pixel, and what later steps need to know about them."""

    y2020: np.ndarray
    y2010: np.ndarray
    aged: np.ndarray
    towns: np.ndarray  # share of the pixel's people who live in a town
    fresh: np.ndarray  # share of the pixel that is new since 2010


def township_people(
    table: pd.DataFrame, census: pd.DataFrame, area_km2: np.ndarray, new: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Split the county's people over its townships: people in towns and people in villages.

    `new` is the part of each township's town that lies in a new district of its city (0 to 1).
    """
    index = table["county_id"].map({cid: row for row, cid in enumerate(census["county_id"])}).to_numpy()
    urban = census["urban_2020"].to_numpy(float)
    total = census["residents_2020"].to_numpy(float)
    is_town = table["township_id"].str[6:].astype(int) < 200
    town_weight = np.where(
        table["tier"] == "T",
        0.25 + 0.55 * is_town + 0.8 * table["urban_committees"],
        4.0 + 3.0 * table["urban_committees"],
    )
    town_weight = town_weight + NEW_DISTRICT_COMMITTEES * new
    village_weight = table["villages"].to_numpy(float) + 0.2
    in_town = urban[index] * town_weight / np.bincount(index, town_weight)[index]
    in_village = (total - urban)[index] * village_weight / np.bincount(index, village_weight)[index]
    prior = (in_town + in_village) / total[index]
    # The reference grid knows little of districts built since about 2010: trust it less there.
    trust = FIT_SHARE * (1 - 0.5 * new)
    share = trust * table["fitted_share"].to_numpy() + (1 - trust) * prior
    people = np.zeros(len(table))
    for county, residents in enumerate(total):
        here = index == county
        room = DENSEST_TOWNSHIP * area_km2[here]
        people[here] = fill_to_limits(share[here], residents, room * max(1.0, 1.05 * residents / room.sum()))
    # Iterative proportional fitting keeps both the townships' people and the census's urban and rural people.
    for _ in range(12):
        fill = people / np.maximum(in_town + in_village, 1e-9)
        in_town, in_village = in_town * fill, in_village * fill
        in_town = in_town * (urban / np.bincount(index, in_town))[index]
        in_village = in_village * ((total - urban) / np.maximum(np.bincount(index, in_village), 1e-9))[index]
    return in_town, in_village


def model_people(
    land: Land, table: pd.DataFrame, census: pd.DataFrame, centres: pd.DataFrame, rng: np.random.Generator
) -> People:
    """Draw the settlements of 2020 and derive 2010 and the aged from them."""
    area = np.maximum(np.bincount(land.owner, minlength=len(table)) * 0.0424, 0.1)
    old_field, new_field = (
        np.bincount(land.owner, city_field(land, centres, kind), len(table)) for kind in ("old", "new")
    )
    new = new_field / np.maximum(old_field + new_field, 1.0)
    in_town, in_village = township_people(table, census, area, new)
    basin = np.clip((in_village / area - 45) / 190, 0, 1)
    towns, fresh = spread_towns(land, table, in_town, centres, rng)
    villages = spread_villages(land, table, in_village, basin, rng)
    total = towns + villages
    weight = np.where(total < FEWEST, 0.0, total)
    y2020 = apportion_by_group(weight, land.county, census["residents_2020"].to_numpy())
    village_ratio, town_ratio = decade_ratios(census)
    earlier = (
        towns * town_ratio[land.county] * (1 - NEW_SINCE_2010 * fresh) + villages * village_ratio[land.county]
    )
    y2010 = apportion_by_group(
        np.where(earlier < FEWEST, 0.0, earlier) * (weight > 0),
        land.county,
        census["residents_2010"].to_numpy(),
    )
    town_share = towns / np.maximum(total, 1e-9)
    elder = 1 + 0.45 * (1 - town_share) - 0.45 * fresh * town_share
    elder *= np.exp(0.12 * smooth_noise(land.lattice.county.shape, 8, rng).ravel()[land.lattice.inside])
    aged = apportion_by_group(y2020 * elder, land.county, census["aged_60_2020"].to_numpy(), cap=y2020)
    return People(y2020, y2010, aged, town_share, fresh)


def decade_ratios(census: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """How many people lived in villages and in towns in 2010 for each one in 2020."""
    rural_2010 = census["residents_2010"] - census["urban_2010"]
    rural_2020 = census["residents_2020"] - census["urban_2020"]
    village = (rural_2010 / rural_2020.clip(lower=1)).clip(0.8, 2.2).to_numpy()
    town = (census["urban_2010"] / census["urban_2020"]).clip(0.45, 1.1).to_numpy()
    return village, town


def write_raster(path: Path, land: Land, people: np.ndarray, year: str) -> None:
    """Write persons per pixel as a small tiled GeoTIFF without any date of making."""
    values = np.full(land.lattice.county.size, NODATA, np.uint16)
    values[land.lattice.inside] = people
    height, width = land.lattice.county.shape
    path.unlink(missing_ok=True)
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=1, dtype="uint16", crs="EPSG:4326",
        transform=land.lattice.transform, nodata=NODATA, compress="deflate", predictor=2, zlevel=9,
        tiled=True, blockxsize=256, blockysize=256,
    ) as sink:  # fmt: skip
        sink.write(values.reshape(height, width), 1)
        sink.set_band_description(1, f"synthetic persons per pixel, {year}")
