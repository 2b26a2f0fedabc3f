"""What every table promises: key, columns, units, ranges; and the check at each door."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from siteplanner.errors import SiteplannerError

Kind = Literal["text", "float", "int", "bool", "date", "time", "geometry"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its type, unit, meaning and range.

    Parameters
    ----------
    absent
        For an optional input column: what the run does without it. Empty for a required one.
    values
        Allowed values of a text column; empty for free text.
    """

    name: str
    kind: Kind
    unit: str
    meaning: str
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] = ()
    absent: str = ""

    @property
    def required(self) -> bool:
        """Whether the table is refused without this column."""
        return not self.absent


@dataclass(frozen=True, slots=True)
class Table:
    """A named table with a unique key."""

    name: str
    key: str
    meaning: str
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column:
        """Return the column of that name; KeyError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


class ContractError(SiteplannerError, AssertionError):
    """A step broke its promise: a defect of ours, never of the input."""


def check(frame: pd.DataFrame, table: Table) -> None:
    """Refuse a frame that breaks a table's promise; ContractError names every broken point."""
    broken = list(_broken(frame, table))
    if broken:
        raise ContractError(f"table {table.name}: " + "; ".join(broken))


def _broken(frame: pd.DataFrame, table: Table) -> Iterable[str]:
    if table.key and frame.index.name != table.key:
        yield f"index is {frame.index.name!r}, not {table.key!r}"
    if not frame.index.is_unique:
        yield "key is not unique"
    for column in table.columns:
        if column.name == table.key:
            continue
        if column.name not in frame.columns:
            if column.required:
                yield f"column {column.name} is missing"
            continue
        yield from _broken_values(frame[column.name], column)


def _broken_values(values: "pd.Series[Any]", column: Column) -> Iterable[str]:
    if column.kind in {"float", "int"}:
        numbers = values.to_numpy(dtype=float, na_value=np.nan)
        if column.required and np.isnan(numbers).any():
            yield f"column {column.name} has missing values"
        with np.errstate(invalid="ignore"):
            if column.low is not None and (numbers < column.low).any():
                yield f"column {column.name} has values below {column.low}"
            if column.high is not None and (numbers > column.high).any():
                yield f"column {column.name} has values above {column.high}"
    elif column.values:  # noqa: PD011 - a tuple of ours, not a frame
        wrong = set(values.dropna().unique()) - set(column.values)
        if wrong:
            yield f"column {column.name} has values {sorted(map(str, wrong))}"


def _lonlat() -> tuple[Column, Column]:
    return (
        Column("lon", "float", "deg", "longitude, WGS 84", -180.0, 180.0),
        Column("lat", "float", "deg", "latitude, WGS 84", -85.0, 85.0),
    )


def _opening() -> tuple[Column, Column]:
    return (
        Column("opens_at", "float", "h", "hour at which it opens on a weekday, 9.5 is half past nine", 0, 24, absent="access.usual_opens_at"),
        Column("closes_at", "float", "h", "hour at which it closes on a weekday, after it opens", 0, 24, absent="access.usual_closes_at"),
    )  # fmt: skip


TIERS = ("U", "C", "T", "V")
SETTLEMENTS = ("core", "urban", "town", "rural")
FORMATS = ("core", "standard", "light", "community", "self_service")
BANK_CLASSES = ("big", "postal", "joint", "city", "rural")
DEVELOPMENT_KINDS = ("commodity", "resettlement", "rental", "functional", "market")
ZONE_CLASSES = (
    "dense_saturated", "dense", "dense_productive",
    "blank_true", "blank", "blank_contested",
    "inflow", "inclusive", "balanced", "thin",
)  # fmt: skip
DENSE = ("dense_saturated", "dense", "dense_productive")
DESTINATION = ("blank_true", "blank", "blank_contested", "inflow", "inclusive")
DESTINATION_TYPES = ("residential", "functional", "emerging", "inclusive")

_TIER = Column(
    "tier", "text", "", "legal tier: U urban, C county seat, T township, V village", values=TIERS,
    absent="taken from the nearest township of the county, else rules.tier_when_unknown; said in the output",
)  # fmt: skip

# --- inputs: as a file holds them, after renaming ----------------------------------------------------------

BRANCHES = Table("branches", "branch_id", "our own service points today", (
    Column("branch_id", "text", "", "unique id, kept letter for letter"),
    Column("name", "text", "", "name"),
    *_lonlat(),
    _TIER,
    Column("format", "text", "", "format", values=FORMATS, absent="standard"),
    Column("counters", "int", "1", "counters", 0, 200, absent="catalogue value of the format"),
    Column("smart_devices", "int", "1", "smart devices", 0, 500, absent="catalogue value of the format"),
    Column("atms", "int", "1", "cash machines", 0, 500, absent="0"),
    Column("staff", "int", "1", "staff, full-time equivalents", 0, 2_000, absent="catalogue value of the format"),
    Column("area_m2", "float", "m2", "floor area", 0, 100_000, absent="catalogue value of the format"),
    Column("hours_per_week", "float", "h", "opening hours a week", 0, 168, absent="40"),
    *_opening(),
    Column("deposits_wan", "float", "10,000 CNY", "daily-average personal deposits", 0, absent="predicted by the market model"),
    Column("visits_per_day", "float", "1/day", "visits per business day", 0, absent="predicted by the market model"),
    Column("customers", "float", "1", "customers", 0, absent="not shown"),
    Column("opex_wan", "float", "10,000 CNY/year", "running cost", 0, absent="catalogue value of the format"),
    Column("lease_end", "date", "", "end of the lease", absent="lease plays no part in the release score"),
    Column("rating", "text", "", "service rating", values=("A", "B", "C", "D"), absent="B"),
    Column("locked", "bool", "", "may not move", absent="free to move"),
))  # fmt: skip

COUNTIES = Table("counties", "county_id", "counties and districts of the study region", (
    Column("county_id", "text", "", "unique id, e.g. the six-digit code"),
    Column("name", "text", "", "name"),
    Column("geometry", "geometry", "deg", "polygon, WGS 84"),
    Column("prefecture", "text", "", "prefecture-level city", absent="the whole region is one prefecture"),
    Column("residents", "float", "1", "census residents", 0, absent="no comparison with the raster, and no scaling to it"),
    *(
        Column(f"share_{age}", "float", "1", f"share of residents aged {age.replace('_', '-')}", 0, 1, absent="the scenario's share")
        for age in ("18_34", "35_59")
    ),
    Column("share_60", "float", "1", "share of residents aged 60 and over", 0, 1, absent="that of the age raster, else the scenario's share"),
    Column("small_businesses", "float", "1", "small businesses and sole traders", 0, absent="the scenario's number per 1,000 residents"),
    Column("deposits_wan", "float", "10,000 CNY", "household deposits of all banks", 0, absent="the scenario's deposits a head"),
    Column("inclusive", "bool", "", "on an inclusive-finance list", absent="no county is"),
    Column("list_name", "text", "", "which list", absent="not shown"),
    Column("list_year", "int", "year", "year of the list, or of leaving it", 1900, 2100, absent="not shown"),
))  # fmt: skip

COMPETITORS = Table("competitors", "competitor_id", "service points of other banks", (
    *_lonlat(),
    Column("bank", "text", "", "bank", absent="other"),
    Column("class", "text", "", "class of the bank", values=BANK_CLASSES, absent="big"),
    *_opening(),
))  # fmt: skip

DEVELOPMENTS = Table("developments", "development_id", "new communities and districts", (
    Column("name", "text", "", "name"),
    *_lonlat(),
    Column("households", "float", "1", "households when full", 0, 1_000_000),
    Column("handover", "date", "", "date the homes are handed over"),
    Column("kind", "text", "", "kind", values=DEVELOPMENT_KINDS, absent="commodity"),
))  # fmt: skip

TOWNSHIPS = Table("townships", "township_id", "township seats", (
    Column("township_id", "text", "", "unique id"),
    Column("name", "text", "", "name"),
    *_lonlat(),
    Column("county_id", "text", "", "county it belongs to", absent="county in which the point lies"),
    Column("tier", "text", "", "legal tier of the seat", values=TIERS, absent="rules.tier_when_unknown; said in the output"),
))  # fmt: skip

SITES = Table("sites", "site_id", "premises on offer", (
    Column("site_id", "text", "", "unique id"),
    *_lonlat(),
    Column("name", "text", "", "name", absent="the site_id"),
    _TIER,
    Column("rent", "float", "CNY/m2/month", "rent", 0, absent="mean of the format catalogue"),
    Column("area_m2", "float", "m2", "floor area", 0, 100_000, absent="catalogue value of the format"),
))  # fmt: skip

SERVICE_POINTS = Table("service_points", "point_id", "points of any bank that serve without being an outlet", (
    *_lonlat(),
    Column("kind", "text", "", "kind: agent shop, self-service off the premises, service at fixed times", values=("agent", "self_service", "fixed_time"), absent="agent"),
))  # fmt: skip

BARRIERS = Table("barriers", "", "rivers, railways, expressways that straight trips have to get across", (
    Column("geometry", "geometry", "deg", "line or polygon, WGS 84"),
    Column("factor", "float", "1", "how many times as long a trip across takes", 1, 20, absent="access.barrier_factor"),
))  # fmt: skip

TICKETS = Table("tickets", "ticket_id", "queue tickets", (
    Column("branch_id", "text", "", "branch"),
    Column("taken", "time", "", "ticket taken, local time"),
    Column("called", "time", "", "called to the counter, local time; empty when abandoned"),
    Column("served_end", "time", "", "service ended, local time", absent="next call at the counter"),
    Column("class", "text", "", "class of customer", values=("general", "vip", "corporate"), absent="general"),
    Column("abandoned", "bool", "", "left without being served", absent="those never called"),
))  # fmt: skip

FOOTFALL = Table("footfall", "", "people seen at a place and time", (
    *_lonlat(),
    Column("time", "time", "", "time, with an offset or of inputs.footfall.time_zone; pings must have one", absent="counted as open hours of a weekday"),
    Column("count", "float", "1", "people", 0, absent="1 a row"),
    Column("device", "text", "", "pings: device, never exported", absent="people are not told apart"),
    Column("weight", "float", "1", "pings: people that a row stands for", 0, absent="1 a row"),
    Column("cell_id", "int", "", "cells: cell of this scenario's own cells.parquet, in place of lon and lat", 0, absent="lon and lat tell the place"),
    Column("h3", "text", "", "h3: H3 cell, in place of lon and lat", absent="lon and lat tell the place"),
))  # fmt: skip

INPUT_TABLES = (
    BRANCHES,
    COUNTIES,
    COMPETITORS,
    DEVELOPMENTS,
    TOWNSHIPS,
    SITES,
    SERVICE_POINTS,
    BARRIERS,
    TICKETS,
    FOOTFALL,
)

# What `layers` adds to every point table, once: where the point lies.
PLACED = (
    Column("county_id", "text", "", "county in which it lies"),
    Column("prefecture", "text", "", "prefecture of that county"),
    Column(
        "township_id", "text", "", "nearest township seat of that county; empty without a townships layer"
    ),
    Column("tier", "text", "", "legal tier", values=TIERS),
)

# --- steps: what passes from room to room --------------------------------------------------------------------

AGES = ("18_34", "35_59", "60")
SEGMENTS = (*AGES, "business")
_WHO = dict(zip(SEGMENTS, ("aged 18-34", "aged 35-59", "aged 60+", "of small businesses"), strict=True))

FOOTFALL_BANDS = tuple(
    f"footfall_{day}_{band}"
    for day in ("weekday", "weekend")
    for band in ("night", "morning", "day", "evening")
)

CELLS = Table("cells", "cell_id", "lattice cells of the region, sorted by id", (
    Column("row", "int", "", "lattice row, from the south", 0),
    Column("col", "int", "", "lattice column, from the west", 0),
    *_lonlat(),
    Column("county_id", "text", "", "county of the centre, nearest county for a border cell"),
))  # fmt: skip

PARTS = Table("parts", "", "people of a cell by the county they live in", (
    Column("cell_id", "int", "", "cell"),
    Column("county_id", "text", "", "county"),
    Column("residents", "float", "1", "residents", 0),
    Column("residents_earlier", "float", "1", "residents of the earlier raster", 0),
    Column("aged_60", "float", "1", "residents aged 60 and over", 0),
))  # fmt: skip

DEMAND = Table("demand", "cell_id", "who might come, by cell", (
    Column("residents", "float", "1", "residents in the raster's year", 0),
    Column("residents_earlier", "float", "1", "residents in the earlier year; equal to residents without it", 0),
    Column("aged_60", "float", "1", "residents aged 60 and over; 0 without that raster", 0),
    Column("work", "float", "1", "mean people present on a weekday 09-17, spread over demand.footfall_spread_m", 0),
    Column("leisure", "float", "1", "mean people present at the weekend 09-17, spread alike", 0),
    Column("moved_in", "float", "1", "people in developments by the plan year beyond the raster", 0),
    Column("pipeline_households", "float", "1", "households handed over after the plan year, within the horizon", 0),
    Column("density_per_km2", "float", "1/km2", "residents and people moved in, mean of 3 x 3 km around the cell", 0),
    Column("settlement", "text", "", "settlement class", values=SETTLEMENTS),
    Column("growth_per_year", "float", "1/year", "growth of residents within 1 km between the two years"),
    Column("people_gained", "float", "1", "residents gained within 1 km between the two years"),
    Column("pipeline_near", "float", "1", "pipeline households within 1 km", 0),
    Column("visits_per_day", "float", "1/day", "branch visits per business day, all banks and digital-only", 0),
    Column("potential_wan", "float", "10,000 CNY", "household deposits", 0),
))  # fmt: skip

DEMAND_SEGMENTS = Table("demand_segments", "cell_id", "who they are, by cell", (
    *(Column(f"people_{age}", "float", "1", f"residents and people moved in, {_WHO[age]}", 0) for age in AGES),
    Column("businesses", "float", "1", "small businesses, where people are by day", 0),
    *(Column(f"visits_{name}", "float", "1/day", f"branch visits per business day, {_WHO[name]}", 0) for name in SEGMENTS),
    *(Column(f"potential_{age}_wan", "float", "10,000 CNY", f"household deposits, {_WHO[age]}", 0) for age in AGES),
    Column("potential_business_wan", "float", "10,000 CNY", "deposits of small businesses, not among the household deposits", 0),
))  # fmt: skip

FORECAST = Table("forecast", "", "demand without any move, by county and year; year 0 is the plan year", (
    Column("county_id", "text", "", "county"),
    Column("year", "int", "year", "year of which the end is told", 1900, 2200),
    Column("people", "float", "1", "residents and people moved in", 0),
    Column("visits_per_day", "float", "1/day", "branch visits per business day, all banks and digital-only", 0),
    *(Column(f"visits_{name}", "float", "1/day", f"branch visits per business day, {_WHO[name]}", 0) for name in SEGMENTS),
    Column("potential_wan", "float", "10,000 CNY", "household deposits", 0),
    Column("potential_business_wan", "float", "10,000 CNY", "deposits of small businesses, not among the household deposits", 0),
    Column("visits_own", "float", "1/day", "of the visits, those of own branches at today's shares", 0),
    Column("deposits_own_wan", "float", "10,000 CNY", "of the household deposits, those of own branches at today's shares", 0),
))  # fmt: skip

FORECAST_CELLS = Table("forecast_cells", "cell_id", "demand without any move at the end of the horizon, by cell", (
    Column("visits_horizon", "float", "1/day", "branch visits per business day in the last year of the horizon", 0),
    Column("potential_horizon_wan", "float", "10,000 CNY", "household deposits in the last year of the horizon", 0),
))  # fmt: skip

OUTLETS = Table("outlets", "outlet_id", "service points of all banks: ours first, then rivals, each sorted by id", (
    Column("own", "bool", "", "ours"),
    *_lonlat(),
    *PLACED,
    Column("attractiveness", "float", "1", "A_j of the choice model, mean of all outlets 1", 0),
    Column("counter_hours", "float", "h/week", "counter-hours a week, devices at half", 0),
    *_opening(),
))  # fmt: skip

ACCESS = Table("access", "cell_id", "service within reach, by cell", (
    Column("minutes_own", "float", "min", "to the nearest own outlet; infinite when none is within reach", 0),
    Column("minutes_any", "float", "min", "to the nearest outlet of any bank", 0),
    Column("supply_own", "float", "h/week per 10,000", "E2SFCA of own counter-hours on residents and people moved in", 0),
    Column("supply_rival", "float", "h/week per 10,000", "E2SFCA of rival counter-hours on residents and people moved in", 0),
    Column("supply_any", "float", "h/week per 10,000", "E2SFCA of all counter-hours on residents and people moved in", 0),
    Column("minutes_point", "float", "min", "to the nearest service point of any kind, outlets included", 0, absent="no service_points layer"),
    Column("minutes_own_open", "float", "min", "to the nearest own outlet open in the hours asked for", 0, absent="access.hours_from and hours_to ask for none"),
    Column("minutes_any_open", "float", "min", "to the nearest outlet of any bank open in the hours asked for", 0, absent="access.hours_from and hours_to ask for none"),
    Column("supply_any_open", "float", "h/week per 10,000", "E2SFCA of the counter-hours of outlets open in the hours asked for", 0, absent="access.hours_from and hours_to ask for none"),
))  # fmt: skip

QUEUES = Table("queues", "branch_id", "queues of own branches, from tickets", (
    Column("tickets_per_day", "float", "1/day", "tickets a business day", 0, absent="the branch has no tickets"),
    Column("overtime_share", "float", "1", "share of tickets that wait longer than queues.longest_wait_min", 0, 1, absent="the branch has no tickets"),
))  # fmt: skip

MARKET_CELLS = Table("market_cells", "cell_id", "shares of the market, by cell", (
    Column("share_own", "float", "1", "share of visits that own outlets win", 0, 1),
    Column("share_rival", "float", "1", "share that rivals win", 0, 1),
    Column("share_outside", "float", "1", "share that no outlet wins", 0, 1),
))  # fmt: skip

MARKET_OUTLETS = Table("market_outlets", "outlet_id", "predicted volume, by outlet", (
    Column("visits_per_day", "float", "1/day", "predicted visits", 0),
    Column("deposits_wan", "float", "10,000 CNY", "predicted deposits", 0),
    Column("overlap", "float", "1", "own outlets: share of its visits that siblings would serve (D§6.2)", 0, 1, absent="rival"),
    Column("performance", "float", "1", "own outlets: observed over predicted volume, after calibration of the level", 0, absent="rival"),
))  # fmt: skip

ZONE_CELLS = Table("zone_cells", "cell_id", "zone and gap, by cell", (
    Column("zone_id", "text", "", "zone; every cell is in exactly one"),
    Column("gap", "float", "1/day", "unmet visits: demand not within own supply"),
    Column("gap_z", "float", "1", "Gi* of the gap, standardised within settlement class; 0 without visits"),
    Column("gap_q", "float", "1", "its one-sided p-value after Benjamini-Hochberg; 1 without visits", 0, 1),
    Column("surplus_z", "float", "1", "Gi* of visits x (1 - typical over own supply), standardised likewise"),
))  # fmt: skip

ZONES = Table("zones", "zone_id", "contiguous areas of one class within one county", (
    Column("zone_class", "text", "", "class", values=ZONE_CLASSES),
    Column("name", "text", "", "place names that describe it, e.g. county and main township or development"),
    Column("county_id", "text", "", "county"),
    Column("prefecture", "text", "", "prefecture"),
    Column("area_km2", "float", "km2", "area of its cells", 0),
    *_lonlat(),
    Column("residents", "float", "1", "residents", 0),
    Column("aged_60", "float", "1", "residents aged 60 and over", 0),
    Column("visits_per_day", "float", "1/day", "branch visits, all banks", 0),
    Column("potential_wan", "float", "10,000 CNY", "household deposits", 0),
    Column("gap_visits", "float", "1/day", "unmet visits", 0),
    Column("own_outlets", "int", "1", "own outlets inside", 0),
    Column("rival_outlets", "int", "1", "rival outlets inside", 0),
    Column("lq", "float", "1", "own outlets against potential, city mean 1, shrunk (D§6.2)", 0),
    Column("irs", "float", "1", "potential per own counter-hour against the city mean (D§6.2); infinite without supply", 0),
    Column("growth_per_year", "float", "1/year", "growth of residents"),
    Column("pipeline_households", "float", "1", "households to be handed over within the horizon", 0),
    Column("gap_z", "float", "1", "largest Gi* of the gap inside"),
    Column("geometry", "geometry", "deg", "its cells dissolved, WGS 84"),
))  # fmt: skip

COUNTY_QUOTAS = Table("county_quotas", "county_id", "how many branches a county should gain or lose", (
    Column("outlets_now", "int", "1", "own branches today", 0),
    Column("outlets_all_banks", "int", "1", "outlets of all banks", 0),
    Column("residents", "float", "1", "residents", 0),
    Column("outlets_per_10k", "float", "1", "outlets of all banks per 10,000 residents", 0),
    Column("potential_share", "float", "1", "share of the region's deposits", 0, 1),
    Column("growth_share", "float", "1", "share of the region's growth of residents", 0, 1),
    Column("target", "float", "1", "target number of branches", 0),
    Column("floor", "int", "1", "fewest branches after the plan", 0),
    Column("cap", "int", "1", "most branches after the plan", 0),
    Column("quota", "int", "1", "net change asked for, within floor and cap"),
    Column("reason", "text", "", "key of the reason in the labels"),
))  # fmt: skip

CANDIDATES = Table("candidates", "site_id", "where a branch could move to, sorted by id", (
    Column("name", "text", "", "name of the place"),
    *_lonlat(),
    *PLACED,
    Column("zone_id", "text", "", "zone in which it lies"),
    Column("origin", "text", "", "why it is a candidate", values=("zone", "development", "township", "user")),
    Column("destination_type", "text", "", "kind of destination (the speech's three, and inclusive)", values=DESTINATION_TYPES),
    Column("settlement", "text", "", "settlement class of its cell", values=SETTLEMENTS),
    Column("gap_visits", "float", "1/day", "unmet visits within cover_min", 0),
))  # fmt: skip

RELEASE_PARTS = ("overlap", "surplus", "performance", "retention", "trend", "cost", "queue")
ATTRACT_PARTS = ("gap", "growth", "potential", "rivals", "access", "cost", "inclusive", "synergy")
PAIR_PARTS = ("release", "attract", "gain", "distance")

RELEASE_SCORES = Table("release_scores", "branch_id", "why a branch should leave, 0-100", (
    Column("score", "float", "0-100", "sum of the parts", 0, 100.000001),
    *(Column(f"part_{part}", "float", "0-100", f"points for {part}", 0, 100) for part in RELEASE_PARTS),
    *(Column(f"value_{part}", "float", "", f"criterion {part} before scaling") for part in RELEASE_PARTS),
    Column("veto", "text", "", "rule that forbids its move; empty when free"),
))  # fmt: skip

ATTRACT_SCORES = Table("attract_scores", "site_id", "why a site should receive a branch, 0-100", (
    Column("score", "float", "0-100", "sum of the parts", 0, 100.000001),
    *(Column(f"part_{part}", "float", "0-100", f"points for {part}", 0, 100) for part in ATTRACT_PARTS),
    *(Column(f"value_{part}", "float", "", f"criterion {part} before scaling") for part in ATTRACT_PARTS),
    Column("veto", "text", "", "rule that forbids it as a destination; empty when free"),
))  # fmt: skip

MOVES = Table("moves", "seq", "the relocations in the order of the plan", (
    Column("branch_id", "text", "", "branch that moves"),
    Column("site_id", "text", "", "where it goes"),
    Column("distance_km", "float", "km", "great-circle distance", 0),
    Column("worth", "float", "1/day", "worth of the pair when all moves are done: what the site adds less what the branch would"),
    Column("pair_score", "float", "0-100", "score of the pair", 0, 100.000001),
    *(Column(f"part_{part}", "float", "0-100", f"points for {part}", 0, 100) for part in PAIR_PARTS),
))  # fmt: skip

REJECTED = Table("rejected", "", "pairs and places looked at and not chosen, with the reason", (
    Column("branch_id", "text", "", "branch; empty when the rejection is of a site"),
    Column("site_id", "text", "", "site; empty when the rejection is of a branch"),
    Column("reason", "text", "", "key of the reason in the labels"),
    Column("rule", "text", "", "rule that refuses it; empty when it was only worth less"),
    Column("score", "float", "0-100", "its score", 0, 100.000001),
))  # fmt: skip

TRACE = Table("trace", "", "every rule after every step of the order", (
    Column("step", "int", "", "moves carried out so far; 0 is today", 0),
    Column("rule", "text", "", "rule id"),
    Column("ok", "bool", "", "kept"),
    Column("severity", "text", "", "hard or warn", values=("hard", "warn")),
    Column("detail", "text", "", "ids concerned when it is not kept"),
))  # fmt: skip

DESTINATIONS = Table("destinations", "site_id", "what stands at each destination", (
    Column("format", "text", "", "format", values=FORMATS),
    Column("counters", "int", "1", "counters", 0),
    Column("smart_devices", "int", "1", "smart devices", 0),
    Column("atms", "int", "1", "cash machines", 0),
    Column("staff", "int", "1", "staff", 0),
    Column("area_m2", "float", "m2", "floor area", 0),
    Column("hours_per_week", "float", "h", "opening hours a week", 0, 168),
    Column("staff_surplus", "int", "1", "staff of the old place that the new one does not need", 0),
    Column("opex_wan", "float", "10,000 CNY/year", "running cost", 0),
    Column("capex_wan", "float", "10,000 CNY", "fit-out and equipment", 0),
    Column("visits_per_day", "float", "1/day", "predicted visits with this format", 0),
    Column("deposits_wan", "float", "10,000 CNY", "predicted deposits when ramped up", 0),
    Column("reason", "text", "", "key of the reason in the labels"),
))  # fmt: skip

CLUSTERS = Table("clusters", "branch_id", "core and satellites after the plan", (
    Column("cluster_id", "text", "", "cluster"),
    Column("role", "text", "", "role", values=("core", "satellite", "single")),
    Column("core_id", "text", "", "branch_id of the core"),
    Column("km_to_core", "float", "km", "great-circle distance to the core", 0),
))  # fmt: skip

LEDGER = Table("ledger", "seq", "what each move gains and loses", (
    Column("gross_gain_visits", "float", "1/day", "visits won at the new place", 0),
    Column("cannibalised_visits", "float", "1/day", "of these, taken from own siblings", 0),
    Column("from_rivals_visits", "float", "1/day", "of these, taken from rivals", 0),
    Column("from_outside_visits", "float", "1/day", "of these, won from no outlet; the three add up to the gain", 0),
    Column("lost_visits", "float", "1/day", "visits of the old place that leave the bank", 0),
    Column("recaptured_visits", "float", "1/day", "visits of the old place that siblings keep", 0),
    Column("to_rivals_visits", "float", "1/day", "of the lost visits, those that rivals take", 0),
    Column("to_outside_visits", "float", "1/day", "of the lost visits, those that no outlet gets", 0),
    Column("net_visits", "float", "1/day", "gross gain - cannibalised - lost"),
    Column("gross_gain_wan", "float", "10,000 CNY", "deposits won at the new place when ramped up", 0),
    Column("cannibalised_wan", "float", "10,000 CNY", "of these, from own siblings", 0),
    Column("lost_wan", "float", "10,000 CNY", "deposits lost at the old place after two years", 0),
    Column("lost_low_wan", "float", "10,000 CNY", "the same with least loss", 0),
    Column("lost_high_wan", "float", "10,000 CNY", "the same with largest loss", 0),
    Column("net_wan", "float", "10,000 CNY", "gross gain - cannibalised - lost"),
    Column("retention", "float", "1", "share of the old place's deposits kept after two years", 0, 1),
    Column("retention_choice", "float", "1", "share of the old place's visits that own outlets keep by the choice model with inertia", 0, 1.000001),
    Column("extra_km", "float", "km", "customer-weighted extra distance to the best remaining own outlet", 0),
    Column("volume_effect_wan", "float", "10,000 CNY/year", "margin and fees of the net volume, year 5"),
    Column("cost_effect_wan", "float", "10,000 CNY/year", "running cost saved"),
    Column("capex_wan", "float", "10,000 CNY", "fit-out and closing", 0),
    Column("npv_wan", "float", "10,000 CNY", "net present value over the horizon"),
    Column("payback_years", "float", "year", "simple payback; infinite when never", 0),
    Column("break_even_retention", "float", "1", "retention at which the net present value is 0; may lie outside 0-1"),
    Column("covered_gained", "float", "1", "people brought within reach of an own outlet by this move", 0),
    Column("covered_lost", "float", "1", "people who leave the reach of an own outlet by this move", 0),
    Column("aged_60_affected", "float", "1", "residents aged 60+ whose nearest own outlet was the old place", 0),
    Column("reason_1", "text", "", "strongest reason, key in the labels"),
    Column("reason_2", "text", "", "second reason"),
    Column("reason_3", "text", "", "third reason"),
))  # fmt: skip

KPIS = Table("kpis", "kpi", "the network before and after the plan", (
    Column("before", "float", "", "before"),
    Column("after", "float", "", "after"),
    Column("unit", "text", "", "unit"),
))  # fmt: skip

COUNTY_KPIS = Table("county_kpis", "county_id", "each county before and after the plan", (
    Column("outlets_before", "int", "1", "own branches", 0),
    Column("outlets_after", "int", "1", "own branches", 0),
    Column("residents", "float", "1", "residents", 0),
    Column("aged_60", "float", "1", "residents aged 60 and over", 0),
    Column("covered_own_before", "float", "1", "residents within reach of an own outlet", 0),
    Column("covered_own_after", "float", "1", "residents within reach of an own outlet", 0),
    Column("covered_any_before", "float", "1", "residents within reach of any bank", 0),
    Column("covered_any_after", "float", "1", "residents within reach of any bank", 0),
    Column("aged_60_covered_before", "float", "1", "residents 60+ within reach of an own outlet", 0),
    Column("aged_60_covered_after", "float", "1", "residents 60+ within reach of an own outlet", 0),
    Column("visits_before", "float", "1/day", "visits won by own outlets", 0),
    Column("visits_after", "float", "1/day", "visits won by own outlets", 0),
))  # fmt: skip

CONSERVATION = Table("conservation", "", "people in and people out, by layer and county", (
    Column("layer", "text", "", "layer"),
    Column("county_id", "text", "", "county; 'outside' for what lies in none, 'suppressed' for what is missing to protect people"),
    Column("count_in", "float", "1", "sum of the source", 0),
    Column("count_out", "float", "1", "sum of the cells", 0),
    Column("count_exact", "float", "1", "people of the source inside the county's border, pixels split by area", 0, absent="no comparison with the raster"),
    Column("nodata_pixels", "int", "1", "pixels of rasters that stand for no data", 0),
))  # fmt: skip

STEP_TABLES = (
    CELLS, PARTS, DEMAND, DEMAND_SEGMENTS, FORECAST, FORECAST_CELLS, OUTLETS, ACCESS, QUEUES, MARKET_CELLS, MARKET_OUTLETS, ZONE_CELLS, ZONES, COUNTY_QUOTAS,
    CANDIDATES, RELEASE_SCORES, ATTRACT_SCORES, MOVES, REJECTED, TRACE, DESTINATIONS, CLUSTERS, LEDGER, KPIS,
    COUNTY_KPIS, CONSERVATION,
)  # fmt: skip


# --- outputs: what a reader's file holds beyond the tables above -----------------------------------------------


def _end(prefix: str, whose: str) -> tuple[Column, ...]:
    """Return where one end of a move lies."""
    return (
        Column(f"{prefix}_county_id", "text", "", f"county of the {whose}"),
        Column(f"{prefix}_county", "text", "", "its name"),
        Column(f"{prefix}_prefecture", "text", "", "its prefecture"),
        Column(f"{prefix}_inclusive", "bool", "", "on an inclusive-finance list"),
        Column(f"{prefix}_township_id", "text", "", f"township of the {whose}"),
        Column(f"{prefix}_township", "text", "", "its name"),
        Column(f"{prefix}_tier", "text", "", "legal tier", values=TIERS),
        Column(f"{prefix}_zone_id", "text", "", f"zone of the {whose}"),
        Column(f"{prefix}_zone", "text", "", "its name"),
        Column(f"{prefix}_zone_class", "text", "", "its class", values=ZONE_CLASSES),
        Column(f"{prefix}_lon", "float", "deg", "longitude, WGS 84", -180.0, 180.0),
        Column(f"{prefix}_lat", "float", "deg", "latitude, WGS 84", -85.0, 85.0),
    )


# One row of moves.csv (D§13.1): the tables of a move side by side, each column as it stands in its own table.
MOVE_ROWS = Table("move_rows", "seq", "moves.csv: one ordered row per move", (
    Column("branch_id", "text", "", "branch that moves"),
    Column("branch_name", "text", "", "its name"),
    *_end("from", "branch today"),
    Column("site_id", "text", "", "where it goes"),
    Column("site_name", "text", "", "name of that place"),
    *_end("to", "new place"),
    CANDIDATES.column("destination_type"),
    CANDIDATES.column("origin"),
    MOVES.column("distance_km"),
    Column("format_from", "text", "", "format today", values=FORMATS),
    Column("format_to", "text", "", "format at the new place", values=FORMATS),
    Column("format_reason", "text", "", "reason of the format"),
    *(column for column in DESTINATIONS.columns if column.name not in {"format", "reason", "capex_wan"}),
    Column("role", "text", "", "role in its cluster after the plan", values=("core", "satellite", "single")),
    Column("cluster_id", "text", "", "cluster after the plan"),
    LEDGER.column("reason_1"),
    LEDGER.column("reason_2"),
    LEDGER.column("reason_3"),
    Column("rules_checked", "text", "", "rules kept after this step, and those that warn"),
    Column("release_score", "float", "0-100", "release score of the branch", 0, 100.000001),
    Column("attract_score", "float", "0-100", "attract score of the site", 0, 100.000001),
    MOVES.column("pair_score"),
    MOVES.column("worth"),
    *(column for column in LEDGER.columns if not column.name.startswith("reason_")),
    Column("lease_end", "date", "", "end of the old lease", absent="lease plays no part in the release score"),
    Column("customers", "float", "1", "customers of the branch today", 0, absent="not shown"),
    Column("data_gaps", "text", "", "what the branch table does not say about this branch"),
))  # fmt: skip

HEXAGONS = Table("hexagons", "h3", "h3.parquet: people and footfall by H3 cell, where grid.h3_resolution is given", (
    Column("h3", "text", "", "id of the H3 cell"),
    Column("residents", "float", "1", "residents in the raster's year", 0),
    Column("residents_earlier", "float", "1", "residents in the earlier year; equal to residents without it", 0),
    Column("aged_60", "float", "1", "residents aged 60 and over; 0 without that raster", 0),
    *(
        Column(band, "float", "1/h", "mean people present in that band, from the lattice's cells split by area", 0, absent="no column without footfall")
        for band in FOOTFALL_BANDS
    ),
))  # fmt: skip

OUTPUT_TABLES = (MOVE_ROWS, HEXAGONS)
