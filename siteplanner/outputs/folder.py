"""The whole result folder of a run: every file a reader gets, whole or not at all."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from siteplanner.outputs.exports import (
    write_cells,
    write_forecast_csv,
    write_hexagons,
    write_manifest,
    write_moves_csv,
    write_people,
)
from siteplanner.outputs.geopackage import write_geopackage
from siteplanner.outputs.publish import publish
from siteplanner.outputs.report import write_report
from siteplanner.outputs.workbook import write_workbook
from siteplanner.plan import Plan
from siteplanner.scenario import Language


def write_outputs(plan: Plan, out_dir: Path, language: Language, version: str) -> dict[str, Any]:
    """Write map, memo, workbook, data files and manifest to ``out_dir``; return the manifest.

    Raises
    ------
    BusyError
        Another run is writing there.
    OutputError
        The disk refused; the previous result is untouched.
    """
    kept: dict[str, Any] = {}

    def write(stage: Path) -> Iterator[Path]:
        from siteplanner.outputs.maps import write_map

        write_map(plan, stage / "map.html", language)
        yield stage / "map.html"
        write_report(plan, stage / "report.html", language, version)
        yield stage / "report.html"
        rows = {"moves.csv": write_moves_csv(plan, stage / "moves.csv", language)}
        yield stage / "moves.csv"
        rows["forecast.csv"] = write_forecast_csv(plan, stage / "forecast.csv")
        yield stage / "forecast.csv"
        write_workbook(plan, stage / "moves.xlsx", language)
        yield stage / "moves.xlsx"
        write_geopackage(plan, stage / "plan.gpkg", language)
        yield stage / "plan.gpkg"
        rows["cells.parquet"] = write_cells(plan, stage / "cells.parquet")
        yield stage / "cells.parquet"
        rows["people.parquet"] = write_people(plan, stage / "people.parquet")
        yield stage / "people.parquet"
        if len(plan.hexagons):
            rows["h3.parquet"] = write_hexagons(plan, stage / "h3.parquet")
            yield stage / "h3.parquet"
        kept.update(write_manifest(plan, stage, rows, version=version, language=language))
        yield stage / "manifest.json"

    publish(Path(out_dir), write)
    return kept
