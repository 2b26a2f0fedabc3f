"""A made-up region in files: a crowded old town, a new district, a listed county, another city beside."""

import json
from functools import cache
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from siteplanner.layers.gdal import rasterio

COUNTIES = {
    # county_id: name, prefecture, listed, west, south, east, north
    "140101": ("Old Town", "P", False, 112.00, 37.50, 112.20, 37.66),
    "140102": ("New Side", "P", False, 112.20, 37.50, 112.36, 37.66),
    "140121": ("Hills", "P", True, 112.00, 37.66, 112.36, 37.80),
    "140201": ("Beside", "Q", False, 112.36, 37.50, 112.48, 37.80),
}

# lon, lat, width in degrees, people now, people earlier
SETTLED = [
    (112.08, 37.58, 0.012, 110_000, 112_000),
    (112.15, 37.55, 0.010, 26_000, 24_000),
    (112.27, 37.58, 0.010, 130_000, 20_000),
    (112.32, 37.63, 0.010, 9_000, 8_000),
    (112.10, 37.72, 0.012, 22_000, 24_000),
    (112.29, 37.75, 0.010, 8_000, 9_000),
    (112.42, 37.60, 0.012, 60_000, 55_000),
    (112.43, 37.73, 0.010, 7_000, 7_500),
]

# branch_id, lon, lat, tier, format, deposits, visits, customers, lease_end, rating
BRANCHES = [
    ("B01", 112.080, 37.580, "U", "core", 80_000, 420, 30_000, "2031-12-31", "A"),
    ("B02", 112.086, 37.583, "U", "standard", 26_000, 110, 9_000, "2026-06-30", "B"),
    ("B03", 112.074, 37.577, "U", "standard", 22_000, 100, None, None, "C"),
    ("B04", 112.083, 37.573, "U", "standard", 21_000, 90, None, "2027-03-31", "B"),
    ("B05", 112.077, 37.588, "U", "light", 12_000, 60, None, None, "D"),
    ("B06", 112.092, 37.577, "U", "standard", 19_000, None, None, None, None),
    ("B07", 112.068, 37.584, "U", "light", None, 70, None, None, None),
    ("B08", 112.088, 37.590, "U", "community", None, None, None, None, None),
    ("B09", 112.150, 37.550, "U", "standard", 25_000, 120, None, None, "B"),
    ("B10", 112.265, 37.575, "U", "light", 20_000, 140, None, None, "B"),
    ("B11", 112.100, 37.720, "C", "core", 24_000, 130, None, None, "B"),
    ("B12", 112.108, 37.724, "C", "light", 9_000, 50, None, None, "B"),
    ("B13", 112.290, 37.750, "T", "light", 6_000, 30, None, None, "B"),
    ("B14", 112.418, 37.600, "U", "core", 40_000, 200, None, None, "B"),
    ("B15", 112.424, 37.604, "U", "standard", 18_000, 80, None, None, "C"),
    ("B16", 112.414, 37.594, "U", "standard", 16_000, 70, None, None, "B"),
]

RIVALS = [
    (112.081, 37.579, "big"),
    (112.079, 37.583, "big"),
    (112.085, 37.576, "joint"),
    (112.073, 37.581, "city"),
    (112.090, 37.585, "postal"),
    (112.149, 37.551, "rural"),
    (112.272, 37.582, "city"),
    (112.262, 37.588, "joint"),
    (112.320, 37.630, "rural"),
    (112.102, 37.721, "rural"),
    (112.105, 37.716, "postal"),
    (112.421, 37.601, "big"),
    (112.429, 37.731, "rural"),
]

TOWNSHIPS = [
    ("T01", "Centre", 112.08, 37.58, "U"),
    ("T02", "South", 112.15, 37.55, "U"),
    ("T03", "East", 112.27, 37.58, "U"),
    ("T04", "Market", 112.32, 37.63, "T"),
    ("T05", "Seat", 112.10, 37.72, "C"),
    ("T06", "Upper", 112.29, 37.75, "T"),
    ("T07", "City", 112.42, 37.60, "U"),
    ("T08", "Lower", 112.43, 37.73, "T"),
]

DEVELOPMENTS = [
    ("East One", 112.280, 37.590, 4_000, "2022-06-30", "commodity"),
    ("East Two", 112.258, 37.570, 6_000, "2028-06-30", "commodity"),
    ("Park", 112.285, 37.565, 3_000, "2023-03-31", "functional"),
    ("Fair", 112.250, 37.590, 900, "2021-09-30", "market"),
    ("Resettled", 112.120, 37.600, 1_500, "2024-01-31", "resettlement"),
    ("South Field", 112.310, 37.530, 2_500, "2028-03-31", "commodity"),
    ("Beside New", 112.440, 37.620, 3_500, "2029-01-31", "rental"),
]

# branch_id, minutes waited after 08:50, 10:00 and 14:00; a blank has left
TICKETS = [
    ("B01", (14, 25, 31)),
    ("B02", (11, 4, 12)),
    ("B03", (12, 1, 2)),
    ("B04", (16, 18, None)),
    ("B09", (9, 3, 8)),
    ("B14", (13, 22, 7)),
]

STEP = 0.005
WEST, NORTH = 111.98, 37.82
N_ROWS, N_COLS = 68, 104

SCENARIO = """
name = "made-up"
title_zh = "made-up"
title_en = "Made-up region"
[grid]
cell_m = 1000.0
[zones]
min_residents = 100.0
[relocation]
max_moves = 3
[output]
synthetic = true
[inputs.branches]
path = "branches.csv"
datum = "wgs84"
[inputs.counties]
path = "counties.geojson"
datum = "wgs84"
[inputs.population]
path = "people.tif"
year = 2020
"""

OPTIONAL = {
    "earlier": '[inputs.population]\nearlier = "earlier.tif"\nearlier_year = 2010\n',
    "aged": '[inputs.population]\naged_60 = "aged.tif"\n',
    "footfall": '[inputs.footfall]\npath = "footfall.csv"\nkind = "points"\ndatum = "wgs84"\n'
    'time_zone = "Asia/Shanghai"\n',
    "competitors": '[inputs.competitors]\npath = "competitors.csv"\ndatum = "wgs84"\n',
    "developments": '[inputs.developments]\npath = "developments.csv"\ndatum = "wgs84"\n',
    "tickets": '[inputs.tickets]\npath = "tickets.csv"\n',
    "townships": '[inputs.townships]\npath = "townships.csv"\ndatum = "wgs84"\n',
}


def scenario_text(without=(), more=""):
    """Return the scenario that names every layer but some."""
    text = SCENARIO
    for name, lines in OPTIONAL.items():
        if name in without:
            continue
        head, _, rest = lines.partition("\n")
        text = text.replace(head + "\n", head + "\n" + rest) if head in text else text + lines
    return text + more


def write_region(folder: Path, *, without=(), more="") -> Path:
    """Write every file of the region and a scenario; return the scenario's path."""
    county_frame().to_file(folder / "counties.geojson", driver="GeoJSON")
    branch_frame().to_csv(folder / "branches.csv", index=False)
    pd.DataFrame(RIVALS, columns=["lon", "lat", "class"]).to_csv(folder / "competitors.csv", index=False)
    columns = ["township_id", "name", "lon", "lat", "tier"]
    pd.DataFrame(TOWNSHIPS, columns=columns).to_csv(folder / "townships.csv", index=False)
    columns = ["name", "lon", "lat", "households", "handover", "kind"]
    pd.DataFrame(DEVELOPMENTS, columns=columns).to_csv(folder / "developments.csv", index=False)
    now, earlier = people(3), people(4)
    write_raster(folder / "people.tif", now)
    write_raster(folder / "earlier.tif", earlier)
    # The old live in the old places.
    write_raster(folder / "aged.tif", np.where(now > 0, 0.1 * now + 0.1 * np.minimum(now, earlier), 0.0))
    footfall_frame().to_csv(folder / "footfall.csv", index=False)
    ticket_frame().to_csv(folder / "tickets.csv", index=False)
    path = folder / "scenario.toml"
    path.write_text(scenario_text(without, more), encoding="utf-8")
    return path


def county_frame() -> gpd.GeoDataFrame:
    """Return the four counties."""
    columns = {
        "county_id": list(COUNTIES),
        "name": [entry[0] for entry in COUNTIES.values()],
        "prefecture": [entry[1] for entry in COUNTIES.values()],
        "inclusive": [entry[2] for entry in COUNTIES.values()],
    }
    shapes = [shapely.box(*entry[3:]) for entry in COUNTIES.values()]
    return gpd.GeoDataFrame(columns, geometry=shapes, crs="EPSG:4326")


def branch_frame() -> pd.DataFrame:
    """Return the sixteen branches."""
    columns = [
        "branch_id", "lon", "lat", "tier", "format", "deposits_wan", "visits_per_day", "customers",
        "lease_end", "rating",
    ]  # fmt: skip
    frame = pd.DataFrame(BRANCHES, columns=columns)
    return frame.assign(name="Branch " + frame["branch_id"])


@cache
def people(column: int) -> np.ndarray:
    """Return people by pixel: hills around the settled places, whole numbers."""
    lon = WEST + (np.arange(N_COLS) + 0.5) * STEP
    lat = NORTH - (np.arange(N_ROWS) + 0.5) * STEP
    total = np.zeros((N_ROWS, N_COLS))
    for place in SETTLED:
        x, y, width = place[:3]
        far = ((lon[None, :] - x) ** 2 + (lat[:, None] - y) ** 2) / width**2
        near = np.exp(-far / 2.0) + 0.0005 * np.exp(-far / 60.0)
        total += place[column] * near / near.sum()
    return np.round(total).astype("float32")


def write_raster(path: Path, values: np.ndarray) -> None:
    """Write people per pixel."""
    place = rasterio.Affine(STEP, 0.0, WEST, 0.0, -STEP, NORTH)
    with rasterio.open(
        path, "w", driver="GTiff", height=N_ROWS, width=N_COLS, count=1, dtype="float32", crs="EPSG:4326",
        transform=place,
    ) as file:  # fmt: skip
        file.write(values.astype("float32")[None])


def footfall_frame() -> pd.DataFrame:
    """Return sightings on a Tuesday and a Saturday: work in town and park, leisure at the fair."""
    rows = []
    for x, y, weekday, weekend in (
        (112.080, 37.580, 900, 300),
        (112.285, 37.565, 700, 20),
        (112.250, 37.590, 60, 800),
        (112.270, 37.580, 120, 150),
        (112.100, 37.720, 60, 40),
        (112.420, 37.600, 200, 100),
    ):
        for step in range(5):
            rows.append((x + 0.004 * (step - 2), y, "2020-09-15 10:30:00", weekday / 5))
            rows.append((x, y + 0.004 * (step - 2), "2020-09-19 15:00:00", weekend / 5))
    return pd.DataFrame(rows, columns=["lon", "lat", "time", "count"])


def ticket_frame() -> pd.DataFrame:
    """Return three tickets of one day for some branches; the first is taken before opening."""
    rows = []
    for branch, waits in TICKETS:
        for begun, wait in zip(("08:50", "10:00", "14:00"), waits, strict=True):
            taken = pd.Timestamp(f"2026-03-16 {begun}")
            called = None if wait is None else taken + pd.Timedelta(minutes=wait)
            rows.append((branch, taken, called, None if called is None else called + pd.Timedelta(minutes=8)))
    return pd.DataFrame(rows, columns=["branch_id", "taken", "called", "served_end"])


def write_roads(folder):
    """Write roads.geojson: a net of streets a kilometre or so apart, of every class, drawn as a network."""
    kinds = ["primary", "residential", "secondary", "tertiary", "unclassified", "living_street", "service"]
    kinds += ["track", "trunk", "motorway"]
    lons, lats = np.arange(112.0, 112.481, 0.012), np.arange(37.5, 37.801, 0.012)
    lines = [[[float(lon), float(lat)] for lon in lons] for lat in lats]
    lines += [[[float(lon), float(lat)] for lat in lats] for lon in lons]
    features = [
        {
            "type": "Feature",
            "properties": {"highway": kinds[i % len(kinds)], "oneway": "no"},
            "geometry": {"type": "LineString", "coordinates": line},
        }
        for i, line in enumerate(lines)
    ]
    content = {"type": "FeatureCollection", "features": features}
    (folder / "roads.geojson").write_text(json.dumps(content), encoding="utf-8")


def write_rivers(folder):
    """Write rivers.geojson: one through the old town, and a lake in the new district."""
    river = {"type": "LineString", "coordinates": [[112.0, 37.57], [112.09, 37.582], [112.2, 37.6]]}
    box = shapely.box(112.262, 37.58, 112.278, 37.586)
    lake = {"type": "Polygon", "coordinates": [[list(xy) for xy in box.exterior.coords]]}
    features = [
        {"type": "Feature", "properties": {"factor": factor}, "geometry": shape}
        for factor, shape in ((None, river), (3.0, lake))
    ]
    content = {"type": "FeatureCollection", "features": features}
    (folder / "rivers.geojson").write_text(json.dumps(content), encoding="utf-8")
