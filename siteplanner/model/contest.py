"""The evidence of a decision in one hand, and the contest for every cell made ready for what-ifs."""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import scipy.sparse as sp

from siteplanner.model.access import Access, by_settlement
from siteplanner.model.capture import Network, gather_network, join_rows, minutes_matrix, place_matrix
from siteplanner.model.catalogue import NEW_RATING, Catalogue
from siteplanner.model.demand import Demand
from siteplanner.model.grid import Grid, nearest_cells
from siteplanner.model.market import Market
from siteplanner.model.outlets import list_outlets, take_yardstick
from siteplanner.model.rules import Ground, lay_ground
from siteplanner.model.sites import Candidates
from siteplanner.model.sphere import unit_vectors
from siteplanner.model.zones import Zones
from siteplanner.scenario import MarketSettings, Scenario
from siteplanner.tables import FORMATS

CNY_PER_WAN = 10_000.0


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Everything that scores, decision and ledger rest on.

    Parameters
    ----------
    branches, competitors, counties
        Checked input tables; points carry `tables.PLACED`.
    queues
        `tables.QUEUES` of the branches.
    """

    branches: pd.DataFrame
    queues: pd.DataFrame
    competitors: pd.DataFrame
    counties: gpd.GeoDataFrame
    catalogue: Catalogue
    grid: Grid
    demand: Demand
    access: Access
    market: Market
    zones: Zones
    candidates: Candidates


@dataclass(frozen=True, slots=True, eq=False)
class Contest:
    """Demand rows, own branches and sites as columns; rows are those of the reach.

    Parameters
    ----------
    sites, site_minutes
        Utility at attractiveness 1, and travel time, of candidate sites, rows x sites.
    visits
        Visits per business day by row, times the market's level.
    deposits, pipeline
        Deposits of people who live there in the plan year, and of all homes handed over later within the
        horizon when all are lived in; 10,000 CNY by row, times the market's level.
    km_per_minute, reach_km
        Straight km of one minute of travel, and the longest trip, by row.
    formats
        Attractiveness by format on the scale of the outlets.
    """

    cell_id: np.ndarray
    network: Network
    sites: sp.csr_array
    site_minutes: sp.csr_array
    visits: np.ndarray
    deposits: np.ndarray
    pipeline: np.ndarray
    residents: np.ndarray
    aged_60: np.ndarray
    km_per_minute: np.ndarray
    reach_km: np.ndarray
    formats: pd.Series


def prepare_contest(evidence: Evidence, scenario: Scenario) -> Contest:
    """Compute every utility once; each later what-if is then a sum over a few columns."""
    reach, sites = evidence.access.reach, evidence.candidates.reach
    join_rows(reach, sites)
    rows = evidence.demand.cells.loc[reach.cell_id]
    outlets, market = evidence.access.outlets, evidence.market
    network = gather_network(
        reach,
        outlets["attractiveness"].to_numpy(),
        int(outlets["own"].sum()),
        market.outside,
        scenario.market,
    )
    head_wan = scenario.demand.deposits_per_person_cny / CNY_PER_WAN
    pace, reach_km = by_settlement(rows["settlement"], scenario.access)
    return Contest(
        cell_id=reach.cell_id,
        network=network,
        sites=place_matrix(sites, np.ones(sites.n_places), scenario.market),
        site_minutes=minutes_matrix(sites),
        visits=rows["visits_per_day"].to_numpy(dtype=float) * market.level,
        deposits=rows["potential_wan"].to_numpy(dtype=float) * market.level_deposits,
        pipeline=rows["pipeline_households"].to_numpy(dtype=float)
        * scenario.demand.household_size
        * head_wan
        * market.level_deposits
        * market.calibration[1],
        residents=rows["residents"].to_numpy(dtype=float),
        aged_60=rows["aged_60"].to_numpy(dtype=float),
        km_per_minute=1.0 / pace,
        reach_km=reach_km,
        formats=rate_formats(evidence, scenario.market),
    )


def survey_ground(evidence: Evidence, county_limits: pd.DataFrame, scenario: Scenario) -> Ground:
    """Make the rules' ground from the evidence and the floors and caps of the counties."""
    branches = evidence.branches
    return lay_ground(
        branches.assign(settlement=settlement_at(evidence, branches)),
        evidence.candidates.sites,
        evidence.competitors["township_id"],
        county_limits,
        (scenario.rules, scenario.relocation),
    )


def settlement_at(evidence: Evidence, points: pd.DataFrame) -> pd.Series:
    """Return the settlement class of the cell of each point."""
    cells = cell_at(evidence.grid, points)
    return evidence.demand.cells["settlement"].loc[cells].set_axis(points.index)


def cell_at(grid: Grid, points: pd.DataFrame) -> np.ndarray:
    """Return the cell of each point; the nearest where it lies in none."""
    return nearest_cells(grid, points["lon"].to_numpy(dtype=float), points["lat"].to_numpy(dtype=float))


def points_of(places: pd.DataFrame) -> np.ndarray:
    """Return the unit vectors of places with ``lon`` and ``lat``."""
    return unit_vectors(places["lon"].to_numpy(), places["lat"].to_numpy())


def rate_formats(evidence: Evidence, settings: MarketSettings) -> pd.Series:
    """Return the attractiveness of a new branch of each format, on the scale of today's outlets."""
    first = evidence.branches.iloc[:1]
    rows = pd.concat([first] * len(FORMATS)).assign(format=list(FORMATS)).set_axis(list(FORMATS))
    rows = dress(rows, evidence.catalogue)
    return rate_branches(evidence, rows, settings)["attractiveness"].reindex(list(FORMATS))


def dress(branches: pd.DataFrame, catalogue: Catalogue) -> pd.DataFrame:
    """Give branches the equipment, hours and neutral rating of their format."""
    columns = ["counters", "smart_devices", "atms", "staff", "area_m2", "hours_per_week"]
    looks = catalogue.formats.loc[branches["format"], columns].set_axis(branches.index)
    return branches.assign(**{name: looks[name] for name in columns}, rating=NEW_RATING)


def rate_branches(evidence: Evidence, branches: pd.DataFrame, settings: MarketSettings) -> pd.DataFrame:
    """List own branches as outlets on the scale of today's network, whose mean attractiveness is 1."""
    scale = take_yardstick(evidence.branches, evidence.competitors, settings)
    return list_outlets(branches, evidence.competitors.iloc[:0], settings, yardstick=scale)
