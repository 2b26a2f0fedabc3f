"""Input tables: as a file holds them, after renaming."""

from siteplanner.tables.names import BANK_CLASSES, DEVELOPMENT_KINDS, FORMATS, TIERS
from siteplanner.tables.schema import Column, Table


def lonlat() -> tuple[Column, Column]:
    """Return where a thing lies."""
    return (
        Column("lon", "float", "deg", "longitude, WGS 84", -180.0, 180.0),
        Column("lat", "float", "deg", "latitude, WGS 84", -85.0, 85.0),
    )


def opening() -> tuple[Column, Column]:
    """Return when a thing is open."""
    return (
        Column("opens_at", "float", "h", "hour at which it opens on a weekday, 9.5 is half past nine", 0, 24, absent="access.usual_opens_at"),
        Column("closes_at", "float", "h", "hour at which it closes on a weekday, after it opens", 0, 24, absent="access.usual_closes_at"),
    )  # fmt: skip


_TIER = Column(
    "tier", "text", "", "legal tier: U urban, C county seat, T township, V village", values=TIERS,
    absent="taken from the nearest township of the county, else rules.tier_when_unknown; said in the output",
)  # fmt: skip


BRANCHES = Table("branches", "branch_id", "our own service points today", (
    Column("branch_id", "text", "", "unique id, kept letter for letter"),
    Column("name", "text", "", "name"),
    *lonlat(),
    _TIER,
    Column("format", "text", "", "format", values=FORMATS, absent="standard"),
    Column("counters", "int", "1", "counters", 0, 200, absent="catalogue value of the format"),
    Column("smart_devices", "int", "1", "smart devices", 0, 500, absent="catalogue value of the format"),
    Column("atms", "int", "1", "cash machines", 0, 500, absent="0"),
    Column("staff", "int", "1", "staff, full-time equivalents", 0, 2_000, absent="catalogue value of the format"),
    Column("area_m2", "float", "m2", "floor area", 0, 100_000, absent="catalogue value of the format"),
    Column("hours_per_week", "float", "h", "opening hours a week", 0, 168, absent="40"),
    *opening(),
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
    Column("competitor_id", "text", "", "unique id, no branch_id; for all rows or for none", absent="numbered by position"),
    *lonlat(),
    Column("bank", "text", "", "bank", absent="other"),
    Column("class", "text", "", "class of the bank", values=BANK_CLASSES, absent="big"),
    *opening(),
))  # fmt: skip

DEVELOPMENTS = Table("developments", "development_id", "new communities and districts", (
    Column("name", "text", "", "name"),
    *lonlat(),
    Column("households", "float", "1", "households when full", 0, 1_000_000),
    Column("handover", "date", "", "date the homes are handed over"),
    Column("kind", "text", "", "kind", values=DEVELOPMENT_KINDS, absent="commodity"),
))  # fmt: skip

TOWNSHIPS = Table("townships", "township_id", "township seats", (
    Column("township_id", "text", "", "unique id"),
    Column("name", "text", "", "name"),
    *lonlat(),
    Column("county_id", "text", "", "county it belongs to", absent="county in which the point lies"),
    Column("tier", "text", "", "legal tier of the seat", values=TIERS, absent="rules.tier_when_unknown; said in the output"),
))  # fmt: skip

SITES = Table("sites", "site_id", "premises on offer", (
    Column("site_id", "text", "", "unique id"),
    *lonlat(),
    Column("name", "text", "", "name", absent="the site_id"),
    _TIER,
    Column("rent", "float", "CNY/m2/month", "rent", 0, absent="mean of the format catalogue"),
    Column("area_m2", "float", "m2", "floor area", 0, 100_000, absent="catalogue value of the format"),
))  # fmt: skip

SERVICE_POINTS = Table("service_points", "point_id", "points of any bank that serve without being an outlet", (
    *lonlat(),
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

CUSTOMERS = Table("customers", "", "where customers come from, and to which outlet", (
    Column("outlet_id", "text", "", "branch_id of a branch, or competitor_id of a competitor"),
    *lonlat(),
    Column("customers", "float", "1", "customers of that outlet who come from there", 0, absent="1 a row"),
))  # fmt: skip

SHARES = Table("shares", "", "how the people of a place divide among the outlets they were asked about", (
    Column("outlet_id", "text", "", "branch_id of a branch, or competitor_id of a competitor"),
    *lonlat(),
    Column("share", "float", "1", "share of the people of the place; 0 is an answer too", 0, 1),
))  # fmt: skip

FOOTFALL = Table("footfall", "", "people seen at a place and time", (
    *lonlat(),
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
    CUSTOMERS,
    SHARES,
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
