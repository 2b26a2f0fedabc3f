"""A synthetic Plan with every record filled: for the tests of what readers see, never for the method."""

from dataclasses import dataclass, replace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from scipy import ndimage

from siteplanner import tables
from siteplanner.layers.catalogue_file import load_catalogue
from siteplanner.layers.records import Layers
from siteplanner.layers.sources import RasterSource
from siteplanner.model.access import Access, Reach, Travel
from siteplanner.model.calibration import Calibration
from siteplanner.model.clusters import Clusters
from siteplanner.model.demand import Demand
from siteplanner.model.forecast import Forecast
from siteplanner.model.formats import Formats
from siteplanner.model.grid import Grid
from siteplanner.model.lattice import Lattice
from siteplanner.model.ledger import Ledger
from siteplanner.model.market import Market
from siteplanner.model.quotas import Quotas
from siteplanner.model.reconciliation import BRIDGE
from siteplanner.model.relocation import Proof, Relocation
from siteplanner.model.scores import Scores
from siteplanner.model.sites import Candidates
from siteplanner.model.zones import Zones
from siteplanner.plan import Plan
from siteplanner.scenario import AccessSettings, Scenario

HOSTILE = (
    "{{ 7*7 }}",
    "${alert(1)}",
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "`back` \\u{zz} C:\\new",
    '=HYPERLINK("http://x")',
    "\u202eright to left",
    "{% for x in y %} {# no #}",
)
STANDARD_PARALLEL_DEG = 37.5


@dataclass(frozen=True, slots=True)
class Size:
    """How big the made-up region is."""

    n_rows: int = 60
    n_cols: int = 50
    county_rows: int = 3
    county_cols: int = 1
    branches: int = 24
    rivals: int = 80
    sites: int = 30
    moves: int = 6
    cell_m: float = 500.0


PROVINCE = Size(1100, 620, 13, 9, 400, 5_750, 1_500, 20)


def fake_plan(size: Size = Size(), *, hostile: bool = False, synthetic: bool = True, seed: int = 1) -> Plan:
    """Fill every record of a Plan; the same size and seed give the same Plan."""
    return _Maker(size, np.random.default_rng(seed), hostile=hostile, synthetic=synthetic).plan()


def fill(table: tables.Table, keys: Any, rng: np.random.Generator, **given: Any) -> pd.DataFrame:
    """Fill a table of `tables` with random values that keep its promise; `given` columns win."""
    n = len(keys)
    columns = {}
    for column in table.columns:
        if column.name == table.key or column.kind == "geometry":
            continue
        columns[column.name] = given.get(column.name)
        if columns[column.name] is None:
            columns[column.name] = _random(column, n, rng)
    columns |= {name: values for name, values in given.items() if name not in columns}
    return pd.DataFrame(columns, index=pd.Index(keys, name=table.key or None))


def _random(column: tables.Column, n: int, rng: np.random.Generator) -> Any:
    low = column.low or 0.0
    high = min(100.0, column.high) if column.high is not None else low + 100.0
    match column.kind:
        case "float":
            return np.round(rng.uniform(low, max(high, low), n), 3)
        case "int":
            return rng.integers(int(low), int(max(high, low)) + 1, n)
        case "bool":
            return rng.random(n) < 0.5
        case "date" | "time":
            return pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 1000, n), unit="D")
        case _:
            return rng.choice(list(column.values), n) if column.values else np.full(n, "")  # noqa: PD011 - a field of ours


class _Maker:
    def __init__(self, size: Size, rng: np.random.Generator, *, hostile: bool, synthetic: bool) -> None:
        self.size, self.hostile, self.synthetic, self.rng = size, hostile, synthetic, rng
        self.cea = pyproj.Proj(f"+proj=cea +lat_ts={STANDARD_PARALLEL_DEG} +ellps=WGS84")
        x0, y0 = self.cea(112.3, 37.5)
        half = np.array([size.n_cols, size.n_rows]) * size.cell_m / 2
        self.x0, self.y0 = (np.round((np.array([x0, y0]) - half) / size.cell_m) * size.cell_m).tolist()
        self.grid = self._grid()
        self.n = len(self.grid.cells)
        self.field = self._noise(6.0)

    # --- where things are ---

    def lonlat(self, x_cells: Any, y_cells: Any) -> tuple[np.ndarray, np.ndarray]:
        x = self.x0 + np.asarray(x_cells, dtype=float) * self.size.cell_m
        y = self.y0 + np.asarray(y_cells, dtype=float) * self.size.cell_m
        lon, lat = self.cea(x, y, inverse=True)
        return np.asarray(lon), np.asarray(lat)

    def _mask(self) -> np.ndarray:
        rows, cols = np.mgrid[0 : self.size.n_rows, 0 : self.size.n_cols]
        v = (rows + 0.5) / self.size.n_rows * 2 - 1
        u = (cols + 0.5) / self.size.n_cols * 2 - 1
        return np.abs(u) ** 4 + np.abs(v) ** 4 <= 1.0

    def _grid(self) -> Grid:
        size = self.size
        lattice = Lattice(size.cell_m, STANDARD_PARALLEL_DEG, self.x0, self.y0, size.n_rows, size.n_cols)
        rows, cols = np.nonzero(self._mask())
        lon, lat = self.lonlat(cols + 0.5, rows + 0.5)
        index = pd.Index(rows * size.n_cols + cols, name="cell_id")
        county = self._county_of(rows, cols)
        cells = pd.DataFrame(
            {"row": rows, "col": cols, "lon": lon, "lat": lat, "county_id": county}, index=index
        )
        return Grid(lattice, cells)

    def _county_of(self, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
        i = rows * self.size.county_rows // self.size.n_rows
        j = cols * self.size.county_cols // self.size.n_cols
        ids = np.array([self.county_id(k) for k in range(self.size.county_rows * self.size.county_cols)])
        return ids[i * self.size.county_cols + j]

    @staticmethod
    def county_id(k: int) -> str:
        return f"14{k:04d}"

    def prefecture(self, county_id: Any) -> np.ndarray:
        return np.array([f"Prefecture {int(c) % 10000 // 9 + 1}" for c in county_id])

    def _noise(self, sigma: float) -> np.ndarray:
        size = self.size
        raw = ndimage.gaussian_filter(self.rng.normal(size=(size.n_rows, size.n_cols)), sigma)
        return (raw / raw.std())[self.grid.cells["row"], self.grid.cells["col"]]

    def name(self, words: str, i: int) -> str:
        return f"{HOSTILE[i % len(HOSTILE)]} {i}" if self.hostile else f"{words} {i}"

    def _points(self, n: int) -> dict[str, Any]:
        picked = self.rng.choice(self.n, n)
        cells = self.grid.cells.iloc[picked]
        lon, lat = self.lonlat(cells["col"] + self.rng.random(n), cells["row"] + self.rng.random(n))
        county = cells["county_id"].to_numpy()
        return {
            "lon": lon,
            "lat": lat,
            "county_id": county,
            "prefecture": self.prefecture(county),
            "township_id": np.array([f"{c}{100}" for c in county]),
            "tier": self.rng.choice(tables.TIERS[:3], n),
        }

    # --- inputs ---

    def layers(self) -> Layers:
        size, rng = self.size, self.rng
        k = size.county_rows * size.county_cols
        ids = [self.county_id(i) for i in range(k)]
        counties = gpd.GeoDataFrame(
            fill(
                tables.COUNTIES,
                ids,
                rng,
                name=[self.name("County", i) for i in range(k)],
                prefecture=self.prefecture(ids),
                inclusive=np.arange(k) % 3 == 1,
                list_name=np.full(k, "National list"),
                list_year=np.full(k, 2019),
                residents=np.full(k, 300_000.0),
            ),
            geometry=[self._county_polygon(i) for i in range(k)],
            crs=4326,
        )
        n = size.branches
        branches = fill(
            tables.BRANCHES,
            [f"B{i:04d}" for i in range(n)],
            rng,
            **self._points(n),
            name=[self.name("Branch", i) for i in range(n)],
        )
        n = size.rivals
        rivals = fill(
            tables.COMPETITORS,
            [f"R{i:05d}" for i in range(n)],
            rng,
            **self._points(n),
            bank=np.full(n, "Rival"),
        )
        developments = fill(
            tables.DEVELOPMENTS,
            [f"D{i}" for i in range(5)],
            rng,
            **self._points(5),
            name=[self.name("Development", i) for i in range(5)],
        )
        townships = fill(
            tables.TOWNSHIPS,
            [f"{c}{100 + j}" for c in ids for j in range(4)],
            rng,
            **self._points(4 * k),
            name=[self.name("Township", i) for i in range(4 * k)],
        )
        raster = RasterSource(("population.tif",), ("population.tif",), 2020)
        nothing = fill(tables.SITES, [], rng, **self._points(0))
        tickets = fill(tables.TICKETS, range(3), rng, branch_id=["B0000"] * 3)
        return Layers(
            counties,
            branches,
            rivals,
            developments,
            townships,
            nothing,
            tickets,
            load_catalogue(),
            raster,
            replace(raster, year=2010),
            None,
            None,
            None,
            (),
            {"population.tif": "0" * 64},
        )

    def _county_polygon(self, i: int) -> shapely.Polygon:
        size = self.size
        row, col = divmod(i, size.county_cols)
        south, north = (-(-r * size.n_rows // size.county_rows) for r in (row, row + 1))
        west, east = (-(-c * size.n_cols // size.county_cols) for c in (col, col + 1))
        xs = np.concatenate(
            [np.linspace(west, east, 20), [east] * 20, np.linspace(east, west, 20), [west] * 20]
        )
        ys = np.concatenate(
            [[south] * 20, np.linspace(south, north, 20), [north] * 20, np.linspace(north, south, 20)]
        )
        lon, lat = self.lonlat(xs, ys)
        return shapely.Polygon(np.column_stack([lon, lat]))

    # --- steps ---

    def demand(self) -> Demand:
        rng, index = self.rng, self.grid.cells.index
        residents = np.round(np.exp(3.0 + 1.6 * self.field) * (rng.random(self.n) < 0.9), 2)
        settlement = np.array(tables.SETTLEMENTS[::-1])[np.digitize(residents, [60, 400, 2000])]
        cells = fill(
            tables.DEMAND,
            index,
            rng,
            residents=residents,
            residents_earlier=residents * 0.9,
            aged_60=residents * 0.2,
            visits_per_day=residents * 0.005,
            potential_wan=residents * 6.0,
            settlement=settlement,
        )
        parts = pd.DataFrame(
            {
                "cell_id": index,
                "county_id": self.grid.cells["county_id"].to_numpy(),
                "residents": residents,
                "residents_earlier": residents * 0.9,
                "aged_60": residents * 0.2,
            }
        )
        return Demand(cells, parts, fill(tables.DEMAND_SEGMENTS, index, rng))

    def forecast(self, layers: Layers) -> Forecast:
        ids = np.array(layers.counties.index)
        rows = fill(
            tables.FORECAST,
            range(6 * len(ids)),
            self.rng,
            county_id=np.tile(ids, 6),
            year=np.repeat(np.arange(2026, 2032), len(ids)),
        )
        return Forecast(rows, fill(tables.FORECAST_CELLS, self.grid.cells.index, self.rng))

    def footfall(self, demand: Demand) -> pd.DataFrame:
        some = demand.cells.index[demand.cells["residents"] > 20]
        people = demand.cells.loc[some, "residents"].to_numpy()
        bands = {
            b: np.round(people * f, 1)
            for b, f in zip(tables.FOOTFALL_BANDS, (1, 0.8, 0.5, 0.9, 1, 0.7, 0.6, 0.8), strict=True)
        }
        return pd.DataFrame(bands, index=some)

    def access(self, layers: Layers, shift: float) -> Access:
        rng, index = self.rng, self.grid.cells.index
        minutes = np.clip(14 + shift - 7 * self.field, 0.2, None)
        minutes = np.where(minutes > 45, np.inf, minutes)
        cells = fill(
            tables.ACCESS,
            index,
            rng,
            minutes_own=minutes,
            minutes_any=minutes * 0.6,
            supply_own=np.clip(20 * self.field, 0, None),
        )
        own = layers.branches
        rival = layers.competitors
        ids = [*own.index, *rival.index]
        both = pd.concat([own, rival])
        outlets = fill(
            tables.OUTLETS,
            ids,
            rng,
            own=np.arange(len(ids)) < len(own),
            **{
                c: both[c].to_numpy()
                for c in ("lon", "lat", "county_id", "prefecture", "township_id", "tier")
            },
        )
        return Access(outlets, self.reach(len(ids)), cells, Travel(AccessSettings()))

    def calibration(self) -> Calibration:
        """Tell of a fit to volumes that leaves the decay alone."""
        names = ["attractiveness", *(f"decay_{name}" for name in tables.SETTLEMENTS)]
        coefficients = pd.DataFrame(
            {
                "estimate": 1.0, "low": [0.8] + [np.nan] * 4, "high": [1.2] + [np.nan] * 4, "prior": 1.0,
                "rate": [np.nan] + [0.11] * 4, "status": ["fitted"] + ["prior"] * 4,
            },
            index=pd.Index(names, name="coefficient"),
        )  # fmt: skip
        measures = {
            "evidence": 24.0, "residual_sd": 0.3, "residual_sd_prior": 0.4, "delta_aic": 1.0,
            "held_out": 0.31, "held_out_prior": 0.35, "branches_visits": 24.0, "mape_visits": 0.28,
            "spearman_visits": 0.9, "moran_i": 0.21, "moran_p": 0.01,
        }  # fmt: skip
        goodness = pd.DataFrame(
            {
                "value": measures.values(),
                "unit": ["share" if "held" in k or "mape" in k else "1" for k in measures],
            },
            index=pd.Index(list(measures), name="measure"),
        )
        profile = pd.DataFrame({"decay_factor": [0.5, 1.0, 2.0], "deviance": [3.0, 0.0, 7.5]})
        return Calibration(
            "totals", "", self.scenario().market, coefficients, goodness, profile, pd.Series(dtype=float)
        )

    def reach(self, n: int) -> Reach:
        rows = self.grid.cells.index.to_numpy()
        return Reach(
            rows, n, np.zeros(len(rows) + 1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32)
        )

    def market(self, access: Access) -> Market:
        rng = self.rng
        share = rng.dirichlet((2, 5, 2), self.n)
        cells = fill(
            tables.MARKET_CELLS,
            self.grid.cells.index,
            rng,
            share_own=share[:, 0],
            share_rival=share[:, 1],
            share_outside=share[:, 2],
        )
        outlets = fill(tables.MARKET_OUTLETS, access.outlets.index, rng)
        return Market(cells, outlets, np.ones(self.n), 1.0, 1.0)

    def zones(self, demand: Demand) -> Zones:
        size, cells = self.size, self.grid.cells
        code = np.digitize(self._noise(5.0), [-2.0, -1.5, -1.2, -0.9, 0.9, 1.2, 1.5, 1.9, 2.4])
        order = np.array(
            [
                "inclusive",
                "thin",
                "inflow",
                "blank",
                "balanced",
                "dense",
                "blank_true",
                "blank_contested",
                "dense_productive",
                "dense_saturated",
            ]
        )
        picture = np.full((size.n_rows, size.n_cols), -1)
        county = cells["county_id"].astype("category").cat.codes.to_numpy().astype(int)
        picture[cells["row"], cells["col"]] = county * 10 + code
        zone_no = np.zeros(picture.shape, int)
        for value in np.unique(picture[picture >= 0]):
            found, _ = ndimage.label(picture == value)
            zone_no[found > 0] = found[found > 0] + zone_no.max()
        of_cell = zone_no[cells["row"], cells["col"]]
        first = np.unique(of_cell, return_index=True)[1]
        n = len(first)
        ids = np.array([f"Z{i:05d}" for i in range(n)])
        row, col = cells["row"].to_numpy(), cells["col"].to_numpy()
        west, south = self.lonlat(col, row)
        east, north = self.lonlat(col + 1, row + 1)
        boxes = gpd.GeoSeries(
            shapely.box(west.round(9), south.round(9), east.round(9), north.round(9)), crs=4326
        )
        shapes = boxes.groupby(of_cell).agg(lambda g: shapely.coverage_union_all(g.to_numpy()))
        at = cells.iloc[first]
        frame = fill(
            tables.ZONES,
            ids,
            self.rng,
            zone_class=order[code[first]],
            name=[self.name("Zone", i) for i in range(n)],
            county_id=at["county_id"].to_numpy(),
            prefecture=self.prefecture(at["county_id"]),
            lon=at["lon"].to_numpy(),
            lat=at["lat"].to_numpy(),
            area_km2=np.bincount(of_cell)[1:] * (size.cell_m / 1000) ** 2,
            residents=np.bincount(of_cell, demand.cells["residents"])[1:],
        )
        zones = gpd.GeoDataFrame(frame, geometry=shapes.to_numpy(), crs=4326)
        zones.index.name = "zone_id"
        gap = np.round(np.clip(demand.cells["visits_per_day"].to_numpy() * (self.field > 0.5), 0, None), 4)
        of = fill(tables.ZONE_CELLS, cells.index, self.rng, zone_id=ids[of_cell - 1], gap=gap)
        some = list(range(1, min(4, n) + 1))
        dropped = fill(tables.ZONES_DROPPED, some, self.rng, name=[self.name("Zone", i) for i in some])
        return Zones(zones, of, dropped.set_axis(pd.RangeIndex(1, len(some) + 1, name="number")))

    def candidates(self, zones: Zones) -> Candidates:
        n = self.size.sites
        places = self._points(n)
        sites = fill(
            tables.CANDIDATES,
            [f"S{i:04d}" for i in range(n)],
            self.rng,
            **places,
            name=[self.name("Site", i) for i in range(n)],
            zone_id=self.rng.choice(zones.zones.index, n),
        )
        return Candidates(sites, self.reach(n))

    def scores(self, layers: Layers, candidates: Candidates) -> Scores:
        return Scores(
            fill(
                tables.RELEASE_SCORES,
                layers.branches.index,
                self.rng,
                veto=np.where(np.arange(self.size.branches) % 5 == 4, "CN-5", ""),
            ),
            fill(tables.ATTRACT_SCORES, candidates.sites.index, self.rng),
        )

    def relocation(self, layers: Layers, candidates: Candidates) -> Relocation:
        rng, k = self.rng, self.size.moves
        moves = fill(
            tables.MOVES,
            range(1, k + 1),
            rng,
            branch_id=layers.branches.index[:k].to_numpy(),
            site_id=candidates.sites.index[:k].to_numpy(),
        )
        n = min(30, self.size.sites - k)
        rejected = fill(
            tables.REJECTED,
            range(n),
            rng,
            branch_id=np.full(n, ""),
            site_id=candidates.sites.index[k : k + n].to_numpy(),
            reason=np.full(n, "worth_less"),
            rule=np.where(np.arange(n) % 3 == 0, "CN-1", ""),
        )
        rules = ("CN-1", "CN-2", "CN-5", "CN-6", "SP-1")
        trace = pd.DataFrame(
            [
                (
                    step,
                    rule,
                    not (rule == "SP-1" and step == 2),
                    "warn" if rule == "SP-1" else "hard",
                    "B0001" if rule == "SP-1" and step == 2 else "",
                )
                for step in range(k + 1)
                for rule in rules
            ],
            columns=["step", "rule", "ok", "severity", "detail"],
        )
        return Relocation(
            moves, rejected, trace, Proof(1000.0, 1093.0, 1095.5, 2.5 / 1095.5, 2.5 / 95.5, "gap", 12.3, 41)
        )

    def schedule(self, moves: pd.DataFrame) -> pd.DataFrame:
        opens = pd.Timestamp("2026-10-01") + pd.to_timedelta(90 * np.arange(len(moves)), unit="D")
        return fill(
            tables.SCHEDULE,
            moves.index,
            self.rng,
            **{
                name: (opens - pd.DateOffset(months=months)).to_numpy()
                for name, months in (("apply_on", 9), ("works_on", 5), ("accept_on", 2), ("open_on", 0))
            },
            quarter=[f"{date.year}Q{date.quarter}" for date in opens],
            depends_on=np.where(np.arange(len(moves)) % 3 == 1, "1", ""),
        )

    def formats(self, layers: Layers, relocation: Relocation, candidates: Candidates) -> Formats:
        moves = relocation.moves
        destinations = fill(
            tables.DESTINATIONS, moves["site_id"], self.rng, reason=np.full(len(moves), "gap")
        )
        branches = layers.branches.assign(moved=layers.branches.index.isin(moves["branch_id"]))
        new = candidates.sites.loc[moves["site_id"]].set_axis(moves["branch_id"])
        for column in ("lon", "lat", "county_id", "prefecture", "township_id", "tier"):
            branches[column] = new[column].reindex(branches.index).where(branches["moved"], branches[column])
        kind = destinations["format"].set_axis(moves["branch_id"]).reindex(branches.index)
        return Formats(
            destinations, branches.assign(format=kind.where(branches["moved"], branches["format"]))
        )

    def ledger(self, access_after: Access, market: Market, layers: Layers, moves: pd.DataFrame) -> Ledger:
        rng, n = self.rng, len(moves)
        keys = np.array([*tables.RELEASE_PARTS, *tables.ATTRACT_PARTS])
        table = fill(
            tables.LEDGER,
            moves.index,
            rng,
            reason_1=keys[np.arange(n) % len(keys)],
            reason_2=keys[(np.arange(n) + 4) % len(keys)],
            reason_3=keys[(np.arange(n) + 8) % len(keys)],
            payback_years=np.where(np.arange(n) % 4 == 3, np.inf, 3.5),
        )
        kpis = pd.DataFrame(
            {"before": [24.0, 210_000.0, 0.61], "after": [24.0, 236_500.0, 0.68], "unit": ["1", "1", "1"]},
            index=pd.Index(["own_outlets", "covered_own", "covered_own_share"], name="kpi"),
        )
        counties = fill(tables.COUNTY_KPIS, layers.counties.index, rng)
        lines = ["choice_wan", "inertia_wan", *BRIDGE, "net_wan"]
        amounts = [30.0, 10.0, 40.0, -3.0, -2.0, -5.0, 20.0, 50.0]
        bridge = pd.DataFrame({"deposits_wan": amounts}, index=pd.Index(lines, name="line"))
        return Ledger(table, kpis, counties, bridge, access_after, market)

    def clusters(self, layers: Layers) -> Clusters:
        ids = layers.branches.index.to_numpy()
        core = ids[np.arange(len(ids)) // 4 * 4]
        role = np.where(ids == core, "core", "satellite")
        frame = fill(tables.CLUSTERS, ids, self.rng, cluster_id=core, core_id=core, role=role)
        return Clusters(frame, 0.0)

    def scenario(self) -> Scenario:
        title = HOSTILE[3] if self.hostile else "Synthetic region"
        return Scenario.model_validate(
            {
                "name": "fake",
                "title_en": title,
                "title_zh": title,
                "inputs": {
                    "branches": {"path": "branches.csv", "datum": "wgs84"},
                    "counties": {"path": "counties.gpkg", "datum": "wgs84"},
                    "population": {"path": "population.tif", "year": 2020},
                },
                "output": {"synthetic": self.synthetic},
            }
        )

    def plan(self) -> Plan:
        layers, demand = self.layers(), self.demand()
        access = self.access(layers, 0.0)
        market, zones = self.market(access), self.zones(demand)
        candidates = self.candidates(zones)
        relocation = self.relocation(layers, candidates)
        quotas = fill(
            tables.COUNTY_QUOTAS,
            layers.counties.index,
            self.rng,
            reason=np.full(len(layers.counties), "quota_gain"),
        )
        people = demand.parts.groupby("county_id")["residents"].sum()
        conservation = pd.DataFrame(
            {
                "layer": "residents",
                "county_id": people.index,
                "count_in": people.to_numpy(),
                "count_out": people.to_numpy(),
                "count_exact": people.to_numpy(),
                "nodata_pixels": 0,
            }
        )
        return Plan(
            scenario=self.scenario(),
            layers=layers,
            grid=self.grid,
            footfall=self.footfall(demand),
            demand=demand,
            access=access,
            market=market,
            calibration=self.calibration(),
            forecast=self.forecast(layers),
            zones=zones,
            quotas=Quotas(quotas),
            candidates=candidates,
            scores=self.scores(layers, candidates),
            relocation=relocation,
            schedule=self.schedule(relocation.moves),
            formats=self.formats(layers, relocation, candidates),
            ledger=self.ledger(self.access(layers, -2.0), market, layers, relocation.moves),
            clusters=self.clusters(layers),
            hexagons=fill(tables.HEXAGONS, ["8831aa0001fffff", "8831aa0003fffff"], self.rng),
            conservation=conservation,
            seconds={"grid": 0.1, "demand": 0.2},
            peak_mb={"grid": 100.0, "demand": 120.0},
        )
