"""Files with geometry to tables of text: GeoJSON, GeoPackage, Shapefile, GeoParquet."""

import json
import sqlite3
import struct
import warnings
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import shapely

from siteplanner.errors import first_line
from siteplanner.layers.encodings import EXPECTED, UndecodableError, decode
from siteplanner.layers.text_tables import TextTable, UnreadableError, text_of, text_of_arrow

WGS84 = pyproj.CRS.from_epsg(4326)
# CGCS2000 and CRS84 lie within centimetres of WGS 84 and are taken as they stand.
SAME_AS_WGS84 = (
    pyproj.CRS.from_epsg(4326),
    pyproj.CRS.from_epsg(4490),
    pyproj.CRS.from_user_input("OGC:CRS84"),
)
SHAPEFILE_MAGIC = b"\x00\x00\x27\x0a"
SQLITE_MAGIC = b"SQLite format 3\x00"
# Bytes of the envelope that follows a GeoPackage geometry's header, by its code (OGC 12-128r19, 2.1.3).
ENVELOPE_BYTES = (0, 32, 48, 48, 64)


def read_geojson(path: Path, encoding: str | None) -> TextTable:
    """Read a GeoJSON feature collection."""
    try:
        content = json.loads(decode(path.read_bytes(), encoding))
    except UndecodableError as error:
        raise UnreadableError("", str(error), EXPECTED) from None
    except json.JSONDecodeError as error:
        raise UnreadableError(f"line {error.lineno}", f"broken JSON ({error.msg})", "GeoJSON") from None
    except RecursionError:
        raise UnreadableError("", "JSON nested too deeply", "GeoJSON") from None
    features = content.get("features") if isinstance(content, dict) else None
    if not isinstance(features, list) or not all(isinstance(feature, dict) for feature in features):
        raise UnreadableError("", "no list of features", "a GeoJSON FeatureCollection")
    rows = [feature.get("properties") or {} for feature in features]
    if not all(isinstance(row, dict) for row in rows):
        raise UnreadableError("", "properties that are no object", "a GeoJSON FeatureCollection")
    names = list(dict.fromkeys(name for row in rows for name in row))
    frame = pd.DataFrame(
        {name: [text_of(row.get(name)) for row in rows] for name in names},
        index=pd.RangeIndex(len(rows)),
        dtype=str,
    )
    shapes = [_shape(feature.get("geometry"), i) for i, feature in enumerate(features, start=1)]
    return _located(frame, _array(shapes), _crs_of(content))


def _shape(geometry: object, number: int) -> shapely.Geometry | None:
    if geometry is None:
        return None
    try:
        return shapely.from_geojson(json.dumps(geometry))
    except (shapely.GEOSException, ValueError, TypeError, RecursionError) as error:
        place = f"feature {number}"
        raise UnreadableError(
            place, f"a broken geometry ({first_line(error)})", "a GeoJSON geometry"
        ) from None


def _crs_of(content: dict[str, Any]) -> pyproj.CRS | None:
    """Return the CRS of the old ``crs`` member; GeoJSON is WGS 84 without it (RFC 7946)."""
    member = content.get("crs")
    if not member:
        return WGS84
    about = member.get("properties") if isinstance(member, dict) else None
    return _parsed_crs(about.get("name") if isinstance(about, dict) else None)


def read_gpkg(path: Path, layer: str | None) -> TextTable:
    """Read one table of a GeoPackage, by SQLite itself: no view, no trigger, no other driver."""
    with path.open("rb") as file:
        if file.read(16) != SQLITE_MAGIC:
            raise UnreadableError("", "no GeoPackage (other first bytes)", "a GeoPackage")
    log = path.with_name(path.name + "-wal")
    if log.exists() and log.stat().st_size > 0:
        raise UnreadableError("", "a file that another program has open", "a closed GeoPackage")
    base = sqlite3.connect(f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True)
    try:
        return _read_gpkg_table(base, layer)
    except (sqlite3.Error, UnicodeDecodeError, OverflowError) as error:
        raise UnreadableError("", f"a broken GeoPackage ({first_line(error)})", "a GeoPackage") from None
    finally:
        base.close()


def _read_gpkg_table(base: sqlite3.Connection, layer: str | None) -> TextTable:
    real = {
        name
        for (name,) in base.execute(
            "SELECT name FROM sqlite_master WHERE type='table' AND sql NOT LIKE 'CREATE VIRTUAL%'"
        )
    }
    listed = [n for (n,) in base.execute("SELECT table_name FROM gpkg_contents ORDER BY rowid") if n in real]
    if not listed or (layer is not None and layer not in listed):
        raise UnreadableError(
            "", f"the layers {', '.join(listed) or 'none'}", f'a layer "{layer or "with features"}"'
        )
    name = layer if layer is not None else listed[0]
    shape = base.execute(
        "SELECT g.column_name, s.organization, s.organization_coordsys_id, s.definition"
        " FROM gpkg_geometry_columns g LEFT JOIN gpkg_spatial_ref_sys s ON s.srs_id = g.srs_id"
        " WHERE g.table_name = ?",
        (name,),
    ).fetchone()
    rows = base.execute(f'SELECT * FROM "{name.replace(chr(34), chr(34) * 2)}"')  # noqa: S608 - a listed name, quoted
    names = [column[0] for column in rows.description]
    values = rows.fetchall()
    shape_at = names.index(shape[0]) if shape and shape[0] in names else None
    frame = pd.DataFrame(
        {n: [text_of(row[i]) for row in values] for i, n in enumerate(names) if i != shape_at},
        index=pd.RangeIndex(len(values)), dtype=str,
    )  # fmt: skip
    if shape_at is None:
        return TextTable(frame, "row", np.arange(1, len(values) + 1))
    crs = _parsed_crs(f"{shape[1]}:{shape[2]}" if str(shape[1]).upper() == "EPSG" else shape[3])
    return _located(
        frame, _array([_gpkg_shape(row[shape_at], i) for i, row in enumerate(values, start=1)]), crs
    )


def _gpkg_shape(blob: object, number: int) -> shapely.Geometry | None:
    if blob is None:
        return None
    try:
        if not isinstance(blob, bytes) or blob[:2] != b"GP":
            raise ValueError("no GeoPackage geometry")  # noqa: TRY301 - one message for all ways to be broken
        start = 8 + ENVELOPE_BYTES[(blob[3] >> 1) & 0b111]
        return shapely.from_wkb(blob[start:])
    except (ValueError, IndexError, struct.error, shapely.GEOSException) as error:
        place = f"feature {number}"
        raise UnreadableError(
            place, f"a broken geometry ({first_line(error)})", "a GeoPackage geometry"
        ) from None


def read_shapefile(path: Path, encoding: str | None) -> TextTable:
    """Read a Shapefile; the text of its table is decoded here, as GDAL would not refuse nonsense."""
    from siteplanner.layers.ogr import pyogrio

    with path.open("rb") as file:
        if file.read(4) != SHAPEFILE_MAGIC:
            raise UnreadableError("", "no Shapefile (other first bytes)", "a Shapefile")
    for suffix in (".dbf", ".shx"):
        if not path.with_suffix(suffix).exists():
            raise UnreadableError("", f"no {path.stem}{suffix} beside it", "a Shapefile with all its parts")
    try:
        with warnings.catch_warnings():
            # GDAL's remarks on a layer are not for our reader; what matters is checked below.
            warnings.simplefilter("ignore")
            meta, _, shapes, fields = pyogrio.raw.read(path, encoding="ISO-8859-1", datetime_as_string=True)
    except Exception as error:  # noqa: BLE001 - GDAL's errors have no common root here
        raise UnreadableError("", f"a broken Shapefile ({first_line(error)})", "a Shapefile") from None
    codec = encoding or _declared_codec(path)
    frame = pd.DataFrame(
        {name: _redecoded(values, codec) for name, values in zip(meta["fields"], fields, strict=True)},
        index=pd.RangeIndex(len(shapes)), dtype=str,
    )  # fmt: skip
    return _located(frame, shapely.from_wkb(shapes), _parsed_crs(meta["crs"]))


def _declared_codec(path: Path) -> str | None:
    page = path.with_suffix(".cpg")
    if not page.exists():
        return None
    word = page.read_text("ascii", errors="replace").strip().lower()
    known = {"utf-8": "utf-8", "utf8": "utf-8", "65001": "utf-8", "gbk": "gb18030", "gb2312": "gb18030",
             "gb18030": "gb18030", "936": "gb18030", "cp936": "gb18030"}  # fmt: skip
    return known.get(word)


def _redecoded(values: np.ndarray, codec: str | None) -> list[str]:
    texts = [text_of(value.item() if isinstance(value, np.generic) else value) for value in values]
    texts = ["" if text in {"nan", "NaT"} else text for text in texts]
    if values.dtype != object:
        return texts
    try:
        return decode("\n".join(texts).encode("latin-1"), codec).split("\n")
    except UndecodableError as error:
        raise UnreadableError("", str(error), EXPECTED) from None


def read_geoparquet(path: Path) -> TextTable:
    """Read a Parquet file; with the metadata of GeoParquet its geometry is kept."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read()
        # Text that is not UTF-8 is refused here, not where it is first shown.
        table.validate(full=True)
        meta = json.loads((table.schema.metadata or {}).get(b"geo", b"null"))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UnreadableError("", f"a broken Parquet file ({first_line(error)})", "a Parquet file") from None
    text = text_of_arrow(table)
    name = meta.get("primary_column") if isinstance(meta, dict) else None
    if name not in table.column_names:
        return text
    columns = meta.get("columns")
    about = columns.get(name) if isinstance(columns, dict) else None
    if not isinstance(about, dict) or about.get("encoding") != "WKB":
        raise UnreadableError("", "geometry in another form", "geometry as WKB")
    try:
        shapes = shapely.from_wkb(np.asarray(table.column(name).to_pylist(), dtype=object))
    except (shapely.GEOSException, TypeError) as error:
        raise UnreadableError("", f"a broken geometry ({first_line(error)})", "geometry as WKB") from None
    crs = _parsed_crs(json.dumps(about["crs"])) if about.get("crs") else WGS84
    return _located(text.frame, shapes, crs)


def _parsed_crs(name: object) -> pyproj.CRS | None:
    if not isinstance(name, str) or not name:
        return None
    try:
        return pyproj.CRS.from_user_input(name)
    except pyproj.exceptions.CRSError:
        raise UnreadableError(
            "", f'the coordinate system "{name[:80]}"', "a known one, such as EPSG:4326"
        ) from None


def _located(frame: pd.DataFrame, shapes: np.ndarray, crs: pyproj.CRS | None) -> TextTable:
    if crs is None:
        raise UnreadableError("", "no coordinate system", "one that is declared, such as EPSG:4326")
    numbers = np.arange(1, len(frame) + 1)
    if not any(crs.equals(same, ignore_axis_order=True) for same in SAME_AS_WGS84):
        try:
            turn = pyproj.Transformer.from_crs(crs, WGS84, always_xy=True)
        except pyproj.exceptions.ProjError:
            raise UnreadableError("", f'the coordinate system "{crs.name}"', "one of the Earth") from None
        shapes = shapely.transform(shapes, lambda xy: np.column_stack(turn.transform(xy[:, 0], xy[:, 1])))
    return TextTable(frame, "feature", numbers, geometry=shapely.force_2d(shapes))


def _array(shapes: list[shapely.Geometry | None]) -> np.ndarray:
    array = np.empty(len(shapes), dtype=object)
    array[:] = shapes
    return array
