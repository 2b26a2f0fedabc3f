"""The plan for a GIS: one GeoPackage with its styles inside."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from pyogrio.errors import DataLayerError, DataSourceError

from siteplanner.errors import OutputError
from siteplanner.outputs.exports import clean_text, gaps_in_words
from siteplanner.outputs.move_rows import move_rows
from siteplanner.outputs.qgis import styles
from siteplanner.plan import Plan
from siteplanner.scenario import Language

_CLOCK = "OGR_CURRENT_DATE"
_STAMP = "2000-01-01T00:00:00.000Z"  # fixed, so that two runs write the same bytes
_WGS84 = 4326


def write_geopackage(plan: Plan, path: Path, language: Language) -> dict[str, int]:
    """Write plan.gpkg; the same plan gives the same bytes. Return the rows of every layer.

    Columns and codes are those of the data dictionary. ``branches`` holds a branch once when it stays and
    twice when it moves; ``state``: before = stays + leaves, after = stays + arrives. ``outlets`` does the
    same for the outlets of all banks as the market sees them. ``forecast`` holds the counties once a year.

    Raises
    ------
    OutputError
        The disk refused.
    """
    layers = {
        "counties": _counties(plan),
        "zones": _zones(plan),
        "sites": _sites(plan),
        "moves": _moves(plan, language),
        "branches": _branches(plan),
        "outlets": _outlets(plan),
        "forecast": _forecast(plan),
    }
    try:
        with _fixed_clock():
            for name, frame in layers.items():
                multi = name in {"counties", "zones", "forecast"}
                pyogrio.write_dataframe(
                    _clean(frame), path, layer=name, driver="GPKG", promote_to_multi=multi
                )
            options = {"FID": "id"}
            pyogrio.write_dataframe(
                styles(language), path, layer="layer_styles", driver="GPKG", layer_options=options
            )
    except (DataSourceError, DataLayerError) as error:
        raise OutputError(f"{path}: {error}".splitlines()[0]) from error
    return {name: len(frame) for name, frame in layers.items()}


@contextmanager
def _fixed_clock() -> Iterator[None]:
    before = pyogrio.get_gdal_config_option(_CLOCK)
    pyogrio.set_gdal_config_options({_CLOCK: _STAMP})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({_CLOCK: before})


def _clean(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Replace unseen characters, infinite numbers (a viewer has no symbol for them) and the index."""
    frame = frame.reset_index()
    text = frame.select_dtypes(include=["object", "str"]).columns
    number = frame.select_dtypes(include="float").columns
    changed = {name: frame[name].map(clean_text) for name in text if name != "geometry"}
    changed |= {name: frame[name].replace([np.inf, -np.inf], np.nan) for name in number}
    return frame.assign(**changed)


def _points(frame: pd.DataFrame) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(frame, geometry=gpd.points_from_xy(frame["lon"], frame["lat"]), crs=_WGS84)


def _counties(plan: Plan) -> gpd.GeoDataFrame:
    quotas = plan.quotas.counties[["target", "floor", "cap", "quota", "reason"]]
    facts = plan.layers.counties[["name", "prefecture", "inclusive", "geometry"]]
    joined = facts.join(plan.ledger.counties).join(quotas)
    return gpd.GeoDataFrame(joined, geometry="geometry", crs=plan.layers.counties.crs)


def _forecast(plan: Plan) -> gpd.GeoDataFrame:
    rows = plan.forecast.counties.sort_values(["county_id", "year"], kind="stable", ignore_index=True)
    facts = plan.layers.counties[["name", "prefecture", "geometry"]].loc[rows["county_id"]]
    joined = pd.concat([rows, facts.reset_index(drop=True)], axis=1)
    return gpd.GeoDataFrame(joined, geometry="geometry", crs=plan.layers.counties.crs)


def _zones(plan: Plan) -> gpd.GeoDataFrame:
    return plan.zones.zones.sort_index()


def _sites(plan: Plan) -> gpd.GeoDataFrame:
    scores = plan.scores.attract.filter(regex="^(score|part_|veto)")
    chosen = plan.candidates.sites.index.isin(plan.relocation.moves["site_id"])
    return _points(plan.candidates.sites.join(scores).assign(chosen=chosen))


def _moves(plan: Plan, language: Language) -> gpd.GeoDataFrame:
    rows = move_rows(plan)
    ends = rows[["from_lon", "from_lat", "to_lon", "to_lat"]].to_numpy(dtype=float)
    rows = rows.assign(data_gaps=gaps_in_words(rows["data_gaps"], language))
    return gpd.GeoDataFrame(rows, geometry=shapely.linestrings(ends.reshape(-1, 2, 2)), crs=_WGS84)


def _branches(plan: Plan) -> gpd.GeoDataFrame:
    kept = ["name", "lon", "lat", "county_id", "prefecture", "township_id", "tier", "format"]
    score = plan.scores.release[["score", "veto"]]
    cluster = plan.clusters.branches[["cluster_id", "role", "core_id", "km_to_core"]]
    after = plan.formats.branches_after
    moved = after["moved"].astype(bool)
    arrives = after.loc[moved, kept].join(cluster).assign(state="arrives")
    leaves = plan.layers.branches.loc[after.index[moved], kept].assign(state="leaves")
    stays = after.loc[~moved, kept].join(cluster).assign(state="stays")
    rows = pd.concat([stays, leaves, arrives]).join(score)
    return _points(rows.sort_values("state", kind="stable").sort_index(kind="stable"))


def _outlets(plan: Plan) -> gpd.GeoDataFrame:
    before, after = plan.access.outlets, plan.ledger.access_after.outlets
    moved = before.index.isin(plan.relocation.moves["branch_id"])
    leaves = before[moved].assign(state="leaves")
    arrives = after.loc[leaves.index].assign(state="arrives")
    rows = pd.concat([before[~moved].assign(state="stays"), leaves, arrives])
    bank = plan.layers.competitors["bank"].reindex(rows.index).fillna("")
    rows = rows.assign(bank=bank.to_numpy())
    return _points(rows.sort_values("state", kind="stable").sort_index(kind="stable"))
