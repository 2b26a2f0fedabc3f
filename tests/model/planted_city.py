"""A city whose dense, blank, inflow and inclusive areas are known because they were planted."""

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from siteplanner.model.access import Access, Reach, Travel
from siteplanner.model.demand import Demand
from siteplanner.model.grid import Grid, make_grid
from siteplanner.model.market import Market
from siteplanner.model.zones import Places
from siteplanner.scenario import AccessSettings, GridSettings, Scenario

WEST, EAST, LISTED = "140101", "140102", "140121"

# Blocks of lattice rows and columns (half-open): what is planted there.
DENSE = (slice(20, 30), slice(12, 22))
BLANK = (slice(20, 30), slice(42, 52))
INFLOW = (slice(6, 14), slice(42, 50))


def county_frame():
    """Two districts side by side, a listed county north of them; one prefecture."""
    boxes = [
        shapely.box(112.0, 37.5, 112.2, 37.7),
        shapely.box(112.2, 37.5, 112.4, 37.7),
        shapely.box(112.0, 37.7, 112.4, 37.76),
    ]
    return gpd.GeoDataFrame(
        {
            "name": ["West", "East", "Hills"],
            "prefecture": ["P", "P", "P"],
            "inclusive": [False, False, True],
        },
        geometry=boxes,
        index=pd.Index([WEST, EAST, LISTED], name="county_id"),
        crs="EPSG:4326",
    )


class City:
    """All inputs of the steps under test; `plant` says what is there beside noise."""

    def __init__(self, *, plant=True, seed=1):
        rng = np.random.default_rng(seed)
        self.counties = county_frame()
        self.grid = make_grid(self.counties, GridSettings())
        n = len(self.grid.cells)
        self.visits = rng.uniform(0.8, 1.2, n)
        self.supply = rng.uniform(8.0, 12.0, n)
        self.growth = rng.normal(0.0, 0.005, n)
        self.gained = np.zeros(n)
        self.overlap = 0.1
        where = [rng.integers(0, n, 5)]
        if plant:
            self._raise_blocks(rng)
            row, col = self.grid.cells["row"].to_numpy(), self.grid.cells["col"].to_numpy()
            where.append(np.flatnonzero(self.block(DENSE) & (row % 2 == 0) & (col % 2 == 1)))
        cells = self.grid.cells.iloc[np.concatenate(where)]
        self.outlets = self._outlet_frame(cells)

    def block(self, area, rim=0):
        rows, cols = area
        row, col = self.grid.cells["row"].to_numpy(), self.grid.cells["col"].to_numpy()
        inside = (row >= rows.start - rim) & (row < rows.stop + rim)
        return inside & (col >= cols.start - rim) & (col < cols.stop + rim)

    def _raise_blocks(self, rng):
        self.supply[self.block(DENSE)] *= 3.0
        self.visits[self.block(BLANK)] *= 3.0
        self.supply[self.block(BLANK)] *= 0.1
        self.growth[self.block(INFLOW)] = rng.uniform(0.07, 0.09, self.block(INFLOW).sum())
        self.gained[self.block(INFLOW)] = 5_000.0
        self.supply[self.block(INFLOW)] = 9.0
        # What flows in is not there yet: too little for a blank zone, enough for nobody to call it thin.
        self.visits[self.block(INFLOW)] = 0.95

    def _outlet_frame(self, cells):
        n_own = len(cells)
        own = pd.DataFrame(
            {
                "own": True,
                "lon": cells["lon"].to_numpy(),
                "lat": cells["lat"].to_numpy(),
                "county_id": cells["county_id"].to_numpy(),
                "counter_hours": 100.0,
            },
            index=[f"B{i:03d}" for i in range(n_own)],
        )
        rival = self.grid.cells.iloc[[100, 900, 1700]]
        rivals = pd.DataFrame(
            {
                "own": False,
                "lon": rival["lon"].to_numpy(),
                "lat": rival["lat"].to_numpy(),
                "county_id": rival["county_id"].to_numpy(),
                "counter_hours": 100.0,
            },
            index=["R1", "R2", "R3"],
        )
        both = pd.concat([own, rivals]).assign(prefecture="P", township_id="", tier="U", attractiveness=1.0)
        return both.rename_axis("outlet_id")

    @property
    def demand(self):
        people = self.visits * 100.0
        cells = pd.DataFrame(
            {
                "residents": people,
                "residents_earlier": people - self.gained / 10.0 * 0.5,
                "aged_60": people * 0.2,
                "work": people,
                "leisure": people,
                "moved_in": 0.0,
                "pipeline_households": 0.0,
                "density_per_km2": 2_000.0,
                "settlement": "urban",
                "growth_per_year": self.growth,
                "people_gained": self.gained,
                "pipeline_near": 0.0,
                "visits_per_day": self.visits,
                "potential_wan": people * 6.0,
            },
            index=self.grid.cells.index,
        ).assign(residents_earlier=lambda frame: frame["residents_earlier"].clip(lower=0.0))
        parts = pd.DataFrame(
            {
                "cell_id": self.grid.cells.index.to_numpy(),
                "county_id": self.grid.cells["county_id"].to_numpy(),
                "residents": cells["residents"].to_numpy(),
                "residents_earlier": cells["residents_earlier"].to_numpy(),
                "aged_60": cells["aged_60"].to_numpy(),
            }
        )
        return Demand(cells, parts)

    @property
    def access(self):
        cells = pd.DataFrame(
            {
                "minutes_own": 5.0,
                "minutes_any": 5.0,
                "supply_own": self.supply,
                "supply_rival": 20.0 + np.arange(len(self.supply)) % 7,
                "supply_any": self.supply + 20.0,
            },
            index=self.grid.cells.index,
        )
        nothing = np.zeros(0)
        return Access(
            self.outlets,
            Reach(nothing, len(self.outlets), nothing, nothing, nothing),
            cells,
            Travel(AccessSettings()),
        )

    @property
    def market(self):
        own = self.outlets["own"].to_numpy()
        outlets = pd.DataFrame(
            {
                "visits_per_day": 50.0,
                "deposits_wan": 10_000.0,
                "overlap": np.where(own, self.overlap, np.nan),
                "performance": np.where(own, 1.0, np.nan),
            },
            index=self.outlets.index,
        )
        cells = pd.DataFrame(
            {"share_own": 0.2, "share_rival": 0.5, "share_outside": 0.3}, index=self.grid.cells.index
        )
        return Market(cells, outlets, np.zeros(0), 1.0, 1.0)

    @property
    def places(self):
        townships = pd.DataFrame(
            {
                "name": ["Old Town", "New Town", "Upper Mill", "Lower Mill"],
                "lon": [112.10, 112.28, 112.05, 112.30],
                "lat": [37.62, 37.60, 37.73, 37.74],
                "county_id": [WEST, EAST, LISTED, LISTED],
                "tier": ["U", "U", "T", "C"],
            },
            index=pd.Index(["t1", "t2", "t3", "t4"], name="township_id"),
        )
        spot = self.grid.cells.loc[self.block(INFLOW)].iloc[30]
        developments = pd.DataFrame(
            {
                "name": ["Spring Garden", "Small Court"],
                "lon": [spot["lon"], spot["lon"]],
                "lat": [spot["lat"], spot["lat"]],
                "households": [4_000.0, 400.0],
                "handover": pd.to_datetime(["2027-06-30", "2025-06-30"]),
                "kind": ["commodity", "commodity"],
                "county_id": [EAST, EAST],
            },
            index=pd.Index(["d1", "d2"], name="development_id"),
        )
        return Places(self.counties, townships, developments)


def scenario(**sections):
    """A scenario with the given sections."""
    inputs = {
        "branches": {"path": "b.csv", "datum": "wgs84"},
        "counties": {"path": "c.gpkg", "datum": "wgs84"},
        "population": {"path": "p.tif", "year": 2020},
    }
    return Scenario.model_validate({"name": "planted", "inputs": inputs, **sections})


def shuffled(city, seed=3):
    """Return the steps' inputs with the rows of every table but the grid's in another order."""
    order = np.random.default_rng(seed)

    def mix(frame):
        return frame.iloc[order.permutation(len(frame))]

    demand, access, market, places = city.demand, city.access, city.market, city.places
    return (
        Demand(mix(demand.cells), mix(demand.parts)),
        Access(mix(access.outlets), access.reach, mix(access.cells), access.travel),
        Market(mix(market.cells), mix(market.outlets), market.outside, 1.0, 1.0),
        Places(mix(places.counties), mix(places.townships), mix(places.developments)),
    )


def small_grid(n_rows, n_cols):
    """Return a full grid of exactly that many cells near 37.5 N and its only county's id."""
    county = gpd.GeoDataFrame(
        {"name": ["One"]},
        geometry=[shapely.box(112.0, 37.5, 112.0 + 0.02 * n_cols, 37.5 + 0.02 * n_rows)],
        index=pd.Index(["c"], name="county_id"),
        crs="EPSG:4326",
    )
    grid = make_grid(county, GridSettings())
    keep = (grid.cells["row"] < n_rows) & (grid.cells["col"] < n_cols)
    lattice = type(grid.lattice)(
        grid.lattice.cell_m,
        grid.lattice.standard_parallel_deg,
        grid.lattice.x0_m,
        grid.lattice.y0_m,
        n_rows,
        n_cols,
    )
    cells = grid.cells.loc[keep]
    ids = cells["row"].to_numpy().astype(np.int64) * n_cols + cells["col"].to_numpy()
    return Grid(lattice, cells.set_axis(pd.Index(ids, name="cell_id")))
