"""A small bank in a small region: a crowded old town, a new district, a poor county; run step by step."""

from dataclasses import dataclass
from functools import cache

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from siteplanner.layers.catalogue_file import load_catalogue
from siteplanner.model.access import Travel, measure_access
from siteplanner.model.catalogue import equip
from siteplanner.model.clusters import group_branches
from siteplanner.model.contest import Contest, Evidence, prepare_contest, survey_ground
from siteplanner.model.demand import estimate_demand
from siteplanner.model.developments import Epochs
from siteplanner.model.formats import Formats, assign_formats
from siteplanner.model.grid import make_grid
from siteplanner.model.ledger import Ledger, Plans, balance_moves
from siteplanner.model.market import calibrate, share_market
from siteplanner.model.outlets import list_outlets
from siteplanner.model.phasing import phase_moves
from siteplanner.model.queues import measure_queues
from siteplanner.model.quotas import set_quotas
from siteplanner.model.relocation import Relocation, relocate
from siteplanner.model.residents import settle_residents
from siteplanner.model.rules import Ground
from siteplanner.model.scores import Scores, score_places
from siteplanner.model.sites import propose_sites
from siteplanner.model.zones import Places, find_zones
from siteplanner.scenario import Scenario

TOWN, HILLS = "140101", "140121"

# One branch keeps one of two customers waiting for half an hour, another none.
TICKETS = pd.DataFrame(
    {
        "branch_id": ["B1", "B1", "B2"],
        "taken": pd.to_datetime(["2026-03-16 10:00", "2026-03-16 10:05", "2026-03-16 10:00"]),
        "called": pd.to_datetime(["2026-03-16 10:30", "2026-03-16 10:06", "2026-03-16 10:01"]),
    }
)

# Place name: lon, lat, people around it in 2020 and 2010.
SETTLED = {
    "old": (112.05, 37.55, 60_000, 66_000),
    "new": (112.14, 37.55, 30_000, 8_000),
    "seat": (112.06, 37.66, 9_000, 9_000),
    "village": (112.15, 37.67, 4_000, 4_500),
}
OWN = [
    ("B1", 112.044, 37.550, "U", "core"),
    ("B2", 112.051, 37.553, "U", "standard"),
    ("B3", 112.056, 37.548, "U", "standard"),
    ("B4", 112.047, 37.544, "U", "light"),
    ("B5", 112.052, 37.545, "U", "standard"),
    ("B6", 112.060, 37.660, "C", "standard"),
    ("B7", 112.064, 37.664, "C", "light"),
]
RIVALS = [
    ("C1", 112.049, 37.551, "big"),
    ("C2", 112.055, 37.546, "city"),
    ("C3", 112.141, 37.551, "rural"),
    ("C4", 112.061, 37.661, "rural"),
]


def make_scenario(**sections):
    """Return a scenario with few moves and a small grid; sections override."""
    base = {
        "name": "toy",
        "inputs": {
            "branches": {"path": "b.csv", "datum": "wgs84"},
            "counties": {"path": "c.geojson", "datum": "wgs84"},
            "population": {"path": "p.tif", "year": 2020, "earlier": "q.tif", "earlier_year": 2010},
        },
        "relocation": {"max_moves": 2, "gap": 1e-6, "sources": [], "destinations": []},
        "zones": {"min_residents": 500.0},
        "sites": {"per_zone": 2, "max_sites": 12},
    }
    merged = {name: {**base.get(name, {}), **part} for name, part in sections.items()}
    return Scenario.model_validate({**base, **merged})


def _counties():
    boxes = [shapely.box(112.0, 37.5, 112.2, 37.6), shapely.box(112.0, 37.6, 112.2, 37.7)]
    table = {"name": ["Town", "Hills"], "prefecture": ["P", "P"], "inclusive": [False, True]}
    return gpd.GeoDataFrame(
        table, geometry=boxes, index=pd.Index([TOWN, HILLS], name="county_id"), crs="EPSG:4326"
    )


def _county(lat):
    return np.where(np.asarray(lat) < 37.6, TOWN, HILLS)


def _townships():
    ids = {"old": "T1", "new": "T2", "seat": "T3", "village": "T4"}
    lon, lat = ([SETTLED[name][at] for name in ids] for at in (0, 1))
    return pd.DataFrame(
        {"name": list(ids), "lon": lon, "lat": lat, "county_id": _county(lat), "tier": ["U", "U", "C", "T"]},
        index=pd.Index(ids.values(), name="township_id"),
    )


def _placed(frame):
    seats = _townships()
    near = [
        seats.index[((seats["lon"] - lon) ** 2 + (seats["lat"] - lat) ** 2).to_numpy().argmin()]
        for lon, lat in zip(frame["lon"], frame["lat"], strict=True)
    ]
    return frame.assign(county_id=_county(frame["lat"]), prefecture="P", township_id=near)


def make_branches(catalogue):
    """List the seven branches, equipped from the catalogue; three say what they hold."""
    frame = pd.DataFrame(OWN, columns=["branch_id", "lon", "lat", "tier", "format"]).set_index("branch_id")
    frame = frame.assign(
        name=frame.index,
        counters=np.nan,
        smart_devices=np.nan,
        atms=np.nan,
        staff=np.nan,
        area_m2=np.nan,
        hours_per_week=np.nan,
        deposits_wan=[60_000.0, 30_000.0, 25_000.0, np.nan, np.nan, np.nan, np.nan],
        visits_per_day=[300.0, 150.0, 140.0, np.nan, np.nan, np.nan, np.nan],
        customers=np.nan,
        opex_wan=np.nan,
        lease_end=pd.to_datetime(["2031-12-31", *["NaT"] * 6]),
        rating="B",
        locked=False,
    )
    return equip(_placed(frame), catalogue)


def make_rivals():
    """List the four outlets of other banks."""
    frame = pd.DataFrame(RIVALS, columns=["competitor_id", "lon", "lat", "class"]).set_index("competitor_id")
    placed = _placed(frame.assign(bank="other"))
    return placed.assign(tier=_townships()["tier"].loc[placed["township_id"]].to_numpy())


def _parts(grid):
    lon, lat = grid.cells["lon"].to_numpy(), grid.cells["lat"].to_numpy()
    people = {name: np.zeros(len(lon)) for name in ("residents", "residents_earlier")}
    for x, y, now, earlier in SETTLED.values():
        near = np.exp(-((lon - x) ** 2 + (lat - y) ** 2) / 0.015**2)
        near = np.where(near > 0.01, near, 0.0)
        people["residents"] += now * near / near.sum()
        people["residents_earlier"] += earlier * near / near.sum()
    frame = pd.DataFrame(people).assign(
        cell_id=grid.cells.index, county_id=grid.cells["county_id"].to_numpy()
    )
    frame = frame.assign(aged_60=0.2 * frame["residents"])
    return frame[frame["residents"] > 0].reset_index(drop=True)


def _developments():
    return pd.DataFrame(
        {
            "name": ["East One", "East Two"],
            "lon": [112.138, 112.145],
            "lat": [37.556, 37.545],
            "households": [3_000.0, 4_000.0],
            "handover": pd.to_datetime(["2022-06-30", "2028-06-30"]),
            "kind": "commodity",
        },
        index=pd.Index(["D1", "D2"], name="development_id"),
    )


@dataclass(frozen=True, eq=False)
class Town:
    """All records of the run."""

    scenario: Scenario
    evidence: Evidence
    contest: Contest
    ground: Ground
    scores: Scores
    relocation: Relocation
    schedule: pd.DataFrame
    formats: Formats
    ledger: Ledger
    clusters: object

    @property
    def plans(self):
        return Plans(self.scores, self.relocation, self.formats)


def gather(scenario, *, shuffle=None):
    """Run all steps before the scores; `shuffle` reorders the rows of rivals and of people."""
    catalogue, counties = load_catalogue(), _counties()
    grid = make_grid(counties, scenario.grid)
    branches, rivals = make_branches(catalogue), make_rivals()
    parts = _parts(grid)
    if shuffle is not None:
        rivals, parts = rivals[::-1], parts.sample(frac=1.0, random_state=shuffle)
    mix = (scenario.demand, scenario.access)
    residents = settle_residents(grid, parts, counties, _developments(), Epochs(2020, 2010), mix)
    demand = estimate_demand(grid, residents, pd.DataFrame(), scenario.demand)
    outlets = list_outlets(branches, rivals, scenario.market)
    access = measure_access(demand, grid, outlets, Travel(scenario.access))
    demand, market = calibrate(
        demand, share_market(demand, access, branches, (scenario.market, scenario.access))
    )
    places = Places(counties, _townships(), _developments())
    zones = find_zones(grid, demand, access, market, places, scenario.zones)
    candidates = propose_sites(grid, demand, access, zones, places, pd.DataFrame(), scenario)
    queues = measure_queues(TICKETS, branches.index, scenario.queues)
    evidence = Evidence(
        branches, queues, rivals, counties, catalogue, grid, demand, access, market, zones, candidates
    )
    limits = (scenario.quotas, scenario.rules, scenario.demand)
    return evidence, set_quotas(grid, demand, outlets, counties, limits)


def plan(scenario, gathered=None):
    """Run all steps."""
    evidence, quotas = gathered or gather(scenario)
    contest = prepare_contest(evidence, scenario)
    ground = survey_ground(evidence, quotas.counties, scenario)
    scores = score_places(evidence, contest, ground, scenario)
    relocation = relocate(evidence, contest, ground, scores, scenario)
    formats = assign_formats(evidence, contest, relocation, scenario)
    relocation, schedule = phase_moves(relocation, formats, evidence, ground, scenario)
    ledger = balance_moves(evidence, contest, Plans(scores, relocation, formats), scenario)
    clusters = group_branches(formats.branches_after, evidence.catalogue, scenario.clusters)
    return Town(scenario, evidence, contest, ground, scores, relocation, schedule, formats, ledger, clusters)


def decide(evidence, county_limits, scenario):
    """Run scores and decision under other limits of the counties."""
    contest = prepare_contest(evidence, scenario)
    ground = survey_ground(evidence, county_limits, scenario)
    scores = score_places(evidence, contest, ground, scenario)
    return relocate(evidence, contest, ground, scores, scenario)


@cache
def usual_town():
    """Return the run that most tests look at."""
    return plan(make_scenario())
