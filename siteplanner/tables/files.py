"""Output tables: what a reader's file holds beyond the tables of the steps."""

from siteplanner.tables.decision import CANDIDATES, DESTINATIONS, LEDGER, MOVES, SCHEDULE
from siteplanner.tables.names import FOOTFALL_BANDS, FORMATS, TIERS, ZONE_CLASSES
from siteplanner.tables.schema import Column, Table


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
    *SCHEDULE.columns,
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
