"""What the page knows besides cells: places, moves, reasons and words, as columns of plain values.

Only what a reader can see is put in: rivals are dots without names, customers do not appear.
"""

import math
from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd

from siteplanner import tables
from siteplanner.labels import section_labels
from siteplanner.outputs.beaten import beaten_by
from siteplanner.outputs.maps.borders import barrier_lines, county_shapes
from siteplanner.outputs.maps.text import plain_text
from siteplanner.outputs.notes import calibration_note, note_text
from siteplanner.plan import Plan
from siteplanner.scenario import Language

DEGREE_DECIMALS = 5  # about 1 m
WORDS = ("map", "classes", "tiers", "formats", "reasons", "rules", "rejections", "kpis", "units", "roles")
BACKGROUND = ("balanced", "thin")  # classes that ask for nothing and are not drawn
REJECTED_SHOWN = 400  # best rejected sites on the map; all of them are in the workbook


def gather_facts(plan: Plan, language: Language) -> dict[str, object]:
    """Return everything but the cells, ready for JSON: no NaN, no infinity, no numpy type."""
    title = plan.scenario.title_zh if language == "zh" else plan.scenario.title_en
    return {
        "language": language,
        "title": plain_text(title or plan.scenario.name),
        "synthetic": plan.scenario.output.synthetic,
        "calibration": plain_text(note_text(calibration_note(plan), language)),
        "vintage": _vintage(plan),
        "words": {section: _words(section, language) for section in WORDS},
        "cover_min": plan.scenario.access.cover_min,
        **county_shapes(plan),
        "zones": _zones(plan),
        "townships": _columns(plan.layers.townships, ["name", "lon", "lat", "county_id"]),
        "branches": _branches(plan),
        "rivals": _columns(plan.layers.competitors, ["lon", "lat"]),
        "points": _columns(_points(plan), ["lon", "lat"]),
        "barriers": barrier_lines(plan.layers.barriers),
        "sites": _sites(plan),
        "moves": _moves(plan),
        "rejected": _rejected(plan),
        "clusters": _clusters(plan),
        "kpis": _columns(plan.ledger.kpis, ["id", "before", "after", "unit"]),
        "proof": _proof(plan),
    }


def _vintage(plan: Plan) -> dict[str, object]:
    inputs = plan.scenario.inputs
    return {
        "population_year": inputs.population.year,
        "earlier_year": inputs.population.earlier_year,
        "plan_year": plan.scenario.demand.plan_year,
        "footfall": inputs.footfall.kind if inputs.footfall else None,
        "cell_m": plan.scenario.grid.cell_m,
    }


def _words(section: str, language: Language) -> dict[str, str]:
    try:
        return section_labels(section, language)
    except KeyError:
        return {}


def _columns(frame: pd.DataFrame, names: Collection[str]) -> dict[str, list[object]]:
    """Return the columns as lists, and the key as ``id``; missing and infinite values as None."""
    columns = {name: _plain(frame[name], name) for name in names if name in frame}
    key: dict[str, list[object]] = {"id": [plain_text(str(key)) for key in frame.index]}
    return key | columns if "id" in names else columns


def _plain(values: "pd.Series[Any]", name: str) -> list[object]:
    if pd.api.types.is_bool_dtype(values):
        return [bool(value) for value in values]
    if pd.api.types.is_integer_dtype(values) and not values.isna().any():
        return [int(value) for value in values]
    if pd.api.types.is_numeric_dtype(values):
        numbers = values.to_numpy(dtype=float, na_value=np.nan)
        decimals = DEGREE_DECIMALS if name in {"lon", "lat"} else 3
        return [float(n) if np.isfinite(n) else None for n in np.round(numbers, decimals)]
    return ["" if pd.isna(value) else plain_text(str(value)) for value in values]


def _points(plan: Plan) -> pd.DataFrame:
    """Return the points that serve without being an outlet; nothing without that layer."""
    points = plan.layers.service_points
    return pd.DataFrame({"lon": [], "lat": []}, dtype=float) if points is None else points


def _zones(plan: Plan) -> dict[str, list[object]]:
    """Name and class of every zone in the order of the codes of `cells`; figures of those that are drawn."""
    zones = pd.DataFrame(plan.zones.zones.drop(columns="geometry"))
    figures = [
        "residents", "gap_visits", "own_outlets", "rival_outlets", "growth_per_year", "area_km2",
        "pipeline_households",
    ]  # fmt: skip
    drawn = ~zones["zone_class"].isin(BACKGROUND)
    seen = zones.assign(**{name: zones[name].astype(float).where(drawn) for name in figures})
    return _columns(seen, ["name", "zone_class", "county_id", "lon", "lat", *figures])


def _branches(plan: Plan) -> dict[str, list[object]]:
    branches = plan.layers.branches
    own = plan.market.outlets.loc[branches.index]
    release = plan.scores.release.loc[branches.index]
    clusters = plan.clusters.branches.reindex(branches.index)
    frame = branches.assign(
        visits_predicted=own["visits_per_day"],
        overlap=own["overlap"],
        score=release["score"],
        veto=release["veto"],
        role=clusters["role"],
        **{f"part_{part}": release[f"part_{part}"] for part in tables.RELEASE_PARTS},
    )
    names = ["id", "name", "lon", "lat", "county_id", "tier", "format", "counters", "visits_predicted"]
    parts = [f"part_{part}" for part in tables.RELEASE_PARTS]
    return _columns(frame, [*names, "overlap", "score", *parts, "veto", "role"])


def _sites(plan: Plan) -> dict[str, list[object]]:
    """Sites that a move goes to or that were rejected: others are not on the map."""
    parts = [f"part_{part}" for part in tables.ATTRACT_PARTS]
    shown = plan.candidates.sites.index.isin(_shown_sites(plan))
    sites = plan.candidates.sites.loc[shown]
    points = plan.scores.attract.loc[sites.index]
    sites = sites.assign(**{name: points[name] for name in ("score", *parts)})
    places = ["id", "name", "lon", "lat", "county_id", "tier", "destination_type", "gap_visits", "score"]
    return _columns(sites, [*places, *parts])


def _best_rejected(plan: Plan) -> pd.DataFrame:
    rejected = plan.relocation.rejected
    places = rejected.loc[rejected["site_id"].isin(plan.candidates.sites.index)]
    places = places.loc[~places["site_id"].isin(plan.relocation.moves["site_id"])]
    best = places.sort_values(["score", "site_id"], ascending=[False, True], kind="stable")
    return best.drop_duplicates("site_id").head(REJECTED_SHOWN)


def _shown_sites(plan: Plan) -> set[str]:
    return {*plan.relocation.moves["site_id"], *_best_rejected(plan)["site_id"]}


def _rejected(plan: Plan) -> dict[str, list[object]]:
    return _columns(_best_rejected(plan), ["site_id", "reason", "rule", "score"])


def _moves(plan: Plan) -> dict[str, list[object]]:
    moves = plan.relocation.moves.join(plan.ledger.moves)
    there = plan.formats.destinations.loc[moves["site_id"]].set_axis(moves.index)
    applied = plan.schedule["apply_on"].dt.strftime("%Y-%m").fillna("")
    moves = moves.assign(
        format_to=there["format"],
        counters_to=there["counters"],
        seq=moves.index,
        quarter=plan.schedule["quarter"],
        apply_month=applied,
    )
    kept, warned = _rules_after(plan, moves["seq"])
    names = [column.name for column in tables.LEDGER.columns]
    return {
        **_columns(moves, ["seq", "branch_id", "site_id", "distance_km", "pair_score"]),
        **_columns(moves, ["format_to", "counters_to", "quarter", "apply_month", *names]),
        "rules_kept": kept,
        "rules_warned": warned,
    }


def _rules_after(plan: Plan, steps: "pd.Series[int]") -> tuple[list[object], list[object]]:
    """Count the rules kept after each step and name those that are not."""
    trace = plan.relocation.trace
    found = [trace.loc[trace["step"] == step] for step in steps]
    return (
        [int(rules["ok"].sum()) for rules in found],
        [sorted(map(str, rules.loc[~rules["ok"].astype(bool), "rule"].unique())) for rules in found],
    )


def _clusters(plan: Plan) -> dict[str, list[object]]:
    """Lines from every satellite to its core, where both stand after the plan."""
    clusters = plan.clusters.branches
    satellites = clusters.loc[clusters["role"] == "satellite"]
    after = plan.formats.branches_after
    ends = {"from": after.loc[satellites.index], "to": after.loc[satellites["core_id"]]}
    return {
        f"{end}_{axis}": _plain(places[axis].reset_index(drop=True), axis)
        for end, places in ends.items()
        for axis in ("lon", "lat")
    }


def _proof(plan: Plan) -> dict[str, object]:
    proof, beaten = plan.relocation.proof, beaten_by(plan)
    numbers = {
        "before": proof.before,
        "after": proof.after,
        "bound": proof.bound,
        "gap": math.ceil(beaten * 1e4 - 1e-7) / 1e4 if np.isfinite(beaten) else beaten,  # "at most": up
        "gain_gap": proof.gain_gap,
    }
    kept = {name: float(value) if np.isfinite(value) else None for name, value in numbers.items()}
    return {**kept, "status": proof.status}
