"""Build the embedded sample `data/shanxi`: real facts of Shanxi joined with a synthetic model.

python scripts/build_shanxi.py                 build data/shanxi
python scripts/build_shanxi.py --check DIR     build, then compare with the reference layers in DIR
python scripts/build_shanxi.py --fit DIR       first fit the township table to the reference layers in DIR
"""

import argparse
import time
import tomllib
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from shanxi import (
    activity,
    communities,
    counties,
    fit,
    footfall,
    lattice,
    market,
    outlets,
    people,
    queues,
    settlement,
    sources,
    townships,
    verify,
)

ROOT = Path(__file__).resolve().parent.parent
FACTS = Path(__file__).resolve().parent / "shanxi" / "facts"
SEED = 20260318
STREAMS = ("people", "rivals", "own", "volumes", "communities", "footfall", "tickets")
BRANCH_COLUMNS = [
    "branch_id", "name", "lon", "lat", "tier", "format", "counters", "smart_devices", "atms", "staff",
    "area_m2", "hours_per_week", "deposits_wan", "visits_per_day", "customers", "opex_wan", "lease_end",
    "rating", "locked",
]  # fmt: skip


def main() -> None:
    """Run the build."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "data" / "shanxi")
    parser.add_argument("--cache", type=Path, default=ROOT / ".cache" / "shanxi")
    parser.add_argument("--fit", type=Path, metavar="DIR")
    parser.add_argument("--check", type=Path, metavar="DIR")
    options = parser.parse_args()
    started = time.perf_counter()
    options.out.mkdir(parents=True, exist_ok=True)
    build(options)
    print(f"built in {time.perf_counter() - started:.0f} s")
    if options.check:
        for what, value in verify.compare(options.out, options.check, read_words()):
            print(f"{what:<60}{value:>12,.3f}")


def read_words() -> dict:
    """Read the words of the sample that are not English."""
    return tomllib.loads((FACTS / "words.toml").read_text(encoding="utf-8"))


def stream(name: str) -> np.random.Generator:
    """Return the random numbers of one part, independent of the other parts."""
    return np.random.default_rng([SEED, STREAMS.index(name)])


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a table that reads and compares the same everywhere."""
    frame.to_csv(path, index=False, lineterminator="\n")


def build(options: argparse.Namespace) -> None:
    """Write every file of the sample, each from the ones before it."""
    words = read_words()
    census = counties.read_census(FACTS)
    polygons = sources.read_polygons(options.cache)
    counties.write_counties(counties.make_counties(polygons, census, words), options.out / "counties.geojson")
    county = lattice.read_counties(options.out / "counties.geojson")
    grid = lattice.make_lattice(county)
    table = build_townships(options, grid, county, words)
    centres = pd.read_csv(FACTS / "centres.csv", dtype={"county_id": str})
    owner = townships.assign_pixels(table, grid, county)
    land = settlement.make_land(grid, owner, pd.read_csv(FACTS / "rivers.csv"))
    persons = people.model_people(land, table, census, centres, stream("people"))
    write_people(options.out, land, persons)
    daytime = activity.model_activity(land, table, persons, centres, pd.read_csv(FACTS / "workplaces.csv"))
    branches = build_network(options.out, land, table, census, persons, daytime)
    outlets.check_inside(branches, county)
    write_table(
        communities.place_communities(land, table, persons, words, stream("communities")),
        options.out / "developments.csv",
    )
    footfall.write_footfall(
        footfall.model_footfall(land, persons, daytime, stream("footfall")), options.out / "footfall.parquet"
    )
    queues.write_tickets(queues.model_tickets(branches, stream("tickets")), options.out / "tickets.csv.gz")


def build_townships(
    options: argparse.Namespace, grid: lattice.Lattice, county: gpd.GeoDataFrame, words: dict
) -> pd.DataFrame:
    """List, locate and write the townships."""
    places = sources.read_places(options.cache)
    kept = pd.read_csv(FACTS / "townships_kept.csv", dtype=str)
    table = townships.list_townships(*sources.read_divisions(options.cache), kept, words)
    table = townships.find_seats(table, places, county)
    table = townships.set_tiers(table, places, county, words)
    table = townships.find_county_seats(table, places, county)
    if options.fit:
        centres = pd.read_csv(FACTS / "centres.csv", dtype={"county_id": str})
        anchors = fit.find_anchors(places, county, centres)
        fitted = fit.fit_townships(table, options.fit, grid, county, words, anchors)
        write_table(fitted, FACTS / "townships_fitted.csv")
    table = townships.join_fit(table, FACTS / "townships_fitted.csv")
    townships.write_townships(table, options.out / "townships.csv")
    return table


def write_people(out: Path, land: settlement.Land, persons: people.People) -> None:
    """Write the three rasters."""
    people.write_raster(out / "population_2020.tif", land, persons.y2020, "1 November 2020")
    people.write_raster(out / "population_2010.tif", land, persons.y2010, "1 November 2010")
    people.write_raster(out / "aged60_2020.tif", land, persons.aged, "aged 60 and over, 1 November 2020")


def build_network(
    out: Path,
    land: settlement.Land,
    table: pd.DataFrame,
    census: pd.DataFrame,
    persons: people.People,
    daytime: activity.Activity,
) -> pd.DataFrame:
    """Place all banks, let the choice model fill our branches, write both tables."""
    words = read_words()
    rivals = outlets.place_rivals(
        land, table, persons, daytime, pd.read_csv(FACTS / "banks.csv"), stream("rivals")
    )
    own = outlets.place_own(land, table, census, persons, daytime, words, stream("own"))
    rival_tier = table["tier"].to_numpy()[rivals.pop("township")]
    demand = market.make_demand(land, persons, daytime)
    branches = market.run_network(own, rivals, rival_tier, demand, stream("volumes"))
    branches.insert(0, "branch_id", [f"B{number:04d}" for number in range(1, len(branches) + 1)])
    branches = branches[BRANCH_COLUMNS]
    write_table(branches, out / "branches.csv")
    write_table(rivals, out / "competitors.csv")
    return branches


if __name__ == "__main__":
    main()
