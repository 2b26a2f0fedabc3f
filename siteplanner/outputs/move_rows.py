"""One ordered row per move: everything the plan knows about it, side by side."""

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplanner import tables
from siteplanner.plan import Plan

_PLACE = ("county_id", "prefecture", "township_id", "tier", "lon", "lat")
_GAPS = ("visits_per_day", "deposits_wan", "customers", "lease_end", "opex_wan")


def move_rows(plan: Plan) -> pd.DataFrame:
    """Join the tables of the moves to `tables.MOVE_ROWS`, codes not yet in words.

    Returns
    -------
    Indexed by ``seq``, in the order of the plan.
    """
    moves = plan.relocation.moves
    frame = pd.concat(
        [
            moves[["branch_id", "site_id", "distance_km", "pair_score", "worth"]],
            _branches(plan, moves),
            _sites(plan, moves),
            plan.ledger.moves.reindex(moves.index),
            plan.schedule.reindex(moves.index),
            _rules(plan.relocation.trace, moves.index),
        ],
        axis=1,
    )
    return frame[[column.name for column in tables.MOVE_ROWS.columns]]


def _branches(plan: Plan, moves: pd.DataFrame) -> pd.DataFrame:
    ids = moves["branch_id"]
    old = plan.layers.branches.reindex(ids)
    cluster = plan.clusters.branches.reindex(ids)
    place = _place(plan, old).add_prefix("from_")
    return place.assign(
        branch_name=old["name"],
        format_from=old["format"],
        lease_end=_column(old, "lease_end"),
        customers=_column(old, "customers"),
        data_gaps=_gaps(old),
        release_score=plan.scores.release["score"].reindex(ids).to_numpy(),
        role=cluster["role"].to_numpy(),
        cluster_id=cluster["cluster_id"].to_numpy(),
    ).set_axis(moves.index)


def _sites(plan: Plan, moves: pd.DataFrame) -> pd.DataFrame:
    ids = moves["site_id"]
    new = plan.candidates.sites.reindex(ids)
    stands = plan.formats.destinations.reindex(ids)
    place = _place(plan, new).add_prefix("to_")
    kept = [name for name in stands.columns if name not in {"format", "reason", "capex_wan"}]
    return place.assign(
        site_name=new["name"],
        destination_type=new["destination_type"],
        origin=new["origin"],
        attract_score=plan.scores.attract["score"].reindex(ids).to_numpy(),
        format_to=stands["format"].to_numpy(),
        format_reason=stands["reason"].to_numpy(),
        **{name: stands[name].to_numpy() for name in kept},
    ).set_axis(moves.index)


def _place(plan: Plan, points: pd.DataFrame) -> pd.DataFrame:
    """Say where points lie: county, township and zone with their names."""
    counties, townships = plan.layers.counties, plan.layers.townships
    county = counties.reindex(points["county_id"])
    zones = plan.zones.zones.reindex(zones_at(plan.zones.zones, points))
    return (
        points[list(_PLACE)]
        .assign(
            county=county["name"].to_numpy(),
            inclusive=county["inclusive"].eq(True).to_numpy(),
            township=townships["name"].reindex(points["township_id"]).fillna("").to_numpy(),
            zone_id=zones.index.to_numpy(),
            zone=zones["name"].fillna("").to_numpy(),
            zone_class=zones["zone_class"].fillna("").to_numpy(),
        )
        .fillna({"zone_id": ""})
    )


def zones_at(zones: gpd.GeoDataFrame, points: pd.DataFrame) -> np.ndarray:
    """Return the zone in which each point lies, the first id where two meet; empty where there is none."""
    where = gpd.points_from_xy(points["lon"], points["lat"])
    point, zone = zones.sindex.query(where, predicate="intersects")
    found = pd.Series(zones.index.to_numpy()[zone]).groupby(point).min()
    return found.reindex(range(len(points)), fill_value="").to_numpy(dtype=object)


def _column(frame: pd.DataFrame, name: str) -> "pd.Series[Any]":
    """Return an optional column; empty where the input had none."""
    return frame[name] if name in frame else pd.Series(np.nan, index=frame.index)


def _gaps(branches: pd.DataFrame) -> "pd.Series[str]":
    """Name the columns that a branch leaves empty, as codes joined by blanks."""
    empty = pd.DataFrame(
        {name: branches[name].isna() if name in branches else True for name in _GAPS}, index=branches.index
    )
    named = [" ".join(empty.columns[row]) for row in empty.to_numpy(dtype=bool)]
    return pd.Series(named, index=branches.index, dtype=object)


def _rules(trace: pd.DataFrame, steps: "pd.Index[int]") -> "pd.Series[str]":
    """Join the rules tested after each step: ``ok: …`` and, where some are not kept, ``warn: …``."""
    said = {}
    for step, rows in trace.groupby("step", sort=True):
        kept = " ".join(sorted(rows.loc[rows["ok"].astype(bool), "rule"]))
        broken = " ".join(sorted(rows.loc[~rows["ok"].astype(bool), "rule"]))
        said[step] = f"ok: {kept}" + (f"; warn: {broken}" if broken else "")
    return pd.Series(said, dtype=object).reindex(steps, fill_value="").rename("rules_checked")
