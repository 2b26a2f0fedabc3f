"""One table file, whatever its format, to text with canonical column names."""

from pathlib import Path

from siteplanner.errors import Fault
from siteplanner.layers import vectors
from siteplanner.layers.findings import Findings
from siteplanner.layers.paths import TABLE_SUFFIXES, find_file
from siteplanner.layers.text_tables import TextTable, UnreadableError, read_csv, read_xlsx
from siteplanner.layers.typed import Typed, rename, typed
from siteplanner.scenario import TableInput, TicketsInput
from siteplanner.tables import Table

# A Shapefile is a family of files.
SHAPEFILE_PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")


def read_table(
    spec: TableInput | TicketsInput, table: Table, findings: Findings
) -> tuple[Typed, TextTable] | None:
    """Read a file, give its columns their canonical names and types; None when that cannot go on."""
    path = find_file(spec.path, findings.folder, TABLE_SUFFIXES)
    if isinstance(path, Fault):
        findings.faults.append(path)
        return None
    _add_checksums(spec.path, path, findings)
    try:
        text = _read_text(path, spec)
    except UnreadableError as error:
        findings.faults.append(error.fault(spec.path))
        return None
    except OSError as error:
        findings.faults.append(
            Fault(spec.path, "", "", f"a file that cannot be read ({error.strerror})", "a readable file")
        )
        return None
    findings.faults += [row.fault(spec.path) for row in text.broken]
    if len(text.numbers) == 0 and not text.broken:
        findings.faults.append(Fault(spec.path, "", "", "no rows", "at least one row"))
        return None
    text, faults = rename(text, table, spec.columns, spec.path)
    findings.faults += faults
    result = typed(text, table, spec.path)
    findings.faults += result.faults
    # Ids that a list lacks are made up: nothing is done without them.
    absent = [column for column in result.absent if column != table.key]
    findings.notes += [("absent_column", table.name, column) for column in absent]
    return (result, text) if not faults else None


def _read_text(path: Path, spec: TableInput | TicketsInput) -> TextTable:
    name = path.name.lower()
    layer = spec.layer if isinstance(spec, TableInput) else None
    if name.endswith((".csv", ".csv.gz")):
        return read_csv(path, spec.encoding)
    if name.endswith(".xlsx"):
        return read_xlsx(path, spec.sheet)
    if name.endswith(".gpkg"):
        return vectors.read_gpkg(path, layer)
    if name.endswith(".shp"):
        return vectors.read_shapefile(path, spec.encoding)
    if name.endswith((".parquet", ".geoparquet")):
        return vectors.read_geoparquet(path)
    return vectors.read_geojson(path, spec.encoding)


def _add_checksums(name: str, path: Path, findings: Findings) -> None:
    if path.suffix.lower() != ".shp":
        findings.add_file(name, path)
        return
    for suffix in SHAPEFILE_PARTS:
        part = path.with_suffix(suffix)
        if part.is_file():
            findings.add_file(name[: -len(path.suffix)] + suffix, part)
