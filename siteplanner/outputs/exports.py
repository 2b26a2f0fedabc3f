"""The data files: moves.csv, cells.parquet and the manifest that vouches for all the others."""

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from siteplanner import tables
from siteplanner.labels import label
from siteplanner.model.totals import people_by_way
from siteplanner.outputs.move_rows import move_rows
from siteplanner.outputs.notes import note_texts
from siteplanner.outputs.publish import sha256
from siteplanner.outputs.wording import in_words, known
from siteplanner.plan import Plan
from siteplanner.scenario import Language

# Excel and its kin take a cell that starts with one of these as a formula (OWASP, CSV injection).
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
# C0 and C1 controls, and the marks that turn or hide the direction of text.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_REPLACEMENT = "\ufffd"

# Sums must still add up to 1e-9 when read back; everything else is rounded to float32.
_ADDITIVE = frozenset({"residents", "residents_earlier", "aged_60", "work", "leisure", "moved_in"})
_ADDITIVE_STEMS = ("pipeline_households", "visits_per_day", "potential_wan", "gap", "lon", "lat")


def clean_text(value: object) -> object:
    """Replace characters that no reader can see by U+FFFD; other values unchanged."""
    return _UNSEEN.sub(_REPLACEMENT, value) if isinstance(value, str) else value


def csv_text(value: object) -> object:
    """Make a text safe for a spreadsheet that opens CSV: a leading apostrophe stops a formula."""
    if not isinstance(value, str):
        return value
    # The start is looked at before cleaning, so that a TAB or CR in front is marked as well.
    mark = "'" if value.startswith(_FORMULA_STARTS) else ""
    return f"{mark}{clean_text(value)}"


def plain_text(value: object) -> object:
    """Undo the leading apostrophe of `csv_text`."""
    if not isinstance(value, str):
        return value
    return value[1:] if value.startswith("'") and value[1:].startswith(_FORMULA_STARTS) else value


def write_moves_csv(plan: Plan, path: Path, language: Language) -> int:
    """Write one ordered row per move, UTF-8 with BOM for Excel; return the number of rows.

    Headings are the canonical names of the data dictionary and codes stay codes, so that programs can read
    the file; reasons and data gaps are in words. Numbers keep ten significant digits.
    """
    rows = move_rows(plan)
    said = in_words(rows[["format_reason", "reason_1", "reason_2", "reason_3"]], language)
    gaps = gaps_in_words(rows["data_gaps"], language)
    rows = rows.assign(**{str(name): said[name] for name in said}, data_gaps=gaps)
    text = rows.select_dtypes(include=["object", "str"]).columns
    rows = rows.assign(**{name: rows[name].map(csv_text) for name in text})
    rows.to_csv(
        path, encoding="utf-8-sig", float_format="%.10g", date_format="%Y-%m-%d", lineterminator="\r\n"
    )
    return len(rows)


def gaps_in_words(gaps: "pd.Series[str]", language: Language) -> "pd.Series[str]":
    """Name the missing columns of `move_rows` in words, joined as a list of the language."""
    comma = label("report.list_comma", language)
    return gaps.map(
        lambda names: comma.join(known("columns", name, language) or name for name in str(names).split())
    ).astype(object)


def rules_in_words(checked: "pd.Series[str]", language: Language) -> "pd.Series[str]":
    """Say the ``ok: …; warn: …`` of `move_rows` in words; the ids of the rules stay."""
    kept, warned = (label(f"report.rules_cell_{end}", language) for end in ("kept", "warned"))
    said = checked.astype(str).str.replace("ok: ", kept, n=1, regex=False)
    return said.str.replace("; warn: ", warned, n=1, regex=False).astype(object)


def cell_rows(plan: Plan) -> pd.DataFrame:
    """Put every layer and score of the cells side by side, by ``cell_id`` ascending."""
    cells = plan.grid.cells
    access = plan.access.cells.add_suffix("_before").join(plan.ledger.access_after.cells.add_suffix("_after"))
    market = plan.market.cells.add_suffix("_before").join(plan.ledger.market_after.cells.add_suffix("_after"))
    zone_class = plan.zones.cells["zone_id"].map(plan.zones.zones["zone_class"])
    joined = cells.join(
        [
            plan.demand.cells,
            plan.demand.segments,
            plan.forecast.cells,
            # A cell without traffic holds 0; what was suppressed stays missing.
            plan.footfall.reindex(cells.index, fill_value=0.0),
            access,
            market,
            plan.zones.cells.assign(zone_class=zone_class),
        ]
    )
    return joined.sort_index()


def write_cells(plan: Plan, path: Path) -> int:
    """Write the grid as Parquet with zstd; return the number of rows.

    Sums (people, visits, deposits) and coordinates are 64-bit; rates, times, segments and the horizon 32-bit.
    """
    frame = cell_rows(plan)
    arrays = {"cell_id": pa.array(frame.index.to_numpy(dtype=np.int64))}
    arrays |= {str(name): _array(str(name), frame[name]) for name in frame.columns}
    fields = [pa.field(name, array.type, metadata=_about(name)) for name, array in arrays.items()]
    table = pa.table(list(arrays.values()), schema=pa.schema(fields))
    floats = [field.name for field in fields if pa.types.is_floating(field.type)]
    others = [field.name for field in fields if field.name not in floats]
    pq.write_table(
        table, path, compression="zstd", version="2.6", use_dictionary=others, use_byte_stream_split=floats
    )
    return len(frame)


def write_people(plan: Plan, path: Path) -> int:
    """Write `tables.PARTS`, people by cell and county, as Parquet with zstd; return the number of rows.

    A cell on a county's border holds people of both: county totals add up from this file, not from the cells.
    """
    parts = plan.demand.parts.sort_values(["cell_id", "county_id"])
    arrays = {
        str(name): pa.array(parts[name].astype(object), type=pa.string())
        if name == "county_id"
        else pa.array(parts[name].to_numpy())
        for name in parts.columns
    }
    pq.write_table(pa.table(arrays), path, compression="zstd", version="2.6")
    return len(parts)


def write_forecast_csv(plan: Plan, path: Path) -> int:
    """Write `tables.FORECAST`, county by county, UTF-8 with BOM for Excel; return the number of rows."""
    rows = plan.forecast.counties.sort_values(["county_id", "year"], kind="stable")
    rows = rows.assign(county_id=rows["county_id"].map(csv_text))
    rows.to_csv(path, index=False, encoding="utf-8-sig", float_format="%.17g", lineterminator="\r\n")
    return len(rows)


def write_hexagons(plan: Plan, path: Path) -> int:
    """Write `tables.HEXAGONS` as Parquet with zstd; return the number of rows."""
    frame = plan.hexagons
    columns = [column for column in tables.HEXAGONS.columns if column.name in frame]
    arrays = [pa.array(frame.index.astype(object), type=pa.string())]
    arrays += [pa.array(frame[column.name].to_numpy(dtype=np.float64)) for column in columns]
    fields = [pa.field("h3", pa.string())]
    fields += [
        pa.field(column.name, pa.float64(), metadata={"unit": column.unit, "meaning": column.meaning})
        for column in columns
    ]
    pq.write_table(pa.table(arrays, schema=pa.schema(fields)), path, compression="zstd", version="2.6")
    return len(frame)


def _array(name: str, values: "pd.Series[Any]") -> pa.Array:
    if values.dtype.kind in "iu":
        return pa.array(values.to_numpy(dtype=np.int32))
    if values.dtype.kind == "f":
        exact = name in _ADDITIVE or name in _ADDITIVE_STEMS
        return pa.array(values.to_numpy(dtype=np.float64 if exact else np.float32))
    return pa.array(values.astype(object), type=pa.string())


def _about(name: str) -> dict[str, str]:
    """Return unit and meaning of a cell column, for the file's own schema."""
    stem = name.removesuffix("_before").removesuffix("_after")
    for table in (
        tables.CELLS,
        tables.DEMAND,
        tables.DEMAND_SEGMENTS,
        tables.FORECAST_CELLS,
        tables.ACCESS,
        tables.MARKET_CELLS,
        tables.ZONE_CELLS,
        tables.ZONES,
    ):
        for column in table.columns:
            if column.name == stem:
                return {"unit": column.unit, "meaning": column.meaning}
    return {"unit": "1/h", "meaning": "mean people present"} if name in tables.FOOTFALL_BANDS else {}


def write_manifest(
    plan: Plan, folder: Path, rows: dict[str, int], *, version: str, language: Language
) -> dict[str, Any]:
    """Write manifest.json, last of all files, and return what it holds.

    Everything that may differ between two runs of the same scenario stands under ``measured``.
    """
    proof = plan.relocation.proof
    manifest = {
        "siteplanner": version,
        "scenario": plan.scenario.model_dump(mode="json"),
        "language": language,
        "synthetic": plan.scenario.output.synthetic,
        "inputs": dict(sorted(plan.layers.files.items())),
        "inputs_not_hashed": {
            name: {"bytes": file.size_bytes, "modified": file.modified}
            for name, file in sorted(plan.unhashed.items())
        },
        "seed": plan.scenario.relocation.seed,
        "engine": plan.scenario.engine.kind,
        "solver": {
            "status": proof.status,
            "objective_before": _number(proof.before),
            "objective_after": _number(proof.after),
            "bound": _number(proof.bound),
            "gap": _number(proof.gap),
            "gain_gap": _number(proof.gain_gap),
        },
        "calibration": _calibration(plan),
        "people_by_way": people_by_way(plan.demand, plan.access.reach, plan.scenario.access),
        "kpis": _kpis(plan.ledger.kpis),
        "conservation": conservation(plan.conservation),
        "warnings": [{"note": list(note), "text": text} for note, text in note_texts(plan, language)],
        "files": _listed(folder, rows),
        "measured": {
            "seconds": {step: round(value, 3) for step, value in plan.seconds.items()},
            "peak_mb": {step: round(value, 1) for step, value in plan.peak_mb.items()},
            "solver_seconds": round(proof.seconds, 3),
            "solver_iterations": proof.iterations,
        },
    }
    _write_json(manifest, folder)
    return manifest


def write_study_manifest(folder: Path, facts: dict[str, Any], *, version: str, language: Language) -> None:
    """Write the manifest.json of a study, last of all files.

    Parameters
    ----------
    facts
        What was studied.
    """
    _write_json(
        {"siteplanner": version, "language": language} | facts | {"files": _listed(folder, {})}, folder
    )


def _listed(folder: Path, rows: dict[str, int]) -> dict[str, dict[str, Any]]:
    return {
        path.name: {"sha256": sha256(path), "bytes": path.stat().st_size} | _rows_of(path.name, rows)
        for path in sorted(folder.iterdir())
        if path.is_file()
    }


def _write_json(manifest: dict[str, Any], folder: Path) -> None:
    text = json.dumps(manifest, ensure_ascii=False, indent=1, allow_nan=False)
    (folder / "manifest.json").write_text(text + "\n", encoding="utf-8")


def _calibration(plan: Plan) -> dict[str, Any]:
    """Tell what the market was fitted to: the levels of volumes, then shape and fit."""
    fit = plan.calibration
    return {
        "visits": _number(plan.market.calibration[0]),
        "deposits": _number(plan.market.calibration[1]),
        "rung": fit.rung,
        "calibrated": fit.rung != "none",
        "alternatives": fit.alternatives,
        "coefficients": _records(fit.coefficients),
        "goodness": {str(name): _number(value) for name, value in fit.goodness["value"].items()},
        "profile": fit.profile.to_dict("records"),
    }


def _records(frame: pd.DataFrame) -> dict[str, Any]:
    return {
        str(key): {
            str(name): value if isinstance(value, str) else _number(value) for name, value in row.items()
        }
        for key, row in frame.iterrows()
    }


def conservation(table: pd.DataFrame) -> dict[str, Any]:
    """Sum people in and out by layer, with every county below it."""
    result: dict[str, Any] = {}
    for layer, rows in table.sort_values("county_id").groupby("layer", sort=True):
        # fsum: the same total whatever the order of the rows.
        people_in, people_out = math.fsum(rows["count_in"]), math.fsum(rows["count_out"])
        counties = zip(rows["county_id"], rows["count_in"], rows["count_out"], strict=True)
        result[str(layer)] = {
            "in": people_in,
            "out": people_out,
            "relative_difference": abs(people_in - people_out) / people_in if people_in else 0.0,
            "nodata_pixels": int(rows["nodata_pixels"].sum()),
            "counties": {str(county): [float(given), float(kept)] for county, given, kept in counties},
        }
        if "count_exact" in rows and rows["count_exact"].notna().any():
            exact = rows.set_index("county_id")["count_exact"].dropna()
            result[str(layer)]["within_borders"] = {str(key): float(value) for key, value in exact.items()}
    return result


def _kpis(table: pd.DataFrame) -> dict[str, Any]:
    return {
        str(kpi): {"before": _number(row["before"]), "after": _number(row["after"]), "unit": row["unit"]}
        for kpi, row in table.iterrows()
    }


def _rows_of(name: str, rows: dict[str, int]) -> dict[str, int]:
    return {"rows": rows[name]} if name in rows else {}


def _number(value: float) -> float | None:
    """Return a number that JSON can hold; null for infinity and not-a-number."""
    return float(value) if np.isfinite(value) else None
