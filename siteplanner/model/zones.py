"""Meso sets layout: dense zones, potential-blank zones and the classes needed to act."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplanner import tables
from siteplanner.model import zone_rules as rules
from siteplanner.model.access import Access
from siteplanner.model.demand import Demand
from siteplanner.model.focal import spread
from siteplanner.model.grid import Grid, cell_ids
from siteplanner.model.market import Market
from siteplanner.model.saturation import capture, fair_share, retail_saturation, shrunk_lq
from siteplanner.model.sphere import great_circle_km
from siteplanner.model.viability import Prospects, win_deposits
from siteplanner.model.zone_areas import KINDS, Areas, form_areas
from siteplanner.model.zone_floors import find_small, starve, sum_parts
from siteplanner.model.zone_shapes import dissolve
from siteplanner.model.zone_shifts import measure_stability
from siteplanner.scenario import ZoneSettings

# Letters of the zone ids: hold for balanced, growth for inflow.
_LETTERS = {
    rules.BALANCED: "H",
    rules.THIN: "T",
    rules.DENSE: "D",
    rules.BLANK: "B",
    rules.INFLOW: "G",
    rules.INCLUSIVE: "I",
}

# Classes of zones that fell away, by kind; only these four can.
_CLASSES = {
    rules.DENSE: "dense",
    rules.BLANK: "blank",
    rules.INFLOW: "inflow",
    rules.INCLUSIVE: "inclusive",
}


@dataclass(frozen=True, slots=True, eq=False)
class Zones:
    """Zones with their polygons, the zone of every cell, and what was too small for a zone to act on."""

    zones: gpd.GeoDataFrame
    cells: pd.DataFrame
    dropped: pd.DataFrame

    def __post_init__(self) -> None:
        tables.check(self.zones, tables.ZONES)
        tables.check(self.cells, tables.ZONE_CELLS)
        tables.check(self.dropped, tables.ZONES_DROPPED)


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """What names and classes of zones are taken from: counties, townships, developments (checked tables)."""

    counties: gpd.GeoDataFrame
    townships: pd.DataFrame
    developments: pd.DataFrame


def find_zones(
    grid: Grid,
    demand: Demand,
    access: Access,
    market: Market,
    places: Places,
    settings: ZoneSettings,
    prospects: Prospects | None = None,
) -> Zones:
    """Classify cells or areas of cells (D§6.3), form zones within counties, dissolve and name them.

    Areas too small to act on become balanced and are listed (`zone_floors.find_small`). Balanced and thin
    cells form one zone per county and class.

    Parameters
    ----------
    prospects
        What a light branch meets anywhere; without them no zone is asked whether it feeds one.
    """
    counties = places.counties.sort_index()
    start = rules.gather_cells(grid, demand, access)
    own = rules.own_points(access, market)

    def measure(on: Grid, given: pd.DataFrame) -> pd.DataFrame:
        measured = rules.measure_cells(on, given, own, settings)
        return rules.prepare_rules(measured, counties, settings)

    def find(on: Grid, given: pd.DataFrame) -> np.ndarray:
        return form_areas(on, measure(on, given), settings).kind

    cells = measure(grid, start)
    areas = form_areas(grid, cells, settings)
    stable = measure_stability(grid, start, areas.kind, settings.shifts, find)
    parts = sum_parts(grid, cells, areas)
    small = find_small(parts, settings)
    if prospects is not None:
        small = starve(small, parts, partial(win_deposits, prospects, demand, grid), prospects.least_wan)
    dropped = _list_dropped(parts, small, places)
    kind, part = _fall_back(areas, small, cells["county_id"])
    cells = cells.assign(kind=kind, zone_id=_name_parts(cells, kind, part), stability=stable)
    cells = cells.assign(
        row=grid.cells["row"],
        col=grid.cells["col"],
        lon=grid.cells["lon"],
        lat=grid.cells["lat"],
        share_own=market.cells["share_own"],
        **_supply_marks(cells, settings),
    )
    zones = _total_zones(cells, grid.lattice.cell_m)
    zones = _add_outlets(zones, cells, grid, access, market)
    zones = _add_indices(zones, counties, settings)
    zones = zones.assign(name=_describe_zones(zones, cells["zone_id"], grid, places))
    codes = zones.index.get_indexer(pd.Index(cells["zone_id"]))
    shapes = dissolve(_lay(codes, grid), len(zones), grid.lattice)
    columns = [column.name for column in tables.ZONES.columns if column.name not in {"zone_id", "geometry"}]
    return Zones(
        zones=gpd.GeoDataFrame(zones[columns], geometry=shapes, crs="EPSG:4326"),
        cells=cells[["zone_id", "gap", "gap_z", "gap_q", "surplus_z", "stability"]],
        dropped=dropped,
    )


def _lay(codes: np.ndarray, grid: Grid) -> np.ndarray:
    """Lay codes from 0 on the lattice; -1 outside the region."""
    return spread(codes.astype(np.int64) + 1, grid.cells, grid.lattice) - 1


def _fall_back(areas: Areas, small: pd.Series, county_id: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return kind and number of each cell's zone: small areas and remainders join by county and kind."""
    fell = (small != "").reindex(areas.number, fill_value=False).to_numpy()
    kind = np.where(fell, rules.BALANCED, areas.kind)
    whole = (kind == rules.BALANCED) | (kind == rules.THIN)
    county = pd.factorize(county_id, sort=True)[0]
    # Areas are numbered from 0: numbers below are free for the counties' remainders.
    return kind, np.where(whole, -1 - (county * KINDS + kind), areas.number)


def _list_dropped(parts: pd.DataFrame, small: pd.Series, places: Places) -> pd.DataFrame:
    """List what fell away, most deposits first."""
    gone = parts.loc[small != ""].assign(reason=small[small != ""])
    gone = gone.sort_values(["potential_wan", "cell"], ascending=[False, True], kind="stable")
    county = gone["county_id"].map(places.counties["name"]).astype("str")
    seat = pd.Series([_nearest_township(row, places.townships) for _, row in gone.iterrows()], dtype="str")
    return gone.assign(
        name=(county + " " + seat.set_axis(gone.index)).str.strip(),
        zone_class=gone["kind"].map(_CLASSES),
    ).set_axis(pd.RangeIndex(1, len(gone) + 1, name="number"))[
        [column.name for column in tables.ZONES_DROPPED.columns]
    ]


def _name_parts(cells: pd.DataFrame, kind: np.ndarray, part: np.ndarray) -> pd.Series:
    """Return ids like 140105-B02, numbered within county and kind by most visits, then smallest cell."""
    frame = pd.DataFrame(
        {
            "county_id": cells["county_id"],
            "kind": kind,
            "part": part,
            "visits": cells["visits"],
            "cell": cells.index.to_numpy(),
        }
    )
    parts = frame.groupby("part", sort=True).agg(
        county_id=("county_id", "first"),
        kind=("kind", "first"),
        visits=("visits", "sum"),
        cell=("cell", "min"),
    )
    ordered = parts.sort_values(["county_id", "kind", "visits", "cell"], ascending=[True, True, False, True])
    number = ordered.groupby(["county_id", "kind"]).cumcount() + 1
    names = ordered["county_id"] + "-" + ordered["kind"].map(_LETTERS) + number.astype("str").str.zfill(2)
    return names.reindex(part).set_axis(cells.index)


def _supply_marks(cells: pd.DataFrame, settings: ZoneSettings) -> dict[str, np.ndarray]:
    """Mark the visits of cells where rivals are many, or few, for their settlement class."""
    rival, visits = cells["supply_rival"].to_numpy(), cells["visits"].to_numpy()
    settlement = cells["settlement"].to_numpy()
    low = rival <= rules.percentile_within(rival, settlement, visits > 0, settings.true_blank_pct)
    high = rival >= rules.percentile_within(rival, settlement, visits > 0, settings.contested_pct)
    return {"visits_few_rivals": visits * low, "visits_many_rivals": visits * (high & ~low)}


def _total_zones(cells: pd.DataFrame, cell_m: float) -> pd.DataFrame:
    """Sum cells to zones; growth is a mean by resident, the point the cell nearest to the visits' centre."""
    weighted = cells.assign(
        grown=cells["growth_per_year"] * cells["residents"],
        weight=cells["visits"] + cells["visits"].mean() * 1e-9 + np.finfo(float).tiny,
        won=cells["potential_wan"] * cells["share_own"],
    )
    weighted = weighted.assign(x=weighted["lon"] * weighted["weight"], y=weighted["lat"] * weighted["weight"])
    groups = weighted.groupby("zone_id", sort=True)
    summed = groups[
        [
            "residents", "aged_60", "visits", "potential_wan", "gap", "pipeline_households", "own_inside",
            "visits_few_rivals", "visits_many_rivals", "won", "grown", "weight", "x", "y",
        ]
    ].sum()  # fmt: skip
    firsts = groups[["county_id", "kind"]].first()
    centre = pd.DataFrame({"x": summed["x"] / summed["weight"], "y": summed["y"] / summed["weight"]})
    at = centre.reindex(weighted["zone_id"])
    km = great_circle_km(
        at["x"].to_numpy(), at["y"].to_numpy(), weighted["lon"].to_numpy(), weighted["lat"].to_numpy()
    )
    nearest = pd.Series(km, index=weighted.index).groupby(weighted["zone_id"], sort=True).idxmin()
    residents = summed["residents"]
    return (
        summed.drop(columns=["won", "grown", "weight", "x", "y"])
        .assign(
            county_id=firsts["county_id"],
            kind=firsts["kind"],
            area_km2=groups.size() * cell_m**2 / 1e6,
            lon=cells["lon"].reindex(nearest).to_numpy(),
            lat=cells["lat"].reindex(nearest).to_numpy(),
            growth_per_year=(summed["grown"] / residents.where(residents > 0)).fillna(0.0),
            gap_z=groups["gap_z"].max(),
            stability=groups["stability"].mean(),
            capture=capture(summed["won"], summed["potential_wan"]),
        )
        .rename(columns={"visits": "visits_per_day", "gap": "gap_visits"})
    )


def _add_outlets(
    zones: pd.DataFrame, cells: pd.DataFrame, grid: Grid, access: Access, market: Market
) -> pd.DataFrame:
    """Count outlets and own counter-hours by zone, and the own outlets' performance weighted by deposits."""
    listed = access.outlets.sort_index()
    outlets = listed.assign(cell=cell_ids(grid, listed["lon"].to_numpy(), listed["lat"].to_numpy())).join(
        market.outlets[["deposits_wan", "performance"]]
    )
    outlets = outlets.loc[outlets["cell"] >= 0]
    outlets = outlets.assign(zone_id=cells["zone_id"].reindex(outlets["cell"]).to_numpy())
    is_own = outlets["own"].to_numpy(dtype=bool)
    own = outlets.loc[is_own]
    sums = own.assign(earned=own["deposits_wan"] * own["performance"]).groupby("zone_id")
    held = sums[["deposits_wan", "earned", "counter_hours"]].sum().reindex(zones.index, fill_value=0.0)
    theirs = outlets.loc[~is_own].groupby("zone_id")["deposits_wan"].sum()
    theirs = theirs.reindex(zones.index, fill_value=0.0)
    n_own = own.groupby("zone_id").size().reindex(zones.index, fill_value=0)
    n_all = outlets.groupby("zone_id").size().reindex(zones.index, fill_value=0)
    return zones.assign(
        own_outlets=n_own,
        rival_outlets=n_all - n_own,
        fair_share=fair_share(held["earned"], held["earned"] + theirs, n_own, n_all),
        counter_hours=held["counter_hours"],
        performance=(held["earned"] / held["deposits_wan"].where(held["deposits_wan"] > 0)).fillna(1.0),
    )


def _add_indices(zones: pd.DataFrame, counties: gpd.GeoDataFrame, settings: ZoneSettings) -> pd.DataFrame:
    """Add prefecture, location quotient, retail saturation (D§6.2) and the final class."""
    prefecture = zones["county_id"].map(counties["prefecture"])
    city = zones.groupby(prefecture)[["own_outlets", "potential_wan", "counter_hours"]].transform("sum")
    return zones.assign(
        prefecture=prefecture,
        lq=shrunk_lq(
            zones["own_outlets"], zones["potential_wan"], city["own_outlets"], city["potential_wan"]
        ),
        irs=retail_saturation(
            zones["potential_wan"], zones["counter_hours"], city["potential_wan"], city["counter_hours"]
        ),
        zone_class=_name_classes(zones, settings),
    )


def _name_classes(zones: pd.DataFrame, settings: ZoneSettings) -> np.ndarray:
    """Refine dense zones by the performance of their outlets, blank ones by the supply of rivals (D§6.3)."""
    kind = zones["kind"].to_numpy()
    performance, visits = zones["performance"].to_numpy(), zones["visits_per_day"].to_numpy()
    dense, blank = kind == rules.DENSE, kind == rules.BLANK
    return np.select(
        [
            dense & (performance < settings.saturated_performance),
            dense & (performance >= settings.productive_performance),
            dense,
            blank & (zones["visits_many_rivals"].to_numpy() > rules.MAIN_SHARE * visits),
            blank & (zones["visits_few_rivals"].to_numpy() > rules.MAIN_SHARE * visits),
            blank,
            kind == rules.INFLOW,
            kind == rules.INCLUSIVE,
            kind == rules.THIN,
        ],
        [
            "dense_saturated", "dense_productive", "dense", "blank_contested", "blank_true", "blank",
            "inflow", "inclusive", "thin",
        ],
        default="balanced",
    )  # fmt: skip


def _describe_zones(zones: pd.DataFrame, zone_of: pd.Series, grid: Grid, places: Places) -> np.ndarray:
    """Name zones after their county, its nearest township seat and the largest development inside.

    The remainders of a county (balanced, thin) and listed counties as a whole bear the county's name alone.
    Zones to act on that would share a name are told apart by a number, in the order of their ids.
    """
    county = zones["county_id"].map(places.counties["name"]).astype("str")
    place = pd.Series("", index=zones.index, dtype="str")
    listed = zones["county_id"].map(places.counties["inclusive"]).to_numpy(dtype=bool)
    whole = zones["kind"].isin([rules.BALANCED, rules.THIN]) | listed
    for zone_id in zones.index[~whole]:
        place[zone_id] = _nearest_township(zones.loc[zone_id], places.townships)
    largest = places.developments.sort_values("households", ascending=False, kind="stable")
    cell = cell_ids(grid, largest["lon"].to_numpy(), largest["lat"].to_numpy())
    inside = zone_of.reindex(cell[cell >= 0]).to_numpy()
    first = pd.Series(largest["name"].to_numpy()[cell >= 0], index=inside)
    first = first[~first.index.duplicated()]
    inside_it = first.reindex(zones.index).fillna("").where(~whole, "")
    name = (county + " " + place).str.strip() + (" " + inside_it).str.rstrip()
    again = name[~whole].groupby(name[~whole]).cumcount().reindex(zones.index, fill_value=0) + 1
    return np.asarray(name.where(again == 1, name + " " + again.astype("str")))


def _nearest_township(zone: "pd.Series[Any]", townships: pd.DataFrame) -> str:
    near = townships.loc[townships["county_id"].to_numpy() == zone["county_id"]]
    if near.empty:
        return ""
    km = great_circle_km(
        np.array(zone["lon"]), np.array(zone["lat"]), near["lon"].to_numpy(), near["lat"].to_numpy()
    )
    return str(near["name"].iloc[int(np.argmin(km))])
