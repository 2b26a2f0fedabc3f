"""Meso sets layout: dense zones, potential-blank zones and the classes needed to act."""

from dataclasses import dataclass
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
from siteplanner.model.sphere import great_circle_km
from siteplanner.model.zone_shapes import dissolve, join_cells, smooth_kinds
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

# Remote people are few by nature; below this many a hamlet is no zone of its own. No source.
INCLUSIVE_MIN_RESIDENTS = 200.0

# A blank zone is contested, or truly blank, when this share of its visits lies in such cells; no source.
MAIN_SHARE = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Zones:
    """Zones with their polygons, and the zone of every cell."""

    zones: gpd.GeoDataFrame
    cells: pd.DataFrame

    def __post_init__(self) -> None:
        tables.check(self.zones, tables.ZONES)
        tables.check(self.cells, tables.ZONE_CELLS)


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """What names and classes of zones are taken from: counties, townships, developments (checked tables)."""

    counties: gpd.GeoDataFrame
    townships: pd.DataFrame
    developments: pd.DataFrame


def find_zones(
    grid: Grid, demand: Demand, access: Access, market: Market, places: Places, settings: ZoneSettings
) -> Zones:
    """Classify every cell (D§6.3), join contiguous cells of one class and county, dissolve and name them.

    Cells change to the kind of most of their neighbours (`smooth_kinds`). Contiguous parts too small to act
    on become balanced: blank and inflow parts below `min_residents`, dense parts with fewer than two own
    outlets, remote parts below `INCLUSIVE_MIN_RESIDENTS`. Balanced and thin cells form one zone per county
    and class.
    """
    counties = places.counties.sort_index()
    cells = rules.measure_cells(grid, demand, access, market, settings)
    kind, part = _form_parts(grid, cells, counties, settings)
    cells = cells.assign(kind=kind, zone_id=_name_parts(cells, kind, part))
    cells = cells.assign(
        row=grid.cells["row"],
        col=grid.cells["col"],
        lon=grid.cells["lon"],
        lat=grid.cells["lat"],
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
        cells=cells[["zone_id", "gap", "gap_z", "gap_q", "surplus_z"]],
    )


def _lay(codes: np.ndarray, grid: Grid) -> np.ndarray:
    """Lay codes from 0 on the lattice; -1 outside the region."""
    return spread(codes.astype(np.int64) + 1, grid.cells, grid.lattice) - 1


def _form_parts(
    grid: Grid, cells: pd.DataFrame, counties: gpd.GeoDataFrame, settings: ZoneSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Return kind and number of the part of every cell."""
    rows, cols = grid.cells["row"].to_numpy(), grid.cells["col"].to_numpy()
    county = counties.index.get_indexer(cells["county_id"])
    n_kinds = len(_LETTERS)
    laid = _lay(rules.classify_cells(cells, counties, settings), grid)
    kind = smooth_kinds(laid, _lay(county, grid), n_kinds)[rows, cols]
    part = join_cells(_lay(county * n_kinds + kind, grid))[rows, cols]
    listed = cells["county_id"].map(counties["inclusive"]).to_numpy(dtype=bool)
    sums = cells[["residents", "own_inside"]].groupby(part).transform("sum")
    small = ~listed & _too_small(kind, sums, settings.min_residents)
    kind = np.where(small, rules.BALANCED, kind)
    whole = (kind == rules.BALANCED) | (kind == rules.THIN)
    # Parts are numbered from 0: numbers below are free for the counties' remainders.
    part = np.where(whole, -1 - (county * n_kinds + kind), part)
    return kind, part


def _too_small(kind: np.ndarray, sums: pd.DataFrame, min_residents: float) -> np.ndarray:
    """Mark cells of parts too small to act on, from the residents and own outlets of each cell's part."""
    residents, own = sums["residents"].to_numpy(), sums["own_inside"].to_numpy()
    wanted = (kind == rules.BLANK) | (kind == rules.INFLOW)
    return np.asarray(
        (wanted & (residents < min_residents))
        | ((kind == rules.DENSE) & (own < rules.DENSE_MIN_OUTLETS))
        | ((kind == rules.INCLUSIVE) & (residents < INCLUSIVE_MIN_RESIDENTS))
    )


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
    )
    weighted = weighted.assign(x=weighted["lon"] * weighted["weight"], y=weighted["lat"] * weighted["weight"])
    groups = weighted.groupby("zone_id", sort=True)
    summed = groups[
        [
            "residents", "aged_60", "visits", "potential_wan", "gap", "pipeline_households", "own_inside",
            "visits_few_rivals", "visits_many_rivals", "grown", "weight", "x", "y",
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
        summed.drop(columns=["grown", "weight", "x", "y"])
        .assign(
            county_id=firsts["county_id"],
            kind=firsts["kind"],
            area_km2=groups.size() * cell_m**2 / 1e6,
            lon=cells["lon"].reindex(nearest).to_numpy(),
            lat=cells["lat"].reindex(nearest).to_numpy(),
            growth_per_year=(summed["grown"] / residents.where(residents > 0)).fillna(0.0),
            gap_z=groups["gap_z"].max(),
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
    return zones.assign(
        own_outlets=own.groupby("zone_id").size().reindex(zones.index, fill_value=0),
        rival_outlets=outlets.loc[~is_own].groupby("zone_id").size().reindex(zones.index, fill_value=0),
        counter_hours=held["counter_hours"],
        performance=(held["earned"] / held["deposits_wan"].where(held["deposits_wan"] > 0)).fillna(1.0),
    )


def _add_indices(zones: pd.DataFrame, counties: gpd.GeoDataFrame, settings: ZoneSettings) -> pd.DataFrame:
    """Add prefecture, location quotient, retail saturation (D§6.2) and the final class."""
    prefecture = zones["county_id"].map(counties["prefecture"])
    city = zones.groupby(prefecture)[["own_outlets", "potential_wan", "counter_hours"]].transform("sum")
    lq = rules.shrunk_lq(
        zones["own_outlets"].to_numpy(),
        zones["potential_wan"].to_numpy(),
        city["own_outlets"].to_numpy(),
        city["potential_wan"].to_numpy(),
    )
    hours = zones["counter_hours"].where(zones["counter_hours"] > 0)
    relative = (zones["potential_wan"] / hours) / (city["potential_wan"] / city["counter_hours"])
    return zones.assign(
        prefecture=prefecture,
        lq=lq,
        irs=relative.fillna(np.inf),
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
            blank & (zones["visits_many_rivals"].to_numpy() > MAIN_SHARE * visits),
            blank & (zones["visits_few_rivals"].to_numpy() > MAIN_SHARE * visits),
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
    """Name zones after county and largest development inside, else the county's nearest township seat.

    The remainders of a county (balanced, thin) and listed counties as a whole bear the county's name alone.
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
    place = place.mask(~whole, first.reindex(zones.index).fillna(place))
    return np.asarray((county + " " + place).str.strip())


def _nearest_township(zone: "pd.Series[Any]", townships: pd.DataFrame) -> str:
    near = townships.loc[townships["county_id"].to_numpy() == zone["county_id"]]
    if near.empty:
        return ""
    km = great_circle_km(
        np.array(zone["lon"]), np.array(zone["lat"]), near["lon"].to_numpy(), near["lat"].to_numpy()
    )
    return str(near["name"].iloc[int(np.argmin(km))])
