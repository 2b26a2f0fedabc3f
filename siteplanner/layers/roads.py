"""Roads: OpenStreetMap extracts (PBF) and layers of lines, read to one record of lines."""

from pathlib import Path

import numpy as np
import pandas as pd
import shapely

from siteplanner.errors import EngineError, Fault, first_line
from siteplanner.layers import vectors
from siteplanner.layers.datum import to_wgs84
from siteplanner.layers.findings import Findings
from siteplanner.layers.paths import find_file
from siteplanner.layers.text_tables import TextTable, UnreadableError
from siteplanner.layers.typed import LAT_MAX, LON_MAX
from siteplanner.model.roads import RoadLines
from siteplanner.scenario import ROAD_CLASSES, RoadsInput

PBF_SUFFIX = ".osm.pbf"
LINE_SUFFIXES = (".gpkg", ".geojson", ".json", ".shp", ".parquet", ".geoparquet")
# The first block of a PBF is a header blob: its type stands in the first bytes.
PBF_MAGIC = b"OSMHeader"

# OpenStreetMap's values of `highway`, and the class each is taken for; "_link" goes with its road. What is
# not named here (construction, proposed, raceway, ...) is no road that anybody can use today.
CLASS_OF_HIGHWAY = {
    **{name: name for name in ROAD_CLASSES if name != "path"},
    "road": "unclassified",
    "busway": "service",
    **dict.fromkeys(("path", "footway", "pedestrian", "steps", "cycleway", "bridleway", "corridor"), "path"),
}
# Vehicles only: nobody walks on a motorway.
NO_WALKING = ("motorway", "trunk")
# One-way unless the map says otherwise.
ONE_WAY_CLASSES = ("motorway",)
FORBIDDEN = ("no", "private")
MILE_KM = 1.609344

# Tags that decide who may use a road.
_TAGS = ("highway", "oneway", "junction", "maxspeed", "access", "motor_vehicle", "foot")


def read_roads(spec: RoadsInput | None, findings: Findings) -> RoadLines | None:
    """Read the road layer to lines in WGS 84; None without one, or when it cannot be used."""
    if spec is None:
        return None
    path = find_file(spec.path, findings.folder, (PBF_SUFFIX, *LINE_SUFFIXES))
    if isinstance(path, Fault):
        findings.faults.append(path)
        return None
    findings.add_file(spec.path, path)
    try:
        frame, shapes = _read_pbf(path) if path.name.lower().endswith(PBF_SUFFIX) else _read_lines(path, spec)
    except UnreadableError as error:
        findings.faults.append(error.fault(spec.path))
        return None
    faults = _position_faults(shapes, spec.path)
    if faults:
        findings.faults += faults
        return None
    lines = _to_lines(frame, shapes, spec)
    if lines.road.size == 0:
        values = ", ".join(sorted(set(frame["highway"]))[:8]) or "none"
        expected = "lines with a class that is a road, such as " + ", ".join(ROAD_CLASSES[:4])
        findings.faults.append(
            Fault(spec.path, "", "highway", f"no road at all (classes: {values})", expected)
        )
        return None
    return lines


def _read_pbf(path: Path) -> tuple[pd.DataFrame, np.ndarray]:
    try:
        import osmium
    except ImportError:
        raise EngineError(
            "reading an OpenStreetMap extract needs the extra roads: pip install 'siteplanner[roads]'"
        ) from None
    with path.open("rb") as file:
        if PBF_MAGIC not in file.read(64):
            raise UnreadableError("", "no OpenStreetMap extract (other first bytes)", "an .osm.pbf file")
    rows: list[tuple[str, ...]] = []
    xy: list[tuple[float, float]] = []
    line: list[int] = []
    try:
        ways = osmium.FileProcessor(str(path), osmium.osm.NODE | osmium.osm.WAY).with_locations()
        for way in ways.with_filter(osmium.filter.KeyFilter("highway")):
            if not isinstance(way, osmium.osm.Way):
                continue
            # An extract that was cut leaves ways with nodes outside it, which have no place.
            inside = [(node.lon, node.lat) for node in way.nodes if node.location.valid()]
            if len(inside) < 2:  # noqa: PLR2004 - a line has two ends
                continue
            xy += inside
            line += [len(rows)] * len(inside)
            rows.append(tuple(way.tags.get(tag) or "" for tag in _TAGS))
    except RuntimeError as error:
        raise UnreadableError("", f"a broken extract ({first_line(error)})", "an .osm.pbf file") from None
    shapes = shapely.linestrings(np.array(xy).reshape(-1, 2), indices=line) if rows else np.empty(0, object)
    return pd.DataFrame(rows, columns=list(_TAGS), dtype=str), np.asarray(shapes)


def _read_lines(path: Path, spec: RoadsInput) -> tuple[pd.DataFrame, np.ndarray]:
    text = _read_vectors(path, spec)
    if text.geometry is None:
        raise UnreadableError("", "rows without geometry", "lines")
    absent = [f'"{name}"' for name in spec.columns.values() if name not in text.frame.columns]
    strange = sorted(set(spec.columns) - set(_TAGS))
    if strange:
        raise UnreadableError("", f"a name for {', '.join(strange)}", f"names only for {', '.join(_TAGS)}")
    if absent:
        there = ", ".join(text.frame.columns)
        raise UnreadableError("", f"the columns {there}", f"the column {', '.join(absent)}")
    names = {tag: spec.columns.get(tag, tag) for tag in _TAGS}
    held = {tag: text.frame[name] for tag, name in names.items() if name in text.frame.columns}
    frame = pd.DataFrame({tag: held.get(tag, "") for tag in _TAGS}, index=text.frame.index, dtype=str)
    if "highway" not in held:
        # A layer that names no classes holds nothing but roads.
        frame = frame.assign(highway="unclassified")
    kinds = shapely.get_type_id(text.geometry)
    wrong = np.flatnonzero(~np.isin(kinds, (-1, 1, 5)))
    if wrong.size:
        found = f"a {shapely.from_wkb(shapely.to_wkb(text.geometry[wrong[0]])).geom_type}"
        raise UnreadableError(f"feature {text.numbers[wrong[0]]}", found, "a line")
    parts, row = shapely.get_parts(text.geometry, return_index=True)
    filled = ~shapely.is_empty(parts)
    return frame.iloc[row[filled]].reset_index(drop=True), np.asarray(parts[filled])


def _read_vectors(path: Path, spec: RoadsInput) -> TextTable:
    name = path.name.lower()
    if name.endswith(".gpkg"):
        return vectors.read_gpkg(path, spec.layer)
    if name.endswith(".shp"):
        return vectors.read_shapefile(path, spec.encoding)
    if name.endswith((".parquet", ".geoparquet")):
        return vectors.read_geoparquet(path)
    return vectors.read_geojson(path, spec.encoding)


def _position_faults(shapes: np.ndarray, name: str) -> list[Fault]:
    xy = shapely.get_coordinates(shapes)
    if len(xy) == 0:
        return [Fault(name, "", "", "no lines", "roads as lines")]
    bad = ~np.isfinite(xy).all(axis=1) | (np.abs(xy[:, 0]) > LON_MAX) | (np.abs(xy[:, 1]) > LAT_MAX)
    if not bad.any():
        return []
    lon, lat = xy[np.argmax(bad)]
    swapped = " (lon and lat look swapped)" if abs(lat) > LAT_MAX >= abs(lon) else ""
    found = f"{int(bad.sum()):,} vertices such as {lon:g}, {lat:g}{swapped}"
    return [Fault(name, "", "geometry", found, "degrees")]


def _to_lines(frame: pd.DataFrame, shapes: np.ndarray, spec: RoadsInput) -> RoadLines:
    highway = frame["highway"].str.strip().str.lower().str.removesuffix("_link")
    named = highway.map(CLASS_OF_HIGHWAY)
    drive, walk = _users(frame, named)
    used = named.notna().to_numpy() & (drive | walk)
    forward, backward = _directions(frame[used], named[used], drive[used])
    xy, line = shapely.get_coordinates(shapes[used], return_index=True)
    lon, lat = to_wgs84(xy[:, 0], xy[:, 1], spec.datum)
    size = np.bincount(line, minlength=int(used.sum()))
    codes = pd.Categorical(named[used], categories=list(ROAD_CLASSES)).codes
    return RoadLines(
        lon, lat, np.concatenate(([0], np.cumsum(size))), codes.astype(np.int8),
        forward, backward, walk[used], _limits(frame.loc[used, "maxspeed"]),
    )  # fmt: skip


def _users(frame: pd.DataFrame, named: "pd.Series[str]") -> tuple[np.ndarray, np.ndarray]:
    """Return where vehicles and where walkers may go; the narrower tag decides."""
    closed = frame["access"].isin(FORBIDDEN)
    vehicle, foot = frame["motor_vehicle"], frame["foot"]
    drive = (named != "path") & ~vehicle.isin(FORBIDDEN) & (~closed | ~vehicle.isin(("", *FORBIDDEN)))
    usual = ~named.isin(NO_WALKING) & ~closed
    walk = (usual & ~foot.isin(FORBIDDEN)) | ~foot.isin(("", *FORBIDDEN))
    return drive.to_numpy(dtype=bool), walk.to_numpy(dtype=bool)


def _directions(
    frame: pd.DataFrame, named: "pd.Series[str]", drive: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    word = frame["oneway"].str.strip().str.lower()
    against = word.isin(("-1", "reverse")).to_numpy()
    implied = named.isin(ONE_WAY_CLASSES) | frame["junction"].isin(("roundabout", "circular"))
    along = (word.isin(("yes", "true", "1", "t", "f")) | (implied & (word == ""))).to_numpy()
    if word.eq("b").any() or word.eq("f").any():
        # Layers cut from OpenStreetMap by others write B, F and T: both, as drawn, against.
        against, along = word.eq("t").to_numpy(), word.eq("f").to_numpy()
    return drive & ~against, drive & ~along


def _limits(texts: "pd.Series[str]") -> np.ndarray:
    """Return speed limits in km/h: plain numbers, or miles where the text says so."""
    number = pd.to_numeric(texts.str.extract(r"^\s*(\d+(?:\.\d+)?)")[0], errors="coerce").to_numpy(
        dtype=float
    )
    miles = texts.str.contains("mph", regex=False).to_numpy(dtype=bool)
    kmh = np.where(miles, number * MILE_KM, number)
    return np.where(kmh > 0.0, kmh, np.nan)
