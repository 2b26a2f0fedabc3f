"""Lay out the outlets of all banks: rivals as a market would, our own as a network planned around 2005."""

import geopandas as gpd
import numpy as np
import pandas as pd

from .activity import Activity
from .apportion import largest_remainder
from .lattice import PIXELS_PER_DEGREE
from .people import People
from .settlement import Land

ALL_OUTLETS = 5760
OWN_OUTLETS = 396
BARE_TOWNSHIPS = 32  # townships without an outlet of any bank: 2.5 per cent
NO_BRANCH, ONE_BRANCH = 4, 13  # listed counties without a branch of ours, and with a single one
RURAL_TIER_WEIGHT = {"U": 0.75, "C": 1.1, "T": 0.8}
OTHER_TIER_WEIGHT = {"U": 1.0, "C": 1.0, "T": 0.10}


def township_sums(land: Land, values: np.ndarray, count: int) -> np.ndarray:
    """Sum pixels by township."""
    return np.bincount(land.owner, values, count)


def pick_pixels(
    weight: np.ndarray, number: np.ndarray, pixels_of: list[np.ndarray], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw distinct pixels in every township with the given weights; return pixels and their townships."""
    chosen, rows = [], []
    for row in np.flatnonzero(number):
        pixels = pixels_of[row]
        likely = weight[pixels]
        if likely.sum() <= 0:
            likely = np.ones(len(pixels))
        take = min(int(number[row]), int((likely > 0).sum()))
        chosen.append(rng.choice(pixels, size=take, replace=False, p=likely / likely.sum()))
        extra = int(number[row]) - take
        if extra:
            chosen.append(rng.choice(pixels, size=extra, p=likely / likely.sum()))
        rows.append(np.full(int(number[row]), row))
    return np.concatenate(chosen), np.concatenate(rows)


def pixel_points(land: Land, pixels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return points near pixel centres, never across a township border."""
    lon, lat = land.lattice.centres(land.lattice.inside[pixels])
    jitter = np.where(land.rim[pixels], 0.0, rng.uniform(-0.35, 0.35, (2, len(pixels))) / PIXELS_PER_DEGREE)
    return np.round(lon + jitter[0], 5), np.round(lat + jitter[1], 5)


def choose_bare(table: pd.DataFrame, people: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Choose the remote townships that no bank serves."""
    small = np.flatnonzero((table["tier"] == "T").to_numpy() & (people > 0))
    small = small[np.argsort(people[small], kind="stable")][:90]
    bare = np.zeros(len(table), bool)
    bare[rng.choice(small, BARE_TOWNSHIPS, replace=False)] = True
    return bare


def place_rivals(
    land: Land,
    table: pd.DataFrame,
    persons: People,
    activity: Activity,
    banks: pd.DataFrame,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Place the outlets of the other banks."""
    count = len(table)
    p2010, p2020 = (township_sums(land, values, count) for values in (persons.y2010, persons.y2020))
    bare = choose_bare(table, p2020, rng)
    pixels_of = land.pixels_of
    frames = []
    for bank in banks.itertuples():
        spread = bank.bank_class in {"rural", "postal"}
        tier = table["tier"].map(RURAL_TIER_WEIGHT if spread else OTHER_TIER_WEIGHT).to_numpy()
        people = (1 - bank.vintage_2020) * p2010 + bank.vintage_2020 * p2020
        weight = np.where(bare, 0.0, people**0.9 * tier)
        number = np.where(bare, 0, 1) if bank.bank_class == "rural" else np.zeros(count, int)
        rest = bank.outlets - int(number.sum())
        number = number + rng.multinomial(rest, weight / weight.sum())
        live = (1 - bank.vintage_2020) * persons.y2010 + bank.vintage_2020 * persons.y2020
        pixel_weight = live * (0.10 + bank.centre_pull * activity.centre)
        pixels, rows = pick_pixels(pixel_weight, number, pixels_of, rng)
        lon, lat = pixel_points(land, pixels, rng)
        columns = {"bank": bank.bank, "class": bank.bank_class, "lon": lon, "lat": lat, "township": rows}
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def own_quota(census: pd.DataFrame, words: dict, rng: np.random.Generator) -> np.ndarray:
    """Give each county its number of our branches, as the towns of 2010 would have asked for."""
    urban = census["urban_2010"].to_numpy(float)
    district = census["name"].str.endswith(words["district_suffix"]).to_numpy()
    listed = census["list_year"].notna().to_numpy()
    order = np.argsort(urban + rng.normal(0, 4000, len(urban)), kind="stable")
    poor = order[listed[order]]
    fixed = np.full(len(urban), -1)
    fixed[poor[:NO_BRANCH]] = 0
    fixed[poor[NO_BRANCH : NO_BRANCH + ONE_BRANCH]] = 1
    fixed[poor[NO_BRANCH + ONE_BRANCH :]] = 2
    free = fixed < 0
    weight = np.where(district, 1.6, 0.7) * urban**1.05
    least = 1
    rest = OWN_OUTLETS - fixed[~free].sum() - least * free.sum()
    fixed[free] = least + largest_remainder(weight[free], int(rest))
    return fixed


def own_numbers(
    table: pd.DataFrame, census: pd.DataFrame, quota: np.ndarray, p2010: np.ndarray, centre: np.ndarray
) -> np.ndarray:
    """Share each county's branches over its townships: old centres most, a few large towns."""
    number = np.zeros(len(table), int)
    for county, wanted in zip(census["county_id"], quota, strict=True):
        if wanted == 0:
            continue
        rows = np.flatnonzero(table["county_id"] == county)
        tier = table["tier"].to_numpy()[rows]
        town = rows[tier == "T"]
        outer = 0 if wanted < 3 else min(1 + int(wanted) // 9, len(town))
        town = town[np.argsort(-p2010[town], kind="stable")][:outer]
        number[town] += 1
        inner = rows[tier != "T"]
        weight = p2010[inner] * (0.05 + centre[inner]) ** 1.4 + 1e-6
        number[inner] += largest_remainder(weight, int(wanted) - len(town))
    return number


def place_own(
    land: Land, table: pd.DataFrame, census: pd.DataFrame, persons: People, activity: Activity, words: dict,
    rng: np.random.Generator,
) -> pd.DataFrame:  # fmt: skip
    """Place our own branches on the towns of 2010."""
    count = len(table)
    p2010 = township_sums(land, persons.y2010, count)
    centre = township_sums(land, persons.y2010 * activity.centre, count) / np.maximum(p2010, 1)
    number = own_numbers(table, census, own_quota(census, words, rng), p2010, centre)
    weight = persons.y2010 * activity.centre**1.5 * (1 - persons.fresh) ** 3
    pixels, rows = pick_pixels(weight, number, land.pixels_of, rng)
    lon, lat = pixel_points(land, pixels, rng)
    frame = pd.DataFrame({"lon": lon, "lat": lat, "township": rows, "tier": table["tier"].to_numpy()[rows]})
    return frame.assign(name=name_branches(frame, table, census, words))


def name_branches(frame: pd.DataFrame, table: pd.DataFrame, census: pd.DataFrame, words: dict) -> list[str]:
    """Name branches after the real place they stand in; the bank itself is invented."""
    place_of = census.set_index("county_id")
    used: set[str] = set()
    names = []
    for branch in frame.itertuples():
        township = table.iloc[branch.township]
        county = place_of.loc[township["county_id"]]
        town = township["name"]
        for suffix in [*words["street_suffixes"], *words["town_suffixes"]]:
            town = town.removesuffix(suffix)
        short = county["name"][:-1] if len(county["name"]) > 2 else county["name"]
        city = county["prefecture"][:-1]
        stem = {"U": city + town, "C": short, "T": short + town}[branch.tier]
        for word in words["branch_words"]["old"]:
            name = f"{words['own_bank']}{stem}{word}{words['branch_suffix']}"
            if name not in used:
                break
        used.add(name)
        names.append(name)
    return names


def check_inside(frame: pd.DataFrame, counties: gpd.GeoDataFrame) -> None:
    """Refuse points outside the province."""
    points = gpd.GeoSeries.from_xy(frame["lon"], frame["lat"], crs=4326)
    if not points.within(counties.union_all()).all():
        message = "an outlet lies outside the province"
        raise ValueError(message)
